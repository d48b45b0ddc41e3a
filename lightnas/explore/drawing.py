"""Parts of the page: HTML of states, escaped; charts are those of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..network.structure import Structure
from ..report.architecture import architecture
from ..report.charts import Chart, Curve, Point, curves
from ..report.rendering import templates
from ..resources import RESOURCES
from ..runs.config import preset_names
from ..search.fronts import Point as FrontPoint
from ..search.problem import Problem
from ..units import parse_size
from .settings import BUDGETS, DEFAULTS, Offered, preset_settings
from .state import State, moved, published_points, side_by_side

# HTML by the id of the part of the page that it fills.
Parts = dict[str, str]

# Where templates are looked for, the own ones first.
PACKAGES = ("lightnas.explore", "lightnas.report")
# Widths of GFLV2 that the page offers; an address may say another one.
DETECTORS = ("none", "gflv2:64", "gflv2:128", "gflv2:256")
SIZES = ("800x1280", "640x640", "416x416", "320x320", "192x192")


def warm() -> None:
    """Compile the templates of what is found, so that the first answer does not wait for it."""
    for name in ("answer.html", "stages.html", "front.html", "figure.html"):
        templates(*PACKAGES).get_template(name)
    templates("lightnas.report").get_template("chart.svg")


def draw(template: str, **values: Any) -> str:
    """The text of a template of this room, or of the report."""
    return templates(*PACKAGES).get_template(template).render(values)


def draw_page(offered: Offered, files: Sequence[tuple[str, str]]) -> str:
    """The page, which fills itself: controls, and an empty place for everything that is found.

    Args:
        files: names of the files of a design, each with what keeps it from being made, or "".
    """
    return draw(
        "explore.html",
        version=__version__,
        budgets=[
            (key, RESOURCES[name])
            for key, name in BUDGETS.items()
            if name != "latency" or offered.table is not None
        ],
        presets=_presets(),
        spaces=offered.space_names,
        detectors=DETECTORS,
        sizes=SIZES,
        defaults=DEFAULTS,
        first=str(offered.first),
        files=files,
        weights=DEFAULTS["alpha"].split(","),
    )


def _presets() -> list[tuple[str, str]]:
    """Names of presets, and the settings that each stands for."""
    return [(name, str(preset_settings(name))) for name in preset_names()]


def draw_design(state: State) -> Parts:
    """What was found by now."""
    structure = Structure.from_dicts(state["found"]["structure"])
    drawn = architecture(structure, parse_size(state["input_size"], "input-size"))
    return {
        "answer": draw("answer.html", state=state),
        "stages": draw("stages.html", state=state, architecture=drawn),
    }


def draw_moved(before: State, after: State) -> Parts:
    """How the optimum moved from one setting to the next."""
    return {"moved": draw("moved.html", rows=moved(before, after))}


def draw_pins(state: State, pinned: Sequence[State]) -> Parts:
    """The design that is looked at, and those that are pinned, beside each other."""
    rows = side_by_side([state, *pinned])
    marked = [
        (name, [(cell, i > 0 and cell != cells[0]) for i, cell in enumerate(cells)])
        for name, cells in rows
    ]
    settings = [one["settings"] for one in pinned]
    return {"pins": draw("pins.html", rows=marked, pinned=settings)}


def draw_front(problem: Problem, axis: str, limit: float, points: Sequence[FrontPoint]) -> Parts:
    """The front around a design as far as it is known."""
    chart = _front_chart(problem, axis, limit, points)
    proven = sum(bool(point.proven_optimal) for point in points)
    return {"front": draw("front.html", chart=chart, points=len(points), proven=proven)}


def _front_chart(problem: Problem, axis: str, limit: float, points: Sequence[FrontPoint]) -> Chart:
    """Score against the budget, below its bound, the design itself and published networks."""
    resource = RESOURCES[axis]
    best = [
        Point(
            point.budget / resource.scale,
            point.score,
            f"budget {resource.format(point.budget)}: score {point.score:.3f}, "
            f"gap {point.gap_text('0, proven optimal')}",
        )
        for point in points
    ]
    own = [dot for dot, point in zip(best, points, strict=True) if point.budget == limit]
    bounds = [
        Point(point.budget / resource.scale, point.upper_bound)
        for point in points
        if point.upper_bound is not None
    ]
    series = [Curve("best structures", best), Curve("this design", own, line=False)]
    series += [Curve("upper bound", bounds, dots=False)] if bounds else []
    near = (0.9 * points[0].budget, 1.1 * points[-1].budget)
    others = [
        Point(use / resource.scale, score, f"{name}: score {score:.3f}, {resource.format(use, 4)}")
        for name, use, score in published_points(problem, axis)
        if near[0] <= use <= near[1]
    ]
    series += [Curve("published", others, line=False)] if others else []
    unit = f"{resource.unit} {resource.label}".strip()
    return curves("Score against the budget", f"budget, {unit}", "score", series)


def draw_style() -> str:
    """The style sheet: the report's, and what the page adds."""
    return draw("report.css") + draw("explore.css")


def draw_script() -> str:
    """The script: the report's, for tips and copying, and the page's own."""
    return draw("report.js") + draw("explore.js")
