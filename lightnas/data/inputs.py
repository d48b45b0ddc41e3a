"""What people want looked at: pictures, folders of them, lists, patterns and videos."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from ..files import read_text
from .reading import SUFFIXES

VIDEOS = (
    ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
)  # fmt: skip
LIST = ".txt"
MAX_LIST_BYTES = 2**28


def is_video(path: Path) -> bool:
    """Whether a name is one of a video."""
    return path.suffix.lower() in VIDEOS


def find_inputs(given: Sequence[str | Path], output: Path) -> list[Path]:
    """The pictures and videos that are meant, in the order given; of folders and patterns sorted.

    Args:
        given: pictures and videos by name, whether they exist or not; folders, searched with all
            folders in them; ``.txt`` files with a path a line, from the current folder or from that
            of the list; patterns such as ``photos/**/*.jpg``.
        output: where results go: what lies in it is no input, save by name.

    Raises:
        InputError: a folder, list or pattern that yields nothing, or a list that cannot be read.
    """
    found: list[Path] = []
    for text in given:
        path = Path(text)
        if path.suffix.lower() == LIST and path.is_file():
            inside = [one for line in _lines(path) for one in _meant(line, output)]
            if not inside:
                raise InputError(f"{path}: lists nothing, expected the path of a picture a line")
            found += inside
        else:
            found += _meant(path, output)
    return found


def _meant(path: Path, output: Path) -> list[Path]:
    if path.is_dir():
        inside = sorted(_walk(path, output.resolve()))
        if not inside:
            raise InputError(f"{path}: holds no picture and no video, expected some in it")
        return inside
    if not os.path.lexists(path) and glob.has_magic(str(path)):
        matches = sorted(map(Path, glob.iglob(str(path), recursive=True)))
        inside = [match for match in matches if match.is_file() and _is_known(match)]
        if not inside:
            raise InputError(f"{path}: no picture and no video is named so, expected some")
        return inside
    return [path]


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and Path(place, name).resolve() != output
        ]
        for name in names:
            if not name.startswith(".") and _is_known(Path(name)):
                yield Path(place, name)


def _is_known(path: Path) -> bool:
    return path.suffix.lower() in (*SUFFIXES, *VIDEOS)


def _lines(path: Path) -> Iterator[Path]:
    for line in read_text(path, MAX_LIST_BYTES).splitlines():
        if line.strip():
            named = Path(line.strip())
            beside = path.parent / named
            yield beside if not os.path.lexists(named) and os.path.lexists(beside) else named
