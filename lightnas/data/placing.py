"""Boxes as they stand in a file, put into pixels of the pictures as they are shown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .geometry import (
    Frames,
    from_corners,
    from_fractions,
    looks_like_corners,
    looks_normalised,
    turn,
)
from .headers import Headers
from .split import DataOptions
from .table import Table


def placed(
    table: Table, headers: Headers, bad: Mapping[int, str], options: DataOptions
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Boxes (N, 4) in pixels of the pictures as shown, and the marks (P,) by which they were
    turned.

    Raises:
        InputError: they look like another format, or their frame is open.
    """
    path, boxes, rows = table.source.path, table.boxes, table.rows
    good = np.ones(len(headers.marks), dtype=bool)
    good[list(bad)] = False
    usable = good[rows] & np.isfinite(boxes).all(axis=1)
    if options.box_format is None:
        _refuse_other_formats(table, headers, usable)
    if options.box_format == "xyxy":
        boxes = from_corners(boxes)
    fractions = options.box_format == "normalised"
    frames = Frames(
        headers.stored[good], headers.shown[good], table.pictures.sizes[good], headers.marks[good],
        np.full_like(boxes[usable], np.nan) if fractions else boxes[usable],
        (np.cumsum(good) - 1)[rows[usable]],
    )  # fmt: skip
    stored = np.zeros(len(good), dtype=bool)
    if options.boxes is not None:
        stored[good] = options.boxes == "stored"
    else:
        found = frames.in_stored()
        if found is None:
            n = int(((headers.marks > 1) & good).sum())
            raise InputError(
                f"{path}: {n} pictures carry a camera's mark that turns them, and neither the sizes listed nor the "
                "boxes say whether those are of the picture as stored or as shown; expected boxes='stored' or boxes='shown'"
            )
        stored[good] = found
    marks = np.where(stored, headers.marks, 1)
    if fractions:
        sizes = np.where(stored[:, None], headers.stored, headers.shown)
        boxes = from_fractions(boxes, sizes[rows])
    if (marks > 1).any():
        boxes = turn(boxes, np.maximum(marks, 1)[rows], headers.stored[rows])
    return boxes, np.maximum(marks, 1)


def _refuse_other_formats(table: Table, headers: Headers, usable: NDArray[np.bool_]) -> None:
    """Refuse boxes that look like another format all through the file."""
    path, rows = table.source.path, table.rows
    frames = np.maximum(headers.stored, headers.shown)
    boxes, sizes = table.boxes[usable], frames[rows[usable]]
    if looks_normalised(boxes, sizes):
        raise InputError(
            f"{path}: its boxes look like fractions of the picture (all {len(boxes)} lie within 0..1, e.g. "
            f"{numbers(boxes[0])}), expected x, y, width, height in pixels, or box_format='normalised'"
        )
    if looks_like_corners(boxes, sizes, table.areas[usable]):
        raise InputError(
            f"{path}: its boxes look like corners x1, y1, x2, y2 (e.g. {numbers(boxes[0])}), expected x, y, "
            "width, height, or box_format='xyxy' (box_format='xywh' where they are not)"
        )


def numbers(box: NDArray[np.float64]) -> str:
    """A box (4,) in a message."""
    return "[" + ", ".join(f"{value:g}" for value in box) + "]"
