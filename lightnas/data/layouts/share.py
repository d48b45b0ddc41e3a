"""A part of the training pictures set aside for val, where a set has none."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...errors import InputError
from ..split import CocoSplit

SHARE = 0.1


def share_out(
    split: CocoSplit, content: dict[str, Any], share: float, seed: int
) -> tuple[CocoSplit, CocoSplit]:
    """A split as train and val.

    Which pictures go to val depends on the seed and on their names alone: another order of the
    file, or another picture, moves no picture. Roboflow's copies of one picture (``NAME.rf.*``)
    stay together.

    Args:
        content: of the split, as COCO has it.
        share: of val, above 0 and below 1.

    Raises:
        InputError: there are fewer than two pictures.
    """
    images: list[Any] = content["images"]
    if len(images) < 2:
        raise InputError(
            f"{split.annotations}: holds {len(images)} pictures, expected at least two, one to train "
            "on and one for val"
        )
    chosen = _chosen([_name(image) for image in images], share, seed)
    of_val = {_key(images[row].get("id")) for row in chosen if isinstance(images[row], dict)}
    parts = []
    for val in (False, True):
        part = content | {
            "images": [image for i, image in enumerate(images) if (i in chosen) == val],
            "annotations": [
                annotation
                for annotation in content["annotations"]
                if (isinstance(annotation, dict) and _key(annotation.get("image_id")) in of_val)
                == val
            ],
        }
        name = f"{split.annotations.name} ({'val' if val else 'train'})"
        parts.append(replace(split, annotations=split.annotations.with_name(name), content=part))
    return parts[0], parts[1]


def _chosen(names: Sequence[str], share: float, seed: int) -> set[int]:
    """Rows of the pictures that go to val."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        groups[name.partition(".rf.")[0]].append(row)
    if len(groups) == 1:
        groups = {f"{name} {row}": [row] for row, name in enumerate(names)}  # type: ignore[assignment]
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    chosen: set[int] = set()
    for name in order[:-1]:
        if len(chosen) >= max(1, round(share * len(names))):
            break
        chosen.update(groups[name])
    return chosen


def _name(image: Any) -> str:
    return str(image.get("file_name")) if isinstance(image, dict) else ""


def _key(value: Any) -> str:
    """One key for the forms in which files write one id: 1, 1.0 and "1"."""
    text = str(value)
    return text.removesuffix(".0")
