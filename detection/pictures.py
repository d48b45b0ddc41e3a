"""Detections as boxes on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightnas.data.pictures import Box, draw_boxes, grid, save_picture, titled
from lightnas.data.reading import read_picture
from lightnas.found.boxes import boxes_of

SHOWN = 6
# Pixels of a picture on a sheet, at most, and lines of letters it is high; a page shows two side by side.
SIDE, LINES = 640, 26
MOST_BYTES = 400_000  # of a sheet, which the report holds
TITLES = ("what is there", "what was found")


def draw_split(
    data: Any, detections: Sequence[Sequence[NDArray[Any]]], path: Path, threshold: float = 0.3
) -> None:
    """Draw the first pictures of a split into one sheet, each with its true boxes, and beside it with
    what was found.

    ``detections``: of every picture and class, boxes and scores, shape (n, 5).
    """
    from pycocotools.coco import COCO

    coco = COCO(data.ann_file)
    drawn = []
    for key, found in zip(coco.getImgIds()[:SHOWN], detections, strict=False):
        picture = Image.fromarray(read_picture(Path(data.img_prefix) / coco.imgs[key]["file_name"]))
        for boxes in (_true_boxes(coco, key), boxes_of(found, data.classes, threshold)):
            drawn.append(draw_boxes(picture, boxes, most=SIDE, lines=LINES))
    save_picture(titled(grid(drawn, columns=2), TITLES), path, MOST_BYTES)


def _true_boxes(coco: Any, key: int) -> list[Box]:
    """The objects of a picture, crowds left out."""
    boxes = []
    for row in coco.imgToAnns[key]:
        x, y, width, height = row["bbox"]
        if not row.get("iscrowd"):
            name = coco.cats[row["category_id"]]["name"]
            boxes.append(Box(name, (x, y, x + width, y + height)))
    return boxes


def threshold_of_the_best(detections: Sequence[Sequence[NDArray[Any]]], most: float = 0.3) -> float:
    """The score that about one box a picture reaches, and at most ``most``: early epochs are unsure
    of everything.

    ``detections``: of every picture and class, boxes and scores, shape (n, 5).
    """
    scores = np.concatenate([rows[:, 4] for found in detections for rows in found])
    count = min(len(detections), len(scores))
    return min(most, float(np.partition(scores, -count)[-count])) if count else most
