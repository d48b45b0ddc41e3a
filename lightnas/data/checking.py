"""Whether a split can be trained on, and what of it: every annotation and every picture looked at."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from . import memory as memories
from .boxes import Objects
from .canonical import Canonical, Form
from .faults import EMPTY, find_bad_boxes, refuse_or_skip, refuse_other_scale, sized_otherwise
from .geometry import A_FEW, leaves
from .headers import read_headers, stats_of
from .memory import Memory, memory_path, recall, remember
from .placing import placed
from .split import SPLITS, CocoSplit, DataOptions
from .table import Table, classes_of, names_inside


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

    def again() -> Iterable[bytes]:
        return _check(split, options, classes, memory)[0].chunks()

    if _recalled(split, memory, asked, again):
        return split
    try:
        form, serves = _check(split, options, classes, memory)
        # A source that serves is not kept in memory: it may be several hundred MB.
        split.canonical = Canonical(serves, form.stamp, again if serves else form.chunks)
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
) -> tuple[Form, Sequence[str]]:
    """Check a split; gives what its canonical file holds, and the splits that its source serves."""
    split.skipped, split.notes = [], []
    table = Table.read(split)
    ordered, category_rows = classes_of(table, split, classes)
    number = {row: i for i, row in enumerate(category_rows) if row is not None}
    labels = np.array([number.get(int(row), -1) for row in range(len(table.categories.names))])
    names = names_inside(table.pictures, split.images, options)
    title = f"checking {len(names)} pictures of {split.annotations.name}"
    headers = read_headers(split.images, names, memory, title)
    bad_pictures = headers.bad | sized_otherwise(table, headers, names, options)
    boxes, turned = placed(table, headers, bad_pictures, options)
    refuse_other_scale(boxes, headers.shown, table, bad_pictures, options)
    bad_boxes = find_bad_boxes(boxes, headers.shown, table, bad_pictures)
    left_out = refuse_or_skip(split, table, names, bad_pictures, bad_boxes, boxes, options)
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
    form.stamp = _stamp(form, split, _asked(split, options, classes))
    _describe(split, form, table)
    if not _is_canonical(table, form, options):
        return form, ()
    if form.kept.all():
        return form, SPLITS
    return form, ("train",) if all(kind == EMPTY for kind, _ in bad_boxes.values()) else ()


def _is_canonical(table: Table, form: Form, options: DataOptions) -> bool:
    """Whether the source is as a canonical file is, but for annotations that are left out."""
    pictures, categories, annotations = table.pictures, table.categories, table.annotations
    return bool(
        table.source.utf8
        and pictures.plain
        and categories.plain
        and annotations.plain
        and annotations.has_plain_ids()
        and isinstance(table.source.others.get("info"), dict)
        and form.pictures_kept.all()
        and (table.areas[form.kept] > 0).all()
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
    over = leaves(split.objects.boxes, split.objects.sizes[split.objects.pictures])
    if over.mean() >= A_FEW:
        split.notes.append(
            f"{int(over.sum())} of {len(over)} boxes of {name} reach out of their pictures: do they belong to them?"
        )
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


def _stamp(form: Form, split: CocoSplit, asked: Any) -> str:
    """Two forms of one stamp are of one state of the source, and make the same file."""
    digest = hashlib.sha256()
    about = [os.path.abspath(split.annotations), asked, form.names, list(form.classes)]
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
        "serves": split.canonical.serves, "stamp": form.stamp,
    }  # fmt: skip
    memory.arrays = {
        "kept": form.pictures_kept, "sizes": objects.sizes, "boxes": objects.boxes,
        "pictures": objects.pictures, "labels": objects.classes, "crowds": objects.crowds,
    }  # fmt: skip


def _recalled(
    split: CocoSplit, memory: Memory, asked: Any, again: Callable[[], Iterable[bytes]]
) -> bool:
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
    split.canonical = Canonical(result["serves"], result["stamp"], again, remembered=True)
    return True
