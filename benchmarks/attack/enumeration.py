"""Random small spaces against full enumeration: optimum, bound and feasibility all agree.

Any block types, sometimes two blocks in a stage, weights of the stages, made-up machines on which a
larger kernel may be faster, or a detector; three mixes of budgets a space, some of which nothing
meets.
"""

from __future__ import annotations

import numpy as np

from lightnas.errors import InputError
from lightnas.latency import LatencyTable
from lightnas.network import Detector
from lightnas.search import Budget, Limits, Problem, Search, SearchResult, Space
from lightnas.search.proof import TOLERANCE
from tests.search.spaces import (
    SIZE,
    listed,
    random_alpha,
    random_detector,
    random_mix,
    random_space,
    random_table,
)

from .tally import Tally

MIXES = 3
# (operations of the proof, evaluations): a bound without a proof, a proof mostly without evolution,
# and both.
EFFORTS = ((0, 300), (50_000_000, 20), (50_000_000, 3000))


def attack(count: int, seed: int) -> list[Tally]:
    """``count`` random spaces, three mixes of budgets each."""
    optimum, bound, feasibility = (
        Tally(f"{what} against enumeration, {MIXES} mixes a space")
        for what in ("optimum", "bound", "feasibility")
    )
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        space = random_space(rng)
        # Tables hold backbones alone: a machine, a detector or neither.
        kind = rng.integers(3)
        table = random_table(space, rng) if kind == 1 else None
        detector = random_detector(rng) if kind == 2 else None
        alpha = random_alpha(rng)
        every = listed(space, table, alpha, detector, activations=True, rho=True)
        for at in range(MIXES):
            mix = random_mix(every.costs, rng)
            where = f"seed {seed}, space {number}, mix {at}: {mix}"
            feasibility.tried += 1
            best = every.best(mix)
            problem = _problem(space, table, alpha, mix, detector)
            if (problem is None) != (best is None):
                met = "refused" if problem is None else "taken"
                feasibility.fallen.append(f"{where}: {met}, the best is {best}")
            if problem is None or best is None:
                continue
            for work, evaluations in EFFORTS:
                result = _searched(problem, number, Limits(evaluations, work))
                how = f"{where}, work {work}, evaluations {evaluations}"
                bound.tried += 1
                bound.fallen += [f"{how}: {said}" for said in _wrong_bound(result, best)]
                optimum.tried += 1
                wrong = _wrong_best(result, best, mix)
                if (work, evaluations) == EFFORTS[-1] and not result.proven_optimal:
                    wrong.append(f"gap {result.gap} left")
                optimum.fallen += [f"{how}: {said}" for said in wrong]
    return [feasibility, bound, optimum]


def _problem(
    space: Space,
    table: LatencyTable | None,
    alpha: tuple[float, ...],
    mix: dict[str, float],
    detector: Detector | None,
) -> Problem | None:
    """The problem; None where it is refused as one that nothing meets."""
    try:
        return Problem(space, Budget(**mix), SIZE, alpha, table, detector=detector)
    except InputError:
        return None


def _searched(problem: Problem, seed: int, limits: Limits) -> SearchResult:
    search = Search(problem, seed, limits)
    for _ in search.steps():
        pass
    return search.result()


def _wrong_bound(result: SearchResult, best: float) -> list[str]:
    """A proof is exact up to TOLERANCE, the rounding of sums of logarithms; a bound is one
    throughout."""
    bound = result.upper_bound
    assert bound is not None
    slack = TOLERANCE if result.proven_optimal else 0.0
    return [f"bound {bound!r} below {best!r}"] if bound < best * (1 - slack) else []


def _wrong_best(result: SearchResult, best: float, mix: dict[str, float]) -> list[str]:
    """The score is of a structure within the budgets, never more than the best, and the best where
    that is said."""
    wrong = []
    if any(result.cost.known()[name] > limit for name, limit in mix.items()):
        wrong.append(f"uses {result.cost.known()}")
    if result.score > best * (1 + 1e-12):
        wrong.append(f"score {result.score!r} above the best, {best!r}")
    if result.proven_optimal and result.score < best * (1 - TOLERANCE):
        wrong.append(f"score {result.score!r} said to be the best, which is {best!r}")
    return wrong
