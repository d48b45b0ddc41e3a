"""A small real detection set, made offline: scikit-learn's 1,797 handwritten digits on textured
canvases, in COCO format.

The source digits are those of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits
(UCI, 1998).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import __version__
from ..errors import InputError
from ..files import dead_parts, output_errors, part_of, read_text
from ..outputs import MARKER, read_marker, write_marker
from .pictures import Box, draw_boxes, encode, grid

CLASSES = tuple("0123456789")
SPLITS = ("train", "val", "test")
SHARES = (0.7, 0.1, 0.2)  # of the source digits
SIDE = 192
SIZES = (14, 56)
MOST = 6
MAX_BYTES = 2**29
# The files of a set.
OURS = re.compile(
    r"ground_truth\.jpg|(train|val|test)/[0-9]{6}\.jpg|annotations/instances_(train|val|test)\.json"
)


@dataclass
class Splits:
    """How many pictures of each split."""

    train: int = 1500
    val: int = 200
    test: int = 500


def write_demo_data(
    directory: Path, splits: Splits | None = None, seed: int = 0, overwrite: bool = False
) -> dict[str, int]:
    """Write the set: ``annotations/instances_{split}.json``, ``{split}/*.jpg``, and
    ``ground_truth.jpg`` to look at.

    The splits share no source digit. The same seed gives the same bytes, and a picture does not
    depend on how many others there are. Of an earlier set only what it wrote itself is replaced.

    Returns:
        Objects of each split.

    Raises:
        InputError: the directory is not empty (without ``overwrite``), or cannot be written.
    """
    splits, directory = splits or Splits(), directory.resolve()
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file, expected a directory to write to")
    begun = directory.is_dir() and any(directory.iterdir())
    if begun and not overwrite and not _is_unfinished(directory):
        raise InputError(f"{directory} is not empty, expected a new directory or overwrite=True")
    earlier = _earlier(directory) if begun else []
    beside = part_of(directory)
    with output_errors("", directory, "a directory"):
        directory.parent.mkdir(parents=True, exist_ok=True)
        _sweep(directory)
        beside.mkdir()
        try:
            write_marker(beside, _marker([]))
            counts = _write(beside, splits, seed)
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
        if marker is not None and not (directory / annotations).exists():
            continue  # killed while it was replaced
        try:
            content = json.loads(read_text(directory / annotations, MAX_BYTES))
            if content["info"]["description"] != _description(split):
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


def _description(split: str) -> str:
    return f"handwritten digits, {split}"


def _write(directory: Path, splits: Splits, seed: int) -> dict[str, int]:
    sources = _sources(np.random.default_rng(seed))
    counts = {}
    for i, split in enumerate(SPLITS):
        # A generator for each picture, keyed by what it is: more pictures leave the first ones as
        # they were.
        seeds = (
            np.random.default_rng([seed, i, number]) for number in range(getattr(splits, split))
        )
        counts[split] = _write_split(directory, split, sources[i], seeds)
    return counts


def _sources(rng: np.random.Generator) -> list[list[tuple[NDArray[np.uint8], int]]]:
    """Of each split its digits, cut to their ink, with their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    order = rng.permutation(len(images))
    ends = np.round(np.cumsum((0, *SHARES)) * len(images)).astype(int)
    return [[(_ink(images[i]), int(labels[i])) for i in order[a:b]] for a, b in pairwise(ends)]


def _ink(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = (np.flatnonzero((digit > 64).any(axis=axis)) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _write_split(
    directory: Path,
    split: str,
    digits: list[tuple[NDArray[np.uint8], int]],
    generators: Iterator[np.random.Generator],
) -> int:
    (directory / split).mkdir()
    (directory / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    shown = []
    for number, rng in enumerate(generators, start=1):
        picture, objects = compose(digits, rng)
        name = f"{number:06d}.jpg"
        (directory / split / name).write_bytes(encode(picture, ".jpg"))
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        for label, (x, y, w, h) in objects:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": [x, y, w, h],
                 "area": w * h, "iscrowd": 0, "segmentation": []}
            )  # fmt: skip
        if split == "val" and number <= 12:
            shown.append(
                draw_boxes(
                    picture,
                    [Box(CLASSES[label], (x, y, x + w, y + h)) for label, (x, y, w, h) in objects],
                )
            )
    categories = [
        {"id": i, "name": name, "supercategory": "digit"} for i, name in enumerate(CLASSES, start=1)
    ]
    content = {
        "info": {"description": _description(split)},
        "images": images,
        "annotations": annotations,
    }
    (directory / "annotations" / f"instances_{split}.json").write_text(
        json.dumps(content | {"categories": categories})
    )
    if shown:
        (directory / "ground_truth.jpg").write_bytes(encode(grid(shown, columns=4), ".jpg"))
    return len(annotations)


def compose(
    digits: list[tuple[NDArray[np.uint8], int]], rng: np.random.Generator
) -> tuple[Image.Image, list[tuple[int, tuple[int, int, int, int]]]]:
    """One picture, and its objects: label and box (x, y, width, height) in pixels. Objects do not
    overlap."""
    canvas = _texture(rng)
    taken: list[tuple[int, tuple[int, int, int, int]]] = []
    for _ in range(int(rng.integers(1, MOST + 1))):
        ink, label = digits[int(rng.integers(len(digits)))]
        size = int(rng.integers(SIZES[0], SIZES[1] + 1))
        scale = size / max(ink.shape)
        h, w = (max(3, round(side * scale)) for side in ink.shape)
        for _ in range(50):
            x, y = int(rng.integers(0, SIDE - w + 1)), int(rng.integers(0, SIDE - h + 1))
            if all(
                x + w <= a or a + c <= x or y + h <= b or b + d <= y for _, (a, b, c, d) in taken
            ):
                _paint(canvas, ink, (x, y, w, h), rng)
                taken.append((label, (x, y, w, h)))
                break
    return Image.fromarray(np.clip(np.round(canvas), 0, 255).astype(np.uint8)), taken


def _texture(rng: np.random.Generator) -> NDArray[np.float64]:
    """A canvas (SIDE, SIDE, 3): a base colour, and noise of three grains."""
    canvas = np.full((SIDE, SIDE, 3), rng.uniform(60, 195, 3))
    for grain, strength in ((3, 35), (12, 18), (SIDE, 8)):
        noise = rng.uniform(-1, 1, (grain, grain, 3)) * rng.uniform(0.2, 1) * strength
        layers = [
            Image.fromarray(noise[..., c].astype(np.float32)).resize(
                (SIDE, SIDE), Image.Resampling.BICUBIC
            )
            for c in range(3)
        ]
        canvas += np.stack([np.asarray(layer) for layer in layers], axis=2)
    return canvas


def _paint(
    canvas: NDArray[np.float64],
    ink: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    rng: np.random.Generator,
) -> None:
    """Blend a digit into its box, darker or brighter than what lies below by a random contrast."""
    x, y, w, h = box
    alpha = (
        np.asarray(Image.fromarray(ink).resize((w, h), Image.Resampling.BICUBIC), dtype=float)[
            ..., None
        ]
        / 255
    )
    below = canvas[y : y + h, x : x + w]
    ground = below.mean(axis=(0, 1))
    contrast = rng.uniform(50, 160) * (1 if rng.random() < 0.5 else -1)
    if not 0 <= ground.mean() + contrast <= 255:
        contrast = -contrast
    colour = ground + contrast + rng.uniform(-30, 30, 3)
    canvas[y : y + h, x : x + w] = below * (1 - alpha) + colour * alpha
