"""COCO's three lists, read entry by entry: from the text of a JSON, or from dicts in memory.

The JSON of a large set is several GB as Python objects. Here no more than ``CHUNK`` entries of it
exist at a time; its text stays for a second look.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import InputError
from .progress import Say

LISTS = ("images", "annotations", "categories")
CHUNK = 20_000
Collect = Callable[[list[Any]], None]
_SPACE = re.compile(r"[ \t\n\r]*")
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _nothing(_: Any) -> None:
    """For a list that is only read past, and where nobody asks how far it is."""


class Source:
    """The lists ``images``, ``annotations`` and ``categories`` of one split.

    Attributes:
        path: the file, or what messages call what is in memory.
        others: everything beside the three lists.
        utf8: whether it is a file in UTF-8 without a mark.

    Raises:
        InputError: it cannot be read, is no JSON, or lacks one of the lists.
    """

    def __init__(self, path: Path, content: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.others: dict[str, Any] = {}
        self.utf8 = False
        self._content = content
        self._text = "" if content is not None else self._decoded()
        self._starts: dict[str, int] = {}

    def __len__(self) -> int:
        """Characters of its text."""
        return len(self._text)

    def read(self, collect: Mapping[str, Collect], say: Say = _nothing) -> None:
        """Hand the entries of every list to its function, in chunks and in the order of the file.

        Args:
            say: is told how many characters are behind it.

        Raises:
            InputError: as for the class, or what the functions raise.
        """
        if self._content is not None:
            found = self._read_content(self._content, collect)
        else:
            found = self._guarded(lambda: self._read_text(collect, say))
        for key in LISTS:
            if key not in found:
                raise InputError(
                    f"{self.path}: no list '{key}', expected COCO's images, annotations and categories"
                )

    def entries(self, key: str) -> Iterator[Any]:
        """The entries of a list once more, after ``read``."""
        if self._content is not None:
            yield from self._content[key]
        else:
            for chunk in self._chunks(self._starts[key]):
                yield from chunk

    def _decoded(self) -> str:
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be read ({error.strerror}), expected a COCO annotation file"
            ) from error
        encoding = json.detect_encoding(raw)  # by a byte order mark, else by its zeros
        self.utf8 = encoding == "utf-8"
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.path}: byte {error.start} is not {encoding.upper()}, expected a COCO "
                "annotation file in UTF-8"
            ) from error

    def _guarded(self, read: Callable[[], set[str]]) -> set[str]:
        try:
            return read()
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{self.path}: is not JSON ({str(error)[:80]}), expected a COCO annotation file"
            ) from error

    def _read_content(self, content: Mapping[str, Any], collect: Mapping[str, Collect]) -> set[str]:
        found = set()
        for key, value in content.items():
            if key in LISTS and isinstance(value, list):
                found.add(key)
                for start in range(0, len(value), CHUNK):
                    collect[key](value[start : start + CHUNK])
            elif key not in LISTS:
                self.others[key] = value
        return found

    def _read_text(self, collect: Mapping[str, Collect], say: Say) -> set[str]:
        text = self._text
        at = self._skip(0)
        if not text.startswith("{", at):
            value, _ = self._value(at)
            raise InputError(
                f"{self.path}: holds a {type(value).__name__}, expected a COCO object with images, "
                "annotations, categories"
            )
        found: set[str] = set()
        seen: set[str] = set()
        at = self._skip(at + 1)
        while not text.startswith("}", at):
            if seen:
                at = self._skip(self._past(",", at))
            if not text.startswith('"', at):
                raise json.JSONDecodeError("Expecting a name in double quotes", text, at)
            key, at = self._value(at)
            at = self._skip(self._past(":", self._skip(at)))
            if key in seen and key in LISTS:
                raise InputError(f"{self.path}: '{key}' stands in it twice, expected one list")
            seen.add(key)
            if key in LISTS and text.startswith("[", at):
                found.add(key)
                self._starts[key] = at
                for chunk in self._chunks(at):
                    collect[key](chunk)
                    say(self._end)
                at = self._end
            else:
                value, at = self._value(at)
                if key not in LISTS:
                    self.others[key] = value
            at = self._skip(at)
        if (end := self._skip(at + 1)) != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        return found

    def _chunks(self, at: int) -> Iterator[list[Any]]:
        """The entries of the list that begins at a place of the text; ``_end`` is behind it then."""
        text, skip = self._text, _SPACE.match
        chunk: list[Any] = []
        at = self._skip(at + 1)
        if text.startswith("]", at):
            self._end = at + 1
            return
        while True:
            entry, at = self._value(at)
            chunk.append(entry)
            if len(chunk) == CHUNK:
                self._end = at
                yield chunk
                chunk = []
            at = skip(text, at).end()  # type: ignore[union-attr]
            if text.startswith("]", at):
                break
            at = skip(text, self._past(",", at)).end()  # type: ignore[union-attr]
        self._end = at + 1
        if chunk:
            yield chunk

    def _value(self, at: int) -> tuple[Any, int]:
        try:
            return _scan(self._text, at)
        except StopIteration as error:
            raise json.JSONDecodeError("Expecting value", self._text, error.value) from None

    def _past(self, mark: str, at: int) -> int:
        if not self._text.startswith(mark, at):
            raise json.JSONDecodeError(f"Expecting '{mark}'", self._text, at)
        return at + 1

    def _skip(self, at: int) -> int:
        return _SPACE.match(self._text, at).end()  # type: ignore[union-attr]


class _Enough(Exception):
    """The rest need not be read."""


def first_picture(path: Path) -> str | None:
    """The name of the first picture of a COCO JSON, None where it lists none; what stands behind it
    is not read.

    Raises:
        InputError: as for ``Source``.
    """
    names: list[str] = []

    def collect(chunk: list[Any]) -> None:
        names.extend(str(entry["file_name"]) for entry in chunk[:1] if "file_name" in entry)
        raise _Enough

    with suppress(_Enough, TypeError):  # a TypeError: an entry without keys, which the check names
        Source(path).read({"images": collect, "annotations": _nothing, "categories": _nothing})
    return names[0] if names else None
