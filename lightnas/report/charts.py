"""Charts of the report as inline SVG: ``templates/chart.svg``, laid out here.

report.css has one style for all of them, with colours for light and dark. report.js shows a mark's
text (``data-tip``) on hover and focus; a mark with ``data-copy`` copies the text of the element
with that id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from .axes import Axis, axis
from .rendering import render

# Of a drawing, which the page scales as a whole: units are pixels of it. Letters are as large as
# report.css says.
WIDTH, HEIGHT = 680, 320
MARGIN, DIGIT, LINE = 8, 7, 20
# From so many points on they are drawn smaller.
MANY = 30


class Point(NamedTuple):
    """A point of a curve; ``tip`` is shown on hover, ``copy`` names the element whose text a click
    copies."""

    x: float
    y: float
    tip: str = ""
    copy: str = ""


class Curve(NamedTuple):
    """Points, joined or alone; with ``dots`` each can be reached by mouse and keyboard."""

    name: str
    points: Sequence[Point]
    dots: bool = True
    line: bool = True


class Bar(NamedTuple):
    """A bar from 0 up; ``color`` is the index of its series."""

    height: float
    tip: str
    color: int


class Chart(NamedTuple):
    """An SVG, what it shows in words, and the names of its series in the order of their colours."""

    what: str
    svg: Markup
    legend: list[str]


class _Line(NamedTuple):
    path: str
    color: int


class _Dot(NamedTuple):
    x: float
    y: float
    radius: float
    color: int
    tip: str
    copy: str


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    color: int
    tip: str
    copy: str = ""


def curves(
    what: str,
    x_title: str,
    y_title: str,
    series: Sequence[Curve],
    y_range: tuple[float, float] | None = None,
) -> Chart:
    """Curves over x, at least one with a point, all of finite numbers.

    Args:
        what: what it shows, in words.
        y_range: ends of the y axis, instead of the smallest and the largest value.
    """
    points = [point for curve in series for point in curve.points]
    y = axis(
        (p.y for p in points),
        HEIGHT - MARGIN - 2 * LINE,
        MARGIN,
        most=10,
        within=y_range,
        to_ticks=True,
    )
    x = axis((p.x for p in points), _left(y) + LINE, WIDTH - 3 * MARGIN)
    lines = [
        _Line("M" + "L".join(f"{x.at(p.x):g} {y.at(p.y):g}" for p in curve.points), color)
        for color, curve in enumerate(series)
        if curve.line and curve.points
    ]
    dots = [
        _Dot(x.at(p.x), y.at(p.y), 4 if len(curve.points) < MANY else 2.5, color, p.tip, p.copy)
        for color, curve in enumerate(series)
        if curve.dots
        for p in curve.points
    ]
    legend = [curve.name for curve in series] if len(series) > 1 else []
    return Chart(
        what, _svg(what, y, x, x_title=x_title, y_title=y_title, lines=lines, dots=dots), legend
    )


def bars(what: str, drawn: Sequence[Bar], legend: Sequence[str]) -> Chart:
    """Bars side by side; ``legend`` has the names of their colours."""
    y = axis([0, *(bar.height for bar in drawn)], HEIGHT - MARGIN, MARGIN, most=10)
    left = _left(y)
    room = (WIDTH - MARGIN - left) / len(drawn)
    boxes = [
        _Box(round(left + (i + 0.05) * room, 2), y.at(bar.height), round(0.9 * room, 2),
             round(y.at(0) - y.at(bar.height), 1), bar.color, bar.tip)
        for i, bar in enumerate(drawn)
    ]  # fmt: skip
    return Chart(what, _svg(what, y, boxes=boxes), list(legend))


def _left(y: Axis) -> int:
    """Where the plot begins, right of the numbers of the y axis."""
    return 2 * MARGIN + LINE + DIGIT * max(len(text) for _, text in y.ticks)


def _svg(
    what: str,
    y: Axis,
    x: Axis | None = None,
    x_title: str = "",
    y_title: str = "",
    lines: Sequence[_Line] = (),
    dots: Sequence[_Dot] = (),
    boxes: Sequence[_Box] = (),
) -> Markup:
    return render(
        "chart.svg",
        what=what, width=WIDTH, height=HEIGHT, margin=MARGIN, line=LINE, left=_left(y), x=x, y=y,
        x_title=x_title, y_title=y_title, lines=lines, dots=dots, boxes=boxes,
    )  # fmt: skip
