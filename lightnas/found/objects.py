"""True and found boxes of a whole split as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# Of each picture and class corners and scores, (n, 5).
Detections = Sequence[Sequence[NDArray[Any]]]


class Labelled(Protocol):
    """What is read of a data set: mmdet's ``CocoDataset``, or ``truth.Truth``.

    Attributes:
        CLASSES: names, in the detector's order.
        img_ids, cat_ids: of its pictures and, in the order of CLASSES, of its classes.
        data_infos: COCO's entry of each picture, in the order of ``img_ids``.
        coco: its ``anns`` are COCO's annotations by their ids.
    """

    CLASSES: Sequence[str]
    img_ids: Sequence[Any]
    cat_ids: Sequence[Any]
    data_infos: Sequence[dict[str, Any]]
    coco: Any


@dataclass(frozen=True)
class Objects:
    """Boxes on pictures, true or found; a row each.

    Attributes:
        picture (N,): the number of its picture.
        label (N,): the number of its class.
        box (N, 4): x, y, width, height in pixels.
        score (N,): of what was found; 1 for what is true.
        area (N,): what counts as its size, square pixels.
        crowd (N,): whether it stands for a crowd of objects, in which nothing is counted.
    """

    picture: NDArray[np.int64]
    label: NDArray[np.int64]
    box: NDArray[np.float64]
    score: NDArray[np.float64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)


def true_objects(dataset: Labelled) -> Objects:
    """The objects of a data set, its pictures numbered in the order of their ids:
    among equal scores COCO's evaluation goes by that order."""
    picture = _numbers(dataset.img_ids)
    label = {key: number for number, key in enumerate(dataset.cat_ids)}
    rows = [
        a
        for a in dataset.coco.anns.values()
        if a["image_id"] in picture and a["category_id"] in label
    ]
    box = np.array([a["bbox"] for a in rows], float).reshape(-1, 4)
    area = [a.get("area") for a in rows]
    return Objects(
        picture=np.array([picture[a["image_id"]] for a in rows], np.int64),
        label=np.array([label[a["category_id"]] for a in rows], np.int64),
        box=box,
        score=np.ones(len(rows)),
        area=np.array([b[2] * b[3] if a is None else a for a, b in zip(area, box, strict=True)]),
        crowd=np.array([bool(a.get("iscrowd")) for a in rows], bool),
    )


def found_objects(dataset: Labelled, detections: Detections) -> Objects:
    """What was found, in the numbers of ``true_objects``.

    ``detections``: of each picture and class corners and scores, shape (n, 5).
    """
    number = _numbers(dataset.img_ids)
    blocks = [
        (number[key], label, rows)
        for key, found in zip(dataset.img_ids, detections, strict=True)
        for label, rows in enumerate(found)
        if len(rows)
    ]
    blocks.sort(key=lambda block: block[:2])
    counts = [len(rows) for *_, rows in blocks]
    all_rows = np.concatenate([np.zeros((0, 5)), *(rows for *_, rows in blocks)]).astype(float)
    box = np.concatenate([all_rows[:, :2], all_rows[:, 2:4] - all_rows[:, :2]], axis=1)
    return Objects(
        picture=np.repeat([block[0] for block in blocks], counts).astype(np.int64),
        label=np.repeat([block[1] for block in blocks], counts).astype(np.int64),
        box=box,
        score=all_rows[:, 4],
        area=box[:, 2] * box[:, 3],
        crowd=np.zeros(len(box), bool),
    )


def _numbers(ids: Sequence[Any]) -> dict[Any, int]:
    return {key: number for number, key in enumerate(sorted(ids))}
