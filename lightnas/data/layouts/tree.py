"""The pictures below a folder, and names that mean one of them in whatever form they are written.

Exports name pictures as the machine did that they were drawn on: with its folders, backslashes,
drive letters, percent-escapes, another case, another Unicode form, or the eight hex digits that
Label Studio puts in front. A name means a file where exactly one fits.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import unquote

from ...errors import InputError, shown
from ..reading import SUFFIXES
from .words import folder_split

PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio's, of an uploaded picture


class Tree:
    """The pictures below a folder, links followed, hidden ones left out.

    Attributes:
        folder: where it begins.
        files: paths of the pictures from there, with slashes, sorted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = sorted(_walk(folder, "", set()))
        self._files = frozenset(self.files)

    def has(self, name: str) -> bool:
        """Whether a name is a file as it stands."""
        if name in self._files:
            return True
        try:
            return bool(name) and os.path.isfile(self.folder / name)
        except ValueError:  # a NUL in it
            return False

    def find(self, name: str) -> list[str]:
        """The files that a name may mean: those that fit it most closely."""
        for form in _forms(name):
            parts = form.split("/")
            for first in range(len(parts)):
                if found := self._by_path.get("/".join(parts[first:])):
                    return found
            if found := self._by_name.get(parts[-1]):
                return found
            if found := self._by_rest.get(PREFIX.sub("", parts[-1])):
                return found
        return []

    @cached_property
    def _by_path(self) -> dict[str, list[str]]:
        return self._index(lambda path: path)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return self._index(lambda path: path.rpartition("/")[2])

    @cached_property
    def _by_rest(self) -> dict[str, list[str]]:
        return self._index(lambda path: PREFIX.sub("", path.rpartition("/")[2]))

    def _index(self, part_of: Callable[[str], str]) -> dict[str, list[str]]:
        index: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            index[part_of(folded(path))].append(path)
        return dict(index)


def _walk(folder: Path, inside: str, above: set[tuple[int, int]]) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
        here = folder.stat()
    except OSError:  # not ours to read; a picture in it is then missing by name
        return
    if (here.st_dev, here.st_ino) in above:  # a link to a folder that this one lies in
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if os.path.splitext(entry.name)[1].lower() in SUFFIXES and not entry.is_dir():
            yield inside + entry.name
        elif entry.is_dir():
            yield from _walk(
                Path(entry.path),
                f"{inside}{entry.name}/",
                above | {(here.st_dev, here.st_ino)},
            )


def _forms(name: str) -> Iterator[str]:
    """Ways to read a name as a path, the plainest first, folded."""
    plain = name.split("?d=")[-1]  # Label Studio's local files
    address = re.sub(r"^\w+://[^/]*/|[?#].*$", "", plain) if "://" in plain else plain
    for form in dict.fromkeys((plain, unquote(address), unquote(unquote(address)))):
        slashed = re.sub(r"^[A-Za-z]:", "", form.replace("\\", "/"))
        parts = [part for part in slashed.split("/") if part not in ("", ".", "..")]
        if parts:
            yield folded("/".join(parts))


def folded(text: str) -> str:
    """One form for all cases and all Unicode forms of a text."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


class Near:
    """What lies near the top of a folder beside pictures, found in one walk.

    Attributes:
        folder: where it begins.
        files: paths from there of all files but pictures, three folders deep, sorted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = sorted(_near(folder, "", 3))

    def of(self, *suffixes: str, depth: int = 3) -> list[Path]:
        """The files with one of these suffixes, at most so deep."""
        return [
            self.folder / path
            for path in self.files
            if path.lower().endswith(suffixes) and path.count("/") < depth
        ]


def _near(folder: Path, inside: str, depth: int) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            continue
        if entry.is_file():  # reading from a pipe would wait for ever
            yield inside + entry.name
        elif entry.is_dir() and depth > 1 and entry.name != "__MACOSX":
            yield from _near(Path(entry.path), f"{inside}{entry.name}/", depth - 1)


@dataclass
class Located:
    """Where the pictures of a split are.

    Attributes:
        folder: the folder that all names start from.
        renamed: names that are written in another way than their file, and the file.
    """

    folder: Path
    renamed: dict[str, str] = field(default_factory=dict)


def holding(names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    """The first folder that holds all pictures of these names as they stand."""
    for folder in dict.fromkeys(folders):
        if folder.is_dir() and all(map(Tree(folder).has, names)):
            return folder
    return None


def locate(
    names: Sequence[str], folders: Sequence[Path], source: str, split: str | None = None
) -> Located:
    """The folder that holds the pictures of these names: the first one where at least half of them
    mean a file, else the one where most do.

    Args:
        folders: in the order in which they are tried.
        source: what names the pictures, for messages.
        split: that they are of; files in a folder of another one are not meant.

    Raises:
        InputError: none of the pictures is in any of the folders, or a name means several files,
            or two names mean one.
    """
    best: tuple[int, Path, Callable[[str], list[str]]] | None = None
    for folder in dict.fromkeys(folder for folder in folders if folder.is_dir()):
        meant = partial(_meant, Tree(folder), split)
        known = sum(bool(meant(name)) for name in names)
        if best is None or known > best[0]:
            best = (known, folder, meant)
        if 2 * known >= len(names):
            break
    if best is None or not best[0]:
        raise InputError(
            f"{source}: picture {shown(next(iter(names), None))} is in none of "
            f"{', '.join(map(str, folders))}, expected it there"
        )
    return _renamed(names, best[1], best[2], source)


def _meant(tree: Tree, split: str | None, name: str) -> list[str]:
    """The files that a name may mean: itself, or those of no other split that fit it."""
    return [name] if tree.has(name) else of_split(tree.find(name), split)


def of_split(files: Sequence[str], split: str | None) -> list[str]:
    """The files that do not lie in a folder of another split: splits may use the same names."""
    return [path for path in files if split is None or folder_split(Path(path)) in (None, split)]


def _renamed(
    names: Sequence[str], folder: Path, meant: Callable[[str], list[str]], source: str
) -> Located:
    located = Located(folder)
    said: dict[str, str] = {}  # the name of each file
    for name in dict.fromkeys(names):
        files = meant(name)
        if len(files) > 1:
            raise InputError(
                f"{source}: picture {shown(name)} may be {files[0]} or {files[1]} in {folder}, "
                "expected one file of that name"
            )
        if not files:
            continue  # the check counts it among the missing ones
        if files[0] in said:
            raise InputError(
                f"{source}: pictures {shown(said[files[0]])} and {shown(name)} are both "
                f"{files[0]} in {folder}, expected a file for each"
            )
        said[files[0]] = name
        if files[0] != name:
            located.renamed[name] = files[0]
    return located
