"""Whether an exported detector finds what mmdet finds, in pictures of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import PIPELINES
from numpy.typing import NDArray

from lightnas.deploy.agreement import overlaps
from lightnas.deploy.metadata import Compared
from lightnas.deploy.network import Network, Raw
from lightnas.deploy.resize import resized
from lightnas.deploy.steps import Steps
from lightnas.errors import WorkError

from .finding import Finder

ENOUGH = 20  # boxes of all pictures
PIXELS, SCORES = 0.01, 1e-4  # how far a box and a score may be off
GREY = 1  # levels that a resized pixel may be off: OpenCV's own builds differ by so much


@dataclass(frozen=True)
class Boxes:
    """Boxes (N, 4) in pixels of the resized picture, scores (N,), labels (N,), and how many there
    may be."""

    corners: NDArray[Any]
    scores: NDArray[Any]
    labels: NDArray[Any]
    most: int


def compare(
    network: Network,
    detector: Any,
    pictures: Sequence[tuple[Path, NDArray[np.uint8]]],
    steps: Steps | None = None,
) -> Compared:
    """Look at pictures with onnxruntime and with mmdet: at the detector's own limits, and, where
    that gives few boxes, at all scores. Boxes are compared in pixels of the resized picture.

    Args:
        detector: as ``testing.load_detector`` gives it; evaluated on the CPU.
        pictures: RGB (H, W, 3), and where each comes from.
        steps: told of each look.

    Raises:
        WorkError: they find something else.
    """
    steps = steps or Steps()
    found = Compared(pictures=len(pictures), boxes=0, pixels=0.0, scores=0.0)
    settings = detector.bbox_head.test_cfg
    own = settings.score_thr
    try:
        for threshold in (own, 0.0):
            settings.score_thr = threshold
            steps.expect(len(pictures))
            for path, pixels in pictures:
                _compare_one(network, detector, path, pixels, threshold, found)
                steps.step()
            if found.boxes >= ENOUGH:
                break
    finally:
        settings.score_thr = own
    _compare_batch(network, pictures[0])
    return found


def _compare_one(
    network: Network,
    detector: Any,
    path: Path,
    pixels: NDArray[np.uint8],
    threshold: float,
    found: Compared,
) -> None:
    """Add the differences of one picture."""
    metadata = network.metadata
    height, width = pixels.shape[:2]
    size = metadata.resize.size(width, height)
    given = _theirs(pixels, metadata.resize.scale, metadata.resize.keep_ratio)
    ours = resized(pixels, size)
    if given.shape != ours.shape or np.abs(given.astype(int) - ours).max() > GREY:
        raise WorkError(
            f"{path}: mmdet and lightnas resize it to other pixels; nothing was written"
        )
    raw = network(given.transpose(2, 0, 1)[None].copy(), score_threshold=threshold)
    scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    rows = Finder(detector)(pixels)
    labels = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    stacked = np.concatenate(rows)
    most = metadata.defaults.max_boxes
    theirs = Boxes(stacked[:, :4] * scale, stacked[:, 4], labels, most)
    count, pixels_off, scores_off = differences(
        theirs, _boxes(raw, most), threshold, metadata.defaults.iou_threshold, str(path)
    )
    found.boxes += count
    found.pixels = max(found.pixels, pixels_off)
    found.scores = max(found.scores, scores_off)


def _boxes(raw: Raw, most: int) -> Boxes:
    return Boxes(raw.boxes, raw.scores, raw.labels, most)


def _theirs(pixels: NDArray[np.uint8], scale: Sequence[int], keep_ratio: bool) -> NDArray[np.uint8]:
    """A picture as mmdet's pipeline resizes it."""
    step = PIPELINES.build({"type": "ResizePicture", "keep_ratio": keep_ratio})
    image = step({"img": pixels, "scale": tuple(scale)})["img"]
    return np.asarray(image)


def differences(
    one: Boxes, other: Boxes, score_threshold: float, iou_threshold: float, source: str
) -> tuple[int, float, float]:
    """How many boxes two detectors both found, and by how much corners and scores differ at most.

    One may have boxes that the other has not where a decision was close: the score or the overlap
    with a box of the class lies within 1e-4 of its threshold, or the other had as many boxes as it
    may have, or it was decided by such a box.

    Raises:
        WorkError: they found something else.
    """
    pairs = _pairs(one, other)
    alone = [
        (mine, theirs, i)
        for mine, theirs, side in ((one, other, 0), (other, one, 1))
        for i in sorted({*range(len(mine.scores))} - {pair[side] for pair in pairs})
    ]
    excused: list[tuple[NDArray[Any], int]] = []
    while alone:
        close = [
            entry for entry in alone
            if _is_close(*entry, score_threshold, iou_threshold, excused)
        ]  # fmt: skip
        if not close:
            mine, _, i = alone[0]
            who = "mmdet" if mine is one else "onnxruntime"
            raise WorkError(
                f"{source}: {who} alone finds class {mine.labels[i]} with score {mine.scores[i]:.4f} at "
                f"{np.round(mine.corners[i], 2).tolist()}, and {len(alone) - 1} more differ; nothing was "
                "written"
            )
        excused += [(mine.corners[i], int(mine.labels[i])) for mine, _, i in close]
        alone = [entry for entry in alone if not any(entry is one_of for one_of in close)]
    if not pairs:
        return 0, 0.0, 0.0
    first, second = np.array(pairs).T
    return (
        len(pairs),
        float(np.abs(one.corners[first] - other.corners[second]).max()),
        float(np.abs(one.scores[first] - other.scores[second]).max()),
    )


def _pairs(one: Boxes, other: Boxes) -> list[tuple[int, int]]:
    """Boxes that are the same but for rounding."""
    free = np.ones(len(other.scores), bool)
    pairs = []
    for i in range(len(one.scores)):
        same = free & (other.labels == one.labels[i])
        same &= np.abs(other.scores - one.scores[i]) <= SCORES
        same &= np.abs(other.corners - one.corners[i]).max(axis=1, initial=0) <= PIXELS
        if same.any():
            j = int(np.argmax(same))
            free[j] = False
            pairs.append((i, j))
    return pairs


def _is_close(
    mine: Boxes,
    theirs: Boxes,
    i: int,
    score_threshold: float,
    iou_threshold: float,
    excused: Sequence[tuple[NDArray[Any], int]],
) -> bool:
    """Whether a box that only one of the two found may be missing."""
    score, label = mine.scores[i], mine.labels[i]
    if abs(score - score_threshold) <= SCORES:
        return True
    if len(theirs.scores) >= theirs.most and score <= theirs.scores.min() + SCORES:
        return True
    for boxes in (mine, theirs):
        near = boxes.corners[boxes.labels == label]
        if (np.abs(overlaps(mine.corners[i], near) - iou_threshold) <= SCORES).any():
            return True
    by = [corners for corners, of in excused if of == label]
    return bool(by) and bool((overlaps(mine.corners[i], np.array(by)) > iou_threshold).any())


def _compare_batch(network: Network, picture: tuple[Path, NDArray[np.uint8]]) -> None:
    """A picture and its mirror image at once, and one after the other."""
    path, pixels = picture
    metadata = network.metadata
    size = metadata.resize.size(pixels.shape[1], pixels.shape[0])
    one = resized(pixels, size).transpose(2, 0, 1)
    both = np.stack([one, one[:, :, ::-1]])
    found = network(both, score_threshold=0.0)
    limits = (0.0, metadata.defaults.iou_threshold, f"{path}, twice in a batch")
    most = metadata.defaults.max_boxes
    for number, alone in enumerate(both):
        own = found.pictures == number
        part = Boxes(found.boxes[own], found.scores[own], found.labels[own], most)
        differences(part, _boxes(network(alone[None].copy(), score_threshold=0.0), most), *limits)
