"""Training that can be killed at any moment: checkpoints written whole, and epochs that come out the same after a resume."""

from __future__ import annotations

import os
import random
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.runner import HOOKS, RUNNERS, EpochBasedRunner, Hook, IterBasedRunner, get_dist_info
from mmdet.datasets.builder import worker_init_fn


class _WholeCheckpoints:
    """Replaces a runner's ``save_checkpoint``: written beside, synced, then renamed, and ``latest.pth`` likewise."""

    def save_checkpoint(
        self, out_dir: str, *args: Any, create_symlink: bool = True, **kwargs: Any
    ) -> None:
        """As in mmcv, but ``out_dir`` holds the old checkpoints or the new one too, whatever happens in between.

        Raises:
            OSError: the disk is full; nothing has changed.
        """
        beside = Path(out_dir) / f".checkpoint.{os.getpid()}.part"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            super().save_checkpoint(str(beside), *args, create_symlink=False, **kwargs)  # type: ignore[misc]
            for path in beside.iterdir():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
                path.replace(Path(out_dir) / path.name)
                if create_symlink:
                    link = beside / "latest"
                    link.symlink_to(path.name)
                    link.replace(Path(out_dir) / "latest.pth")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(out_dir)) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@RUNNERS.register_module()
class WholeEpochRunner(_WholeCheckpoints, EpochBasedRunner):
    """mmcv's EpochBasedRunner with checkpoints that are written whole or not at all."""


@RUNNERS.register_module()
class WholeIterRunner(_WholeCheckpoints, IterBasedRunner):
    """mmcv's IterBasedRunner with checkpoints that are written whole or not at all."""


@HOOKS.register_module()
class ReseedEpochs(Hook):
    """Seeds each epoch by its number, so that a resumed run draws what an unbroken one would have drawn.

    Without it mmdet's loader workers start every epoch from the same seed and repeat the same augmentations.
    """

    def before_train_epoch(self, runner: Any) -> None:
        base = (runner.meta or {}).get("seed")
        if base is None:
            return
        rank, _ = get_dist_info()
        loader = runner.data_loader
        # Far apart, so that no worker of one epoch has the seed of a worker of another.
        seed = (int(base) + 1_000_003 * (runner.epoch + 1)) % 2**31
        random.seed(seed + rank)
        # GroupSampler shuffles with numpy's global generator, in this process.
        np.random.seed(seed + rank)
        torch.manual_seed(seed + rank)
        loader.worker_init_fn = partial(
            worker_init_fn, num_workers=loader.num_workers, rank=rank, seed=seed
        )
