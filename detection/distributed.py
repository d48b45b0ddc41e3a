"""One process or many: torchrun, Slurm, or ``--gpus N``, which starts the processes itself. NCCL on
GPUs, gloo on CPUs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist

from lightnas.cores import check_device, threads_each
from lightnas.errors import InputError, WorkError

T = TypeVar("T")

# The other processes wait while the first one checks every picture, and while it evaluates.
PATIENCE = timedelta(hours=2)


def choose_device(device: str | None) -> str:
    """``cuda`` where there is one, else ``cpu``.

    Raises:
        InputError: a GPU is asked for and there is none, or what is asked for is no device.
    """
    check_device(device)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch sees no GPU here, expected one, or device cpu")
    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def launched() -> bool:
    """Whether torchrun or srun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 or _slurm()


def _slurm() -> bool:
    return (
        "SLURM_PROCID" in os.environ
        and int(os.environ.get("SLURM_NTASKS", "1")) > 1
        and "RANK" not in os.environ
    )


@contextmanager
def process_group(device: str) -> Iterator[int]:
    """Join the other processes, if there are any; yields the rank of this one.

    Raises:
        InputError: there are more processes than GPUs.
    """
    if not launched():
        yield 0
        return
    if device == "cuda" and _slurm():
        from mmcv.runner import init_dist  # finds the other processes; nothing else here needs mmcv

        init_dist("slurm")
    elif device == "cuda":
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise InputError(
                f"process {local} of this machine has no GPU of its own, expected at most {gpus} processes"
            )
        torch.cuda.set_device(local)
        dist.init_process_group("nccl", timeout=PATIENCE)
    else:
        _slurm_to_torch()
        dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def _slurm_to_torch() -> None:
    """What torchrun would have set, for CPUs under Slurm; MASTER_ADDR comes from the job script."""
    if _slurm():
        names = {
            "RANK": "SLURM_PROCID",
            "WORLD_SIZE": "SLURM_NTASKS",
            "LOCAL_RANK": "SLURM_LOCALID",
        }
        os.environ.update({ours: os.environ[slurm] for ours, slurm in names.items()})
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", "29500")


def leave(status: int) -> NoReturn:
    """End a process that was one of several, at once.

    After a training gloo's threads outlive ``destroy_process_group``, and one that is still busy
    when the interpreter takes itself down can abort the process: "terminate called without an
    active exception".
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def first_process(work: Callable[[], T]) -> T:
    """Do something in the first process only; every process gets the result, or the error.

    Raises:
        InputError, WorkError: as ``work`` does, in every process.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return work()
    box: list[Any] = [None]
    if dist.get_rank() == 0:
        try:
            box = [(True, work())]
        except (InputError, WorkError) as error:
            box = [(False, error)]
    dist.broadcast_object_list(box, src=0)
    fine, value = box[0]
    if fine:
        return value  # type: ignore[no-any-return]
    value.said = dist.get_rank() != 0
    raise value


def start_processes(count: int, arguments: Sequence[str]) -> int:
    """Run ``python -m lightnas`` with these arguments in ``count`` processes of this machine, which share
    its cores unless OMP_NUM_THREADS is set; returns the exit status."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # the failing process speaks for itself
    for name, value in threads_each(count).items():
        os.environ.setdefault(name, value)
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=count, rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0,
        run_id="lightnas",
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "lightnas", *arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else 1
    return 0
