"""A COCO JSON whole in memory, for what is to be changed before the check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..source import LISTS, Source
from ..split import CocoSplit


def content_of(split: CocoSplit) -> dict[str, Any]:
    """COCO's lists of a split: those at hand, or those of its file.

    Raises:
        InputError: as for ``read_content``.
    """
    return split.content if split.content is not None else read_content(split.annotations)


def read_content(path: Path) -> dict[str, Any]:
    """What a COCO JSON holds, in whatever Unicode encoding.

    Raises:
        InputError: it cannot be read, is no JSON, or lacks one of the lists.
    """
    source = Source(path)
    lists: dict[str, list[Any]] = {key: [] for key in LISTS}
    source.read({key: entries.extend for key, entries in lists.items()})
    return {**source.others, **lists}
