"""What the page says of a front: the best score under each budget, and the structures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..network.cost import INPUT_SIZE
from ..network.scores import Entropy
from ..network.structure import format_structures
from ..resources import RESOURCES, Resource
from ..runs.front_run import FRONT, FrontRun, front_of, load_front
from ..runs.search_run import CONFIG
from ..search.fronts import Front
from ..search.fronts import Point as Found
from .charts import Chart, Curve, Point, curves
from .section import (
    Section,
    comparison,
    own_row,
    published_costs,
    score_label,
    with_detector,
)

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
    published = problem.input_size == INPUT_SIZE and problem.scorer == Entropy()
    networks = published_costs(problem.detector) if published else []
    own = [
        own_row(_name(point, resource), point.score, point.cost.known(), f"{key}-{i}")
        for i, point in enumerate(points)
    ]
    own += [own_row(other["name"], other["score"], other) for other in others]
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
        charts=[("Front", _chart(front, others, key, networks))],
        hint="Click a point, or reach it with Tab and press Enter, to copy its structure txt.",
        table=comparison(own, problem),
        texts={
            f"{key}-{i}": format_structures([point.structure]) for i, point in enumerate(points)
        },
    )


def _largest_gap(points: Sequence[Found]) -> str:
    gaps = [point.gap for point in points if point.gap is not None]
    return f"{100 * max(gaps):.4f} %" if len(gaps) == len(points) else "unknown"


def _name(point: Found, resource: Resource) -> str:
    return "budget " + resource.format(point.budget)


def _chart(
    front: Front, others: Sequence[Document], key: str, networks: Sequence[Document]
) -> Chart:
    """Score against the budget, below its bound; beside it what it is compared with."""
    resource = RESOURCES[front.axis]
    ours = [
        Point(
            point.budget / resource.scale,
            point.score,
            f"{_tip(_name(point, resource), point.score, point.cost.known())}, "
            f"gap {_largest_gap([point])}",
            f"{key}-{i}",
        )
        for i, point in enumerate(front.points)
    ]
    bounds = [
        Point(point.budget / resource.scale, point.upper_bound)
        for point in front.points
        if point.upper_bound is not None
    ]
    series = [Curve("best structures", ours)]
    if bounds:
        series.append(Curve("upper bound", bounds, dots=False))
    for name, rows in {"compared": others, "published": networks}.items():
        dots = [
            Point(row[front.axis] / resource.scale, row["score"], _tip(row["name"], row["score"], row))
            for row in rows
            if row.get(front.axis) and row["score"] is not None
        ]  # fmt: skip
        if dots:
            series.append(Curve(name, dots, line=False))
    unit = f"{resource.unit} {resource.label}".strip()
    return curves("Score against the budget", f"budget, {unit}", "score", series)


def _tip(name: str, score: float, costs: Mapping[str, Any]) -> str:
    uses = (
        f"{r.format(costs[r.name], 4)} {r.label}" for r in RESOURCES.values() if costs.get(r.name)
    )
    return f"{name}: score {score:.3f}, {', '.join(uses)}"
