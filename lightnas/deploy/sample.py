"""Some of the many pictures of a split, always the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..data.layouts.content import content_of
from ..data.reading import PictureError, read_picture
from ..data.split import CocoSplit
from ..errors import InputError

Picked = TypeVar("Picked")


def some_of(split: CocoSplit, most: int, remedy: str, skip_bad: bool = False) -> list[Path]:
    """At most so many of the pictures of a split; with ``skip_bad`` without those that cannot be read.

    Raises:
        InputError: there are none.
    """
    chosen = spread_out(pictures_of(split, remedy), most)
    kept = list(filter(_reads, chosen)) if skip_bad else chosen
    if not kept:
        raise InputError(
            f"{split.annotations}: {chosen[0]} and {len(chosen) - 1} more cannot be read, {remedy}"
        )
    return kept


def _reads(path: Path) -> bool:
    try:
        read_picture(path)
    except PictureError:
        return False
    return True


def pictures_of(split: CocoSplit, remedy: str) -> list[Path]:
    """The pictures of a split that are there; ``remedy`` ends the error message.

    Raises:
        InputError: there are none.
    """
    try:
        paths = [split.images / image["file_name"] for image in content_of(split)["images"]]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{split.annotations}: has pictures without a file_name, {remedy}"
        ) from error
    there = [path for path in paths if path.is_file()]
    if not there:
        raise InputError(
            f"{split.annotations}: none of its pictures is in {split.images}, {remedy}"
        )
    return there


def spread_out(rows: Sequence[Picked], most: int) -> list[Picked]:
    """At most so many, from the first to the last, evenly far apart."""
    return [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, most).astype(int))]
