"""What the page says of a front: the best score under each budget, and the structures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..network.cost import INPUT_SIZE
from ..network.scores import Entropy
from ..resources import RESOURCES, Resource
from ..runs.front_run import FRONT, FrontRun, front_of, load_front
from ..runs.search_run import CONFIG
from ..search.fronts import Front
from ..search.fronts import Point as Found
from .architecture import networks
from .charts import Chart, Curve, Point, curves
from .compared import (
    Compared,
    comparison,
    measured_on,
    published,
    published_costs,
    score_label,
    with_detector,
)
from .made import made_of
from .section import Overlay, Section

# A front whose budgets grow as much as this from step to step is drawn on a scale of ratios.
GROWS = 2

Document = dict[str, Any]


def read_front(path: Path, key: str) -> Section:
    """The section of a front's directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: a file of it is missing or damaged.
    """
    content = FrontRun(path).read_result() or {}
    front, others = front_of(content, str(path / FRONT)), content["compare"]
    config = load_front(path / CONFIG, {}, None, ()).search
    problem = config.problem
    points, resource = front.points, RESOURCES[front.axis]
    alike = problem.input_size == INPUT_SIZE and problem.scorer == Entropy()
    known = published_costs(problem.detector) if alike else []
    names = [_name(point, resource) for point in points]
    own = [
        Compared(name, point.score, point.cost.known(), f"{key}-{i}")
        for i, (name, point) in enumerate(zip(names, points, strict=True))
    ]
    own += [
        Compared(other["name"], other["score"], other, note=_outside(other, front))
        for other in others
    ]
    theirs = [each._replace(note=_outside(each.costs, front)) for each in published(problem)]
    ours = Curve("best structures", _points(front, key))
    beside = {"compared": others, "published": known}
    charts = [("Front", _chart(front, ours, beside))]
    if front.axis != "latency" and all(point.cost.latency is not None for point in points):
        charts.append((measured_on(problem), _latency_chart(front, key)))
    return Section(
        path,
        key,
        kind=f"front over {resource.label} in space {problem.space.name}"
        + with_detector(problem.detector),
        figures=[
            ("points", str(len(points))),
            ("proven optimal", f"{sum(point.gap == 0 for point in points)} of {len(points)}"),
            ("largest gap", _largest_gap(points)),
            (score_label(config), f"{points[0].score:.1f} to {points[-1].score:.1f}"),
        ],
        made=made_of(path, seed=str(config.seed)),
        charts=charts,
        hint="Click a point, or reach it with Tab and press Enter, to copy its structure txt and to see"
        " its architecture among the structures below.",
        networks=networks(
            [point.structure for point in points], names, key, problem.input_size, leading=False
        ),
        table=comparison([*own, *theirs], problem.input_size),
        overlays=[Overlay("Front", _x_title(resource), "score", ours, log=_log(front))],
    )


def _largest_gap(points: Sequence[Found]) -> str:
    gaps = [point.gap for point in points if point.gap is not None]
    return f"{100 * max(gaps):.4f} %" if len(gaps) == len(points) else "unknown"


def _name(point: Found, resource: Resource) -> str:
    return "budget " + resource.format(point.budget)


def _outside(other: Mapping[str, Any], front: Front) -> str:
    """What is to be said of a network that is larger or smaller than all budgets."""
    use, budgets = other.get(front.axis), [point.budget for point in front.points]
    if not use or min(budgets) <= use <= max(budgets):
        return ""
    return f"{'above' if use > max(budgets) else 'below'} the budgets of this front"


def _x_title(resource: Resource) -> str:
    return f"budget, {f'{resource.unit} {resource.label}'.strip()}"


def _log(front: Front) -> str:
    """``x`` where the budgets grow: the last step is much longer than the first one."""
    budgets = [point.budget for point in front.points]
    first, last = budgets[:2], budgets[-2:]
    grows = len(budgets) > 2 and last[1] - last[0] > GROWS * (first[1] - first[0])
    return "x" if grows else ""


def _points(front: Front, key: str) -> list[Point]:
    resource = RESOURCES[front.axis]
    return [
        Point(
            point.budget / resource.scale,
            point.score,
            f"{_tip(_name(point, resource), point.score, point.cost.known())}, "
            f"gap {_largest_gap([point])}",
            f"{key}-{i}",
        )
        for i, point in enumerate(front.points)
    ]


def _chart(front: Front, ours: Curve, beside: Mapping[str, Sequence[Document]]) -> Chart:
    """Score against the budget, below its bound; beside it what it is compared with, those above or
    below all budgets at the edge."""
    resource = RESOURCES[front.axis]
    bounds = [
        Point(point.budget / resource.scale, point.upper_bound)
        for point in front.points
        if point.upper_bound is not None
    ]
    series = [ours]
    if bounds:
        series.append(Curve("upper bound", bounds, dots=False))
    for name, rows in beside.items():
        dots = [
            Point(
                row[front.axis] / resource.scale, row["score"],
                _tip(row["name"], row["score"], row), name=row["name"],
            )
            for row in rows
            if row.get(front.axis) and row["score"] is not None
        ]  # fmt: skip
        if dots:
            series.append(Curve(name, dots, line=False, anywhere=True))
    what = "Score against the budget"
    return curves(what, _x_title(resource), "score", series, log=_log(front))


def _latency_chart(front: Front, key: str) -> Chart:
    """Score against what each structure takes by the measured table."""
    resource, axis = RESOURCES["latency"], RESOURCES[front.axis]
    dots = [
        Point(
            float(point.cost.latency) / resource.scale,  # type: ignore[arg-type]
            point.score,
            _tip(_name(point, axis), point.score, point.cost.known()),
            f"{key}-{i}",
        )
        for i, point in enumerate(front.points)
    ]
    curve = Curve("best structures", sorted(dots))
    return curves("Score against latency", f"{resource.unit} {resource.label}", "score", [curve])


def _tip(name: str, score: float, costs: Mapping[str, Any]) -> str:
    uses = (
        f"{r.format(costs[r.name], 4)} {r.label}" for r in RESOURCES.values() if costs.get(r.name)
    )
    return f"{name}: score {score:.3f}, {', '.join(uses)}"
