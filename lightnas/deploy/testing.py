"""``test-det`` with an ONNX file: AP on a split."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.coco import CocoSplit, DataOptions, check_split, settle
from ..data.export import check_output
from ..data.reading import read_picture
from ..found.evaluation import SCORE
from ..found.measuring import result_of
from ..found.objects import Detections
from ..found.truth import Truth, read_truth
from ..latency.speed import Speed
from .detector import finder
from .network import Network, open_network
from .resize import as_given
from .sample import some_of
from .speed import WARM_UP, steadily
from .steps import Steps

TIMED, TIMED_ROUNDS = 4, 10  # pictures that are timed, one after the other, and how often


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
    return measure_network(
        network, detector, split, name, data=data, score=score, results=where, progress=progress
    )


def measure_network(
    network: Network,
    source: Path,
    split: CocoSplit,
    name: str,
    *,
    data: DataOptions | None = None,
    score: float = SCORE,
    results: tuple[str, Path] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """``measure`` of an open detector; ``source`` is what results call it.

    Raises:
        InputError: the data cannot be read, or do not fit to the detector.
    """
    checked = check_split(split, data, network.metadata.classes)
    annotations = str(checked.annotations)
    with tempfile.TemporaryDirectory() as folder:
        settle({name: checked}, Path(folder))
        truth = read_truth(checked)
        detections = detect_split(network, truth, checked.images, progress)
        return result_of(source, name, checked, annotations, truth, detections, score, results)


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


@dataclass(frozen=True)
class Measured:
    """AP of a detector (None where there is no object), seconds of one picture, and what was left out of
    the data, in words."""

    ap: float | None
    speed: Speed
    skipped: Sequence[str] = ()


def side_by_side_with(
    network: Network,
    other: Network,
    precision: str,
    split: CocoSplit,
    name: str,
    data: DataOptions | None = None,
    steps: Steps | None = None,
) -> dict[str, Measured]:
    """AP of a detector in fp32 and in another precision, and how long each takes for a picture of the
    split, from its pixels to boxes.

    Args:
        name: of the split.
        data: how it is to be read.
        steps: told of each picture that is looked at, and of each round that is timed.

    Raises:
        InputError: the data cannot be read, or do not fit.
    """
    networks, steps = {"fp32": network, precision: other}, steps or Steps()
    found = {key: _tested(one, split, name, data, steps) for key, one in networks.items()}
    skip_bad = data is not None and data.skip_bad_images
    paths = some_of(split, TIMED, "expected pictures that can be", skip_bad)
    pictures = [as_given(read_picture(path), network.metadata.resize) for path in paths]
    steps.expect(len(networks) * (WARM_UP + TIMED_ROUNDS))
    looks = {key: _looking(one, pictures, steps) for key, one in networks.items()}
    speeds = steadily(looks, TIMED_ROUNDS)
    return {
        key: Measured(result["ap"], speeds[key].of_each(len(pictures)), result["skipped"])
        for key, result in found.items()
    }


def _tested(
    network: Network, split: CocoSplit, name: str, data: DataOptions | None, steps: Steps
) -> dict[str, Any]:
    def step(done: int, total: int) -> None:
        if done == 1:
            steps.expect(total)
        steps.step()

    return measure_network(
        network, Path(network.source), replace(split), name, data=data, progress=step
    )


def _looking(
    network: Network, pictures: Sequence[NDArray[np.uint8]], steps: Steps
) -> Callable[[], None]:
    """Looks at all of some pictures, one after the other."""

    def look() -> None:
        for picture in pictures:
            network(picture)
        steps.step()

    return look
