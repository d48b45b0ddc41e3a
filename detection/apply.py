"""What a trained checkpoint is used for: measuring it on a split, and finding objects in pictures."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv import Config
from mmdet.apis import inference_detector

from lightnas.data.coco import CocoSplit, check_split, settle
from lightnas.data.pictures import draw_boxes, encode
from lightnas.errors import InputError
from lightnas.files import output_errors, write_whole
from lightnas.runs.training_run import CONFIG, TrainingRun

from .checkpoint import read_checkpoint
from .distributed import choose_device
from .evaluate import evaluate, load_detector
from .output import stdout_to_stderr
from .pictures import boxes_of, open_picture
from .settings import (
    config_of_literal,
    data_of,
    merge_options,
    read_config,
    use_data,
    use_structure,
)


def find_checkpoint(source: Path, checkpoint: Path | None) -> tuple[Config, Path]:
    """Config and checkpoint from what the user named: a work directory, a config and a checkpoint, or a checkpoint alone.

    Raises:
        InputError: there is no such file, or a config stands alone.
    """
    for path in (source, checkpoint):
        if path is not None and not path.exists():
            raise InputError(
                f"{path} does not exist, expected a work directory, a config or a checkpoint"
            )
    if source.is_dir():
        if not (source / CONFIG).is_file():
            raise InputError(
                f"{source} holds no {CONFIG}, expected the work directory of a training run"
            )
        found = checkpoint or TrainingRun(source).best
        if found is None:
            raise InputError(
                f"{source} holds no checkpoint yet, expected a run with at least one finished epoch"
            )
        return read_config(source / CONFIG), found
    if source.suffix == ".py":
        if checkpoint is None:
            raise InputError(
                f"{source}: a config without a checkpoint, expected test-det CONFIG CHECKPOINT"
            )
        return read_config(source), checkpoint
    return config_of_checkpoint(source, trust=False), source


def config_of_checkpoint(checkpoint: Path, trust: bool) -> Config:
    """The config that a checkpoint of ``train-det`` carries.

    Raises:
        InputError: it carries none.
    """
    text = read_checkpoint(checkpoint, trust).get("meta", {}).get("lightnas_config")
    if not isinstance(text, str):
        raise InputError(
            f"{checkpoint}: carries no config, expected a checkpoint of lightnas train-det, or a config before it"
        )
    return config_of_literal(text, str(checkpoint))


def measure(
    source: Path,
    checkpoint: Path | None,
    split: CocoSplit | None = None,
    name: str | None = None,
    *,
    device: str | None = None,
    skip_bad_images: bool = False,
    trust: bool = False,
    cfg_options: Sequence[str] = (),
) -> dict[str, Any]:
    """AP of a checkpoint, on a split given, or on the one that its config names.

    Args:
        source, checkpoint: as for ``find_checkpoint``.
        split: data to test on.
        name: ``val`` or ``test`` of the config; by default ``test``.

    Raises:
        InputError: weights, structure, classes or data do not fit together.
    """
    cfg, path = find_checkpoint(source, checkpoint)
    merge_options(cfg, cfg_options)
    use_structure(cfg)
    cfg.device = choose_device(device)
    part = name or "test"
    classes = read_checkpoint(path, trust).get("meta", {}).get("CLASSES")
    chosen = split or data_of(cfg).get(part)
    if chosen is None:
        raise InputError(f"{source}: its config names no {part} data, expected --data")
    checked = check_split(chosen, skip_bad_images, classes)
    annotations = str(checked.annotations)
    with tempfile.TemporaryDirectory() as folder, stdout_to_stderr():
        settle({part: checked}, Path(folder))
        use_data(cfg, {part: checked})
        metrics, _ = evaluate(cfg, path, part, trust)
    return {
        "checkpoint": str(path),
        "split": part,
        "annotations": annotations,
        "skipped": checked.skipped,
        **metrics,
    }


def detect(
    checkpoint: Path,
    images: Sequence[Path],
    output: Path,
    *,
    threshold: float = 0.3,
    device: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> list[dict[str, Any]]:
    """Find objects in pictures; writes ``output/NAME`` with boxes on it for each, and ``output/detections.json``.

    Returns:
        for each picture: image, picture (where the boxes were drawn), and detections, best first, each with class, score
        and bbox (x, y, width, height in pixels).

    Raises:
        InputError: the checkpoint or a picture cannot be read, or the output exists.
    """
    _check_pictures(images)
    cfg = config_of_checkpoint(checkpoint, trust)
    if output.is_file() or (output.is_dir() and any(output.iterdir()) and not overwrite):
        raise InputError(
            f"--output {output} exists and is not empty, expected a new directory or --overwrite"
        )
    where = choose_device(device)
    with stdout_to_stderr():
        model = load_detector(cfg, checkpoint, trust).to(where)
    results = []
    with output_errors("--output", output, "a directory"):
        output.mkdir(parents=True, exist_ok=True)
        for image, name in zip(images, _names(images), strict=True):
            picture = open_picture(image)
            with stdout_to_stderr():
                found = inference_detector(
                    model, np.asarray(picture)[:, :, ::-1]
                )  # mmdet's pictures are BGR
            boxes = boxes_of(found, model.CLASSES, threshold)
            write_whole(output / name, encode(draw_boxes(picture, boxes), Path(name).suffix))
            results.append(
                {
                    "image": str(image),
                    "picture": str(output / name),
                    "detections": [_json(box) for box in boxes],
                }
            )
        write_whole(output / "detections.json", json.dumps(results, indent=1).encode())
    return results


def _check_pictures(images: Sequence[Path]) -> None:
    for image in images:
        try:
            open_picture(image)
        except OSError as error:
            reason = error.strerror or str(error)[:80]
            raise InputError(
                f"{image}: cannot be read as a picture ({reason}), expected a whole JPEG, PNG or the like"
            ) from error


def _names(images: Sequence[Path]) -> list[str]:
    """A file name for each drawn picture: its own, numbered where two are the same."""
    names: list[str] = []
    for image in images:
        suffix = (
            image.suffix.lower() if image.suffix.lower() in (".png", ".jpg", ".jpeg") else ".jpg"
        )
        name, number = f"{image.stem}{suffix}", 1
        while name in names:
            number += 1
            name = f"{image.stem}-{number}{suffix}"
        names.append(name)
    return names


def _json(box: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = box.corners
    return {
        "class": box.name,
        "score": round(box.score, 4),
        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
    }
