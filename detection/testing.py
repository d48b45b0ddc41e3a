"""Testing: AP of a checkpoint on a split, by COCO's own evaluation."""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmcv import Config
from mmcv.parallel import MMDataParallel
from mmdet.apis import single_gpu_test
from mmdet.datasets import build_dataloader, build_dataset

from lightnas.data.coco import CocoSplit, DataOptions, check_split, settle
from lightnas.data.export import check_output
from lightnas.errors import InputError, printable
from lightnas.found.evaluation import SCORE, Evaluation, evaluate_dataset
from lightnas.found.measuring import result_of
from lightnas.found.objects import Detections
from lightnas.runs.training_run import CONFIG, TrainingRun, is_work_dir

from .boxes import boxes_alone
from .building import detector_of, fitting, number_of_classes
from .checkpoint import classes_of, load_weights, read_checkpoint
from .config import (
    data_of,
    merge_options,
    read_config,
    structure_of,
    use_data,
    use_structure,
)
from .distributed import choose_device
from .embedded import config_of_checkpoint, config_of_run
from .loading import loader_errors, with_reader
from .madnas import MadNas
from .output import stdout_to_stderr
from .settings import innermost_dataset
from .theirs import known_fault


def measure(
    source: Path,
    checkpoint: Path | None,
    split: CocoSplit | None = None,
    name: str | None = None,
    *,
    device: str | None = None,
    data: DataOptions | None = None,
    trust: bool = False,
    cfg_options: Sequence[str] = (),
    score: float = SCORE,
    results: tuple[str, Path] | None = None,
) -> dict[str, Any]:
    """AP of a checkpoint, on a split given, or on the one that its config names.

    Args:
        source, checkpoint: as for ``find_checkpoint``.
        split: data to test on.
        data: how they are to be read.
        name: ``val`` or ``test`` of the config; by default ``test``.
        score: from which a detection counts in the confusion matrix.
        results: a format of ``data.export`` and where to write what was found, under the ids and
            names of the data.

    Returns:
        the metrics and the details of an ``Evaluation``, and what was tested on what.

    Raises:
        InputError: weights, structure, classes or data do not fit together.
    """
    output = check_output(results[1], results[0]) if results else None
    cfg, path = find_checkpoint(source, checkpoint, trust)
    merge_options(cfg, cfg_options)
    use_structure(cfg)
    cfg.device = choose_device(device)
    part = name or "test"
    classes = classes_of(read_checkpoint(path, trust), path) or None
    chosen = split or data_of(cfg, path.parent).get(part)
    if chosen is None:
        raise InputError(f"{source}: its config names no {part} data, expected another data set")
    checked = check_split(chosen, data, classes)
    annotations = str(checked.annotations)
    with tempfile.TemporaryDirectory() as folder, stdout_to_stderr(), loader_errors():
        settle({part: checked}, Path(folder))
        use_data(cfg, {part: checked})
        dataset, detections = detect_split(cfg, path, part, trust)
        where = results and output and (results[0], output)
        return result_of(
            path, part, checked, annotations, dataset, detections, score, where or None
        )


def find_checkpoint(
    source: Path, checkpoint: Path | None = None, trust: bool = False
) -> tuple[Config, Path]:
    """Config and checkpoint from what the user named: a work directory, a config and a checkpoint,
    or a checkpoint alone.

    A config that the user names is run; that of a work directory or a checkpoint is read, and
    rebuilt from what is allowed unless it is trusted.

    Raises:
        InputError: there is no such file, a config stands alone, or is not allowed.
    """
    for path in (source, checkpoint):
        if path is not None and not os.path.exists(path):
            raise InputError(
                f"{path} does not exist, expected a work directory, a config or a checkpoint"
            )
    if os.path.isdir(source):
        if not is_work_dir(source):
            raise InputError(
                f"{source} holds no {CONFIG}, expected the work directory of a training run"
            )
        found = checkpoint or TrainingRun(source).best
        if found is None:
            raise InputError(
                f"{source} holds no checkpoint yet, expected a run with at least one finished epoch"
            )
        return config_of_run(source, trust), found
    if source.suffix == ".py":
        if checkpoint is None:
            raise InputError(
                f"{source}: a config without a checkpoint, expected test-det CONFIG CHECKPOINT"
            )
        return read_config(source), checkpoint
    cfg = config_of_checkpoint(source, trust)
    return cfg, source


def checkpoint_in(source: Path) -> Path:
    """A checkpoint, or the best one of a work directory.

    Raises:
        InputError: as ``find_checkpoint``.
    """
    return find_checkpoint(source)[1] if os.path.isdir(source) else source


def load_detector(cfg: Config, checkpoint: Path, trust: bool = False) -> Any:
    """The trained detector of a config, in evaluation mode on the CPU. Every weight must fit.

    Raises:
        InputError: the checkpoint cannot be read, or holds weights of another structure or other
            classes.
    """
    content = read_checkpoint(checkpoint, trust)
    model = detector_of(cfg, str(checkpoint))
    load_weights(model, content["state_dict"], str(checkpoint))
    if fault := known_fault(structure_of(cfg), content["meta"]):
        print(f"{printable(str(checkpoint))}: {fault}", file=sys.stderr)
    model.CLASSES = classes_of(content, checkpoint)
    expected = number_of_classes(model)
    if model.CLASSES and expected is not None and len(model.CLASSES) != expected:
        raise InputError(
            f"{checkpoint}: its meta.CLASSES has {len(model.CLASSES)} names, expected {expected}, the classes of its config"
        )
    model.cfg = cfg
    model.eval()
    if isinstance(model.backbone, MadNas):
        model.backbone.body.fuse()
    return model


def evaluate(
    cfg: Config, checkpoint: Path, split: str, trust: bool = False
) -> tuple[Evaluation, Detections]:
    """What a checkpoint reaches on a split.

    Returns:
        AP and what is beside it, and detections as ``detect_split`` gives them.

    Raises:
        InputError: as ``detect_split``.
    """
    dataset, detections = detect_split(cfg, checkpoint, split, trust)
    return evaluate_dataset(dataset, detections), detections


def detect_split(
    cfg: Config, checkpoint: Path, split: str, trust: bool = False
) -> tuple[Any, Detections]:
    """What a checkpoint finds in every picture of a split.

    Returns:
        mmdet's data set, and of each picture the detections of each class (n, 5): corners in
        pixels, and score.

    Raises:
        InputError: as ``load_detector``; or the split has other categories than the checkpoint.
    """
    with fitting("config", f"its data.{split} cannot be read", "an mmdet data set"):
        dataset = build_dataset(with_reader(tested(cfg, split)), {"test_mode": True})
    model = load_detector(cfg, checkpoint, trust)
    if model.CLASSES and tuple(model.CLASSES) != tuple(dataset.CLASSES):
        raise InputError(
            f"{cfg.data[split].ann_file}: its categories are {tuple(dataset.CLASSES)}, expected those of "
            f"{checkpoint}: {tuple(model.CLASSES)}"
        )
    loader = build_dataloader(
        dataset,
        cfg.data.get("samples_per_gpu", 1),
        cfg.data.get("workers_per_gpu", 0),
        dist=False,
        shuffle=False,
    )
    on_gpu = cfg.get("device") == "cuda" and torch.cuda.is_available()
    wrapped = (
        MMDataParallel(model.cuda(), device_ids=[torch.cuda.current_device()])
        if on_gpu
        else MMDataParallel(model)
    )
    with fitting(str(checkpoint), "its detector cannot be run", "a detector of such pictures"):
        detections = [boxes_alone(found) for found in single_gpu_test(wrapped, loader)]
    return dataset, detections


def tested(cfg: Config, split: str) -> Any:
    """The section of a split as it is tested: that of train has a pipeline for training."""
    section = cfg.data[split]
    if split == "train":
        pictures = innermost_dataset(section)
        section = copy.deepcopy(innermost_dataset(cfg.data.test))
        section.update({key: pictures[key] for key in ("ann_file", "img_prefix", "classes")})
    return section
