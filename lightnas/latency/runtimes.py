"""What runs a network where it is deployed: onnxruntime or OpenVINO, opened on the bytes of an ONNX
model.

torch, the third one, runs its own modules (``measure``); nothing here needs it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..cores import check_device
from ..errors import InputError, nearest, out_of_memory, require, shown
from ..units import format_size

TORCH, ONNXRUNTIME, OPENVINO = "torch", "onnxruntime", "openvino"
RUNTIMES = (TORCH, ONNXRUNTIME, OPENVINO)
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# What to install for each.
EXTRAS = {TORCH: "torch", ONNXRUNTIME: "onnx", OPENVINO: "openvino"}
# Pixels of the pictures that a network is given at once: 1.6 GB of numbers in fp32.
MOST_AT_ONCE = 2**27

Feed = Mapping[str, NDArray[Any]]


class Opened(NamedTuple):
    """A network in a runtime.

    Attributes:
        inputs: their names, those that must be given; a runtime may ask for inputs that have defaults.
        run: from arrays by name to what the network gives.
    """

    inputs: Sequence[str]
    run: Callable[[Feed], Sequence[NDArray[Any]]]


def check_runtime(runtime: str) -> None:
    """Refuse what is no runtime, or is not installed.

    Raises:
        InputError: one of them.
    """
    if runtime not in RUNTIMES:
        raise InputError(f"runtime is {shown(runtime)}, {nearest(runtime, RUNTIMES)}")
    require(f"runtime {runtime}", EXTRAS[runtime], runtime)


def check_pictures(input_size: tuple[int, int], batch: int) -> None:
    """Refuse more pixels at once than any network is deployed for.

    Raises:
        InputError: there are so many.
    """
    height, width = input_size
    if batch * height * width > MOST_AT_ONCE:
        raise InputError(
            f"input_size is {format_size(input_size)} and batch {batch}, expected at most "
            f"{MOST_AT_ONCE} pixels at once"
        )


def opened(
    content: bytes, runtime: str, *, device: str = "cpu", threads: int = 0, source: str = "network"
) -> Opened:
    """An ONNX model, ready to be run.

    Args:
        content: its bytes, weights included. Those of strangers go through
            ``deploy.contents.read_model`` first.
        runtime: ``onnxruntime`` or ``openvino``.
        device: ``cpu``; ``cuda`` with onnxruntime alone.
        threads: of a CPU; 0: as many as there are cores.
        source: what messages call it.

    Raises:
        InputError: the runtime is not installed, sees no such device or cannot run the model.
    """
    check_runtime(runtime)
    check_device(device)
    try:
        open_in = _onnxruntime if runtime == ONNXRUNTIME else _openvino
        network = open_in(content, device, threads)
    except InputError:
        raise
    except Exception as error:  # either has classes of its own for every fault
        if out_of_memory(error):
            raise
        raise InputError(
            f"{source}: {runtime} cannot open it ({said(error)}), expected a network that it can run"
        ) from error

    def run(feed: Feed) -> Sequence[NDArray[Any]]:
        try:
            return network.run(feed)
        except Exception as error:  # as above
            if out_of_memory(error):
                raise
            raise InputError(
                f"{source}: {runtime} cannot run it ({said(error)}), expected a network of such inputs"
            ) from error

    return Opened(network.inputs, run)


def _onnxruntime(content: bytes, device: str, threads: int) -> Opened:
    import onnxruntime

    if device == "cuda" and not gpu_there(ONNXRUNTIME):
        raise InputError(
            f"device is {device}, expected cpu: onnxruntime sees no GPU here (onnxruntime-gpu would)"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it logs, it raises as well
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=[PROVIDERS[device]])
    names = [node.name for node in session.get_inputs()]
    return Opened(names, lambda feed: session.run(None, dict(feed)))


def _openvino(content: bytes, device: str, threads: int) -> Opened:
    import openvino

    if device != "cpu":
        raise InputError(f"device is {device}, expected cpu, which OpenVINO runs on here")
    core = openvino.Core()
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    # As they are: on CPUs that have bf16 it would round to that.
    options["INFERENCE_PRECISION_HINT"] = "f32"
    network = core.compile_model(core.read_model(content), "CPU", options)
    names = [name for port in network.inputs for name in port.names]

    def run(feed: Feed) -> list[NDArray[Any]]:
        return list(network(dict(feed)).values())

    return Opened(names, run)


def gpu_there(runtime: str) -> bool:
    """Whether a runtime other than torch sees a GPU."""
    if runtime != ONNXRUNTIME:
        return False
    import onnxruntime

    return PROVIDERS["cuda"] in onnxruntime.get_available_providers()


def versions_of(runtime: str) -> dict[str, str]:
    """The version of a runtime, by its name."""
    return {runtime: version(runtime)}


def default_threads() -> int:
    """How many threads networks get where nobody says: as many as OMP_NUM_THREADS gives torch; 0, as
    many as there are cores."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and len(text) < 5 else 0


def cpu_name() -> str:
    """Of the processor, as its system has it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def said(error: Exception) -> str:
    """What an error of a runtime says, short and on one line."""
    return shown(" ".join(str(error).split(" : ")[-1].split()))[1:-1]
