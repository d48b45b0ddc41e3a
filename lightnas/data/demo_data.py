"""Small detection sets in COCO format, made offline from what packages ship.

What the pictures of a kind are made of and how stands in a file of its own; the writing, and what is
replaced when, is the same for all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import __version__
from ..errors import InputError, nearest
from ..files import dead_parts, output_errors, part_of, read_text
from ..outputs import MARKER, read_marker, write_marker
from . import digits, emoji
from .pictures import Box, draw_boxes, encode, grid

SPLITS = ("train", "val", "test")
MAX_BYTES = 2**29
# The files of a set.
OURS = re.compile(
    r"ground_truth\.jpg|(train|val|test)/[0-9]{6}\.jpg|annotations/instances_(train|val|test)\.json"
)


# Label and box (x, y, width, height) in pixels.
Objects = list[tuple[int, tuple[int, int, int, int]]]


@dataclass(frozen=True)
class Splits:
    """How many pictures of each split."""

    train: int = 1500
    val: int = 200
    test: int = 500


@dataclass(frozen=True)
class Kind:
    """A set that can be made.

    ``sources`` makes of a generator what the pictures of each split are made of, and ``compose`` of
    one of these and a generator a picture with its objects.
    """

    description: str
    supercategory: str
    classes: Sequence[str]
    side: int
    splits: Splits
    sources: Callable[[np.random.Generator], Sequence[Any]]
    compose: Callable[[Any, np.random.Generator], tuple[Image.Image, Objects]]


KINDS = {
    "digits": Kind(
        "handwritten digits", "digit", digits.CLASSES, digits.SIDE, Splits(),
        digits.sources, digits.compose,
    ),
    "emoji": Kind(
        "emoji in photographs", "emoji", emoji.CLASSES, emoji.SIDE, Splits(400, 100, 200),
        emoji.sources, emoji.compose,
    ),
}  # fmt: skip


def write_demo_data(
    directory: Path,
    splits: Splits | None = None,
    seed: int = 0,
    overwrite: bool = False,
    kind: str = "digits",
) -> dict[str, int]:
    """Write the set: ``annotations/instances_{split}.json``, ``{split}/*.jpg``, and
    ``ground_truth.jpg`` to look at.

    The splits share no source digit, or no photograph. The same seed gives the same bytes, and a
    picture does not depend on how many others there are. Of an earlier set only what it wrote
    itself is replaced.

    Returns:
        Objects of each split.

    Raises:
        InputError: the directory is not empty (without ``overwrite``), or cannot be written; the
            kind is unknown, or a package that its pictures are made of is not installed.
    """
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}, {nearest(kind, KINDS)}")
    made, directory = KINDS[kind], directory.resolve()
    splits = splits or made.splits
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file, expected a directory to write to")
    begun = directory.is_dir() and any(directory.iterdir())
    if begun and not overwrite and not _is_unfinished(directory):
        raise InputError(f"{directory} is not empty, expected a new directory or overwrite=True")
    earlier = _earlier(directory) if begun else []
    sources = made.sources(np.random.default_rng(seed))
    beside = part_of(directory)
    with output_errors("", directory, "a directory"):
        directory.parent.mkdir(parents=True, exist_ok=True)
        _sweep(directory)
        beside.mkdir()
        try:
            write_marker(beside, _marker([]))
            counts = _write(beside, made, sources, splits, seed)
            if directory.is_dir():
                _replace(directory, earlier, beside)
            else:
                write_marker(beside, _marker(_made(beside)))
                beside.rename(directory)  # whole or not at all
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return counts


def _marker(files: Sequence[str]) -> dict[str, Any]:
    return {"kind": "demo-data", "version": __version__, "files": list(files)}


def _made(directory: Path) -> list[str]:
    """The files of a set, the annotations last: without them nothing takes it for a whole one."""
    files = [path.relative_to(directory) for path in directory.rglob("*") if path.is_file()]
    return sorted((path.as_posix() for path in files if path.name != MARKER), key=_last)


def _last(name: str) -> tuple[bool, str]:
    return name.startswith("annotations/"), name


def _is_unfinished(directory: Path) -> bool:
    """Whether all that a directory holds is what a writing of a set that was killed has left."""
    marker = read_marker(directory)
    if marker is None or marker["kind"] != "demo-data":
        return False
    made = _made(directory)
    whole = all(f"annotations/instances_{split}.json" in made for split in SPLITS)
    return not whole and set(made) <= set(marker["files"])


def _sweep(directory: Path) -> None:
    """Remove what writings of this set that were killed have left beside it."""
    for part in filter(Path.is_dir, dead_parts(directory)):
        marker = read_marker(part)
        if marker and marker["kind"] == "demo-data":
            shutil.rmtree(part, ignore_errors=True)
        elif not any(part.iterdir()):
            part.rmdir()


def _earlier(directory: Path) -> list[str]:
    """The files that an earlier set in the directory has written: those that its marker lists, or
    from before there were markers those that its annotation files name.

    Raises:
        InputError: there is none, or a split's annotations are not those of a demo set.
    """
    marker = read_marker(directory)
    if marker is not None and marker["kind"] != "demo-data":
        raise InputError(
            f"overwrite=True: {directory} was made by a {marker['kind']}, expected earlier demo data"
        )
    files = ["ground_truth.jpg"]
    for split in SPLITS:
        annotations = f"annotations/instances_{split}.json"
        descriptions = [_description(kind, split) for kind in KINDS.values()]
        if marker is not None and not (directory / annotations).exists():
            continue  # killed while it was replaced
        try:
            content = json.loads(read_text(directory / annotations, MAX_BYTES))
            if content["info"]["description"] not in descriptions:
                raise ValueError("not a demo set's description")
            names = [f"{split}/{image['file_name']}" for image in content["images"]]
        except (InputError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"overwrite=True: {directory} holds no earlier demo data, expected one that may be deleted"
            ) from error
        files += [*names, annotations]
    return list(filter(OURS.fullmatch, marker["files"] if marker else files))


def _replace(directory: Path, earlier: list[str], beside: Path) -> None:
    """Put the files of ``beside`` in the place of those of an earlier set; others stay.

    The marker lists both from before the first is touched: killed, it is known what is whose.

    Raises:
        InputError: a file of the user's, or a link, is in the way.
    """
    new = _made(beside)
    for folder in {Path(name).parts[0] for name in (*earlier, *new) if "/" in name}:
        if (directory / folder).is_symlink():
            raise InputError(f"{directory / folder} is a link, expected a folder of demo data")
    for name in sorted(set(new) - set(earlier)):
        if os.path.lexists(directory / name):
            raise InputError(
                f"{directory / name} is in the way: no earlier demo data made it, expected it elsewhere"
            )
    old = [name for name in earlier if name not in new]
    write_marker(directory, _marker([*old, *new]))
    for name in sorted(earlier, key=_last, reverse=True):
        (directory / name).unlink(missing_ok=True)
    for name in new:
        (directory / name).parent.mkdir(exist_ok=True)
        (beside / name).replace(directory / name)
    if old:
        write_marker(directory, _marker(new))


def _description(kind: Kind, split: str) -> str:
    return f"{kind.description}, {split}"


def _write(
    directory: Path, kind: Kind, sources: Sequence[Any], splits: Splits, seed: int
) -> dict[str, int]:
    counts = {}
    for i, split in enumerate(SPLITS):
        # A generator for each picture, keyed by what it is: more pictures leave the first ones as
        # they were.
        pictures = (
            kind.compose(sources[i], np.random.default_rng([seed, i, number]))
            for number in range(getattr(splits, split))
        )
        counts[split] = _write_split(directory, kind, split, pictures)
    return counts


def _write_split(
    directory: Path,
    kind: Kind,
    split: str,
    pictures: Iterator[tuple[Image.Image, Objects]],
) -> int:
    (directory / split).mkdir()
    (directory / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    shown = []
    for number, (picture, objects) in enumerate(pictures, start=1):
        name = f"{number:06d}.jpg"
        (directory / split / name).write_bytes(encode(picture, ".jpg"))
        images.append({"id": number, "file_name": name, "width": kind.side, "height": kind.side})
        for label, (x, y, w, h) in objects:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": [x, y, w, h],
                 "area": w * h, "iscrowd": 0, "segmentation": []}
            )  # fmt: skip
        if split == "val" and number <= 12:
            shown.append(
                draw_boxes(
                    picture,
                    [
                        Box(kind.classes[label], (x, y, x + w, y + h))
                        for label, (x, y, w, h) in objects
                    ],
                )
            )
    categories = [
        {"id": i, "name": name, "supercategory": kind.supercategory}
        for i, name in enumerate(kind.classes, start=1)
    ]
    content = {
        "info": {"description": _description(kind, split)},
        "images": images,
        "annotations": annotations,
    }
    (directory / "annotations" / f"instances_{split}.json").write_text(
        json.dumps(content | {"categories": categories})
    )
    if shown:
        (directory / "ground_truth.jpg").write_bytes(encode(grid(shown, columns=4), ".jpg"))
    return len(annotations)
