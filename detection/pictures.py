"""Detections as boxes on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightnas.data.pictures import draw_boxes, grid, save_picture
from lightnas.data.reading import read_picture
from lightnas.found.boxes import boxes_of

SHOWN = 12
SIDE = 640  # of a picture on a sheet, at most


def draw_split(
    data: Any, detections: Sequence[Sequence[NDArray[Any]]], path: Path, threshold: float = 0.3
) -> None:
    """Draw what was found on the first pictures of a split into one sheet.

    ``detections``: of every picture and class, boxes and scores, shape (n, 5).
    """
    from pycocotools.coco import COCO

    coco = COCO(data.ann_file)
    names = [coco.imgs[key]["file_name"] for key in coco.getImgIds()][:SHOWN]
    drawn = [
        draw_boxes(
            Image.fromarray(read_picture(Path(data.img_prefix) / name)),
            boxes_of(found, data.classes, threshold),
            most=SIDE,
        )
        for name, found in zip(names, detections, strict=False)
    ]
    save_picture(grid(drawn, columns=4), path)


def threshold_of_the_best(detections: Sequence[Sequence[NDArray[Any]]], most: float = 0.3) -> float:
    """The score that about one box a picture reaches, and at most ``most``: early epochs are unsure
    of everything.

    ``detections``: of every picture and class, boxes and scores, shape (n, 5).
    """
    scores = np.concatenate([rows[:, 4] for found in detections for rows in found])
    count = min(len(detections), len(scores))
    return min(most, float(np.partition(scores, -count)[-count])) if count else most
