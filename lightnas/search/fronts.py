"""Fronts: the best score under each of a row of budgets, every point with its bound.

    from lightnas.search import front

    found = front(problem, "flops", [10e9, 20e9, 40e9, 80e9])

Each point is a search of its own. Every other one starts cold; those between start from what their
left neighbour found, which fits a larger budget too. So the work splits over an executor, and its
result does not depend on the split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..documents import LARGEST, Document, check
from ..errors import InputError, nearest, shown
from ..network.structure import Structure
from ..resources import RESOURCES
from .deadline import Deadline
from .engine import Limits, Search
from .problem import Problem
from .result import Found, frame, gap, html_table

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class Point(Found):
    """What was found under one budget of the row: ``budget``, in the unit that results have for the
    front's axis."""

    budget: float

    @property
    def document(self) -> dict[str, Any]:
        """What front.json and ``pareto --json`` hold of the point."""
        return {"budget": self.budget} | super().document

    @classmethod
    def of(cls, document: Any, where: str = "point") -> Point:
        """What ``document`` was made from; errors as for ``Found.from_document``."""
        budget = check(BudgetFile, document, where).budget
        return cls.from_document(document, where, budget=budget)


class BudgetFile(Document):
    """What a point has beside what was found."""

    budget: Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]


@dataclass(frozen=True, repr=False)
class Front:
    """The best structures under each of a row of budgets on one axis, smallest budget first.

    ``axis`` is a key of ``resources.RESOURCES``.
    """

    axis: str
    points: tuple[Point, ...]

    def figures(self) -> list[dict[str, str]]:
        """A row a point, as people read it: its budget, in the unit of the axis, then score, cost
        and gap."""
        resource = RESOURCES[self.axis]
        return [
            {f"{resource.label} budget": resource.format(point.budget, 4)} | point.figures()
            for point in self.points
        ]

    def __repr__(self) -> str:
        ends = [f"{point.score:.1f}" for point in self.points[:1] + self.points[-1:]]
        scores = f", score {' to '.join(ends)}" if ends else ""
        return f"Front({len(self.points)} points over {RESOURCES[self.axis].label}{scores})"

    def _repr_html_(self) -> str:
        """What a notebook shows: a row a point."""
        return html_table(self.figures())

    def to_frame(self) -> DataFrame:
        """A pandas frame, a row a point, smallest budget first: what ``Point.document`` holds but
        the structure.

        Raises:
            InputError: pandas is not installed.
        """
        rows = [point.document for point in self.points]
        return frame(
            [{key: value for key, value in row.items() if key != "structure"} for row in rows]
        )


def front(
    problem: Problem,
    axis: str,
    values: Sequence[float],
    seed: int = 0,
    limits: Limits = Limits(),
    executor: Executor | None = None,
    done: dict[int, Point] | None = None,
    report: Callable[[int, Point], None] | None = None,
) -> Front:
    """The best structures under rising budgets.

    Args:
        problem: what all points share; its budget on the axis is replaced.
        axis: ``flops``, ``params``, ``layers``, or ``latency`` where the problem has a table.
        values: budgets on the axis, rising.
        seed: of every search; the same seed gives the same front, whatever the executor.
        executor: runs the searches; None: this process, one after the other.
        done: points that are known already, by index.
        report: called with index and point when one is finished.

    Returns:
        A point for each value. None scores less than one before it, and none has a larger bound
        than one after it.

    Raises:
        InputError: no such axis, values that do not rise, or a budget below what any structure
            uses.
    """
    if axis not in RESOURCES:
        raise InputError(f"axis is {shown(axis)}, {nearest(axis, RESOURCES)}")
    if list(values) != sorted(set(values)):
        raise InputError(
            f"budgets of the {axis} axis do not rise, expected each to be larger than the one before"
        )
    points = dict(done or {})
    problems = [
        replace(
            problem,
            budget=problem.budget.replace(**{axis: value}),
            deadline=Deadline.after(limits.time_limit),
        )
        for value in values
    ]
    for first in (0, 1):  # cold points, then those that start from the one to their left
        wave = [i for i in range(first, len(values), 2) if i not in points]
        known = [_structures(points, i - 1) for i in wave]
        jobs = [(problems[i], seed, limits, known[j]) for j, i in enumerate(wave)]
        of_each = executor.map if executor else map
        finished = of_each(solve, *zip(*jobs, strict=True)) if jobs else ()
        for i, found in zip(wave, finished, strict=True):
            points[i] = Point(**vars(found), budget=values[i])
            if report:
                report(i, points[i])
    return Front(axis, tuple(settled([points[i] for i in range(len(values))])))


def solve(problem: Problem, seed: int, limits: Limits, known: Sequence[Structure]) -> Found:
    """One search from beginning to end; what a worker does. The population stays with the
    worker."""
    search = Search(problem, seed, limits, known=known)
    for _ in search.steps():
        pass
    result = search.result()
    return Found(**{field.name: getattr(result, field.name) for field in fields(Found)})


def _structures(points: dict[int, Point], i: int) -> list[Structure]:
    return [points[i].structure] if i % 2 == 0 and i in points else []


def settled(points: Sequence[Point]) -> list[Point]:
    """The points, with what neighbours know of each other.

    A structure fits every larger budget, and a bound holds for every smaller one.
    """
    scores = [point.score for point in points]
    best = [max(range(i + 1), key=lambda j: (scores[j], j)) for i in range(len(points))]
    bounds = [
        [p.upper_bound for p in points[i:] if p.upper_bound is not None] for i in range(len(points))
    ]
    least = [min(known, default=None) for known in bounds]
    return [
        replace(
            point,
            score=points[j].score,
            cost=points[j].cost,
            structure=points[j].structure,
            score_parts=points[j].score_parts,
            upper_bound=bound,
            gap=None if bound is None else max(0.0, gap(points[j].score, bound)),
            proven_optimal=None if bound is None else bool(point.proven_optimal),
        )
        for point, j, bound in zip(points, best, least, strict=True)
    ]
