"""Hooks of a training: epochs that come out the same after a resume, and early pictures."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv import Config
from mmcv.runner import HOOKS, Hook, get_dist_info
from mmdet.datasets.builder import worker_init_fn

from .measured import mmdet_figures
from .pictures import SHOWN, draw_split, threshold_of_the_best
from .progress import NEW_DATA
from .samples import Sample
from .testing import evaluate


@HOOKS.register_module()
class ReseedEpochs(Hook):
    """Seeds each epoch by its number, so that a resumed run draws what an unbroken one would have
    drawn.

    Without it mmdet's loader workers start every epoch from the same seed and repeat the same
    augmentations.
    """

    def before_train_epoch(self, runner: Any) -> None:
        """Seed this process, and the workers that the loader is about to start."""
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


@HOOKS.register_module()
class DrawDetections(Hook):
    """Draws, after every epoch, what the detector finds by then on the first pictures of the val
    split.

    Whether a training goes well is seen from them after minutes. It draws no random number and
    leaves the model in training mode, so a run with it and one without end alike.

    Args:
        data: the val section of an mmdet config.
        path: the picture that is replaced each time.
    """

    def __init__(self, data: Any, path: str) -> None:
        self.data, self.path = data, Path(path)
        self.sample = Sample(data, SHOWN)

    def after_train_epoch(self, runner: Any) -> None:
        """Draw, in the first process."""
        if get_dist_info()[0] == 0:
            detections = self.sample.found_by(runner.model.module)
            draw_split(self.data, detections, self.path, threshold_of_the_best(detections))
            runner.logger.info(f"{self.path}: what it finds after epoch {runner.epoch + 1}")


@HOOKS.register_module()
class MeasureBestAgain(Hook):
    """Where a run goes on with other data than it had, measures its best checkpoint on them: what it
    reached on the old ones is no measure for the checkpoints to come. It notes when that was, from
    where patience counts.

    Args:
        config: of the run.
        path: of the checkpoint.
        trust: unpickle it whole.
    """

    def __init__(self, config: Mapping[str, Any], path: str, trust: bool = False) -> None:
        self.config, self.path, self.trust = Config(config), Path(path), trust

    def before_run(self, runner: Any) -> None:
        """Measure, in the first process, if there is anything left to train."""
        if get_dist_info()[0] != 0 or runner.iter >= runner.max_iters:
            return
        evaluation, _ = evaluate(self.config, self.path, "val", self.trust)
        figures = mmdet_figures(evaluation.metrics)
        best = figures[self.config.evaluation.get("save_best", "bbox_mAP")]
        messages = runner.meta["hook_msgs"]
        messages.pop("best_score", None)
        messages[NEW_DATA] = runner.epoch
        if best is not None:
            messages["best_score"] = best
        runner.logger.info(f"{self.path} on the new data: {figures['bbox_mAP_copypaste']}")
