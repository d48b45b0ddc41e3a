"""Runners whose checkpoints are written whole or not at all, so that a training can be killed at
any moment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from mmcv.runner import RUNNERS, CheckpointHook, EpochBasedRunner, IterBasedRunner

from lightnas.outputs import record_made

# Between mmcv's LOW, which evaluation has, and VERY_LOW.
AFTER_EVALUATION = 80


class _WholeCheckpoints:
    """Replaces a runner's ``save_checkpoint``: written beside, synced, then renamed, and
    ``latest.pth`` likewise.

    The checkpoint of an epoch comes after its evaluation: resumed from it, a run knows the best AP
    up to there, and a kill between the two repeats the epoch rather than leave it unevaluated.
    """

    def register_hook(self, hook: Any, priority: Any = "NORMAL") -> None:
        """As in mmcv, but for when checkpoints are written."""
        after_evaluation = isinstance(hook, CheckpointHook)
        super().register_hook(hook, AFTER_EVALUATION if after_evaluation else priority)  # type: ignore[misc]

    def save_checkpoint(
        self, out_dir: str, *args: Any, create_symlink: bool = True, **kwargs: Any
    ) -> None:
        """As in mmcv, but ``out_dir`` holds the old checkpoints or the new one too, whatever
        happens in between.

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
                record_made(Path(out_dir), path.name)
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
