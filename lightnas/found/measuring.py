"""What a test says of a detector, and writes of what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.canonical import original_ids
from ..data.coco import CocoSplit
from ..data.export import write_results
from .boxes import categories_of, found_pictures
from .evaluation import evaluate_dataset
from .objects import Detections, Labelled


def result_of(
    source: Path,
    part: str,
    split: CocoSplit,
    annotations: str,
    dataset: Labelled,
    detections: Detections,
    score: float,
    results: tuple[str, Path] | None,
) -> dict[str, Any]:
    """The metrics and the details of an ``Evaluation``, and what was tested on what.

    Args:
        source: the detector.
        part: the name of the split.
        split: settled.
        annotations: the file that the user named.
        detections: of each picture and class corners and scores, shape (n, 5).
        score: from which a detection counts in the confusion matrix.
        results: a format of ``data.export``, and where ``check_output`` lets what was found be
            written, under the ids and names of the data.
    """
    evaluation = evaluate_dataset(dataset, detections, score=score)
    if results:
        ids = original_ids(split.annotations)
        pictures = found_pictures(dataset, detections, ids)
        write_results(pictures, *results, categories_of(dataset, ids))
    return {
        "checkpoint": str(source),
        "split": part,
        "annotations": annotations,
        "skipped": split.skipped,
        **evaluation.metrics,
        **evaluation.details,
    }
