"""COCO's average precision, computed by faster-coco-eval, whose numbers are those of pycocotools:
over all classes and of each, with the curves of precision over recall.

What cannot be measured, since there is no such object, is None: neither 0 nor the -1 that
pycocotools says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from .confusion import IOU, confusion_matrix
from .objects import Detections, Labelled, Objects, found_objects, true_objects

# Axes of COCO's precision: IoU thresholds, recalls, classes, areas, detections a picture. Of our
# keys the IoU threshold (None: the mean over all of them) and the area.
METRICS: dict[str, tuple[float | None, int]] = {
    "ap": (None, 0),
    "ap50": (0.5, 0),
    "ap75": (0.75, 0),
    "ap_s": (None, 1),
    "ap_m": (None, 2),
    "ap_l": (None, 3),
}
SCORE = 0.3  # from which a detection counts in the confusion matrix


@dataclass(frozen=True)
class Evaluation:
    """What a detector reaches on a split.

    Attributes:
        metrics: ``ap`` ... ``ap_l`` (None where there is no such object), ``images``, and
            ``per_class``: of each class ``class``, ``ap``, ``ap50``, ``objects`` and ``pictures``
            (that have some).
        details: ``confusion`` (``names``, and ``counts``: a row a true class, a column a found one,
            the background last) and ``curves`` (``recall``; ``mean`` and ``per_class``: the
            precision at each recall, None where there is no object), both at IoU 0.5.
    """

    metrics: dict[str, Any]
    details: dict[str, Any]


def evaluate_boxes(
    true: Objects, found: Objects, n_pictures: int, classes: Sequence[str], score: float = SCORE
) -> Evaluation:
    """AP and everything beside it.

    Args:
        score: from which a detection counts in the confusion matrix.
    """
    precision = coco_precision(true, found, n_pictures, len(classes))
    at_half = precision[0, :, :, 0, -1]
    real = ~true.crowd
    per_class = [
        {
            "class": name,
            "ap": average(precision[:, :, k], "ap"),
            "ap50": average(precision[:, :, k], "ap50"),
            "objects": int((real & (true.label == k)).sum()),
            "pictures": len(np.unique(true.picture[real & (true.label == k)])),
        }
        for k, name in enumerate(classes)
    ]
    measured = [k for k in range(len(classes)) if at_half[0, k] > -1]
    curves = {
        "iou": IOU,
        "recall": _rounded(np.linspace(0, 1, at_half.shape[0])),
        "mean": _rounded(at_half[:, measured].mean(axis=1)) if measured else None,
        "per_class": [
            _rounded(at_half[:, k]) if k in measured else None for k in range(len(classes))
        ],
    }
    confusion = {
        "iou": IOU,
        "score": score,
        "names": [*classes, "background"],
        "counts": confusion_matrix(true, found, len(classes), score).tolist(),
    }
    metrics = {key: average(precision, key) for key in METRICS} | {"images": n_pictures}
    return Evaluation(
        metrics | {"per_class": per_class}, {"confusion": confusion, "curves": curves}
    )


def evaluate_dataset(dataset: Labelled, detections: Detections, **options: Any) -> Evaluation:
    """``evaluate_boxes`` of what was found in the pictures of a data set.

    ``detections``: of each picture and class corners and scores, shape (n, 5).
    """
    return evaluate_boxes(
        true_objects(dataset),
        found_objects(dataset, detections),
        len(dataset.img_ids),
        dataset.CLASSES,
        **options,
    )


def coco_precision(
    true: Objects, found: Objects, n_pictures: int, n_classes: int
) -> NDArray[np.float64]:
    """COCO's precision, -1 where there is no such object.

    Returns:
        shape (IoU thresholds 0.5 ... 0.95, recalls 0 ... 1, classes, areas: all, small, medium,
        large; at most 1, 10, 100 detections a picture).
    """
    run = COCOeval_faster(
        _coco(true, n_pictures, n_classes), _coco(found, n_pictures, n_classes), "bbox"
    )
    # numpy's own integers would not be found in the library's dicts of ids.
    run.params.imgIds = list(range(1, n_pictures + 1))
    run.params.catIds = list(range(1, n_classes + 1))
    run.evaluate()
    run.accumulate()
    return np.asarray(run.eval["precision"])


def average(precision: NDArray[np.float64], key: str) -> float | None:
    """The AP of a key of ``METRICS``; None where nothing can be measured.

    ``precision``: as ``coco_precision`` gives it, or that of one class, without the axis of classes:
    shape (IoU thresholds, recalls, ..., areas, detections a picture).
    """
    threshold, area = METRICS[key]
    if threshold is not None:
        row = round((threshold - 0.5) / 0.05)
        precision = precision[row : row + 1]
    values = precision[..., area, -1]
    known = values[values > -1]
    return float(known.mean()) if known.size else None


def log_line(metrics: Mapping[str, Any]) -> str:
    """The six figures in the order of ``METRICS``, ``-`` for what cannot be measured."""
    return " ".join("-" if metrics[key] is None else f"{metrics[key]:.4f}" for key in METRICS)


def _coco(objects: Objects, n_pictures: int, n_classes: int) -> COCO:
    """They as the library has them; ids count from 1, since 0 stands for 'unmatched' there."""
    columns = (objects.picture + 1, objects.label + 1, objects.box, objects.area, objects.score)
    rows = zip(*(column.tolist() for column in columns), objects.crowd.tolist(), strict=True)
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i} for i in range(1, n_pictures + 1)],
        "categories": [{"id": k} for k in range(1, n_classes + 1)],
        "annotations": [
            {"id": number, "image_id": picture, "category_id": label, "bbox": box, "area": area,
             "score": score, "iscrowd": int(crowd)}
            for number, (picture, label, box, area, score, crowd) in enumerate(rows, start=1)
        ],
    }  # fmt: skip
    coco.createIndex()
    return coco


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
