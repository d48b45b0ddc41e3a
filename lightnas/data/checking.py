"""Whether a split can be trained on, and what of it: every annotation and every picture looked at."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, nearest, shown
from . import memory as memories
from .annotations import Annotations, Categories, Pictures
from .boxes import Objects
from .canonical import Canonical, Form
from .geometry import (
    Frames,
    from_corners,
    from_fractions,
    looks_like_corners,
    looks_normalised,
    turn,
)
from .headers import Headers, read_headers, stats_of
from .memory import Memory, memory_path, recall, remember
from .source import Source
from .split import CocoSplit, DataOptions

# Bad boxes without any area hide no object; a picture with one of the others has an object whose
# place is not known, and would teach it as background.
EMPTY = "size"


def check_split(
    split: CocoSplit,
    options: DataOptions | None = None,
    classes: Sequence[str] | None = None,
) -> CocoSplit:
    """Read a split and check every annotation and every picture file.

    A picture is opened for its size, and decoded only where its last bytes do not show that it is
    whole. A large set that has not changed since an earlier check is not opened again.

    Args:
        options: how the data are to be read. With ``skip_bad_images`` bad pictures, boxes without
            area, and pictures with any other bad box are left out.
        classes: names that the categories must be among; they are numbered in this order.

    Raises:
        InputError: not JSON, not COCO, other categories, boxes in an unknown frame or format,
            nothing to train on, or (without ``skip_bad_images``) bad pictures or boxes, named and
            counted.
    """
    options = options or DataOptions()
    path = memory_path(split.annotations, split.images)
    memory, begun = recall(path), time.time_ns()
    asked = _asked(split, options, classes)
    if _recalled(split, memory, asked, lambda: _check(split, options, classes, memory)[0]):
        return split
    try:
        form, linked = _check(split, options, classes, memory)
        again = functools.partial(_check, split, options, classes, memory)
        # A linked source is not kept in memory: it may be several hundred MB.
        split.canonical = Canonical(
            linked, form.stamp, (lambda: again()[0]) if linked else (lambda: form)
        )
        if asked is not None and max(asked[0][1:3]) < begun - memories.TICK_NS:
            _learn(memory, split, asked, form)
    finally:
        if len(memory.names) >= memories.WORTH:
            remember(path, memory)
    return split


def _check(
    split: CocoSplit,
    options: DataOptions,
    classes: Sequence[str] | None,
    memory: Memory,
) -> tuple[Form, bool]:
    """Check a split; gives what its canonical file holds, and whether its source is one already."""
    split.skipped, split.notes = [], []
    table = Table.read(split)
    ordered, category_rows = _classes(table, split, classes)
    number = {row: i for i, row in enumerate(category_rows) if row is not None}
    labels = np.array([number.get(int(row), -1) for row in range(len(table.categories.names))])
    names = _names_inside(table.pictures, split.images, options)
    title = f"checking {split.annotations.name}"
    headers = read_headers(split.images, names, memory, title)
    bad_pictures = headers.bad | _sized_otherwise(table, headers, names, options)
    boxes, turned = _placed(table, headers, bad_pictures, options)
    bad_boxes = _bad_boxes(boxes, headers.shown, table, bad_pictures)
    left_out = _refuse_or_skip(split, table, names, bad_pictures, bad_boxes, boxes, options)
    kept_pictures = np.ones(len(names), dtype=bool)
    kept_pictures[list(left_out)] = False
    kept = kept_pictures[table.rows]
    kept[list(bad_boxes)] = False
    areas = table.areas if options.box_format in (None, "xywh") else np.zeros(len(boxes))
    form = Form(
        source=table.source, stamp="", image_ids=table.pictures.ids,
        annotation_ids=table.annotations.ids, names=names, sizes=headers.shown,
        pictures_kept=kept_pictures, kept=kept, turned=turned, stored=headers.stored, boxes=boxes,
        areas=np.where(areas > 0, areas, boxes[:, 2] * boxes[:, 3]), crowds=table.crowds,
        pictures=table.rows, labels=labels[table.labels], classes=ordered,
        category_rows=category_rows, category_ids=table.categories.ids,
    )  # fmt: skip
    form.stamp = _stamp(form, split)
    _describe(split, form, table)
    return form, _is_canonical(table, form, options)


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
            InputError: it is no COCO, or lists no picture.
        """
        path = split.annotations
        source = Source(path, split.content)
        pictures, categories, annotations = Pictures(path), Categories(path), Annotations(path)
        source.read(
            {
                "images": pictures.add,
                "categories": categories.add,
                "annotations": annotations.add,
            }
        )
        categories.check()
        if not pictures.names:
            raise InputError(f"{path}: holds no usable picture, expected at least one")
        return cls(
            source, pictures, categories, annotations, annotations.boxes, annotations.areas,
            annotations.crowds, annotations.pictures(pictures.rows),
            annotations.categories(categories.rows),
        )  # fmt: skip


def _classes(
    table: Table, split: CocoSplit, classes: Sequence[str] | None
) -> tuple[list[str], list[int | None]]:
    """Names of the classes in order, and the row of each among the categories."""
    categories = table.categories
    root = _root(table, classes or ())
    if root is not None:
        split.notes.append(
            f"category {shown(categories.names[root])} of {split.annotations.name} is left out: it has no "
            "objects, and the others lie below it"
        )
    names = {name: row for row, name in enumerate(categories.names) if row != root}
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
        if others == {names[row]} and names[row] not in classes:
            return int(row)
    return None


def _difference(names: Sequence[str], classes: Sequence[str]) -> str:
    extra, missing = sorted(set(names) - set(classes)), sorted(set(classes) - set(names))
    parts = [f"not known: {', '.join(extra[:3])}"] if extra else []
    parts += [f"missing: {', '.join(missing[:3])}"] if missing else []
    if len(extra) == 1 and missing:
        parts.append(nearest(extra[0], classes))
    return "; ".join(parts)


def _names_inside(pictures: Pictures, folder: Path, options: DataOptions) -> list[str]:
    """The name of each picture from the folder, and a refusal of those outside and of doubles."""
    home = os.path.abspath(folder)
    names, outside = [], []
    for name in pictures.names:
        if os.path.isabs(name) or ".." in name:
            name = os.path.relpath(os.path.normpath(os.path.join(home, name)), home)
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


def _sized_otherwise(
    table: Table, headers: Headers, names: Sequence[str], options: DataOptions
) -> dict[int, str]:
    """Pictures that are of another size than listed, by row; a refusal where width and height are
    swapped all through the file."""
    listed = table.pictures.sizes
    fits = (listed == headers.stored).all(axis=1) | (listed == headers.shown).all(axis=1)
    swapped = (listed == headers.stored[:, ::-1]).all(axis=1) & ~fits
    if options.boxes is not None:
        fits |= swapped
    wrong = ~fits & (listed > 0).all(axis=1)
    wrong[list(headers.bad)] = False
    oblong = (headers.stored[:, 0] != headers.stored[:, 1]) & (listed > 0).all(axis=1)
    if (n := int((wrong & swapped).sum())) and n >= oblong.sum() / 2 and n > 1:
        row = int(np.flatnonzero(wrong & swapped)[0])
        raise InputError(
            f"{table.source.path}: width and height of {n} of {len(names)} pictures are swapped "
            f"({names[row]} {_other_size(headers, listed, row)}), expected width before height, or "
            "boxes='shown', which takes sizes from the pictures"
        )
    return {int(row): _other_size(headers, listed, row) for row in np.flatnonzero(wrong)}


def _other_size(headers: Headers, listed: NDArray[np.int64], row: int | np.int64) -> str:
    (width, height), (listed_width, listed_height) = headers.stored[row], listed[row]
    return f"is {width} x {height}, listed as {listed_width} x {listed_height}"


def _placed(
    table: Table, headers: Headers, bad: Mapping[int, str], options: DataOptions
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Boxes (N, 4) in pixels of the pictures as shown, and the marks (P,) by which they were
    turned."""
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
            f"{_numbers(boxes[0])}), expected x, y, width, height in pixels, or box_format='normalised'"
        )
    if looks_like_corners(boxes, sizes, table.areas[usable]):
        raise InputError(
            f"{path}: its boxes look like corners x1, y1, x2, y2 (e.g. {_numbers(boxes[0])}), expected x, y, "
            "width, height, or box_format='xyxy' (box_format='xywh' where they are not)"
        )


def _bad_boxes(
    boxes: NDArray[np.float64],
    sizes: NDArray[np.int64],
    table: Table,
    bad_pictures: Mapping[int, str],
) -> dict[int, tuple[str, str]]:
    """What is wrong with boxes that cannot be trained on, its kind and its words, by row."""
    x, y, w, h = (boxes[:, i] for i in range(4))
    good = np.ones(len(sizes), dtype=bool)
    good[list(bad_pictures)] = False
    width, height = sizes[table.rows, 0], sizes[table.rows, 1]
    no_box = np.asarray(~np.isfinite(boxes).all(axis=1))
    empty = ~no_box & ((w <= 0) | (h <= 0))
    outside = ~no_box & ~empty & good[table.rows]
    outside &= (x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0)
    found = {}
    for row in np.flatnonzero(no_box | empty | outside).tolist():
        if no_box[row]:
            odd = table.annotations.odd
            box = shown(odd[row]) if row in odd else _numbers(table.boxes[row])
            found[row] = "box", f"has the box {box}"
        elif empty[row]:
            kind = EMPTY if w[row] >= 0 and h[row] >= 0 else "negative"
            found[row] = kind, f"is {w[row]:g} x {h[row]:g} large"
        else:
            found[row] = (
                "outside",
                f"{_numbers(boxes[row])} lies outside its picture of {width[row]} x {height[row]}",
            )
    return found


def _numbers(box: NDArray[np.float64]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in box) + "]"


def _refuse_or_skip(
    split: CocoSplit,
    table: Table,
    names: Sequence[str],
    bad_pictures: Mapping[int, str],
    bad_boxes: Mapping[int, tuple[str, str]],
    boxes: NDArray[np.float64],
    options: DataOptions,
) -> set[int]:
    """Rows of the pictures to leave out; a refusal where nothing is to be left out, or where what is
    bad is bad all through."""
    name = split.annotations.name
    if bad_pictures:
        examples = "; ".join(f"{names[row]} {why}" for row, why in list(bad_pictures.items())[:3])
        split.skipped.append(
            f"{len(bad_pictures)} of {len(names)} pictures of {name} are bad ({examples})"
        )
    if bad_boxes:
        examples = "; ".join(
            f"annotation {shown(table.annotations.ids[row])} {why}"
            for row, (_, why) in list(bad_boxes.items())[:3]
        )
        split.skipped.append(
            f"{len(bad_boxes)} of {len(boxes)} boxes of {name} are bad ({examples})"
        )
    unplaced = {int(table.rows[row]) for row, (kind, _) in bad_boxes.items() if kind != EMPTY}
    unplaced -= set(bad_pictures)
    alike = _all_alike(bad_pictures, len(names)) or _mostly_alike(bad_boxes, len(boxes))
    if split.skipped and alike:
        raise InputError(
            f"{'; '.join(split.skipped)}; {alike}, expected whole pictures and boxes inside them"
        )
    if split.skipped and not options.skip_bad_images:
        raise InputError(
            f"{'; '.join(split.skipped)}; expected whole pictures and boxes inside them, or skip_bad_images=True"
        )
    if unplaced:
        split.skipped.append(
            f"{len(unplaced)} of {len(names)} pictures of {name} are left out for their bad boxes: an object whose "
            "place is not known would be taken for background"
        )
    left_out = set(bad_pictures) | unplaced
    if len(left_out) == len(names):
        raise InputError(
            f"{split.annotations}: holds no usable picture, expected at least one"
            + (f" ({split.skipped[0]})" if split.skipped else "")
        )
    return left_out


def _all_alike(bad: Mapping[int, str], n: int) -> str:
    kinds = {re.sub(r"[\d.]+", "#", why) for why in bad.values()}
    return "all fail alike" if len(bad) == n > 1 and len(kinds) == 1 else ""


def _mostly_alike(bad: Mapping[int, tuple[str, str]], n: int) -> str:
    kinds = Counter(kind for kind, _ in bad.values())
    return "most fail alike" if n > 1 and max(kinds.values(), default=0) > n / 2 else ""


def _is_canonical(table: Table, form: Form, options: DataOptions) -> bool:
    """Whether the source can be used as it is."""
    pictures, categories, annotations = table.pictures, table.categories, table.annotations
    return bool(
        table.source.utf8
        and pictures.plain
        and categories.plain
        and annotations.plain
        and annotations.has_plain_ids()
        and isinstance(table.source.others.get("info"), dict)
        and form.pictures_kept.all()
        and form.kept.all()
        and (form.turned == 1).all()
        and options.box_format in (None, "xywh")
        and form.names == pictures.names
        and (form.sizes == pictures.sizes).all()
        and categories.names == list(form.classes)
    )


def _describe(split: CocoSplit, form: Form, table: Table) -> None:
    """Say in the split what is left of it.

    Raises:
        InputError: nothing that can be learned from.
    """
    name = split.annotations.name
    number = np.cumsum(form.pictures_kept) - 1
    split.classes = tuple(form.classes)
    split.n_images = int(form.pictures_kept.sum())
    split.objects = Objects(
        names=[n for n, kept in zip(form.names, form.pictures_kept, strict=True) if kept],
        sizes=form.sizes[form.pictures_kept],
        boxes=form.boxes[form.kept],
        pictures=number[form.pictures[form.kept]],
        classes=form.labels[form.kept],
        crowds=form.crowds[form.kept],
    )
    crowds = split.objects.crowds
    if not len(crowds) or crowds.all():
        what = f"{len(crowds)} crowds and no object" if len(crowds) else "no object"
        raise InputError(f"{split.annotations}: holds {what}, expected objects in its annotations")
    turned = int(((form.turned > 1) & form.pictures_kept).sum())
    if turned:
        split.notes.append(f"boxes of {turned} pictures of {name} are turned as their pictures are")
    small = int((split.objects.boxes[:, 2:] < 1).any(axis=1).sum())
    if small:
        split.notes.append(f"{small} boxes of {name} are smaller than a pixel and not trained on")
    empty = split.n_images - len(np.unique(split.objects.pictures))
    if empty:
        split.notes.append(f"{empty} of {split.n_images} pictures of {name} hold no object")


def _asked(split: CocoSplit, options: DataOptions, classes: Sequence[str] | None) -> Any:
    """What a check depends on beside the pictures; None where its result is not remembered."""
    if split.content is not None:
        return None
    file = stats_of(split.annotations.parent, [split.annotations.name])[0].tolist()
    return [file, repr(options), None if classes is None else list(classes)]


def _stamp(form: Form, split: CocoSplit) -> str:
    """Two forms of one stamp make the same file."""
    digest = hashlib.sha256()
    about = [os.path.abspath(split.annotations), form.names, list(form.classes), form.image_ids]
    digest.update(json.dumps(about, default=str).encode())
    for array in (
        form.sizes, form.pictures_kept, form.kept, form.turned, form.boxes, form.areas, form.crowds,
        form.pictures, form.labels,
    ):  # fmt: skip
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _learn(memory: Memory, split: CocoSplit, asked: Any, form: Form) -> None:
    """Let the memory have the result of a check, where every picture can be known again."""
    objects = split.objects
    assert objects is not None and split.canonical is not None
    if (memory.stats[:, 1] == 0).any():
        return
    memory.asked = asked
    memory.result = {
        "classes": split.classes, "skipped": split.skipped, "notes": split.notes,
        "linked": split.canonical.linked, "stamp": form.stamp,
    }  # fmt: skip
    memory.arrays = {
        "kept": form.pictures_kept, "sizes": objects.sizes, "boxes": objects.boxes,
        "pictures": objects.pictures, "labels": objects.classes, "crowds": objects.crowds,
    }  # fmt: skip


def _recalled(split: CocoSplit, memory: Memory, asked: Any, again: Callable[[], Form]) -> bool:
    """Whether nothing has changed since an earlier check; its result then stands in the split."""
    if asked is None or memory.asked != asked:
        return False
    known = memory.rows(memory.names, stats_of(split.images, memory.names))
    if (known < 0).any():
        return False
    result, arrays = memory.result, memory.arrays
    names = [name for name, kept in zip(memory.names, arrays["kept"], strict=True) if kept]
    split.classes = tuple(result["classes"])
    split.skipped, split.notes = list(result["skipped"]), list(result["notes"])
    split.n_images = len(names)
    split.objects = Objects(
        names, arrays["sizes"], arrays["boxes"], arrays["pictures"], arrays["labels"], arrays["crowds"]
    )  # fmt: skip
    split.canonical = Canonical(result["linked"], result["stamp"], again)
    return True
