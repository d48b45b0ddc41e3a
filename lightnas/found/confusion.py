"""Which classes a detector takes for which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .objects import Objects

IOU = 0.5


def confusion_matrix(
    true: Objects, found: Objects, n_classes: int, score: float
) -> NDArray[np.int64]:
    """How often an object of each class was found as each class.

    In each picture the detections from ``score`` on choose in the order of their scores. Each takes
    one of the objects that it overlaps with an IoU of at least 0.5 and that are still free: of its
    own class if there is one, and of those the one that it overlaps most. A detection without an
    object was made of the background, unless it lies to a half in a crowd of its class, where
    nothing is counted; an object without a detection was taken for the background.

    Returns:
        counts, shape (classes + 1, classes + 1): rows are true, columns found, the background last.
    """
    counts = np.zeros((n_classes + 1, n_classes + 1), np.int64)
    found_rows = np.flatnonzero(found.score >= score)
    found_rows = found_rows[np.lexsort((-found.score[found_rows], found.picture[found_rows]))]
    true_rows = np.argsort(true.picture, kind="stable")
    pictures = np.union1d(found.picture[found_rows], true.picture)
    found_at = np.searchsorted(found.picture[found_rows], [pictures, pictures + 1])
    true_at = np.searchsorted(true.picture[true_rows], [pictures, pictures + 1])
    for f_from, f_to, t_from, t_to in zip(*found_at, *true_at, strict=True):
        _count(true, true_rows[t_from:t_to], found, found_rows[f_from:f_to], counts)
    return counts


def _count(
    true: Objects,
    true_rows: NDArray[np.int64],
    found: Objects,
    found_rows: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Add one picture; ``found_rows`` are in the order of their scores."""
    background = len(counts) - 1
    crowd, label = true.crowd[true_rows], true.label[true_rows]
    free = ~crowd
    shared = _intersections(found.box[found_rows], true.box[true_rows])
    own = np.prod(found.box[found_rows, 2:], axis=1)
    union = own[:, None] + np.prod(true.box[true_rows, 2:], axis=1) - shared
    for row, inside, total, mine, area in zip(
        found_rows, shared, union, found.label[found_rows], own, strict=True
    ):
        near = free & (inside >= IOU * total)
        if near.any():
            same = near & (label == mine)
            iou = np.where(same if same.any() else near, inside / total, -1.0)
            taken = int(np.argmax(iou))
            free[taken] = False
            counts[label[taken], found.label[row]] += 1
        elif not (crowd & (label == mine) & (inside >= IOU * area)).any():
            counts[background, mine] += 1
    np.add.at(counts[:, background], label[free], 1)


def _intersections(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shared square pixels of boxes (n, 4) and (m, 4), shape (n, m)."""
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[:, :2] + b[:, 2:])
    sides: NDArray[np.float64] = np.maximum(high - low, 0)
    return sides[..., 0] * sides[..., 1]
