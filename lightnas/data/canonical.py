"""The one form that a split is trained on and measured in, and the way back to the ids of its source.

A canonical file is COCO JSON in UTF-8 that mmdet, pycocotools and others read alike: whole-number
width and height of the picture as it is shown; names from the folder of pictures; positive
whole-number ids that differ; a positive ``area`` and an ``iscrowd`` of 0 or 1; boxes in pixels of the
picture as it is shown; ``info``; the categories of the training, in its order. A source that
already is so is linked to. Any other is written anew with ids from 1, and the first line of what is
written holds the ids of the source.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import write_whole
from .outlines import turned_outline
from .source import LISTS, Source

OriginalId = int | float | str | None

# The first bytes of a file that was written here.
HEAD = b'{"lightnas": '
FLUSH = 10_000  # entries a write


@dataclass(frozen=True)
class IdMap:
    """From the ids of a canonical file to those of its source.

    Attributes:
        images, categories, annotations: the original id of each new one, which count from 1 (None
            for an annotation without one); None where the file's ids are the source's own.
    """

    images: Sequence[OriginalId] | None = None
    categories: Sequence[OriginalId] | None = None
    annotations: Sequence[OriginalId] | None = None

    def image(self, number: int) -> OriginalId:
        """The original id of a picture."""
        return number if self.images is None else self.images[number - 1]

    def category(self, number: int) -> OriginalId:
        """The original id of a category, None where the source has none of that name."""
        return number if self.categories is None else self.categories[number - 1]

    def annotation(self, number: int) -> OriginalId:
        """The original id of an annotation, None where it has none."""
        return number if self.annotations is None else self.annotations[number - 1]


def original_ids(path: Path) -> IdMap:
    """The original ids of a canonical annotation file, read from its first line alone.

    Raises:
        InputError: it cannot be read.
    """
    return _ids_of(_head(path))


def _ids_of(head: Any) -> IdMap:
    """The ids that a first line holds; those of the file itself where it is none of ours."""
    ids = head.get("ids") if isinstance(head, dict) else None
    lists = [ids.get(key) for key in LISTS] if isinstance(ids, dict) else [None]
    if not all(isinstance(value, list) for value in lists):
        return IdMap()
    return IdMap(**dict(zip(LISTS, lists, strict=True)))


def _head(path: Path) -> dict[str, Any] | None:
    """What the first line of a file that was written here says; None for any other file."""
    try:
        with open(path, "rb") as file:
            line = file.readline() if file.read(len(HEAD)) == HEAD else b""
        return dict(json.loads(line.rstrip(b",\n"))) if line else None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected an annotation file"
        ) from error
    except ValueError:  # somebody else's file that begins alike
        return None


@dataclass
class Form:
    """What a canonical file holds, by rows of its source: P pictures, N annotations.

    Attributes:
        source: where the entries come from.
        stamp: says what went into it; two of one stamp are the same file.
        image_ids, annotation_ids: as in the source.
        names, sizes (P, 2): of the pictures, as shown.
        pictures_kept (P,), kept (N,): what is not left out.
        turned (P,): the mark of pictures whose boxes were turned, 1 elsewhere.
        stored (P, 2): width and height of the pixels in the file.
        boxes (N, 4), areas (N,), crowds (N,): of the objects.
        pictures (N,): row of the picture.
        labels (N,): number of the class, from 0.
        classes: names, in order.
        category_rows: the row of each class in the source, None where it lists none.
        category_ids: as in the source, by row.
    """

    source: Source
    stamp: str
    image_ids: list[Any]
    annotation_ids: list[Any]
    names: list[str]
    sizes: NDArray[np.int64]
    pictures_kept: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    turned: NDArray[np.int64]
    stored: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowds: NDArray[np.bool_]
    pictures: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: Sequence[str]
    category_rows: Sequence[int | None]
    category_ids: list[Any]

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the file, the ids of the source in the first line."""
        first = _ids_of(self.source.others.get("lightnas"))  # the source's source
        images, annotations = np.flatnonzero(self.pictures_kept), np.flatnonzero(self.kept)
        ids = {
            "images": [first.image(self.image_ids[row]) for row in images.tolist()],
            "categories": [
                None if row is None else first.category(self.category_ids[row])
                for row in self.category_rows
            ],
            "annotations": [
                first.annotation(self.annotation_ids[row]) for row in annotations.tolist()
            ],
        }
        head = {"source": os.path.abspath(self.source.path), "stamp": self.stamp, "ids": ids}
        yield HEAD + json.dumps(head, default=str).encode() + b",\n"
        others = {k: v for k, v in self.source.others.items() if k not in ("info", "lightnas")}
        info = self.source.others.get("info")
        others = {"info": info if isinstance(info, dict) else {}, **others}
        for key, value in {**others, "categories": list(self._categories())}.items():
            yield f"{json.dumps(key)}: {json.dumps(value)},\n".encode()
        yield from _list("images", self._images())
        yield b",\n"
        yield from _list("annotations", self._annotations())
        yield b"}\n"

    def _categories(self) -> Iterator[dict[str, Any]]:
        entries = list(self.source.entries("categories"))
        for number, (name, row) in enumerate(zip(self.classes, self.category_rows, strict=True), 1):
            yield ({} if row is None else entries[row]) | {"id": number, "name": name}

    def _images(self) -> Iterator[dict[str, Any]]:
        number = 0
        sizes = self.sizes.tolist()
        for row, entry in enumerate(self.source.entries("images")):
            if self.pictures_kept[row]:
                number += 1
                width, height = sizes[row]
                yield entry | {
                    "id": number, "file_name": self.names[row], "width": width, "height": height,
                }  # fmt: skip

    def _annotations(self) -> Iterator[dict[str, Any]]:
        numbers = np.cumsum(self.pictures_kept)[self.pictures].tolist()
        labels, crowds = self.labels.tolist(), self.crowds.tolist()
        boxes, areas = self.boxes.tolist(), self.areas.tolist()
        turned = self.turned[self.pictures].tolist()
        number = 0
        for row, entry in enumerate(self.source.entries("annotations")):
            if not self.kept[row]:
                continue
            number += 1
            new = entry | {
                "id": number, "image_id": numbers[row], "category_id": labels[row] + 1,
                "bbox": boxes[row], "area": areas[row], "iscrowd": int(crowds[row]),
            }  # fmt: skip
            new.pop("ignore", None)  # mmdet would take the object for background; it is a crowd now
            if turned[row] != 1 and new.get("segmentation"):
                stored = self.stored[self.pictures[row]]
                new["segmentation"] = turned_outline(
                    new["segmentation"], turned[row], (int(stored[0]), int(stored[1]))
                )
            if new.get("segmentation", 0) is None:
                del new["segmentation"]
            yield new


def _list(key: str, entries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    yield f'"{key}": ['.encode()
    lines: list[str] = []
    between = "\n"
    for entry in entries:
        lines.append(between + json.dumps(entry))
        between = ",\n"
        if len(lines) == FLUSH:
            yield "".join(lines).encode()
            lines.clear()
    yield ("".join(lines) + "]").encode()


@dataclass
class Canonical:
    """How the canonical file of a checked split comes about.

    Attributes:
        serves: the splits for which the source is one already. One that has boxes without area, and
            is canonical but for them, serves ``train`` alone: a training passes over them, where a
            measurement would count them as missed.
        stamp: of the file.
        chunks: gives its bytes, where it has to be written.
        remembered: whether the check was made at an earlier start, which may have written it.
    """

    serves: Sequence[str]
    stamp: str
    chunks: Callable[[], Iterable[bytes]]
    remembered: bool = False

    def put(self, source: Path, path: Path) -> None:
        """Make the file: a link to the source, or a file of its own; nothing where it is there.

        Raises:
            OSError: it cannot be written.
        """
        if path.stem in self.serves:
            if os.path.realpath(source) != os.path.realpath(path):
                _link(source, path)
        elif not (self.remembered and self._is_at(path)):
            write_whole(path, self.chunks(), follow=False)

    def hold(self, source: Path, folder: Path) -> Path:
        """Be ready for the files of a folder to be cleared away: what lies there is kept in memory,
        a link is followed. Returns the source that is left."""
        if source.parent.resolve() != folder.resolve():
            return source
        if source.is_symlink():
            return source.resolve()
        if self.serves or self.remembered:
            content = [source.read_bytes()] if self.serves else list(self.chunks())
            self.serves, self.remembered, self.chunks = (), False, lambda: content
        return source

    def _is_at(self, path: Path) -> bool:
        there = path.is_file() and not path.is_symlink()
        return there and (_head(path) or {}).get("stamp") == self.stamp


def _link(source: Path, path: Path) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        beside.unlink()
    try:
        beside.symlink_to(os.path.abspath(source))
    except OSError:  # a disk without links
        write_whole(path, source.read_bytes(), follow=False)
        return
    os.replace(beside, path)
