"""Charts of the report as inline SVG, drawn with pygal.

Of what pygal makes, its style sheet and script are left out: report.html has one style for all charts, with colours for
light and dark, and shows a point's text (``data-tip``) on hover and focus. A point with ``data-copy`` copies the text of
the element with that id.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, tostring

import pygal
from markupsafe import Markup
from pygal.style import Style

from ..network.blocks import Block, layers
from ..network.structure import Structure

# pygal hooks into every later import to find plugins for maps, in a way that Python warns of; there are none here.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

# Legends are HTML, which wraps on a phone. Sizes of letters are what pygal lays out by; report.css has the same.
LAYOUT = {
    "width": 680, "height": 320, "show_legend": False, "dots_size": 4, "margin": 8, "spacing": 8, "js": [], "css": [],
    "style": Style(label_font_size=12, major_label_font_size=12, title_font_size=12),
}  # fmt: skip


class Point(NamedTuple):
    """A point of a curve; ``tip`` is shown on hover, ``copy`` names the element whose text a click copies."""

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


class Chart(NamedTuple):
    """An SVG, what it shows in words, and the names of its series in the order of their colours."""

    what: str
    svg: Markup
    legend: list[str]


def curves(what: str, x_title: str, y_title: str, series: Sequence[Curve], **options: Any) -> Chart:
    """Curves over x."""
    chart = pygal.XY(x_title=x_title, y_title=y_title, **LAYOUT | options)
    for curve in series:
        values = [
            _value((p.x, p.y), p.tip, p.copy) if curve.dots else (p.x, p.y) for p in curve.points
        ]
        chart.add(curve.name, values, show_dots=curve.dots, stroke=curve.line)
    return Chart(
        what, _svg(chart, what), [curve.name for curve in series] if len(series) > 1 else []
    )


def convolutions(structure: Structure, stages: Sequence[int]) -> Chart:
    """A bar for every convolution on the main path, as tall as its output channels, coloured by stage.

    ``stages`` has the number of the stage of every block, 1 to 5.
    """
    bars = []
    for block, stage in zip(structure, stages, strict=True):
        for channels, text in _main_path(block):
            bar = _value(channels, f"C{stage}: {text}")
            bar["node"]["class"] = f"rect color-{stage - 1}"
            bars.append(bar)
    chart = pygal.Bar(**LAYOUT)
    chart.x_labels = [""] * len(bars)
    chart.add("", bars)
    what = "Output channels of every convolution on the main path"
    return Chart(what, _svg(chart, what), [f"C{stage}" for stage in sorted(set(stages))])


def _main_path(block: Block) -> list[tuple[int, str]]:
    """Output channels of every convolution on the main path, and what it is in words."""
    path = []
    for layer, times in layers(block):
        for _ in range(int(times)):  # type: ignore[arg-type]
            for conv in layer.main:
                stride = f", stride {conv.stride}" if conv.stride > 1 else ""
                path.append(
                    (
                        int(conv.c_out),
                        f"{conv.k}x{conv.k}, {conv.c_in} to {conv.c_out} channels{stride}",
                    )
                )  # type: ignore[arg-type]
    return path


def _value(value: Any, tip: str, copy: str = "") -> dict[str, Any]:
    node = {
        "data-tip": tip,
        "aria-label": tip,
        "tabindex": "0",
        "role": "button" if copy else "img",
    }
    return {"value": value, "node": node | ({"data-copy": copy} if copy else {})}


def _svg(chart: Any, what: str) -> Markup:
    """The chart without pygal's own style, script and descriptions, which are for its tooltips."""
    root = chart.render_tree()
    for parent in list(root.iter()):
        parent.attrib.pop("id", None)  # the same in every chart
        for child in list(parent):
            if _name(child) in ("style", "script", "desc", "title") or not isinstance(
                child.tag, str
            ):
                parent.remove(child)
    root.attrib |= {"role": "group", "aria-label": what, "class": "chart"}
    return Markup(tostring(root, encoding="unicode"))  # noqa: S704 (an SVG that pygal escaped)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
