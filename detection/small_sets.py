"""The recipe for small sets, written into an mmdet config."""

from __future__ import annotations

import copy
import math
from typing import Any

from mmcv import Config, ConfigDict

from lightnas.errors import InputError

from .allowed.rules import OutsideError
from .allowed.training import RECIPE
from .options import AUTO, OPTIMIZERS, TrainOptions
from .recipe import (
    OPTIMIZER,
    SMALL_SET,
    Recipe,
    SetSize,
    in_rounds,
    kept,
    read_kept,
    recipe_for,
)
from .settings import NO_DECAY, innermost_dataset, use_clipping, warm_up

# The key of a config that says which set its recipe was made for.
KEY = "recipe"
# Steps of the published pipeline that read one picture; what is behind them sees mixed ones.
ONE_PICTURE = ("LoadImageFromFile", "LoadAnnotations", "Resize")
# Before mmcv's hooks that evaluate and save; behind those that evaluate, before those that log.
AVERAGE_FIRST, MEASURED, ENDED = 49, 75, 76


def wants_recipe(options: TrainOptions, pictures: int, begun: Config | None) -> bool:
    """Whether a training takes the recipe for small sets.

    Args:
        pictures: of the train split.
        begun: the config of the run that goes on: an older one may have a small set and the
            published recipe.
    """
    if options.schedule is not None or options.config is not None:
        return options.schedule == AUTO
    return begun.get(KEY) is not None if begun is not None else pictures < SMALL_SET


def made_for(
    options: TrainOptions, size: SetSize, processes: int, begun: Recipe | None = None
) -> Recipe:
    """The recipe of a set, with what the options say.

    Args:
        begun: that of the run that goes on, which chose by the rules of its day: it stays, unless
            an option asks for something else.
    """
    names = ("optimizer", "iterations", "batch", "input_size", "multi_scale")
    asked = {name: value for name in names if (value := getattr(options, name)) is not None}
    if begun is None:
        return recipe_for(size, processes=processes, **{"optimizer": OPTIMIZER, **asked})
    chosen = {name: getattr(begun, name) for name in names[:-1]} | {"multi_scale": begun.scale}
    wanted = {**chosen, **asked}
    if "iterations" in asked:
        wanted["iterations"] = math.prod(in_rounds(asked["iterations"]))
    if wanted == chosen:
        return begun
    return recipe_for(size, processes=processes, **wanted)


def write_recipe(cfg: Config, recipe: Recipe, size: SetSize, processes: int) -> None:
    """Write a recipe into the published config, whose scales and flips are set already.

    Args:
        size, processes: what it was made for; kept in the config.
    """
    cfg[KEY] = kept(size, recipe, processes)
    cfg.runner = {"type": "WholeEpochRunner", "max_epochs": recipe.rounds}
    cfg.optimizer = OPTIMIZERS[recipe.optimizer] | {
        "lr": recipe.learning_rate,  # for these pictures a step, not to be scaled again
        "paramwise_cfg": dict(NO_DECAY),
    }
    cfg.auto_scale_lr = {"enable": False, "base_batch_size": recipe.batch * processes}
    use_clipping(cfg)
    cfg.lr_config = {
        "policy": "FlatCosineAnnealing",
        "by_epoch": False,
        "start_percent": 0.5,
        "min_lr_ratio": 0.05,
        "warmup": "linear",
        "warmup_iters": recipe.warm_up,
        "warmup_ratio": 0.001,
    }
    cfg.data.samples_per_gpu = recipe.batch
    cfg.data.train = ConfigDict(_mixed(cfg, recipe))
    add_average(cfg, recipe.momentum, recipe.momentum_warm_up)
    cfg.custom_hooks = [
        *cfg.custom_hooks,
        {"type": "BeginRound", "plain": recipe.plain_rounds},
        {"type": "StopEarly", "patience": recipe.patience, "priority": ENDED},
    ]


def _mixed(cfg: Config, recipe: Recipe) -> dict[str, Any]:
    """The train section: pictures one by one, rare classes more often, mixed, in rounds."""
    one = copy.deepcopy(innermost_dataset(cfg.data.train))
    inner = [step for step in one.pipeline if step["type"] in ONE_PICTURE]
    outer = [step for step in one.pipeline if step["type"] not in ONE_PICTURE]
    inner[0]["to_float32"] = True  # as the distortion of colours wants it
    one.pipeline = inner
    dataset: Any = one
    if recipe.oversample:
        dataset = {
            "type": "ClassBalancedDataset",
            "dataset": one,
            "oversample_thr": recipe.oversample,
        }
    mirrored = next((step for step in outer if step["type"] == "RandomFlip"), {"flip_ratio": 0.0})
    mixing = [
        {"type": "MosaicCrop", "size": recipe.input_size, "prob": recipe.mosaic},
        {
            "type": "SometimesMixUp",
            "prob": recipe.mixup,
            "img_scale": recipe.input_size,
            "ratio_range": recipe.scale,
            "flip_ratio": mirrored["flip_ratio"],
        },
        {
            "type": "PhotoMetricDistortion",
            **distortion(recipe.colour),
        },
    ]
    steps = [step for step in mixing if step.get("prob", 1)]
    mixed = {"type": "MultiImageMixDataset", "dataset": dataset, "pipeline": [*steps, *outer]}
    return {"type": "Rounds", "dataset": mixed, "steps": recipe.steps, "batch": recipe.batch}


def distortion(strength: float) -> dict[str, Any]:
    """Of colours: mmdet's PhotoMetricDistortion, so strong."""
    return {
        "brightness_delta": round(32 * strength),
        "contrast_range": _around_one(0.5 * strength),
        "saturation_range": _around_one(0.5 * strength),
        "hue_delta": round(18 * strength),
    }


def _around_one(half: float) -> tuple[float, float]:
    return round(1 - half, 3), round(1 + half, 3)


def add_average(cfg: Config, momentum: float, warm_up: int) -> None:
    """Have weights averaged, and the average measured and saved, unless the config does so."""
    hooks = list(cfg.get("custom_hooks") or [])
    if not any(hook.get("type") == "ExpMomentumEMAHook" for hook in hooks):
        average = {
            "type": "ExpMomentumEMAHook",
            "momentum": momentum,
            "total_iter": warm_up,
            "priority": AVERAGE_FIRST,
        }
        cfg.custom_hooks = [*hooks, average]


def set_iterations(cfg: Config, iterations: int) -> None:
    """So many iterations of any other recipe, in rounds; the learning rate falls along a cosine."""
    rounds, steps = in_rounds(iterations)
    batch = cfg.data.get("samples_per_gpu", 1)
    whole = {"type": "Rounds", "dataset": cfg.data.train, "steps": steps, "batch": batch}
    cfg.data.train = ConfigDict(whole)
    cfg.runner = {"type": "WholeEpochRunner", "max_epochs": rounds}
    falls = {"policy": "CosineAnnealing", "min_lr_ratio": 0.01, "by_epoch": False}
    cfg.lr_config = {**warm_up(cfg), **falls}
    cfg.custom_hooks = [*(cfg.get("custom_hooks") or []), {"type": "BeginRound", "plain": 0}]


def steps_of(cfg: Config, size: SetSize | None, processes: int) -> int:
    """Iterations of a training, as far as they are known; that of the published one otherwise."""
    epochs = cfg.runner.get("max_epochs", 1)
    steps = cfg.data.train.get("steps")
    if steps is None and size is not None:
        steps = -(-size.pictures // (cfg.data.get("samples_per_gpu", 1) * processes))
    return int(epochs * steps) if steps else 10**6


def recipe_of(cfg: Config) -> tuple[SetSize, Recipe, int] | None:
    """The recipe for small sets that a config has: of which set, and for how many processes.

    Raises:
        InputError: it is damaged.
    """
    if cfg.get(KEY) is None:
        return None
    try:
        return read_kept(cfg[KEY])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"the config's {KEY} is damaged, expected what train-det wrote there"
        ) from error


def recipe_begun(kept: Any) -> tuple[SetSize, Recipe, int] | None:
    """``recipe_of`` a config that is read as it stands, from what is under ``KEY``: each value is
    checked.

    Raises:
        InputError: it is damaged.
    """
    try:
        return None if kept is None else read_kept(RECIPE(kept, KEY))
    except OutsideError as outside:
        raise InputError(
            f"the run's {outside}: its recipe is damaged, expected what train-det wrote there"
        ) from outside


def with_average(hook: dict[str, Any]) -> dict[str, Any]:
    """A hook of a config as it is built: mmdet's average of weights is one that resumes."""
    if hook.get("type") != "ExpMomentumEMAHook" or hook.get("resume_from"):
        return hook
    return {**hook, "type": "AverageWeights"}


def measuring_train(data: Any) -> dict[str, Any]:
    """The hook that measures AP on train beside that on val.

    Args:
        data: a section that reads train as val is read.
    """
    return {"type": "MeasureTrain", "data": data, "priority": MEASURED}
