"""The log of a training: one for each run, and what it opens with."""

from __future__ import annotations

import logging
from typing import Any

from mmcv import Config
from mmcv.utils.logging import logger_initialized


def forget_logger() -> None:
    """mmcv keeps its logger for the whole process: a second run would write into the log of the
    first."""
    logger_initialized.pop("mmdet", None)
    logger = logging.getLogger("mmdet")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def say_how(logger: Any, cfg: Config, dataset: Any, world_size: int) -> None:
    """What a person would ask first."""
    batch = cfg.data.samples_per_gpu * world_size
    logger.info(
        f"{len(dataset)} pictures, {len(dataset.CLASSES)} classes, {cfg.runner.get('max_epochs')} epochs on {cfg.device}"
    )
    rate, scaling = cfg.optimizer.get("lr"), cfg.get("auto_scale_lr", {})
    here = f"{batch} = {world_size} x {cfg.data.samples_per_gpu} pictures a step"
    if rate is not None and scaling.get("enable"):
        base = scaling["base_batch_size"]
        logger.info(
            f"learning rate {rate * batch / base:g}: {rate:g} for {base} pictures a step, here {here}"
        )
    else:
        logger.info(f"learning rate {rate}, not scaled; {here}")
