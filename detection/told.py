"""What is said of the recipe for small sets: that which is trained, read from the config, also where
an option replaced a part of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mmcv import Config

from lightnas.documents import dicts_in

from .recipe import Recipe, said
from .settings import innermost_dataset
from .small_sets import distortion, recipe_of

AUGMENTATION = ("scale", "colour", "mosaic", "mixup")


def said_of(cfg: Config) -> list[str]:
    """The recipe for small sets that a config has in plain lines; none where it has none.

    Raises:
        InputError: it is damaged.
    """
    recipe = recipe_of(cfg)
    if recipe is None:
        return []
    size, chosen, processes = recipe
    found, colour = trained(cfg, chosen, processes), _colour(cfg, chosen)
    own = colour is not None or any(getattr(found, k) != getattr(chosen, k) for k in AUGMENTATION)
    every = cfg.evaluation.get("interval", 1)
    return said(size, found, processes, falls=_falls(cfg), every=every, own=own, colour=colour)


def trained(cfg: Config, chosen: Recipe, processes: int) -> Recipe:
    """A recipe with everything that its config says otherwise; what a config has left out is 0."""
    rounds, steps = cfg.runner.get("max_epochs", chosen.rounds), cfg.data.train.get("steps", 1)
    average = _one(cfg.custom_hooks, "ExpMomentumEMAHook")
    ends, begins = _one(cfg.custom_hooks, "StopEarly"), _one(cfg.custom_hooks, "BeginRound")
    return replace(
        chosen,
        iterations=rounds * steps,
        rounds=rounds,
        steps=steps,
        batch=cfg.data.samples_per_gpu,
        input_size=_input_size(cfg, chosen),
        optimizer=cfg.optimizer.type,
        learning_rate=_rate(cfg, processes),
        warm_up=_warm_up(cfg, steps),
        momentum=average["momentum"] / average.get("interval", 1) if average else 0.0,
        patience=math.ceil(ends["patience"] / cfg.evaluation.get("interval", 1)) if ends else 0,
        plain_rounds=min(rounds, begins.get("plain", 0)) if begins else 0,
        mosaic=_probability(cfg, "MosaicCrop"),
        mixup=_probability(cfg, "SometimesMixUp"),
        scale=_scale(cfg, chosen),
        oversample=_one(cfg.data.train, "ClassBalancedDataset").get("oversample_thr", 0.0),
    )


def _all(part: Any, kind: str) -> Iterator[dict[str, Any]]:
    return (node for node in dicts_in(part) if node.get("type") == kind)


def _one(part: Any, kind: str) -> dict[str, Any]:
    """The first of a type in a part of a config, empty where there is none."""
    return next(_all(part, kind), {})


def _probability(cfg: Config, kind: str) -> float:
    step = _one(cfg.data.train, kind)
    return float(step.get("prob", 1.0)) if step else 0.0


def _rate(cfg: Config, processes: int) -> float:
    """The learning rate of a step; mmdet scales that of a config where it is told to."""
    rate, scaling = cfg.optimizer.lr, cfg.get("auto_scale_lr") or {}
    if not scaling.get("enable"):
        return float(rate)
    return float(rate * cfg.data.samples_per_gpu * processes / scaling["base_batch_size"])


def _warm_up(cfg: Config, steps: int) -> int:
    rises = cfg.lr_config
    length = rises.get("warmup_iters", 0) if rises.get("warmup") else 0
    return int(length * steps) if rises.get("warmup_by_epoch") else int(length)


def _falls(cfg: Config) -> str:
    """How the learning rate goes on when it has risen."""
    falls = cfg.lr_config
    if falls.policy == "FlatCosineAnnealing":
        share = falls.get("start_percent", 0.75)
        flat = "half" if share == 0.5 else f"{share:.0%}"
        return f"flat for the first {flat}, then falling along a cosine"
    if falls.policy == "CosineAnnealing":
        return "falling along a cosine"
    return f"then by the schedule {falls.policy}"


def _input_size(cfg: Config, chosen: Recipe) -> tuple[int, int]:
    """Height and width; a config says of a test no more than the long and the short side."""
    step = _one(cfg.data.test, "MultiScaleFlipAug")
    sides = step.get("img_scale")
    if not sides or isinstance(sides, list) or sorted(sides) == sorted(chosen.input_size):
        return chosen.input_size
    return min(sides), max(sides)


def _scale(cfg: Config, chosen: Recipe) -> tuple[float, float]:
    step = _one(innermost_dataset(cfg.data.train).get("pipeline"), "Resize")
    scales, short = step.get("img_scale"), min(_input_size(cfg, chosen))
    if not isinstance(scales, list) or len(scales) != 2:
        return chosen.scale
    sides = [min(scale) for scale in scales]
    if sides == [round(short * factor) for factor in chosen.scale]:
        return chosen.scale
    return round(sides[0] / short, 2), round(sides[1] / short, 2)


def _colour(cfg: Config, chosen: Recipe) -> str | None:
    """How colours are distorted where that is no longer as strong as chosen."""
    step = _one(cfg.data.train, "PhotoMetricDistortion")
    if not step:
        return "colour as it is"
    given = distortion(chosen.colour)
    other = [
        f"{key} {step.get(key)}"
        for key, value in given.items()
        if _plain(step.get(key)) != _plain(value)
    ]
    return f"colour {chosen.colour:.0%} but for {', '.join(other)}" if other else None


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
