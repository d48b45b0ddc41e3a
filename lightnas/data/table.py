"""The annotation file of a split as one table: its classes, and where its pictures lie."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, nearest, shown
from .annotations import Annotations, Categories, Pictures
from .progress import progress
from .source import Source
from .split import CocoSplit, DataOptions

LONG = 30_000_000  # characters: a second and more


@dataclass
class Table:
    """What the annotation file says, typed, before any picture is looked at.

    Attributes:
        source, pictures, categories, annotations: the file and its three lists.
        boxes (N, 4), areas (N,), crowds (N,): of the annotations.
        rows, labels (N,): row of the picture and of the category of each.
    """

    source: Source
    pictures: Pictures
    categories: Categories
    annotations: Annotations
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowds: NDArray[np.bool_]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]

    @classmethod
    def read(cls, split: CocoSplit) -> Table:
        """The lists of a split.

        Raises:
            InputError: it is no COCO, or lists no picture or no category.
        """
        path = split.annotations
        source = Source(path, split.content)
        pictures, categories, annotations = Pictures(path), Categories(path), Annotations(path)
        collect = {
            "images": pictures.add,
            "categories": categories.add,
            "annotations": annotations.add,
        }
        with progress(len(source), f"reading {path.name}", len(source) > LONG) as say:
            source.read(collect, say)
        if not categories.names:
            raise InputError(f"{path}: has no categories, expected at least one")
        if not pictures.names:
            raise InputError(f"{path}: holds no usable picture, expected at least one")
        return cls(
            source, pictures, categories, annotations, annotations.boxes, annotations.areas,
            annotations.crowds, annotations.pictures(pictures.rows),
            annotations.categories(categories.rows),
        )  # fmt: skip


def classes_of(
    table: Table, split: CocoSplit, classes: Sequence[str] | None
) -> tuple[list[str], list[int | None]]:
    """Names of the classes in order, and the row of each among the categories.

    Raises:
        InputError: two categories have one name, or one is none of the classes.
    """
    categories = table.categories
    root = _root(table, classes or ())
    if root is not None:
        split.notes.append(
            f"category {shown(categories.names[root])} of {split.annotations.name} is left out: it has no "
            "objects, and the others lie below it"
        )
    kept = [(name, row) for row, name in enumerate(categories.names) if row != root]
    names = dict(kept)
    if len(names) < len(kept):
        name, times = Counter(name for name, _ in kept).most_common(1)[0]
        raise InputError(
            f"{split.annotations}: {times} categories are named {shown(name)}, expected names that differ"
        )
    ordered = list(names) if classes is None else list(classes)
    if not set(names) <= set(ordered):
        raise InputError(
            f"{split.annotations}: its categories are {shown(list(names))}, expected {shown(ordered)} "
            f"({_difference(list(names), ordered)})"
        )
    return ordered, [names.get(name) for name in ordered]


def _root(table: Table, classes: Sequence[str]) -> int | None:
    """The category without objects that is the supercategory of all the others, as Roboflow writes
    it; None where there is none."""
    names, above = table.categories.names, table.categories.above
    counts = np.bincount(table.labels, minlength=len(names))
    for row in np.flatnonzero(counts == 0).tolist():
        others = {above[i] for i in range(len(names)) if i != row}
        # A class of the same name may lie below it.
        named = names[row] in classes and names.count(names[row]) == 1
        if others == {names[row]} and not named:
            return int(row)
    return None


def _difference(names: Sequence[str], classes: Sequence[str]) -> str:
    extra, missing = sorted(set(names) - set(classes)), sorted(set(classes) - set(names))
    parts = [f"not known: {', '.join(extra[:3])}"] if extra else []
    parts += [f"missing: {', '.join(missing[:3])}"] if missing else []
    if len(extra) == 1 and missing:
        parts.append(nearest(extra[0], classes))
    return "; ".join(parts)


def names_inside(pictures: Pictures, folder: Path, options: DataOptions) -> list[str]:
    """The name of each picture from the folder.

    Raises:
        InputError: one lies outside, or stands there twice.
    """
    home = os.path.abspath(folder)
    names, outside = [], []
    for name in pictures.names:
        name = os.path.normpath(name)
        if os.path.isabs(name) or name.startswith(os.pardir):
            name = os.path.relpath(os.path.join(home, name), home)
            if name.split(os.sep)[0] == os.pardir:
                outside.append(name)
        names.append(name)
    if outside and not options.allow_outside:
        raise InputError(
            f"{pictures.path}: {len(outside)} of {len(names)} pictures lie outside {folder} "
            f"({shown(outside[0])} from there), expected names below it, or allow_outside=True"
        )
    if len(set(names)) < len(names):
        name, times = Counter(names).most_common(1)[0]
        ids = [pictures.ids[row] for row, other in enumerate(names) if other == name][:2]
        raise InputError(
            f"{pictures.path}: lists the picture {shown(name)} {times} times (ids {shown(ids[0])}, "
            f"{shown(ids[1])}), expected each once, with all its objects"
        )
    return names
