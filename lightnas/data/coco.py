"""Detection data in COCO format: where it lies, and whether it can be trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError, shown
from .checking import check_split
from .source import first_picture
from .split import SPLITS, CocoSplit, DataOptions

__all__ = ["SPLITS", "CocoSplit", "DataOptions", "check_split", "find_split", "hold", "settle"]

ALIASES = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}


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
    first = first_picture(annotations)
    for folder in candidates:
        if folder.is_dir() and (first is None or os.path.exists(folder / first)):
            return folder
    existing = [folder for folder in candidates[:-1] if folder.is_dir()]
    if existing:  # the first picture may be among the missing ones, which the check names
        return existing[0]
    raise InputError(
        f"{annotations}: picture {shown(first)} is in none of {', '.join(map(str, candidates))}, expected it there"
    )


def hold(splits: Mapping[str, CocoSplit], folder: Path) -> None:
    """Be ready for the annotation files of a folder to be cleared away, as where a run begins anew
    with the data that its own config names."""
    for split in splits.values():
        if split.canonical is not None:
            split.annotations = split.canonical.hold(split.annotations, folder)


def settle(splits: Mapping[str, CocoSplit], folder: Path) -> None:
    """Make the canonical annotation file of each checked split in a folder, named after the split,
    and point the splits there. A split that stands for two has one file.

    Raises:
        InputError: a source that has to be read once more has changed.
        OSError: a file cannot be written.
    """
    settled: dict[int, Path] = {}
    for name, split in splits.items():
        if id(split) in settled or split.canonical is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = settled[id(split)] = folder / f"{name}.json"
        split.canonical.put(split.annotations, path)
        split.annotations, split.content, split.canonical = path, None, None
