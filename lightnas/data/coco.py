"""Detection data in COCO format: where it lies, and whether it can be trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from .checking import check_split
from .layouts import find_data
from .layouts.coco import with_pictures
from .split import SPLITS, CocoSplit, DataOptions

__all__ = ["SPLITS", "CocoSplit", "DataOptions", "check_split", "find_split", "hold", "settle"]


def find_split(
    data: Path | None,
    split: str,
    annotations: Path | None = None,
    images: Path | None = None,
    notes: list[str] | None = None,
    options: tuple[str, str] | None = None,
) -> CocoSplit | None:
    """One split: explicit paths, else what ``layouts.find_data`` finds in ``data``; None where there
    is no such split.

    Args:
        notes: what was understood on the way is added to it, in words.
        options: what messages call both paths; None: those of ``train-det``.

    Raises:
        InputError: a given path does not exist, or the pictures are nowhere; errors as for
            ``find_data``.
    """
    said = [] if notes is None else notes
    file, folder = options or (f"--{split}-json", f"--{split}-images")
    if annotations is not None and not annotations.is_file():
        raise InputError(f"{file} {annotations} is no file, expected a COCO annotation file")
    if images is not None and not images.is_dir():
        raise InputError(f"{folder} {images} is no directory, expected the pictures of {split}")
    if annotations is not None:
        if images is not None:
            return CocoSplit(annotations, images)
        return with_pictures(annotations, split, data or annotations.parent.parent, said)
    if data is None:
        return None
    found = find_data(data, [split])
    said += found.notes
    there = found.splits.get(split)
    return replace(there, images=images) if there and images else there


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
