"""What options of a training change in an mmdet config."""

from __future__ import annotations

from typing import Any

from mmcv import Config, ConfigDict

from lightnas.documents import dicts_in
from lightnas.errors import InputError

from .options import OPTIMIZERS, TEST_SIZE, check_width, parse_schedule
from .recipe import learning_rate

# Steps that make pictures of the size of the input, and the key that says it.
MIXED = {"MosaicCrop": "size", "SometimesMixUp": "img_scale"}

NO_DECAY = {"norm_decay_mult": 0.0, "bias_decay_mult": 0.0}


def innermost_dataset(part: ConfigDict) -> ConfigDict:
    """The data set inside RepeatDataset and the like."""
    while isinstance(part.get("dataset"), dict):
        part = part.dataset
    return part


def keep_negatives(cfg: Config) -> None:
    """Train on pictures without objects too, unless the config says otherwise: they show what is
    background."""
    part = innermost_dataset(cfg.data.get("train") or ConfigDict())
    part.setdefault("filter_empty_gt", False)


def set_width(cfg: Config, width: int) -> None:
    """The width of FPN and head.

    Raises:
        InputError: the config has another number of them than one, or they cannot be so wide.
    """
    check_width(width)
    neck, head = cfg.model.get("neck"), cfg.model.get("bbox_head")
    if not isinstance(neck, dict) or not isinstance(head, dict):
        raise InputError(
            "size and width: the config has no single neck and bbox_head, expected one of each"
        )
    neck["out_channels"] = head["in_channels"] = head["feat_channels"] = width


def set_schedule(cfg: Config, text: str) -> None:
    """Epochs, and how the learning rate falls over them.

    Raises:
        InputError: it is no schedule.
    """
    schedule = parse_schedule(text)
    cosine = {"policy": "CosineAnnealing", "min_lr_ratio": 0.01}
    falls = {"policy": "step", "step": list(schedule.steps)} if schedule.steps else cosine
    cfg.lr_config = {**warm_up(cfg), **falls}
    cfg.runner = {"type": "WholeEpochRunner", "max_epochs": schedule.epochs}


def warm_up(cfg: Config) -> dict[str, Any]:
    """What a config says of the rise of the learning rate."""
    return {
        key: value for key, value in cfg.get("lr_config", {}).items() if key.startswith("warmup")
    }


def set_optimizer(cfg: Config, name: str, begun: Config | None = None) -> None:
    """One of ``OPTIMIZERS``: SGD as published, whose learning rate grows with the batch; the others
    as in the recipe for small sets, theirs to be set by ``settle_rate``.

    Args:
        begun: the config of the run that goes on; an older one has the others with SGD's settings.
    """
    cfg.optimizer = dict(OPTIMIZERS[name])
    if name == "sgd":
        return
    before = (begun.get("optimizer") or {}) if begun is not None else {}
    if before.get("type") == cfg.optimizer.type and "paramwise_cfg" not in before:
        cfg.optimizer.lr *= 2
        return
    use_clipping(cfg)
    cfg.optimizer |= {"lr": None, "paramwise_cfg": dict(NO_DECAY)}
    cfg.auto_scale_lr = {**cfg.get("auto_scale_lr", {}), "enable": False}


def settle_rate(cfg: Config, name: str | None, processes: int) -> None:
    """The learning rate for the pictures of a step, where nothing else says one."""
    if name is not None and cfg.get("optimizer", {}).get("lr", 0) is None:
        cfg.optimizer.lr = learning_rate(cfg.data.get("samples_per_gpu", 1) * processes, name)


def use_clipping(cfg: Config) -> None:
    """Clip gradients at mmdet's norm, unless the config says another."""
    if not (cfg.get("optimizer_config") or {}).get("grad_clip"):
        clipped = {"grad_clip": {"max_norm": 35, "norm_type": 2}}
        cfg.optimizer_config = {**(cfg.get("optimizer_config") or {}), **clipped}


def set_scales(cfg: Config, size: tuple[int, int], multi_scale: tuple[float, float]) -> None:
    """Pictures are tested at ``size`` (height, width) and trained at ``multi_scale`` times its
    short side."""
    short, long = min(size), max(size)
    low, high = multi_scale
    train = [
        (round(long * max(1.0, high)) if size != TEST_SIZE else long, round(short * factor))
        for factor in (low, high)
    ]
    for step in dicts_in(innermost_dataset(cfg.data.train).get("pipeline", [])):
        if step.get("type") == "Resize" and "img_scale" in step:
            step.img_scale, step.multiscale_mode = train, "range"
    for step in dicts_in(cfg.data.train):
        if step.get("type") in MIXED:
            step[MIXED[step.type]] = size
    for name in ("val", "test"):
        for step in dicts_in(cfg.data[name].get("pipeline", [])):
            if step.get("type") == "MultiScaleFlipAug":
                step.img_scale = (long, short)


def set_flip(cfg: Config, probability: float) -> None:
    """The share of pictures that are mirrored."""
    for step in dicts_in(cfg.data.train):
        if step.get("type") in ("RandomFlip", "SometimesMixUp"):
            step.flip_ratio = probability


def set_batch(cfg: Config) -> None:
    """Have rounds of batches as large as those that are loaded."""
    if cfg.data.train.get("type") == "Rounds":
        cfg.data.train.batch = cfg.data.samples_per_gpu
