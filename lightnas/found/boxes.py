"""Found boxes: which of them are kept, and what they are called by the data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.canonical import IdMap
from ..data.export import Category, FoundPicture
from ..data.pictures import Box
from ..errors import InputError, nearest, shown
from .objects import Detections, Labelled

MAX_BOXES = 1_000_000  # of a picture


@dataclass(frozen=True)
class Wanted:
    """Which of the found boxes are kept: those of at least ``threshold``, of ``classes`` (None: of
    all), and of these the ``most`` best a picture (None: as many as the detector gives).

    Raises:
        InputError: a threshold outside 0 ... 1, fewer than 1 or more than MAX_BOXES boxes, or classes
            that are no names.
    """

    threshold: float = 0.3
    classes: Collection[str] | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        """Check what was asked for: in Python nothing has looked at it yet."""
        threshold, classes, most = self.threshold, self.classes, self.most
        if not (_is(Real, threshold) and 0 <= threshold <= 1):
            raise InputError(f"threshold is {shown(threshold)}, expected a number from 0 to 1")
        if most is not None and not (_is(Integral, most) and 1 <= most <= MAX_BOXES):
            raise InputError(
                f"most is {shown(most)}, expected a whole number from 1 to {MAX_BOXES}"
            )
        if classes is not None and not _are_names(classes):
            raise InputError(f"classes is {shown(classes)}, expected a list of names, or None")

    def among(self, known: Sequence[str]) -> Wanted:
        """Likewise, with the classes that are meant of those that a detector tells apart: ``chosen``.

        Raises:
            InputError: the first that it does not know.
        """
        return replace(self, classes=chosen(self.classes, known))

    def of(self, found: Sequence[NDArray[Any]], known: Sequence[str]) -> list[Box]:
        """The boxes kept, best first, of those that a detector found: of each of its classes (n, 5)."""
        boxes = boxes_of(found, known, self.threshold)
        return [box for box in boxes if self.classes is None or box.name in self.classes][
            : self.most
        ]


def _is(kind: type, value: object) -> bool:
    """Whether it is a number of that kind; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _are_names(classes: object) -> bool:
    return (
        isinstance(classes, Collection)
        and not isinstance(classes, str | bytes | Mapping)
        and all(isinstance(name, str) for name in classes)
    )


def chosen(classes: Collection[str] | None, known: Sequence[str]) -> list[str] | None:
    """The classes meant by names, or by several names with commas between; None for all.

    Raises:
        InputError: the first that a detector does not know.
    """
    if classes is None:
        return None
    names = []
    for text in classes:
        names += [text] if text in known else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise InputError(
                f"classes {shown(name)} is none of the detector's, {nearest(name, known)}"
            )
    return names


def boxes_of(
    detections: Sequence[NDArray[Any]], classes: Sequence[str], threshold: float
) -> list[Box]:
    """Boxes of one picture, best first, from the detections of each class (n, 5)."""
    boxes = [
        Box(name, tuple(map(float, row[:4])), float(row[4]))  # type: ignore[arg-type]
        for name, rows in zip(classes, detections, strict=True)
        for row in rows
        if row[4] >= threshold
    ]
    return sorted(boxes, key=lambda box: -(box.score or 0))


def by_class(
    boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any], n_classes: int
) -> list[NDArray[Any]]:
    """Of each class corners and scores (n, 5), of boxes (N, 4), scores (N,) and labels (N,)."""
    rows = np.concatenate([boxes, scores[:, None]], axis=1)
    return [rows[labels == label] for label in range(n_classes)]


def found_pictures(dataset: Labelled, detections: Detections, ids: IdMap) -> Iterator[FoundPicture]:
    """What was found in each picture, under the ids and names of the data.

    ``detections``: of each picture and class corners and scores, shape (n, 5).
    """
    for info, found in zip(dataset.data_infos, detections, strict=True):
        yield FoundPicture(
            ids.image(info["id"]), info["file_name"], info["width"], info["height"],
            boxes_of(found, dataset.CLASSES, threshold=0),
        )  # fmt: skip


def categories_of(dataset: Labelled, ids: IdMap) -> list[Category]:
    """The classes of a data set under the ids that the data has them under."""
    return [
        Category(ids.category(key), name)
        for key, name in zip(dataset.cat_ids, dataset.CLASSES, strict=True)
    ]
