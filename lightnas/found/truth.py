"""The pictures and objects of a canonical annotation file, as mmdet's ``CocoDataset`` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..data.layouts.content import content_of
from ..data.split import CocoSplit


@dataclass
class Annotations:
    """Every annotation by its id."""

    anns: dict[Any, Any] = field(default_factory=dict)


@dataclass
class Truth:
    """A split, settled: what ``objects.Labelled`` asks for, without mmdet."""

    CLASSES: Sequence[str]
    img_ids: Sequence[Any]
    cat_ids: Sequence[Any]
    data_infos: Sequence[dict[str, Any]]
    coco: Annotations


def read_truth(split: CocoSplit) -> Truth:
    """What a canonical file holds; pictures and classes in its order.

    Raises:
        InputError: it cannot be read.
    """
    lists = content_of(split)
    number = {category["name"]: category["id"] for category in lists["categories"]}
    return Truth(
        CLASSES=split.classes,
        img_ids=[image["id"] for image in lists["images"]],
        cat_ids=[number[name] for name in split.classes],
        data_infos=lists["images"],
        coco=Annotations({a["id"]: a for a in lists["annotations"]}),
    )
