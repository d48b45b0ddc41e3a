"""How far a detector in fewer bits is from the same one in fp32, box by box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .metadata import Compared
from .network import Network, Raw
from .resize import as_given
from .steps import Steps

SAME = 0.5  # overlap (IoU) from which two boxes of a class are the same one


def agreement(
    full: Network, other: Network, pictures: Sequence[NDArray[np.uint8]], steps: Steps
) -> Compared:
    """Look at pictures, RGB (H, W, 3), with a detector in fp32 and with another one of its classes, at
    their own limits.

    Each box of fp32, the best first, is found again where one of its class overlaps it enough: the one
    that does so most. Differences are those of boxes that were found again, in pixels of the resized
    picture.
    """
    found = Compared(
        pictures=len(pictures), boxes=0, pixels=0.0, scores=0.0, against="fp32", missed=0, extra=0
    )
    missed = extra = 0
    steps.expect(len(pictures))
    for pixels in pictures:
        given = as_given(pixels, full.metadata.resize)
        one, two = full(given), other(given)
        pairs = found_again(one, two)
        missed += len(one.scores) - len(pairs)
        extra += len(two.scores) - len(pairs)
        for i, j in pairs:
            found.pixels = max(found.pixels, float(np.abs(one.boxes[i] - two.boxes[j]).max()))
            found.scores = max(found.scores, float(abs(one.scores[i] - two.scores[j])))
        found.boxes += len(pairs)
        steps.step()
    found.missed, found.extra = missed, extra
    return found


def found_again(one: Raw, two: Raw) -> list[tuple[int, int]]:
    """Boxes of a picture that both found, by their numbers: each stands in one pair at most."""
    free = np.ones(len(two.scores), bool)
    pairs = []
    for i in range(len(one.scores)):
        overlap = overlaps(one.boxes[i], two.boxes) * (free & (two.labels == one.labels[i]))
        if len(overlap) and overlap.max() >= SAME:
            j = int(overlap.argmax())
            free[j] = False
            pairs.append((i, j))
    return pairs


def overlaps(box: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """IoU of one box (4,) with boxes (N, 4), corners: (N,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inside = np.maximum(high - low, 0).prod(axis=1).astype(float)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - inside
    return np.asarray(np.divide(inside, union, out=np.zeros_like(inside), where=union > 0))
