"""Hooks that watch for what small sets suffer from: AP on train beside AP on val, and a training
that ends when nothing gets better."""

from __future__ import annotations

import re
from typing import Any

from mmcv.runner import HOOKS, Hook, get_dist_info

from lightnas.found.evaluation import evaluate_dataset
from lightnas.runs.training_run import BEST

from .distributed import first_process
from .measured import mmdet_figures
from .progress import NEW_DATA
from .samples import Sample

# Of train, measured each time.
SAMPLE = 50
# Keys of the log: mmdet's own for val, and this before them.
TRAIN = "train_"


@HOOKS.register_module()
class MeasureTrain(Hook):
    """AP on a sample of the pictures that are trained on, after each evaluation: how far it is above
    that of val says how much is learned by heart.

    The sample is the same each time. It draws no random number and leaves the model in training
    mode. Between the evaluation and the log, so that one line has both.

    Args:
        data: a section that reads train as val is read.
        most: pictures of the sample.
    """

    def __init__(self, data: Any, most: int = SAMPLE) -> None:
        self.sample = Sample(data, most, spread=True)

    def after_train_epoch(self, runner: Any) -> None:
        """Measure, where val was measured, which the first process knows."""
        found = runner.log_buffer.output
        if not first_process(lambda: "bbox_mAP_copypaste" in found):
            return
        detections = self.sample.found_by(runner.model.module, together=True)
        if get_dist_info()[0] != 0:
            return
        figures = mmdet_figures(evaluate_dataset(self.sample.dataset, detections).metrics)
        ap = figures["bbox_mAP"]
        if ap is None:
            return
        found[f"{TRAIN}bbox_mAP"] = ap
        val = found.get("bbox_mAP", 0.0)
        runner.logger.info(
            f"AP {val:.3f} on val, {ap:.3f} on {len(self.sample.dataset)} pictures of train: "
            f"a gap of {ap - val:.3f}"
        )


@HOOKS.register_module()
class StopEarly(Hook):
    """Ends a training that does not get better.

    It remembers nothing itself: the name of the best checkpoint, which a resumed run knows, says when
    that was. Where the run went on with other data since (``MeasureBestAgain``), it counts from
    there.

    Args:
        patience: epochs without a better AP.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def before_run(self, runner: Any) -> None:
        """A run that had ended, and was stopped before it said so, has ended."""
        self._end(runner, runner.epoch)

    def after_train_epoch(self, runner: Any) -> None:
        """After the evaluation."""
        self._end(runner, runner.epoch + 1)

    def _end(self, runner: Any, done: int) -> None:
        messages = (runner.meta or {}).get("hook_msgs") or {}
        name = re.fullmatch(BEST, (messages.get("best_ckpt") or "").rsplit("/", 1)[-1])
        since = max(int(name[1]) if name else 0, messages.get(NEW_DATA, 0))
        # Only the first process evaluates.
        over = first_process(lambda: name is not None and done - since >= self.patience)
        if over and done < runner.max_epochs:
            runner.logger.info(
                f"ends after {done} of {runner.max_epochs} rounds: {self.patience} without a better AP"
            )
            runner._max_epochs = done
