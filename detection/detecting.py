"""Detecting: what a checkpoint finds in pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.apis import inference_detector

from lightnas.data.pictures import draw_boxes, encode
from lightnas.errors import InputError
from lightnas.runs.output_dir import OutputDir

from .config import config_of_checkpoint
from .distributed import choose_device
from .output import stdout_to_stderr
from .pictures import boxes_of, open_picture
from .testing import find_checkpoint, load_detector

DETECTIONS = "detections.json"


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
    """Find objects in pictures; writes ``output/NAME`` with boxes on it for each, and
    ``output/detections.json``.

    Args:
        checkpoint: of ``train-det``, or its work directory: then the best one.

    Returns:
        for each picture: image, picture (where the boxes were drawn), and detections, best first,
        each with class, score and bbox (x, y, width, height in pixels).

    Raises:
        InputError: the checkpoint or a picture cannot be read or lies in the output, or that is
            not empty and was not made by this function.
    """
    _check_pictures(images)
    if checkpoint.is_dir():
        _, checkpoint = find_checkpoint(checkpoint)
    cfg = config_of_checkpoint(checkpoint, trust)
    where, names, results = choose_device(device), _names(images), []
    with FoundDir(output) as run:
        run.hold(resume=False, overwrite=overwrite, inputs=[checkpoint], kept=images, names=names)
        with stdout_to_stderr():
            model = load_detector(cfg, checkpoint, trust).to(where)
        run.clear()
        for image, name in zip(images, names, strict=True):
            picture = open_picture(image)
            with stdout_to_stderr():  # mmdet's pictures are BGR
                found = inference_detector(model, np.asarray(picture)[:, :, ::-1])
            boxes = boxes_of(found, model.CLASSES, threshold)
            run.write(name, encode(draw_boxes(picture, boxes), Path(name).suffix))
            results.append(
                {
                    "image": str(image),
                    "picture": str(output / name),
                    "detections": [_json(box) for box in boxes],
                }
            )
        run.write(DETECTIONS, json.dumps(results, indent=1))
    return results


class FoundDir(OutputDir):
    """The directory of what ``detect`` found: a picture with boxes for each, and detections.json."""

    mark = command = "detect"
    kind, home = "detect", "directory of what detect found"
    config_name = result_name = DETECTIONS
    ours = re.compile(re.escape(DETECTIONS))

    def _is_ours(self, path: Path) -> bool:
        """Pictures of the user's may lie beside a detections.json: nothing tells them apart."""
        return False


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
