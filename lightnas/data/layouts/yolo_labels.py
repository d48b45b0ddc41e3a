"""The text files of a YOLO set: which belongs to which picture, and what their lines say."""

from __future__ import annotations

import math
import os
from pathlib import Path

from ...errors import InputError, printable, shown
from ...files import read_text
from .found import Found, Object, told
from .tree import folded
from .yolo_set import CLASS_FILES, YoloSet

MAX_BYTES = 2**24
SLACK = 0.01  # so far outside of a picture a fraction is a rounding


class Labels:
    """The label files of a set; what is wrong in them is counted, and refused at the end."""

    def __init__(self, known: YoloSet, data: Path) -> None:
        self._known, self._data = known, data
        self.names = known.names
        self._folders: dict[Path, dict[str, Path]] = {}
        self._used: set[Path] = set()
        self._bare: list[str] = []
        self._faults: list[str] = []
        self._lengths: dict[int, int] = {}

    def file_of(self, picture: Path) -> Path | None:
        """The text file of a picture: in ``labels`` for the last ``images`` of its path, or beside it.

        A name in another case or Unicode form is the picture's where no other is.
        """
        parts = list(picture.parent.parts)
        at = next((i for i in reversed(range(len(parts))) if parts[i].lower() == "images"), None)
        folders = [picture.parent]
        if at is not None:
            folders = [
                Path(*parts[:at], word, *parts[at + 1 :]) for word in ("labels", "Labels")
            ] + folders
        for folder in folders:
            files = self._in(folder)
            if found := files.get(picture.stem) or files.get(folded(picture.stem)):
                return found
        return None

    def of(self, picture: Path) -> list[Object]:
        """The objects of a picture."""
        file = self.file_of(picture)
        if file is None:
            self._bare.append(picture.name)
            return []
        self._used.add(file)
        name = os.path.relpath(file, self._data)
        found = []
        for number, line in enumerate(read_text(file, MAX_BYTES).splitlines(), start=1):
            if values := line.split():
                try:
                    label, box = self._object(values)
                except ValueError as error:
                    self._faults.append(f"{name} line {number} {error}")
                else:
                    found.append(Object(f"{name} line {number}", label, box))
        return found

    def finish(self, found: Found) -> None:
        """Say what the files were like, once all pictures of the set are read.

        Raises:
            InputError: lines that are no boxes, or no picture has a file.
        """
        if self._faults:
            more = f"; {len(self._faults) - 1:,} more are like it" if len(self._faults) > 1 else ""
            raise InputError(f"data {self._data}: {self._faults[0]}{more}")
        if self._bare and not self._used:
            raise InputError(
                f"data {self._data}: none of {len(self._bare):,} pictures has a label file, expected "
                f"{Path(self._bare[0]).stem}.txt in labels/ or beside {self._bare[0]}"
            )
        if self._bare:
            found.notes.append(
                told(len(self._bare), "picture has", "pictures have", [])
                + f" no label file, hence no objects ({', '.join(map(printable, self._bare[:3]))})"
            )
        if self._lengths and set(self._lengths) == {8}:
            found.notes.append(
                "all objects have four corners, as oriented boxes have: the upright boxes around "
                "them are trained on"
            )
        elif polygons := sum(n for length, n in self._lengths.items() if length != 4):
            found.notes.append(
                told(polygons, "object is a polygon", "objects are polygons", [])
                + ": the boxes around them are trained on"
            )
        self._say_orphans(found)

    def _say_orphans(self, found: Found) -> None:
        """Files beside those that were used, which no picture of the set uses."""
        folders = {file.parent for file in self._used}
        there = {file for folder in folders for file in self._in(folder).values()}
        of_others = {path for path in there - self._used if self._is_label(path)}
        names = sorted(os.path.relpath(path, self._data) for path in of_others)
        if names:
            found.notes.append(
                told(len(names), "label file belongs", "label files belong", names)
                + " to no picture of a split"
            )

    def _is_label(self, path: Path) -> bool:
        """Whether a text file begins as a label file does: lists of pictures may lie beside them."""
        try:
            values = read_text(path, MAX_BYTES).split(maxsplit=5)
        except InputError:
            return False
        return len(values) >= 5 and all(_number(value) is not None for value in values[:5])

    def _in(self, folder: Path) -> dict[str, Path]:
        """The text files of a folder, by their stems, and by their folded stems where these are
        of one file."""
        if folder not in self._folders:
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                names = []
            files = {
                os.path.splitext(name)[0]: folder / name
                for name in names
                if name.lower().endswith(".txt") and name[0] != "." and name not in CLASS_FILES
            }
            alike: dict[str, list[Path]] = {}
            for stem, path in files.items():
                alike.setdefault(folded(stem), []).append(path)
            single = {stem: paths[0] for stem, paths in alike.items() if len(paths) == 1}
            self._folders[folder] = single | files
        return self._folders[folder]

    def _object(self, values: list[str]) -> tuple[int, tuple[float, float, float, float]]:
        """Class and box, x, y, width and height in fractions.

        Raises:
            ValueError: why the line is none, in words that stand behind its place.
        """
        names = self.names
        numbers = [_number(value) for value in values]
        if None in numbers or len(numbers) < 5:
            raise ValueError(f"is {shown(' '.join(values))}, expected class x y w h, or a polygon")
        label, rest = numbers[0], [value for value in numbers[1:] if value is not None]
        if label is None or label != int(label) or int(label) not in names:
            raise ValueError(
                f"has class {values[0]}, expected one of {min(names)} to {max(names)}, which "
                f"{self._known.file.name} names"
            )
        if self._known.keypoints:
            rest = rest[:4]
        if len(rest) == 5:
            raise ValueError(
                "has 5 numbers behind the class, as predictions with their scores have, expected "
                "labels: x y w h, or a polygon"
            )
        if len(rest) % 2 or len(rest) < 4:
            raise ValueError(
                f"has {len(rest)} numbers behind the class, expected 4, x y w h, or a polygon's pairs"
            )
        if not all(-SLACK <= value <= 1 + SLACK for value in rest):
            worst = max(rest, key=abs)
            raise ValueError(
                f"has {worst:g}, expected fractions of the picture, 0 to 1: these look like pixels"
            )
        self._lengths[len(rest)] = self._lengths.get(len(rest), 0) + 1
        return int(label), _box(rest)


def _box(values: list[float]) -> tuple[float, float, float, float]:
    """x, y, width, height within the picture, in fractions: of a centre and a size, or around a
    polygon."""
    if len(values) == 4:
        x, y, w, h = values
        if w <= 0 or h <= 0:  # the check says so
            return x, y, w, h
        x1, y1, x2, y2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    else:
        x1, x2 = min(values[::2]), max(values[::2])
        y1, y2 = min(values[1::2]), max(values[1::2])
    x1, y1, x2, y2 = (min(1.0, max(0.0, value)) for value in (x1, y1, x2, y2))
    return x1, y1, x2 - x1, y2 - y1


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
