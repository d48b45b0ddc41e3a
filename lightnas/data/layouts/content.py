"""A COCO JSON whole in memory, for what is to be changed before the check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..split import CocoSplit

LISTS = ("images", "annotations", "categories")


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
    try:
        content = json.loads(path.read_bytes())
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
    for key in LISTS:
        if not isinstance(content.get(key), list):
            raise InputError(
                f"{path}: no list '{key}', expected COCO's images, annotations and categories"
            )
    return content
