"""Data sets that are measured while a training runs: mmdet's, with our evaluation in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.datasets import DATASETS, CocoDataset

from lightnas.found.evaluation import METRICS, evaluate_dataset, log_line
from lightnas.found.objects import Detections

from .boxes import boxes_alone

# Our key, mmdet's.
MMDET = {
    "ap": "mAP",
    "ap50": "mAP_50",
    "ap75": "mAP_75",
    "ap_s": "mAP_s",
    "ap_m": "mAP_m",
    "ap_l": "mAP_l",
}


class Figures(dict[str, Any]):
    """Of one evaluation, under mmdet's keys: what cannot be measured is missing, and None when it
    is asked for, by which the hook that keeps the best checkpoint passes it over."""

    def __missing__(self, key: str) -> None:
        return None


@DATASETS.register_module()
class MeasuredCoco(CocoDataset):
    """mmdet's ``CocoDataset``, whose boxes are measured by ``found.evaluation``.

    Other metrics than boxes, and options of mmdet's evaluation beside ``classwise``, are left to
    mmdet.
    """

    def evaluate(
        self,
        results: Detections,
        metric: Any = "bbox",
        logger: Any = None,
        classwise: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        """Figures as mmdet calls them (``bbox_mAP`` and the like), without those that cannot be
        measured.

        ``results``: of each picture and class corners and scores, shape (n, 5).
        """
        if metric not in ("bbox", ["bbox"]) or options:
            theirs = super().evaluate(results, metric, logger, classwise=classwise, **options)
            return Figures(
                (key, value)
                for key, value in theirs.items()
                if isinstance(value, str) or value >= 0
            )
        metrics = evaluate_dataset(self, list(map(boxes_alone, results))).metrics
        if classwise and logger is not None:
            for row in metrics["per_class"]:
                figures = ", ".join(
                    "-" if row[k] is None else f"{row[k]:.4f}" for k in ("ap", "ap50")
                )
                logger.info(f"AP and AP50 of {row['class']}: {figures}")
        return mmdet_figures(metrics)


def mmdet_figures(metrics: Mapping[str, Any]) -> Figures:
    """The metrics of an ``Evaluation`` under mmdet's keys, and all of them on one line."""
    known = {f"bbox_{MMDET[k]}": metrics[k] for k in METRICS if metrics[k] is not None}
    return Figures(known | {"bbox_mAP_copypaste": log_line(metrics)})
