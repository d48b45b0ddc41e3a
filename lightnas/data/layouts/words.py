"""Which split a file or folder is of, by the whole words of its name."""

from __future__ import annotations

import re
from pathlib import Path

WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def words(name: str) -> list[str]:
    """The runs of letters in a name, in lower case: ``instances_train2017`` has two."""
    return [word.lower() for word in re.findall(r"[^\W\d_]+", name)]


def split_of(name: str) -> str | None:
    """``train``, ``val`` or ``test`` where whole words of the name say exactly one of them.

    ``trainval`` and ``minitrain`` are words of their own; ``train_val`` says two splits, hence none.
    """
    found = set(words(name))
    said = [split for split, forms in WORDS.items() if found & set(forms)]
    return said[0] if len(said) == 1 else None


def folder_split(path: Path) -> str | None:
    """The split that the folders of a path say, the innermost first."""
    parts = reversed(path.parts[:-1])
    return next((split for part in parts if (split := split_of(part))), None)
