"""Training: one command from a structure and a data folder to a detector, over mmdet's own
``train_detector``."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch
from mmcv import Config
from mmcv.runner import get_dist_info
from mmcv.utils.logging import logger_initialized
from mmdet.apis import set_random_seed, train_detector
from mmdet.datasets import build_dataset
from mmdet.utils import get_root_logger
from torch import nn

import lightnas
from lightnas.data.coco import CocoSplit, hold, settle
from lightnas.data.summary import lines_of, summarise
from lightnas.errors import InputError, WorkError, shown
from lightnas.json_file import json_text, read_json
from lightnas.outputs import record_made
from lightnas.report.page import write_report
from lightnas.runs.output_dir import REPORT
from lightnas.runs.training_run import (
    ANNOTATIONS,
    CONFIG,
    DATA,
    EVALUATION,
    INITIAL,
    PICTURE,
    InitialFile,
)

from . import cpu
from .allowed import check_settings
from .building import UNFIT, detector_of, fitting
from .checkpoint import classes_of, load_weights, read_checkpoint
from .choosing import check_parts, checked, config_for, first_configs
from .classifier import classifier_keys, number_in, other_classes
from .config import (
    RUNNERS,
    as_begun,
    data_classes,
    data_of,
    plain,
    structure_of,
    use_data,
    use_measured,
)
from .distributed import choose_device, first_process, process_group
from .embedded import config_of_literal
from .initial import begin_from, initial_of
from .loading import loader_errors, training_data, with_reader
from .muon import LEAST, leave_to_adamw
from .options import Start, TrainOptions
from .output import stdout_to_stderr
from .pictures import draw_split
from .progress import progress_of
from .small_sets import measuring_train, recipe_of, with_average
from .testing import evaluate, tested
from .theirs import known_fault
from .told import said_of
from .training_log import forget_logger, say_how
from .work_dir import WorkDir

# The key of a checkpoint's meta that says which data it has seen.
SEEN = "lightnas_data"


def train(
    options: TrainOptions | None, found: dict[str, CocoSplit], start: Start
) -> dict[str, Any]:
    """Train, evaluate the best checkpoint, draw what it finds; returns what ``result.json`` holds.

    Args:
        options: None continues the run in the work directory with its own config.
        found: the splits of the data, from ``layouts.find_data``.
        start: where the run lives and how it begins.

    Raises:
        InputError: bad data, options, weights or work directory.
        WorkError: the loss is no longer a number.
    """
    device = choose_device(start.device)
    if options is not None and options.amp and device == "cpu":
        raise InputError("amp is set, expected a GPU: half precision needs one")
    with (
        process_group(device),
        stdout_to_stderr(),
        loader_errors(),
        WorkDir(start.work_dir) as run,
    ):
        run.device = device
        text, changed = first_process(lambda: _prepare(options, found, start, device, run))
        cfg = config_of_literal(text, str(start.work_dir))
        recipe = said_of(cfg)  # while it is as it was written: mmdet writes into it, too
        done = run.result if start.resume else None
        first = get_dist_info()[0] == 0
        if done is None:
            _run(cfg, start, recipe, run.best if changed else None)
            # The others need not wait for it.
            return _finish(cfg, run, recipe, start.trust_checkpoint) if first else {}
        if first and not (run.path / REPORT).is_file():
            write_report([run.path])
        return run.located(done)


def _prepare(
    options: TrainOptions | None,
    found: dict[str, CocoSplit],
    start: Start,
    device: str,
    run: WorkDir,
) -> tuple[str, bool]:
    """Everything that can be wrong, checked before any work; holds ``run``.

    Returns:
        the config as a literal, and whether the run goes on with other data than those that its
            last checkpoint has seen.
    """
    if start.new_data and not start.resume:
        raise InputError("new_data=True without resume=True, expected a run that goes on")
    resume = start.resume and (start.work_dir / CONFIG).is_file()
    if options is None and not resume:
        raise InputError(
            f"resume=True: {start.work_dir} holds no {CONFIG}, expected the work directory of a training run"
        )
    cfg, there = first_configs(options, start, device, resume)
    # What the run was begun with was accepted then; what has changed since, check_data sees.
    reading = start.data if found else replace(start.data, skip_bad_images=True)
    splits = checked(found or data_of(cfg, start.work_dir), reading)
    if options is not None:
        cfg = config_for(options, splits, device, cfg, there)
        if there is not None:
            as_begun(cfg, there)
    kept = resume and not found and (run.path / DATA).is_file()
    summary = None if kept else summarise(splits, start.layout, start.notes)
    use_data(cfg, splits)
    cfg.work_dir, cfg.device = str(start.work_dir), device
    cfg.resume_from = cfg.load_from = None
    source = str((options and options.config) or "config")
    with_reader(cfg.data, source)
    model = build_model(cfg, source)
    if options is not None and options.config is None:
        check_settings(plain(cfg), source)
    check_parts(cfg, model, source)
    begun = initial_of(model, cfg, start, run)
    if start.load_from is not None:
        _load_from(model, cfg, start)
    settled = [f"{name}.json" for name in splits]
    run.hold(
        resume=start.resume,
        overwrite=start.overwrite,
        inputs=_read_before(options, splits),
        kept=_read_later(splits, start, begun),
        names=[INITIAL, *(f"{ANNOTATIONS}/{name}" for name in settled)],
    )
    changed, seen = False, None
    if there is not None:
        changed = run.check_data(splits, bool(found), start.new_data)
        run.check_same(cfg, there)
        if run.last is not None:
            content = read_checkpoint(run.last, start.trust_checkpoint)
            load_weights(model, content["state_dict"], str(run.last))
            progress_of(content, str(run.last))
            seen = content["meta"].get(SEEN)
    else:
        hold(splits, start.work_dir / ANNOTATIONS)
        run.clear()
    if changed:
        run.forget_result()
    run.begin(settled)
    settle(splits, start.work_dir / ANNOTATIONS)
    use_data(cfg, splits)
    if summary is not None:
        run.write(DATA, json_text(summary, indent=1) + "\n")
    if begun is not None and run.last is None:
        run.write(INITIAL, json_text(begun.model_dump(), indent=1) + "\n")
    if changed or not resume:
        run.write_config(cfg)
    run.note_data(splits)
    if resume and run.last is not None:
        cfg.resume_from = str(run.last)
    # Also where it was killed since it was given other data, before a checkpoint.
    return repr(plain(cfg)), changed or seen not in (None, run.noted_data())


def _read_before(options: TrainOptions | None, splits: dict[str, CocoSplit]) -> list[Path]:
    """What is read once, before the run has files: its own may be among it."""
    named = [options.structure, options.config] if options else []
    return [path for path in named if path] + [split.annotations for split in splits.values()]


def _read_later(
    splits: dict[str, CocoSplit], start: Start, begun: InitialFile | None
) -> list[Path]:
    """What the training reads while it goes on."""
    weights = [start.load_from, Path(begun.checkpoint) if begun else None]
    return [*(split.images for split in splits.values()), *filter(None, weights)]


def _load_from(model: nn.Module, cfg: Config, start: Start) -> list[str]:
    """Load the weights of ``--load-from``; returns what is to be said of it.

    Raises:
        InputError: they do not fit, or are of other classes (without ``allow_mismatch``).
    """
    content = read_checkpoint(str(start.load_from), start.trust_checkpoint)
    weights, source = content["state_dict"], f"load_from {start.load_from}"
    theirs, ours = classes_of(content, source), data_classes(cfg)
    if not other_classes(model, cfg.model, weights, theirs, ours):
        report = load_weights(model, weights, source, start.allow_mismatch)
        fault = known_fault(structure_of(cfg), content["meta"])
        return [*([f"left out: {report}"] if report else []), *([fault] if fault else [])]
    had = f"the classes {shown(list(theirs))}" if theirs else "another number of classes"
    if not start.allow_mismatch:
        raise InputError(
            f"{source}: was trained on {had}, expected those of the data, {shown(list(ours))}; "
            "allow_mismatch=True keeps the rest and begins the classifier anew"
        )
    classifier = classifier_keys(cfg.model)
    kept = {key: value for key, value in weights.items() if key not in classifier}
    report = load_weights(model, kept, source, allow_mismatch=True)
    return [f"the classifier begins anew for {shown(list(ours))}; it had {had} ({report})"]


def build_model(cfg: Config, source: str) -> nn.Module:
    """The detector of a config, initialised.

    Raises:
        InputError: the config asks for something that does not exist or does not fit together.
    """
    model = detector_of(cfg, source)
    # mmcv would print a line for every parameter.
    logger_initialized.setdefault("mmcv", True)
    logging.getLogger("mmcv").setLevel(logging.WARNING)
    with fitting(source, "its model cannot be initialised", "an mmdet detector"):
        model.init_weights()
    if (cfg.get("optimizer") or {}).get("type") == "MuonAdamW" and number_in(cfg.model) >= LEAST:
        with torch.random.fork_rng(devices=[]):  # what else is drawn stays as it is
            leave_to_adamw(model, classifier_keys(cfg.model))
    return model  # type: ignore[no-any-return]


def _run(cfg: Config, start: Start, recipe: list[str], to_measure: Path | None) -> None:
    """Train.

    Args:
        recipe: what is to be said of it.
        to_measure: the best checkpoint so far, where it was measured on other data.
    """
    rank, world_size = get_dist_info()
    timestamp = time.strftime("%Y%m%d_%H%M%S")
    if rank == 0:
        record_made(start.work_dir, f"{timestamp}.log", f"{timestamp}.log.json")
    forget_logger()
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, is no traceback
    logger = get_root_logger(
        log_file=f"{cfg.work_dir}/{timestamp}.log" if rank == 0 else None, log_level=cfg.log_level
    )
    set_random_seed(cfg.seed, deterministic=cfg.get("deterministic", False))
    torch.backends.cudnn.benchmark = cfg.get("cudnn_benchmark", False)
    model = build_model(cfg, "config")
    if start.load_from is not None and cfg.resume_from is None:
        notes = _load_from(model, cfg, start)
        logger.info("; ".join([f"loaded {start.load_from}", *notes]))
    begun = WorkDir(start.work_dir).initial
    if begun is not None and cfg.resume_from is None:
        logger.info(begin_from(model, cfg, Path(begun.checkpoint), start.trust_checkpoint).said)
    if cfg.get("sync_bn") and cfg.device == "cuda" and world_size > 1:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if cfg.device == "cpu":
        model = cpu.prepare(model)
    cv2.setNumThreads(
        0
    )  # loader processes are parallel enough; OpenCV's threads would fight torch's
    with fitting("config", "its data.train cannot be read", "an mmdet data set"):
        dataset = build_dataset(training_data(cfg.data.train))
    cfg.data.setdefault("val_dataloader", {"samples_per_gpu": cfg.data.samples_per_gpu})
    cfg.gpu_ids = [int(os.environ.get("LOCAL_RANK", "0"))]
    model.CLASSES = dataset.CLASSES
    steps = max(1, len(dataset) // (cfg.data.samples_per_gpu * world_size))
    cfg.log_config.interval = max(1, min(cfg.log_config.interval, steps // 2))
    for line in lines_of(read_json(start.work_dir / DATA, "what the training says of its data")):
        logger.info(line)
    for line in recipe:
        logger.info(line)
    say_how(logger, cfg, dataset, world_size)
    drawing = {"type": "DrawDetections", "data": cfg.data.val, "path": f"{cfg.work_dir}/{PICTURE}"}
    meta = {
        "seed": cfg.seed,
        "lightnas_version": lightnas.__version__,
        "lightnas_config": repr(plain(cfg)),
        SEEN: WorkDir(start.work_dir).noted_data(),
    }
    # After meta: they do not decide what the run gives.
    cfg.custom_hooks = [*map(with_average, cfg.custom_hooks), drawing]
    if recipe_of(cfg) is not None:
        cfg.custom_hooks = [*cfg.custom_hooks, measuring_train(tested(cfg, "train"))]
    use_measured(cfg)
    if to_measure is not None:
        again = {
            "type": "MeasureBestAgain",
            "config": plain(cfg),
            "path": str(to_measure),
            "trust": start.trust_checkpoint,
        }
        cfg.custom_hooks = [*cfg.custom_hooks, again]
    cfg.data.val = with_reader(cfg.data.val)  # of which mmdet builds a data set itself
    if start.trust_checkpoint and cfg.runner.type in RUNNERS.values():
        cfg.runner = {**cfg.runner, "trust": True}
    _train_detector(model, dataset, cfg, world_size > 1, timestamp, meta)


def _train_detector(
    model: nn.Module, dataset: Any, cfg: Config, distributed: bool, timestamp: str, meta: Any
) -> None:
    """mmdet's own, whose errors are one line each."""
    unfit = tuple(error for error in UNFIT if error is not RuntimeError)
    with fitting("config", "mmdet cannot train with it", "settings that fit together", unfit):
        try:
            train_detector(
                model,
                dataset,
                cfg,
                distributed=distributed,
                validate=True,
                timestamp=timestamp,
                meta=meta,
            )
        except (FloatingPointError, AssertionError) as error:
            if isinstance(error, AssertionError) and "loss become infinite or NaN" not in str(
                error
            ):
                raise  # not mmdet's CheckInvalidLossHook
            raise WorkError(
                "the loss is no longer a number; a lower learning rate may help (optimizer.lr)"
            ) from error


def _finish(cfg: Config, run: WorkDir, recipe: list[str], trust: bool) -> dict[str, Any]:
    """Evaluate the best checkpoint on the val split, write that down, and draw its detections."""
    run.tidy((cfg.get("checkpoint_config") or {}).get("max_keep_ckpts", -1))
    best = run.best
    assert best is not None and run.last is not None
    evaluation, detections = evaluate(cfg, best, "val", trust)
    begun = run.initial
    result = {
        "checkpoint": best.name, "last": run.last.name, **_length(cfg, run.last), "split": "val",
        "classes": list(cfg.data.val.classes), **({"carried": begun.carried} if begun else {}),
        **evaluation.metrics,
    }  # fmt: skip
    if recipe:
        result["recipe"] = recipe
    run.write(EVALUATION, json_text(evaluation.details) + "\n")
    run.finish(result)
    draw_split(cfg.data.val, detections, run.path / PICTURE)
    write_report([run.path])
    return run.located(result)


def _length(cfg: Config, last: Path) -> dict[str, Any]:
    """How long it trained: less than the config says where nothing got better."""
    epochs, steps = cfg.runner.get("max_epochs"), cfg.data.train.get("steps")
    if steps is None:
        return {"epochs": epochs}
    rounds = int(last.stem.rpartition("_")[2])
    return {"epochs": rounds, "iterations": rounds * steps}
