"""Outlines of objects, polygons or run lengths, and the boxes around them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import turn

Bounds = tuple[float, float, float, float]


def box_of_outline(outline: Any) -> Bounds | None:
    """The box (x, y, w, h) around COCO's ``segmentation``: polygons, or run lengths, compressed or
    not; None where it is neither."""
    if isinstance(outline, dict):
        return _box_of_runs(outline)
    if not isinstance(outline, list):
        return None
    polygons = outline if all(isinstance(part, list) for part in outline) else [outline]
    numbers = [_points(part) for part in polygons if part]
    if not numbers or any(part is None for part in numbers):
        return None
    points = np.concatenate([part for part in numbers if part is not None])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def _points(polygon: list[Any]) -> NDArray[np.float64] | None:
    """The corners (n, 2) of x1, y1, x2, y2 ... or of pairs."""
    if polygon and all(isinstance(point, list) and len(point) == 2 for point in polygon):
        polygon = [value for point in polygon for value in point]
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
        for value in polygon
    )
    if not numbers or len(polygon) < 6 or len(polygon) % 2:
        return None
    return np.array(polygon, dtype=np.float64).reshape(-1, 2)


def _box_of_runs(runs: dict[str, Any]) -> Bounds | None:
    """Run lengths go down the columns, the first of them outside of the object."""
    size, counts = runs.get("size"), runs.get("counts")
    if isinstance(counts, str):
        counts = decode_counts(counts)
    if not isinstance(size, list) or len(size) != 2 or not isinstance(counts, list):
        return None
    if not all(type(value) is int and 0 <= value < 2**31 for value in [*size, *counts]):
        return None
    height, width = size
    ends = np.cumsum(np.array(counts, dtype=np.int64))
    if not len(ends) or height == 0 or ends[-1] != height * width:
        return None
    starts, stops = ends[0::2][: len(ends) // 2], ends[1::2]  # of the runs inside
    inside = starts < stops
    if not inside.any():
        return None
    starts, last = starts[inside], stops[inside] - 1
    left, right = int(starts.min()) // height, int(last.max()) // height
    # A run that goes on in the next column touches the bottom of one and the top of the other.
    wraps = bool((starts // height != last // height).any())
    top = 0 if wraps else int((starts % height).min())
    bottom = height - 1 if wraps else int((last % height).max())
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def decode_counts(text: str) -> list[int] | None:
    """The run lengths in COCO's compressed text: 5 bits a character, from the third on as
    differences to the one before the last (``rleFrString`` of pycocotools); None where it is
    none."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return None if shift or min(counts, default=-1) < 0 else counts


def turned_outline(outline: Any, orientation: int, stored: tuple[int, int]) -> Any:
    """Polygons of a picture as stored, in the picture as shown; None where they are run lengths."""
    polygons = outline if isinstance(outline, list) else []
    if not polygons or not all(isinstance(part, list) for part in polygons):
        return None
    turned = []
    for part in polygons:
        points = _points(part)
        if points is None or not math.isfinite(points.sum()):
            return None
        boxes = np.hstack([points, np.zeros_like(points)])
        moved = turn(boxes, np.full(len(points), orientation), np.tile(stored, (len(points), 1)))
        turned.append(moved[:, :2].ravel().tolist())
    return turned
