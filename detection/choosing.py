"""Which config a training takes, and on which data: settled before any work."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path

from mmcv import Config, ConfigDict
from mmcv.runner import get_dist_info
from mmdet.core import build_optimizer
from mmdet.datasets.pipelines import Compose
from torch import nn

from lightnas.data.coco import SPLITS, CocoSplit, DataOptions, check_split
from lightnas.errors import InputError, printable

from .allowed import initial_weights, service_loggers
from .building import fitting
from .config import build_config, plain
from .embedded import config_as_written, config_of_run
from .options import AUTO, Start, TrainOptions, check_length
from .recipe import size_of
from .settings import innermost_dataset
from .small_sets import KEY, recipe_begun, wants_recipe
from .told import said_of
from .work_dir import WorkDir


def first_configs(
    options: TrainOptions | None, start: Start, device: str, resume: bool
) -> tuple[Config, Config | None]:
    """The config to train with, as far as options alone say it, and the one of the run that goes
    on, to compare with.

    Raises:
        InputError: one of them cannot be read, or an option does not fit.
    """
    if options is not None:
        there = config_as_written(start.work_dir, start.trust_checkpoint) if resume else None
        check_length(options)
        if options.config is None and options.schedule in (None, AUTO):
            # Which recipe it is, the data will say: keys of it cannot be replaced yet.
            options = replace(options, cfg_options=(), schedule=None)
        return build_config(options, device, processes=get_dist_info()[1], begun=there), there
    cfg = config_of_run(start.work_dir, start.trust_checkpoint)
    if not start.trust_checkpoint:
        _check_left_out(WorkDir(start.work_dir))
    return cfg, Config(copy.deepcopy(plain(cfg)))


def _check_left_out(run: WorkDir) -> None:
    """Refuse to go on without what a run has that is not taken from its files."""
    written = plain(config_as_written(run.path, trust=False))
    if run.last is None and initial_weights(written["model"]):
        raise InputError(
            f"resume=True: {run.path} has no checkpoint yet, and its config begins with weights of a model zoo, "
            "expected its --config FILE again, or trust_checkpoint=True"
        )
    if run.result is None and (services := service_loggers(written)):
        raise InputError(
            f"resume=True: {run.path} logs by {', '.join(services)}, and no file makes lightnas call a service, "
            "expected the options that it was begun with again, or trust_checkpoint=True"
        )


def config_for(
    options: TrainOptions,
    splits: dict[str, CocoSplit],
    device: str,
    cfg: Config,
    there: Config | None,
) -> Config:
    """The config for data of this size: ``cfg``, where that decides nothing.

    Args:
        splits: checked.
        there: the config of the run that goes on.

    Raises:
        InputError: an option does not fit it.
    """
    if options.config is not None or "train" not in splits:
        return cfg
    size, processes = size_of(splits["train"]), get_dist_info()[1]
    begun = recipe_begun(plain(there).get(KEY)) if there is not None else None
    if begun is not None:  # with data that have grown, it goes on as it began
        size, _, processes = begun
    small = wants_recipe(options, size.pictures, there)
    return build_config(options, device, size, processes, small, there)


def check_parts(cfg: Config, model: nn.Module, source: str) -> None:
    """What mmdet would refuse only after the annotations were read once more.

    Raises:
        InputError: a part of the config cannot be built.
    """
    with fitting(source, "its optimizer cannot be built", "one of torch's"):
        build_optimizer(model, copy.deepcopy(cfg.optimizer))
    with fitting(source, "what it says of its training cannot be read", "settings of mmdet's"):
        said_of(cfg)
    for name in SPLITS:
        steps = innermost_dataset(cfg.data.get(name) or ConfigDict()).get("pipeline", [])
        with fitting(source, f"its data.{name}.pipeline cannot be built", "steps of mmdet's"):
            Compose(copy.deepcopy(steps))


def checked(found: dict[str, CocoSplit], options: DataOptions) -> dict[str, CocoSplit]:
    """Check every split once, also one that stands for two, and say what is worth knowing.

    Raises:
        InputError: bad data.
    """
    classes: tuple[str, ...] | None = None
    checked: dict[tuple[Path, Path], CocoSplit] = {}
    for name in SPLITS:
        if name not in found:
            continue
        place = found[name].annotations, found[name].images
        if place not in checked:
            split = checked[place] = check_split(found[name], options, classes)
            classes = split.classes
            for line in (*(f"left out: {said}" for said in split.skipped), *split.notes):
                print(printable(line), file=sys.stderr)
        found[name] = checked[place]
    return found
