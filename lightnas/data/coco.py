"""Detection data in COCO format: where it lies, and whether it can be trained on."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest, shown
from ..files import write_whole
from .split import SPLITS, CocoSplit

__all__ = ["SPLITS", "CocoSplit", "check_split", "find_split", "settle"]

ALIASES = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
# A picture that ends with these bytes was written to its end.
END_MARKS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}


def find_split(
    data: Path | None, split: str, annotations: Path | None = None, images: Path | None = None
) -> CocoSplit | None:
    """The files of a split: explicit paths, else the usual names in ``data``; None where there is
    no such split.

    Annotation files are ``annotations/instances_train2017.json`` and the like: a name with the
    split in it. Pictures are looked for in ``train2017/``, ``images/train2017/``, ``train/``,
    ``images/train/``, ``images/`` and ``data`` itself.

    Raises:
        InputError: a given path does not exist, or the pictures are nowhere.
    """
    if annotations is not None and not annotations.is_file():
        raise InputError(
            f"--{split}-json {annotations} is no file, expected a COCO annotation file"
        )
    if images is not None and not images.is_dir():
        raise InputError(
            f"--{split}-images {images} is no directory, expected the pictures of {split}"
        )
    if annotations is None:
        if data is None:
            return None
        annotations = _find_annotations(data, split)
        if annotations is None:
            return None
    if images is None:
        images = _find_images(data or annotations.parent.parent, split, annotations)
    return CocoSplit(annotations, images)


def _find_annotations(data: Path, split: str) -> Path | None:
    if not data.is_dir():
        raise InputError(
            f"data {data} is no directory, expected a folder with annotations/*.json and pictures"
        )
    folder = data / "annotations"
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise InputError(
            f"data {data} holds no annotations/*.json, expected COCO annotation files there, or one named for each split"
        )
    named = [path for path in files if any(alias in path.stem.lower() for alias in ALIASES[split])]
    # COCO's own folder has captions and keypoints beside the instances, and test files without any
    # annotation.
    instances = [path for path in named if path.stem.lower().startswith("instances")]
    plain = [path for path in named if path.stem.lower() in ALIASES[split]]
    others = [
        path
        for path in named
        if not path.stem.lower().startswith(("captions", "image_info", "person_keypoints"))
    ]
    return next(iter(instances or plain or others), None)


def _find_images(data: Path, split: str, annotations: Path) -> Path:
    word = annotations.stem.removeprefix("instances_")
    names = [word, *ALIASES[split]]
    candidates = [folder for name in names for folder in (data / name, data / "images" / name)]
    candidates += [data / "images", data]
    first = next(
        (str(image.get("file_name")) for image in _images_of(_read_json(annotations), annotations)),
        None,
    )
    for folder in candidates:
        if folder.is_dir() and (first is None or os.path.exists(folder / first)):
            return folder
    existing = [folder for folder in candidates[:-1] if folder.is_dir()]
    if existing:  # the first picture may be among the missing ones, which the check names
        return existing[0]
    raise InputError(
        f"{annotations}: picture {shown(first)} is in none of {', '.join(map(str, candidates))}, expected it there"
    )


def check_split(
    split: CocoSplit, skip_bad: bool, classes: Sequence[str] | None = None
) -> CocoSplit:
    """Read a split and check every annotation and every picture file.

    A picture is opened for its size, and decoded only where its last bytes do not show that it is
    whole.

    Args:
        skip_bad: leave out bad pictures and bad boxes instead of refusing them.
        classes: names that the categories must have; where the file has them in another order,
            ``content`` has them in this one, since mmdet numbers classes by the order in the file.

    Raises:
        InputError: not JSON, not COCO, other categories, or (without ``skip_bad``) bad pictures or
            boxes, named and counted.
    """
    content = split.content or _read_json(split.annotations)
    images = _images_of(content, split.annotations)
    categories = _categories(content, split.annotations)
    names = [str(category["name"]) for category in categories]
    if classes is not None and sorted(names) != sorted(classes):
        difference = _difference(names, classes)
        raise InputError(
            f"{split.annotations}: its categories are {shown(names)}, expected {shown(list(classes))} ({difference})"
        )
    annotations = _annotations_of(content, split.annotations, images, categories)
    bad_images = {
        image["id"]: why
        for image in images
        if (why := _bad_picture(split.images, image)) is not None
    }
    sizes = {image["id"]: (image["width"], image["height"]) for image in images}
    bad_boxes = [
        (number, why)
        for number, box in enumerate(annotations)
        if (why := _bad_box(box, sizes)) is not None
    ]
    split.skipped = []
    if bad_images:
        by_id = {image["id"]: image["file_name"] for image in images}
        examples = "; ".join(f"{by_id[key]} {why}" for key, why in list(bad_images.items())[:3])
        split.skipped.append(
            f"{len(bad_images)} of {len(images)} pictures of {split.annotations.name} are bad ({examples})"
        )
    if bad_boxes:
        examples = "; ".join(
            f"annotation {shown(annotations[number].get('id'))} {why}"
            for number, why in bad_boxes[:3]
        )
        split.skipped.append(
            f"{len(bad_boxes)} of {len(annotations)} boxes of {split.annotations.name} are bad ({examples})"
        )
    if split.skipped and not skip_bad:
        raise InputError(
            f"{'; '.join(split.skipped)}; expected whole pictures and boxes inside them, or skip_bad_images=True"
        )
    ordered = list(classes) if classes is not None else names
    bad = {number for number, _ in bad_boxes}
    good = [
        a for i, a in enumerate(annotations) if i not in bad and a["image_id"] not in bad_images
    ]
    if _fill(good) or split.skipped or names != ordered:
        split.content = content | {
            "images": [image for image in images if image["id"] not in bad_images],
            "annotations": good,
            "categories": sorted(
                categories, key=lambda category: ordered.index(str(category["name"]))
            ),
        }
    split.classes = tuple(ordered)
    split.n_images = len(images) - len(bad_images)
    if split.n_images == 0:
        raise InputError(f"{split.annotations}: holds no usable picture, expected at least one")
    return split


def settle(splits: Mapping[str, CocoSplit], folder: Path) -> None:
    """Write the annotations of splits whose file cannot be used as it is into a folder, and point
    the splits there."""
    for split in splits.values():
        if split.content is not None:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / split.annotations.name, json.dumps(split.content).encode())
            split.annotations, split.content = folder / split.annotations.name, None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = json.load(file)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected a COCO annotation file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: is not JSON ({str(error)[:80]}), expected a COCO annotation file"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected a COCO object with images, annotations, categories"
        )
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise InputError(
                f"{path}: no list '{key}', expected COCO's images, annotations and categories"
            )
    return content


def _images_of(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = content["images"]
    for number, image in enumerate(images):
        if not isinstance(image, dict) or not {"id", "file_name", "width", "height"} <= set(image):
            raise InputError(
                f"{path}: images[{number}] is {shown(image)}, expected id, file_name, width and height"
            )
        if not isinstance(image["file_name"], str) or not image["file_name"]:
            raise InputError(
                f"{path}: images[{number}] has file_name {shown(image['file_name'])}, expected the name of a picture"
            )
        if not all(isinstance(image[key], int) and image[key] > 0 for key in ("width", "height")):
            raise InputError(
                f"{path}: images[{number}] has width and height {shown((image['width'], image['height']))}, expected pixels"
            )
    _unique([image["id"] for image in images], path, "images")
    return images


def _categories(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    categories: list[dict[str, Any]] = content["categories"]
    for number, category in enumerate(categories):
        if not isinstance(category, dict) or not {"id", "name"} <= set(category):
            raise InputError(
                f"{path}: categories[{number}] is {shown(category)}, expected id and name"
            )
    if not categories:
        raise InputError(f"{path}: has no categories, expected at least one")
    _unique([category["id"] for category in categories], path, "categories")
    name, times = Counter(str(category["name"]) for category in categories).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{path}: {times} categories are named {shown(name)}, expected names that differ"
        )
    return categories


def _annotations_of(
    content: dict[str, Any],
    path: Path,
    images: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = content["annotations"]
    known = {
        "image_id": {image["id"] for image in images},
        "category_id": {category["id"] for category in categories},
    }
    for number, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not {"id", "image_id", "category_id", "bbox"} <= set(
            annotation
        ):
            raise InputError(
                f"{path}: annotations[{number}] is {shown(annotation)}, expected id, image_id, category_id and bbox"
            )
        for key, ids in known.items():
            if not isinstance(annotation[key], int | str) or annotation[key] not in ids:
                raise InputError(
                    f"{path}: annotations[{number}] has {key} {shown(annotation[key])}, expected one that the file lists"
                )
    _unique([annotation["id"] for annotation in annotations], path, "annotations")
    return annotations


def _fill(annotations: list[dict[str, Any]]) -> bool:
    """Add ``area`` and ``iscrowd``, which mmdet needs and not every tool writes; says whether any
    was missing."""
    incomplete = [
        annotation for annotation in annotations if not {"area", "iscrowd"} <= set(annotation)
    ]
    for annotation in incomplete:
        annotation.setdefault("iscrowd", 0)
        annotation.setdefault("area", annotation["bbox"][2] * annotation["bbox"][3])
    return bool(incomplete)


def _unique(ids: list[Any], path: Path, what: str) -> None:
    if not all(isinstance(value, int | str) for value in ids):
        raise InputError(
            f"{path}: an id of {what} is neither a number nor a text, expected COCO's ids"
        )
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise InputError(
            f"{path}: the id {shown(twice)} stands twice in {what}, expected ids that differ"
        )


def _bad_box(annotation: dict[str, Any], sizes: dict[Any, tuple[int, int]]) -> str | None:
    """Why a box cannot be trained on, or None."""
    box = annotation["bbox"]
    numbers = (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(v, int | float) and math.isfinite(v) for v in box)
    )
    if not numbers:
        return f"has the box {shown(box)}"
    x, y, w, h = box
    if w <= 0 or h <= 0:
        return f"is {w} x {h} large"
    width, height = sizes.get(annotation["image_id"], (math.inf, math.inf))
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return f"{shown(box)} lies outside its picture of {width} x {height}"
    return None


def _bad_picture(folder: Path, image: dict[str, Any]) -> str | None:
    """Why a picture cannot be read, or None."""
    from PIL import Image

    path = folder / str(image["file_name"])
    try:
        with open(path, "rb") as file, Image.open(file) as picture:
            size = picture.size
            file.seek(-min(64, path.stat().st_size), 2)
            if END_MARKS.get(path.suffix.lower(), b"\0none\0") not in file.read():
                file.seek(0)
                with Image.open(file) as again:
                    again.load()
    except FileNotFoundError:
        return "is missing"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"cannot be decoded ({(getattr(error, 'strerror', None) or str(error))[:60]})"
    listed = (image["width"], image["height"])
    if size not in (listed, listed[::-1]):  # turned round: a camera's orientation mark
        return f"is {size[0]} x {size[1]}, listed as {listed[0]} x {listed[1]}"
    return None


def _difference(names: Sequence[str], classes: Sequence[str]) -> str:
    def few(values: set[str]) -> Iterator[str]:
        yield from sorted(values)[:3]

    extra, missing = set(names) - set(classes), set(classes) - set(names)
    parts = [f"not known: {', '.join(few(extra))}"] if extra else []
    parts += [f"missing: {', '.join(few(missing))}"] if missing else []
    if extra and missing and len(extra) == 1:
        parts.append(nearest(next(iter(extra)), classes))
    return "; ".join(parts)
