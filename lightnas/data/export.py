"""What a detector has found, written as other tools read it, under the ids and names that the data
came with.

    coco    one JSON list, COCO's format of results: image_id, category_id, bbox (x, y, width,
            height in pixels) and score of every box
    csv     a row a box: image_id, file_name, category_id, class, score, x, y, width, height
    yolo    a folder: labels/NAME.txt of every picture, whose lines are class, x and y of the centre,
            width, height (shares of the picture's sides) and score; classes.txt names the classes

Everything that was found is written, best first within a picture; who reads it can cut by score.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple

from ..errors import InputError
from ..files import output_errors, write_output

if TYPE_CHECKING:
    from .pictures import Box

FORMATS = ("coco", "yolo", "csv")
COLUMNS = ("image_id", "file_name", "category_id", "class", "score", "x", "y", "width", "height")
# What a folder as output gets its results as.
FILES = {"coco": "results.json", "csv": "results.csv"}

Id = int | float | str | None  # None: a class that the file of the data does not list


class Category(NamedTuple):
    """A class under the id that the data has it under."""

    id: Id
    name: str


@dataclass(frozen=True)
class FoundPicture:
    """What was found in one picture.

    Attributes:
        id: of the picture, as the data has it.
        file_name: as the data has it.
        width, height: in pixels, as the boxes see it.
        boxes: corners in pixels and scores, best first.
    """

    id: Id
    file_name: str
    width: int
    height: int
    boxes: Sequence[Box]


def check_output(output: Path, form: str) -> Path:
    """Where results of a format go: a file for coco and csv, a folder for yolo. To be asked before
    hours of work.

    Raises:
        InputError: a file would lie in no folder, or yolo's labels would mix with what is in theirs.
    """
    if form != "yolo":
        if not output.parent.is_dir():
            raise InputError(
                f"output {output} lies in no folder, expected a file in one that is there"
            )
        return output / FILES[form] if output.is_dir() else output
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"output {output} is not empty, expected a new folder for yolo's labels")
    return output


def write_results(
    pictures: Iterable[FoundPicture], form: str, path: Path, categories: Sequence[Category]
) -> None:
    """Write results: one file whole or not at all, or a label file a picture.

    Args:
        path: as ``check_output`` gives it.
        categories: in the order of the detector's classes.

    Raises:
        InputError: the path cannot be written, or two pictures share a label file.
    """
    if form == "yolo":
        _write_labels(list(pictures), path, categories)
        return
    style = STYLES[form]
    pieces = [row for found in pictures for row in style.rows(found, categories)]
    write_output(path, (style.head + style.between.join(pieces) + style.tail).encode(), "output")


class ResultFile:
    """A coco or csv file that grows picture by picture and is whole after each of them: a run that
    is stopped keeps what it has found.

        with ResultFile(path, "coco", categories) as results:
            results.add(found)
    """

    def __init__(self, path: Path, form: str, categories: Sequence[Category]) -> None:
        self._path, self._style, self._categories = path, STYLES[form], categories
        self._empty = True
        with output_errors("output", path, "a file"):
            self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115 (held until close)
        self._put(self._style.head + self._style.tail)

    def __enter__(self) -> ResultFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, found: FoundPicture) -> None:
        """Add what was found in one more picture.

        Raises:
            OSError: the disk is full or broken.
        """
        style = self._style
        pieces = style.rows(found, self._categories)
        if not pieces:
            return
        if style.tail:
            self._file.seek(-len(style.tail), io.SEEK_END)
        self._put(("" if self._empty else style.between) + style.between.join(pieces) + style.tail)
        self._empty = False

    def _put(self, text: str) -> None:
        with output_errors("output", self._path, "a file"):
            self._file.write(text.encode())
            self._file.flush()


def label_name(file_name: str) -> str:
    """Where yolo has the labels of a picture, below ``labels/``: never outside of it."""
    parts = [
        part
        for part in file_name.replace("\\", "/").split("/")
        if part.strip(". ") and not part.endswith(":")  # neither above the folder nor a drive
    ]
    return str(PurePosixPath(*parts).with_suffix(".txt")) if parts else "picture.txt"


def label_lines(found: FoundPicture, categories: Sequence[Category]) -> str:
    """The text of a yolo label file; empty for a picture in which nothing was found."""
    number = {category.name: i for i, category in enumerate(categories)}
    lines = []
    for box in found.boxes:
        x, y, w, h = _xywh(box)
        shares = (
            (x + w / 2) / found.width,
            (y + h / 2) / found.height,
            w / found.width,
            h / found.height,
        )
        figures = " ".join(f"{value:.7g}" for value in (*shares, box.score or 0.0))
        lines.append(f"{number[box.name]} {figures}\n")
    return "".join(lines)


def class_lines(categories: Sequence[Category]) -> str:
    """The text of yolo's classes.txt: a name a line, in the order of the numbers in the labels."""
    return "".join(f"{' '.join(category.name.split())}\n" for category in categories)


def check_labels(file_names: Iterable[str]) -> None:
    """Refuse pictures that yolo would have one label file for.

    Raises:
        InputError: the two names.
    """
    seen: dict[str, str] = {}
    for name in file_names:
        other = seen.setdefault(label_name(name), name)
        if other != name:
            raise InputError(
                f"{other} and {name} would share the yolo label file {label_name(name)}, expected "
                "names that differ, or the format coco or csv"
            )


def _write_labels(
    pictures: Sequence[FoundPicture], path: Path, categories: Sequence[Category]
) -> None:
    check_labels(found.file_name for found in pictures)
    with output_errors("output", path, "a folder"):
        (path / "labels").mkdir(parents=True, exist_ok=True)
    for found in pictures:
        target = path / "labels" / label_name(found.file_name)
        with output_errors("output", target, "a file"):
            target.parent.mkdir(parents=True, exist_ok=True)
        write_output(target, label_lines(found, categories).encode(), "output")
    write_output(path / "classes.txt", class_lines(categories).encode(), "output")


def _xywh(box: Box) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box.corners
    return x1, y1, x2 - x1, y2 - y1


class _Coco:
    head, between, tail = "[\n", ",\n", "\n]\n"

    @staticmethod
    def rows(found: FoundPicture, categories: Sequence[Category]) -> list[str]:
        ids = {category.name: category.id for category in categories}
        return [
            json.dumps(
                {
                    "image_id": found.id,
                    "category_id": ids[box.name],
                    "bbox": _xywh(box),
                    "score": box.score,
                }
            )
            for box in found.boxes
        ]


class _Csv:
    head, between, tail = ",".join(COLUMNS) + "\r\n", "", ""

    @staticmethod
    def rows(found: FoundPicture, categories: Sequence[Category]) -> list[str]:
        ids = {category.name: category.id for category in categories}
        text = io.StringIO()
        rows = csv.writer(text)
        for box in found.boxes:
            category = (ids[box.name], box.name, box.score)
            rows.writerow((found.id, found.file_name, *category, *_xywh(box)))
        return [text.getvalue()] if found.boxes else []


STYLES: dict[str, type[_Coco] | type[_Csv]] = {"coco": _Coco, "csv": _Csv}
