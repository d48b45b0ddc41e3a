"""Runners whose checkpoints are written whole or not at all, so that a training can be killed at any
moment, and read back without running code."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from mmcv.runner import RUNNERS, CheckpointHook, EpochBasedRunner, IterBasedRunner

from lightnas.errors import InputError, shown
from lightnas.outputs import record_made

from .averaging import averages_of
from .checkpoint import load_weights, read_checkpoint
from .progress import check_optimizer, progress_of

# Between mmcv's LOW, which evaluation has, and VERY_LOW.
AFTER_EVALUATION = 80


class _WholeCheckpoints:
    """Replaces a runner's ``save_checkpoint``: written beside, synced, then renamed, and
    ``latest.pth`` likewise; and its ``load_checkpoint``: by our own reader.

    The checkpoint of an epoch comes after its evaluation: resumed from it, a run knows the best AP
    up to there, and a kill between the two repeats the epoch rather than leave it unevaluated.

    Args:
        trust: unpickle a checkpoint whole.
    """

    def __init__(self, *args: Any, trust: bool = False, **kwargs: Any) -> None:
        self.trust = trust
        super().__init__(*args, **kwargs)

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load the weights of a checkpoint; returns what ``resume`` goes on from.

        mmcv's own unpickles the file, runs the config in its meta, and believes the paths there:
        the best checkpoint so far is one that the next better one deletes.

        Raises:
            InputError: the checkpoint cannot be read or does not fit.
        """
        content = read_checkpoint(filename, self.trust)
        model: Any = self.model  # type: ignore[attr-defined]
        load_weights(getattr(model, "module", model), content["state_dict"], filename)
        self.averages, self.resumed_from = averages_of(content["state_dict"]), filename
        state = progress_of(content, filename)
        messages = state["hook_msgs"]
        for key in ("best_ckpt", "last_ckpt") & messages.keys():
            messages[key] = str(Path(self.work_dir) / messages[key])  # type: ignore[attr-defined]
        # What this run says of itself stays: its seed, its config.
        return {**content, "meta": {**(self.meta or {}), **state}}  # type: ignore[attr-defined]

    def resume(self, checkpoint: str, resume_optimizer: bool = True, *args: Any) -> None:
        """As in mmcv; what the optimizer holds moves to its weights' device by itself.

        Raises:
            InputError: the checkpoint cannot be read, or its optimizer is another one.
        """
        try:
            super().resume(checkpoint, resume_optimizer, "cpu")  # type: ignore[misc]
            check_optimizer(self.optimizer)  # type: ignore[attr-defined]
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise InputError(
                f"{checkpoint}: its optimizer does not fit ({shown(str(error))}), expected that of this run"
            ) from error

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

    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """One epoch, as in mmcv but for the two seconds that it sleeps first, which is a tenth of a
        round of a small set."""
        self.model.train()
        self.mode, self.data_loader = "train", data_loader
        self._max_iters = self._max_epochs * len(data_loader)
        self.call_hook("before_train_epoch")
        for i, self.data_batch in enumerate(data_loader):
            self._inner_iter = i
            self.call_hook("before_train_iter")
            self.run_iter(self.data_batch, train_mode=True, **kwargs)
            self.call_hook("after_train_iter")
            self._iter += 1
        self.call_hook("after_train_epoch")
        self._epoch += 1


@RUNNERS.register_module()
class WholeIterRunner(_WholeCheckpoints, IterBasedRunner):
    """mmcv's IterBasedRunner with checkpoints that are written whole or not at all."""
