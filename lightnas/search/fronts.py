"""Fronts: the best score under each of a row of budgets, every point with its bound.

    from lightnas.pareto import front

    points = front(problem, "flops", [10e9, 20e9, 40e9, 80e9])

Each point is a search of its own. Every other one starts cold; those between start from what their left neighbour found,
which fits a larger budget too. So the work splits over an executor, and its result does not depend on the split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ..errors import InputError
from ..network.cost import RESOURCES
from ..network.structure import Structure, parse_structure
from .engine import Limits, Search
from .problem import Problem

Point = dict[str, Any]


def front(
    problem: Problem,
    axis: str,
    values: Sequence[float],
    seed: int = 0,
    limits: Limits = Limits(),
    executor: Executor | None = None,
    done: dict[int, Point] | None = None,
    report: Callable[[int, Point], None] | None = None,
) -> list[Point]:
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
        of each value a dict with the keys of ``search --json`` and ``budget``. No point scores less than one before it,
        and none has a larger bound than one after it.

    Raises:
        InputError: no such axis, values that do not rise, or a budget below what the smallest structure uses.
    """
    if axis not in RESOURCES:
        raise InputError(f"axis is {axis!r}, expected one of {', '.join(RESOURCES)}")
    if list(values) != sorted(set(values)):
        raise InputError(f"budgets of the {axis} axis do not rise, expected each to be larger than the one before")
    points = dict(done or {})
    problems = [replace(problem, budget=replace(problem.budget, **{axis: value})) for value in values]
    for first in (0, 1):  # cold points, then those that start from the one to their left
        wave = [i for i in range(first, len(values), 2) if i not in points]
        known = [_structures(points, i - 1) for i in wave]
        jobs = [(problems[i], seed, limits, known[j]) for j, i in enumerate(wave)]
        finished = (executor.map if executor else map)(solve, *zip(*jobs, strict=True)) if jobs else ()
        for i, found in zip(wave, finished, strict=True):
            points[i] = {"budget": values[i]} | found
            if report:
                report(i, points[i])
    return settled([points[i] for i in range(len(values))])


def solve(problem: Problem, seed: int, limits: Limits, known: Sequence[Structure]) -> Point:
    """One search from beginning to end; what a worker does."""
    search = Search(problem, seed, limits, known=known)
    for _ in search.steps():
        pass
    return search.result().document


def _structures(points: dict[int, Point], i: int) -> list[Structure]:
    return [parse_structure(points[i]["structure"])] if i % 2 == 0 and i in points else []


def settled(points: Sequence[Point]) -> list[Point]:
    """What neighbours know of each other: a structure fits every larger budget, a bound holds for every smaller one."""
    settled = [dict(point) for point in points]
    for left, right in pairwise(settled):
        if right["score"] < left["score"]:
            right |= {key: left[key] for key in ("score", *RESOURCES, "structure") if key in left}
    for right, left in pairwise(reversed(settled)):
        left["upper_bound"] = min(left["upper_bound"], right["upper_bound"])
    for point in settled:
        point["gap"] = max(0.0, 1 - point["score"] / point["upper_bound"])
    return settled
