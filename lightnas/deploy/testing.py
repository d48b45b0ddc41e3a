"""``test-det`` with an ONNX file: AP on a split."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data.coco import CocoSplit, DataOptions, check_split, settle
from ..data.export import check_output
from ..data.reading import read_picture
from ..found.evaluation import SCORE
from ..found.measuring import result_of
from ..found.objects import Detections
from ..found.truth import Truth, read_truth
from .detector import finder
from .network import Network, open_network


def measure(
    detector: Path,
    split: CocoSplit,
    name: str,
    *,
    device: str | None = None,
    data: DataOptions | None = None,
    score: float = SCORE,
    results: tuple[str, Path] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """AP of an exported detector on a split, as ``lightnas.detection.measure`` of a checkpoint.

    Args:
        name: of the split.
        data: how they are to be read.
        score: from which a detection counts in the confusion matrix.
        results: a format of ``data.export`` and where to write what was found.
        progress: told how many pictures of how many are done.

    Raises:
        InputError: the file or the data cannot be read, or do not fit together.
    """
    where = (results[0], check_output(results[1], results[0])) if results else None
    network = open_network(detector, device)
    checked = check_split(split, data, network.metadata.classes)
    annotations = str(checked.annotations)
    with tempfile.TemporaryDirectory() as folder:
        settle({name: checked}, Path(folder))
        truth = read_truth(checked)
        detections = detect_split(network, truth, checked.images, progress)
        return result_of(detector, name, checked, annotations, truth, detections, score, where)


def detect_split(
    network: Network,
    truth: Truth,
    images: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Detections:
    """What is found in every picture of a split, at the detector's own limits: of each picture and
    class corners and scores, shape (n, 5).

    Raises:
        PictureError: a picture cannot be read.
    """
    find = finder(network, network.metadata.defaults.score_threshold)
    detections = []
    for done, info in enumerate(truth.data_infos, start=1):
        detections.append(find(read_picture(images / info["file_name"])))
        if progress:
            progress(done, len(truth.data_infos))
    return detections
