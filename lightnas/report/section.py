"""What the page says of one directory: the parts that several kinds of directories share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .architecture import Network
from .charts import Chart, Curve, Point
from .compared import Comparison


class Budget(NamedTuple):
    """A budget, what was used of it, in words and in percent, and what one more of it adds."""

    name: str
    used: str
    limit: str
    share: float
    price: str = ""


class DataTable(NamedTuple):
    """A set of data in words.

    Attributes:
        layout: what the folder was laid out as; empty where it was not looked for.
        splits: names of the columns.
        rows: label and a cell a split, what there is.
        classes: the same, objects of each class.
        notes: what was understood, and what was left out.
        mistakes: what may be wrong.
    """

    layout: str
    splits: list[str]
    rows: list[tuple[str, list[str]]]
    classes: list[tuple[str, list[str]]]
    notes: list[str]
    mistakes: list[str]


class Cell(NamedTuple):
    """A number of the matrix, and its share of the row in percent."""

    text: str
    share: float


class Confusion(NamedTuple):
    """Rows are true classes, columns found ones, the background last; ``note`` says what counts."""

    names: list[str]
    rows: list[tuple[str, list[Cell]]]
    note: str


class Measured(NamedTuple):
    """Of each class its name, AP, AP50, objects and pictures; the curves and the matrix, None where
    a run is from before they were written."""

    classes: list[tuple[str, list[str]]]
    curves: Chart | None
    confusion: Confusion | None


class Overlay(NamedTuple):
    """A curve that is drawn over those of other directories with the same title and axes; ``log`` as
    for ``charts.curves``."""

    title: str
    x_title: str
    y_title: str
    curve: Curve
    log: str = ""


@dataclass(frozen=True)
class Section:
    """What the page says of one directory.

    Attributes:
        path: the directory; ``key`` opens the ids of its elements.
        kind: what it holds, in words.
        figures: names and values that stand on top.
        made: names and values: how it was made, and with what.
        leading: the first of ``networks`` is the one it is about.
        charts: names and charts; ``hint`` says what can be done with them.
        networks: the structures of the directory.
        data: what was trained on.
        recipe: what was chosen for the size of the set, in plain lines.
        picture: a JPEG file to show, where it exists.
        measured: what a detector reaches on each class.
        overlays: what can be drawn over that of other directories.
    """

    path: Path
    key: str
    kind: str
    figures: Sequence[tuple[str, str]]
    made: Sequence[tuple[str, str]] = ()
    leading: bool = False
    budgets: Sequence[Budget] = ()
    charts: Sequence[tuple[str, Chart]] = ()
    hint: str = ""
    networks: Sequence[Network] = ()
    data: DataTable | None = None
    recipe: Sequence[str] = ()
    picture: Path | None = None
    measured: Measured | None = None
    table: Comparison | None = None
    overlays: Sequence[Overlay] = ()

    @property
    def title(self) -> str:
        """What people call the directory."""
        return self.path.name or str(self.path)


def thinned(points: Sequence[Point], most: int = 60) -> list[Point]:
    """At most so many points, the last among them."""
    step = -(-len(points) // most)
    return [*points[:-1:step], points[-1]]
