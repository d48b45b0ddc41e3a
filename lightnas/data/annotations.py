"""What stands in COCO's three lists, typed: pictures, categories and annotations as columns.

People's tools write numbers as texts, whole numbers as floats, null for what they do not know. What
has one meaning is taken; what has none is refused by name, or remembered as a bad box.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, shown
from .outlines import box_of_outline

Key = int | str
NO_BOX = (math.nan,) * 4
MAX_SIDE = 10**9
MAX_ID = 2**53  # beyond, a float cannot hold it
YES = {1, "1", "true", "True"}
NO = {0, "0", "false", "False", "", None}


def key_of(value: object) -> Key | None:
    """One spelling of an id: 1, 1.0 and "1" are the number 1; None where it is no id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        plain = digits.isascii() and digits.isdigit() and len(digits) < 19
        return int(text) if plain and str(int(text)) == text else value
    return None


def number_of(value: object) -> float | None:
    """A number, also where it is written as text or is too large for a float; None where it is
    none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


class Pictures:
    """The list ``images``, one row each.

    Attributes:
        ids: as they stand there.
        rows: of each id's one spelling.
        names: of the files, as they stand there.
        sizes (P, 2): width and height as listed, 0 where they are not.
        plain: whether every row is as a canonical file has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: list[Any] = []
        self.rows: dict[Key, int] = {}
        self.names: list[str] = []
        self.plain = True
        self._sizes: list[tuple[int, int]] = []

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Listed widths and heights (P, 2)."""
        return np.array(self._sizes, dtype=np.int64).reshape(-1, 2)

    def add(self, chunk: list[Any]) -> None:
        """Take the next entries.

        Raises:
            InputError: one is no picture, or an id stands twice.
        """
        for entry in chunk:
            row = len(self.names)
            if not isinstance(entry, dict) or not {"id", "file_name"} <= set(entry):
                raise InputError(
                    f"{self.path}: images[{row}] is {shown(entry)}, expected id, file_name, width and height"
                )
            name = entry["file_name"]
            if not isinstance(name, str) or not name or "\0" in name:
                raise InputError(
                    f"{self.path}: images[{row}] has file_name {shown(name)}, expected the name of a picture"
                )
            self._add_id(entry["id"], row)
            self.names.append(name)
            size = self._side(entry, row, "width"), self._side(entry, row, "height")
            self._sizes.append(size if all(size) else (0, 0))

    def _add_id(self, value: Any, row: int) -> None:
        key = _checked_key(value, self.path, "images")
        if (other := self.rows.setdefault(key, row)) != row:
            raise _twice(self.path, "images", self.ids[other], value)
        self.ids.append(value)
        self.plain = self.plain and _is_plain_id(value)

    def _side(self, entry: dict[str, Any], row: int, key: str) -> int:
        value = entry.get(key)
        if type(value) is int and 0 < value < MAX_SIDE:
            return value
        self.plain = False
        if value is None:
            return 0
        number = number_of(value)
        if number is None or not number.is_integer() or not 0 < number < MAX_SIDE:
            both = shown((entry.get("width"), entry.get("height")))
            raise InputError(
                f"{self.path}: images[{row}] has width and height {both}, expected pixels"
            )
        return int(number)


class Categories:
    """The list ``categories``, one row each.

    Attributes:
        ids: as they stand there.
        rows: of each id's one spelling.
        names: as text.
        above: the supercategory of each, as text; None where there is none.
        plain: whether every row is as a canonical file has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: list[Any] = []
        self.rows: dict[Key, int] = {}
        self.names: list[str] = []
        self.above: list[str | None] = []
        self.plain = True

    def add(self, chunk: list[Any]) -> None:
        """Take the next entries.

        Raises:
            InputError: one is no category, or an id stands twice.
        """
        for entry in chunk:
            row = len(self.names)
            if not isinstance(entry, dict) or not {"id", "name"} <= set(entry):
                raise InputError(
                    f"{self.path}: categories[{row}] is {shown(entry)}, expected id and name"
                )
            key = _checked_key(entry["id"], self.path, "categories")
            if (other := self.rows.setdefault(key, row)) != row:
                raise _twice(self.path, "categories", self.ids[other], entry["id"])
            self.ids.append(entry["id"])
            self.names.append(_text(entry["name"], self.path, row))
            above = entry.get("supercategory")
            self.above.append(None if above is None else str(above))
            plain = _is_plain_id(entry["id"]) and isinstance(entry["name"], str)
            self.plain = self.plain and plain


class Annotations:
    """The list ``annotations``, one row each.

    Attributes:
        ids: as they stand there, None where there is none.
        odd: what stands in the place of a box that is none, by row.
        plain: whether every row is as a canonical file has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: list[Any] = []
        self.odd: dict[int, Any] = {}
        self.plain = True
        self._pictures: list[Key] = []
        self._categories: list[Key] = []
        self._boxes: list[NDArray[np.float64]] = []
        self._areas: list[NDArray[np.float64]] = []
        self._crowds: list[NDArray[np.bool_]] = []

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """The four numbers of each box (N, 4); NaN where it is none."""
        return np.concatenate([np.zeros((0, 4)), *self._boxes])

    @property
    def areas(self) -> NDArray[np.float64]:
        """The area of each object (N,); 0 where it is not a positive number."""
        return np.concatenate([np.zeros(0), *self._areas])

    @property
    def crowds(self) -> NDArray[np.bool_]:
        """Whether each is a crowd, or to be ignored (N,)."""
        return np.concatenate([np.zeros(0, bool), *self._crowds])

    def add(self, chunk: list[Any]) -> None:
        """Take the next entries.

        Raises:
            InputError: one is no annotation.
        """
        first = len(self.ids)
        for row, entry in enumerate(chunk, first):
            if (
                not isinstance(entry, dict)
                or "image_id" not in entry
                or "category_id" not in entry
                or not ("bbox" in entry or "segmentation" in entry)
            ):
                raise InputError(
                    f"{self.path}: annotations[{row}] is {shown(entry)}, expected id, image_id, category_id and bbox"
                )
        self.ids += [entry.get("id") for entry in chunk]
        self._pictures += self._keys(chunk, "image_id", first)
        self._categories += self._keys(chunk, "category_id", first)
        self._boxes.append(self._boxes_of(chunk, first))
        self._areas.append(self._areas_of(chunk))
        self._crowds.append(self._crowds_of(chunk, first))

    def pictures(self, rows: dict[Key, int]) -> NDArray[np.int64]:
        """Row of the picture of each annotation (N,).

        Raises:
            InputError: there is no such picture.
        """
        return self._rows(self._pictures, rows, "image_id")

    def categories(self, rows: dict[Key, int]) -> NDArray[np.int64]:
        """Row of the category of each annotation (N,).

        Raises:
            InputError: there is no such category.
        """
        return self._rows(self._categories, rows, "category_id")

    def has_plain_ids(self) -> bool:
        """Whether ids are positive whole numbers that differ."""
        if set(map(type, self.ids)) - {int}:
            return False
        try:
            ids = np.array(self.ids, dtype=np.int64)
        except OverflowError:
            return False
        return bool(((ids > 0) & (ids < MAX_ID)).all()) and len(np.unique(ids)) == len(ids)

    def _keys(self, chunk: list[Any], name: str, first: int) -> list[Key]:
        values = [entry[name] for entry in chunk]
        if not set(map(type, values)) - {int}:
            return values
        self.plain = False
        keys = [key_of(value) for value in values]
        for row, key in enumerate(keys, first):
            if key is None:
                raise self._unknown(row, name, values[row - first])
        return keys  # type: ignore[return-value]

    def _rows(self, keys: list[Key], rows: dict[Key, int], name: str) -> NDArray[np.int64]:
        found = np.fromiter((rows.get(key, -1) for key in keys), np.int64, len(keys))
        for row in np.flatnonzero(found < 0)[:1]:
            raise self._unknown(int(row), name, keys[row])
        return found

    def _unknown(self, row: int, name: str, value: object) -> InputError:
        return InputError(
            f"{self.path}: annotations[{row}] has {name} {shown(value)}, expected one that the file lists"
        )

    def _boxes_of(self, chunk: list[Any], first: int) -> NDArray[np.float64]:
        boxes = [entry.get("bbox") for entry in chunk]
        if _alike(boxes, {list}) and set(map(len, boxes)) == {4}:
            numbers = list(chain.from_iterable(boxes))
            if _alike(numbers, {int, float}):
                try:
                    return np.array(numbers, dtype=np.float64).reshape(-1, 4)
                except OverflowError:  # a whole number beyond 1e308: one by one
                    pass
        self.plain = False
        return np.array(
            [self._box(entry, row) for row, entry in enumerate(chunk, first)], dtype=np.float64
        ).reshape(-1, 4)

    def _box(self, entry: dict[str, Any], row: int) -> tuple[float, ...]:
        box = entry.get("bbox")
        if box in (None, []) and entry.get("segmentation"):
            found = box_of_outline(entry["segmentation"])
            if found is None:
                self.odd[row] = entry["segmentation"]
            return found or NO_BOX
        if isinstance(box, list | tuple) and len(box) == 4:
            numbers = [number_of(value) for value in box]
            if all(number is not None and math.isfinite(number) for number in numbers):
                return tuple(numbers)  # type: ignore[arg-type]
        self.odd[row] = box
        return NO_BOX

    def _areas_of(self, chunk: list[Any]) -> NDArray[np.float64]:
        values = [entry.get("area") for entry in chunk]
        if not _alike(values, {int, float}):
            self.plain = False
            values = [value if type(value) in (int, float) else 0 for value in values]
        numbers = np.array([number_of(value) for value in values], dtype=np.float64)
        good = np.isfinite(numbers) & (numbers > 0)
        return np.where(good, numbers, 0.0)

    def _crowds_of(self, chunk: list[Any], first: int) -> NDArray[np.bool_]:
        crowds = [entry.get("iscrowd") for entry in chunk]
        ignored = [entry.get("ignore") for entry in chunk]
        if _alike(crowds, {int}) and set(crowds) <= {0, 1} and _alike(ignored, {type(None)}):
            return np.array(crowds, dtype=bool)
        self.plain = False
        return np.array(
            [
                self._flag(crowd, row, "iscrowd") | self._flag(ignore, row, "ignore")
                for row, (crowd, ignore) in enumerate(zip(crowds, ignored, strict=True), first)
            ],
            dtype=bool,
        )

    def _flag(self, value: Any, row: int, name: str) -> bool:
        for flag, spellings in ((True, YES), (False, NO)):
            if _is_among(value, spellings):
                return flag
        raise InputError(
            f"{self.path}: annotations[{row}] has {name} {shown(value)}, expected 0 or 1"
        )


def _alike(values: Collection[Any], types: set[type]) -> bool:
    return not set(map(type, values)) - types


def _is_plain_id(value: Any) -> bool:
    return type(value) is int and 0 < value < MAX_ID


def _is_among(value: Any, spellings: set[Any]) -> bool:
    return isinstance(value, bool | int | float | str | None) and value in spellings


def _checked_key(value: Any, path: Path, what: str) -> Key:
    key = key_of(value)
    if key is None:
        raise InputError(
            f"{path}: the id {shown(value)} of {what} is neither a whole number nor a text, expected COCO's ids"
        )
    return key


def _twice(path: Path, what: str, first: Any, second: Any) -> InputError:
    named = (
        shown(first) if repr(first) == repr(second) else f"{shown(first)}, also {shown(second)},"
    )
    return InputError(f"{path}: the id {named} stands twice in {what}, expected ids that differ")


def _text(name: Any, path: Path, row: int) -> str:
    """A name as text: 7 is "7"."""
    whole = isinstance(name, float) and name.is_integer()
    text = str(int(name) if whole else name) if isinstance(name, int | float | str) else ""
    if isinstance(name, bool) or not text.strip():
        raise InputError(f"{path}: categories[{row}] has the name {shown(name)}, expected a text")
    return text
