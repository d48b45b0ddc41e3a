"""Charts of the report as inline SVG: ``templates/chart.svg``, laid out here.

A chart is as wide as the page lets it be: across it places are percent, up and down they are pixels,
so letters and dots keep their size on any screen. report.css has one style for all of them, with
colours for light and dark. report.js shows a mark's text (``data-tip``) on hover and focus; a mark
with ``data-copy`` copies the text of the element with that id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from markupsafe import Markup

from .axes import Axis, axis, log_axis
from .rendering import render

# Pixels: of the plot, around it, of a digit, of a line of text.
HEIGHT, MARGIN, DIGIT, LINE = 264, 8, 7, 20
# Lines are drawn in a picture that is stretched to the plot, so many units wide.
ACROSS = 1000
# From so many points on they are drawn smaller.
MANY = 30
# Colours there are; further series have the same ones again, with broken lines.
COLORS = 5


class Point(NamedTuple):
    """A point of a curve; ``tip`` is shown on hover, ``copy`` names the element whose text a click
    copies, and ``name`` stands beside it where it lies outside."""

    x: float
    y: float
    tip: str = ""
    copy: str = ""
    name: str = ""


class Curve(NamedTuple):
    """Points, joined or alone; with ``dots`` each can be reached by mouse and keyboard; a ``cloud``
    is many points without a word.

    With ``anywhere`` they do not stretch the x axis: those outside stand at its end, marked.
    """

    name: str
    points: Sequence[Point]
    dots: bool = True
    line: bool = True
    cloud: bool = False
    anywhere: bool = False


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
    kind: str = "line"


class _Cloud(NamedTuple):
    places: list[tuple[float, float]]
    color: int


class _Dot(NamedTuple):
    x: float
    y: float
    radius: float
    color: int
    tip: str
    copy: str


class _Outside(NamedTuple):
    """An arrow at the edge; ``dx`` and ``end`` place the name beside it."""

    x: float
    y: float
    path: str
    color: int
    tip: str
    copy: str
    name: str
    dx: int
    end: bool
    text_y: float


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
    log: str = "",
) -> Chart:
    """Curves over x, at least one with a point, all of finite numbers.

    Args:
        what: what it shows, in words.
        log: axes whose equal steps are equal ratios, of ``x``, ``y``; none of their values is below 0.
    """
    fixed = [curve for curve in series if curve.points and not curve.anywhere] or series
    x_of: Any = log_axis if "x" in log else axis
    x = x_of([p.x for curve in fixed for p in curve.points], 0, 100)
    shown = [p.y for curve in series for p in curve.points if not x.beyond(p.x)]
    y = (
        log_axis(shown, HEIGHT, 0, to_ticks=True)
        if "y" in log
        else axis(shown, HEIGHT, 0, most=10, to_ticks=True)
    )
    lines = [
        _Line(
            "M" + "L".join(f"{ACROSS / 100 * x.at(p.x):g} {y.at(p.y):g}" for p in curve.points), i
        )
        for i, curve in enumerate(series)
        if curve.line and curve.points
    ]
    clouds = [
        _Cloud([(x.at(p.x), y.at(p.y)) for p in curve.points], color)
        for color, curve in enumerate(series)
        if curve.cloud
    ]
    marks = [
        (point, color, 4 if len(curve.points) < MANY else 2.5)
        for color, curve in enumerate(series)
        if curve.dots and not curve.cloud
        for point in curve.points
    ]
    dots = [
        _Dot(x.at(p.x), y.at(p.y), radius, color, p.tip, p.copy)
        for p, color, radius in marks
        if not (x.beyond(p.x) or y.beyond(p.y))
    ]
    outside = _outside(((p, c) for p, c, _ in marks if x.beyond(p.x) or y.beyond(p.y)), x, y)
    legend = [curve.name for curve in series] if len(series) > 1 else []
    svg = _svg(
        what, y, x, x_title=x_title, y_title=y_title, lines=lines, clouds=clouds, dots=dots,
        outside=outside,
    )  # fmt: skip
    return Chart(what, svg, legend)


def _outside(marks: Iterable[tuple[Point, int]], x: Axis, y: Axis) -> list[_Outside]:
    """Arrows at the edge towards what lies beyond it; those on one side stand below each other, with
    their names."""
    free = {-1: 0.0, 0: 0.0, 1: 0.0}
    arrows = []
    for point, color in sorted(marks, key=lambda mark: -mark[0].y):
        side, rise = x.beyond(point.x), y.beyond(point.y)
        at = y.at(y.held(point.y))
        sideways = "M10 -5l8 5l-8 5z" if side > 0 else "M0 -5l-8 5l8 5z"  # right of the last dot
        path = sideways if side else f"M-5 {6 * rise}L0 {-2 * rise}L5 {6 * rise}z"
        text_y = max(at + 4, free[side] + 14)
        free[side] = text_y
        arrows.append(
            _Outside(
                x.at(x.held(point.x)), text_y - 4, path, color, f"{point.tip}; outside this chart",
                point.copy, point.name, -8 if side > 0 else 10, side > 0, text_y,
            )
        )  # fmt: skip
    return arrows


def bars(what: str, drawn: Sequence[Bar], legend: Sequence[str], silent: bool = False) -> Chart:
    """Bars side by side; ``legend`` has the names of their colours; ``silent`` ones show no tip and
    take a tenth of the bytes."""
    y = axis([0, *(bar.height for bar in drawn)], HEIGHT, 0, most=10)
    room = 100 / len(drawn)
    boxes = [
        _Box(round((i + 0.05) * room, 3), y.at(bar.height), round(0.9 * room, 3),
             round(y.at(0) - y.at(bar.height), 1), bar.color, bar.tip)
        for i, bar in enumerate(drawn)
    ]  # fmt: skip
    if not silent:
        return Chart(what, _svg(what, y, boxes=boxes), list(legend))
    by_color: dict[int, str] = {}
    for box in boxes:
        left, width = (f"{ACROSS / 100 * value:.1f}" for value in (box.x, box.width))
        path = f"M{left} {box.y:g}h{width}v{box.height:g}h-{width}z"
        by_color[box.color] = by_color.get(box.color, "") + path
    lines = [_Line(path, color, "area") for color, path in by_color.items()]
    return Chart(what, _svg(what, y, lines=lines), list(legend))


def _svg(what: str, y: Axis, x: Axis | None = None, **parts: Any) -> Markup:
    """``parts`` may lack what there is none of."""
    left = 2 * MARGIN + LINE + DIGIT * max(len(text) for _, text in y.ticks)
    none: dict[str, Any] = {"lines": (), "clouds": (), "dots": (), "boxes": (), "outside": ()}
    return render(
        "chart.svg",
        **{"x_title": "", "y_title": "", **none, **parts},
        what=what, height=HEIGHT, margin=MARGIN, line=LINE, left=left, across=ACROSS, x=x, y=y,
        spare=_spare(x) if x else set(), colors=COLORS,
    )  # fmt: skip


def _spare(x: Axis) -> set[str]:
    """Texts of ticks that a narrow screen has no room for: so many that six are left."""
    texts = [text for _, text in x.ticks]
    every = max(1, -(-len(texts) // 6))
    if x.log:
        places = [x.at(value) for value, _ in x.ticks]
        near = {i + 1 for i, (a, b) in enumerate(pairwise(places)) if b - a < 14}
        return {text for i, text in enumerate(texts) if i in near}
    return {text for i, text in enumerate(texts) if i % every}
