"""The one form that a split is trained on and measured in, and the way back to the ids of its source.

A canonical file that is written here begins with one line that holds the ids of the source; a
source that already is canonical is linked to, and its ids are its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OriginalId = int | float | str

# The first bytes of a file that was written here.
HEAD = b'{"lightnas": '


@dataclass(frozen=True)
class IdMap:
    """From the ids of a canonical file to those of its source.

    Attributes:
        images, categories: the original id of each new one, which count from 1; None where the
            file's ids are the source's own.
    """

    images: Sequence[OriginalId] | None = None
    categories: Sequence[OriginalId] | None = None

    def image(self, number: int) -> OriginalId:
        """The original id of a picture."""
        return number if self.images is None else self.images[number - 1]

    def category(self, number: int) -> OriginalId:
        """The original id of a category."""
        return number if self.categories is None else self.categories[number - 1]


def original_ids(path: Path) -> IdMap:
    """The original ids of a canonical annotation file, read from its first line alone."""
    with open(path, "rb") as file:
        if file.read(len(HEAD)) != HEAD:
            return IdMap()
        line = file.readline()
    ids = json.loads(line.rstrip(b",\n"))["ids"]
    return IdMap(ids["images"], ids["categories"])
