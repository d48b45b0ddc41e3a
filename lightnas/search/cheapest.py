"""The cheapest structure that scores nearly as much as the best one, proven.

    minimise use_r(x)  over the space, within every budget, score(x) >= (1 - share) best

Objective and constraint of the search change places, and the relaxed problem stays the same: with a
limit b on the use of r, theta(lambda) bounds the score of everything that uses b at most. Where it
is below the score that is asked for, nothing there is good enough. So

    guess     where the bound reaches that score over few channel counts, by Newton's method: the bound is
              concave in b, and its slope is the shadow price of r
    look      for any structure good enough that uses little more than the guess, by the branch and bound of
              ``proof``, and take the cheapest that its listing holds
    prove     that nothing good enough uses less than the cheapest known; or find it, and prove again
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Floats, Genomes
from ..errors import InputError, nearest, shown
from ..network.cost import Cost
from ..resources import RESOURCES
from ..units import parse_share
from .bound import Relaxation
from .deadline import Deadline, OutOfTime
from .engine import Limits
from .objective import Objective
from .problem import Problem
from .proof import TOLERANCE, Choices, Proof
from .result import SearchResult, gap
from .space import Space
from .whole import coarse_chain

# Newton's steps to the guess, and how far above it structures are looked for, one after the other.
GUESSES = 8
MARGINS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
# Relative step below the use of a structure where that is no whole number.
BELOW = 1e-9


class Within(NamedTuple):
    """Minimise the use of a resource, the score within this share of the best."""

    share: float
    resource: str


def check_within(
    share: float | str | None, resource: str | None, names: dict[str, str]
) -> Within | None:
    """What is asked for; None where neither is.

    Args:
        names: what messages call ``within`` and ``minimise``.

    Raises:
        InputError: one without the other, a share outside 0 ... 1, or no such resource.
    """
    if share is None and resource is None:
        return None
    if share is None or resource is None:
        given, lacks = ("within", "minimise") if resource is None else ("minimise", "within")
        raise InputError(
            f"{names[given]} is given without {names[lacks]}, expected both, such as 1% and params"
        )
    share = parse_share(share, names["within"])
    if resource not in RESOURCES:
        raise InputError(
            f"{names['minimise']} is {shown(resource)}, {nearest(resource, RESOURCES)}"
        )
    return Within(share, resource)


@dataclass(frozen=True)
class Known:
    """The cheapest structure known that is good enough; its genome has shape (D,)."""

    genome: Genomes
    score: float
    cost: Cost
    use: float


def cheapest(
    problem: Problem,
    result: SearchResult,
    within: Within,
    limits: Limits = Limits(),
    deadline: Deadline | None = None,
) -> SearchResult:
    """A search's result with the cheapest structure that is good enough in the first place.

    Args:
        problem: what was searched.
        result: of the search; its score is the best there is where that is proven.
        within: what is asked for.
        limits: ``proof_work`` operations at most.
        deadline: ends it with the cheapest structure known by then, and no proof.

    Raises:
        InputError: latency is to be minimised without a latency table.
    """
    if within.resource == "latency" and problem.table is None:
        raise InputError("minimise='latency' without a latency table, expected one")
    least = result.score * (1 - within.share)
    task = _Task(problem, within.resource, least, limits.proof_work, deadline or Deadline())
    known = task.cheapest_of(result.genomes)
    proven = False
    try:
        for limit in task.probes(known):
            found = task.below(limit)
            known = found or known
            if found is not None:
                break
        while not proven:
            found = task.below(_below(known.use, within.resource))
            known, proven = found or known, found is None
    except (OutOfTime, _OutOfWork):
        pass
    at_least = known.use if proven else task.at_least
    told = {"within": within.share, "minimise": within.resource, "best_score": result.score}
    structure = problem.searched.structures(known.genome[None])[0]
    bound = result.upper_bound
    return replace(
        result,
        score=known.score,
        cost=known.cost,
        gap=None if bound is None else max(0.0, gap(known.score, bound)),
        proven_optimal=None
        if bound is None
        else bool(result.proven_optimal) and known.score >= result.score * (1 - TOLERANCE),
        structure=structure,
        top=[structure, *(one for one in result.top if one != structure)][: len(result.top)],
        score_parts=problem.score_parts(structure),
        cheapest=told | {"proven": proven, "at_least": at_least},
    )


def _below(use: float, resource: str) -> float:
    """The largest limit that a structure of this use does not meet."""
    return use - 1 if RESOURCES[resource].counted else use * (1 - BELOW)


class _OutOfWork(Exception):
    """The operations allowed are done."""


class _Task:
    """What stays the same from limit to limit; ``least`` is the score asked for."""

    def __init__(
        self, problem: Problem, resource: str, least: float, work: int, deadline: Deadline
    ) -> None:
        self.problem, self.resource = problem, resource
        self.least, self.work, self.deadline = least, work, deadline
        self.at_least = 0.0

    def under(self, limit: float) -> Objective:
        """The problem with a limit on the resource, unchecked: nothing may meet it."""
        p, budget = self.problem, self.problem.budget.replace(**{self.resource: limit})
        return _SameSpace(p.searched, budget, p.input_size, p.alpha, p.table, detector=p.detector)

    def cheapest_of(self, genomes: Genomes) -> Known:
        """The cheapest of a population, shape (N, D), whose first scores enough."""
        # A limit that all meet: with one the resource is counted in any case.
        found = self.under(self.problem.limits.get(self.resource, 1e30)).evaluate(genomes)
        use = np.where(found.score >= self.least, found.cost.known()[self.resource], np.inf)
        at = int(np.argmin(use))
        figures = {name: float(column[at]) for name, column in found.cost.known().items()}  # type: ignore[index]
        return Known(genomes[at], float(found.score[at]), Cost(**figures), float(use[at]))

    def probes(self, known: Known) -> Iterator[float]:
        """Limits little above the guess that are below what is known to do."""
        guess = self._guess(known.use)
        for margin in MARGINS:
            if guess * (1 + margin) < known.use:
                yield guess * (1 + margin)

    def _guess(self, limit: float) -> float:
        """Where the bound over few channel counts reaches the score that is asked for."""
        for _ in range(GUESSES):
            relaxation = self._relaxation(limit)
            coarse = coarse_chain(relaxation)
            start = relaxation.alike(0.1 * self.least, self.problem.start)
            multipliers, met = relaxation.minimise(coarse, start, tolerance=1e-6, rounds=60)
            slope = relaxation.slopes(multipliers)[self.resource]
            excess = min(best.theta for best in met) - self.least
            if slope <= 0 or abs(excess) <= 1e-6 * self.least:
                break
            limit = max(limit - excess / slope, 0.1 * limit)
        return limit

    def _relaxation(self, limit: float) -> Relaxation:
        relaxation = _Unmet(self.under(limit))
        relaxation.deadline = self.deadline
        return relaxation

    def below(self, limit: float) -> Known | None:
        """A structure good enough that uses no more than ``limit``, or None: there is none.

        Raises:
            _OutOfWork: neither is known after all the operations allowed.
            OutOfTime: nor before the deadline.
        """
        if limit <= 0:
            return None
        relaxation = self._relaxation(limit)
        start = relaxation.alike(0.1 * self.least, self.problem.start)
        coarse = coarse_chain(relaxation)
        multipliers, _ = relaxation.minimise(coarse, start, tolerance=1e-6, rounds=60)
        # Which labels come first; for rho its cut at the last stage end, behind the budgets.
        limited = relaxation.limited
        at = limited.index(self.resource) if self.resource in limited else -1
        proof = _Looking(relaxation, self.problem.start, self.least, multipliers, at)
        while not proof.complete and proof.found is None:
            if proof.too_large or proof.work >= self.work:
                raise _OutOfWork
            proof.step()
        self.work -= proof.work
        if proof.found is not None:
            return self.cheapest_of(proof.found[None])
        self.at_least = max(self.at_least, limit)
        return None


class _SameSpace(Objective):
    """An objective whose limit on layers leaves the space as it is."""

    @property
    def searched(self) -> Space:  # type: ignore[override]
        """The space itself."""
        return self.space


class _Unmet(Relaxation):
    """A relaxation of budgets that perhaps nothing meets: its multipliers may be large."""

    def _largest_multipliers(self, theta: float, size: int) -> Floats:
        return np.full(size, 1e3 * (abs(theta) + 1.0))


class _Looking(Proof):
    """Branch and bound for any structure that scores enough, of which a listing gives the
    cheapest."""

    def __init__(
        self, relaxation: Relaxation, genome: Genomes, least: float, multipliers: Floats, at: int
    ) -> None:
        self.found: Genomes | None = None
        self.at = at
        # What scores exactly as much as is asked for must not be pruned.
        super().__init__(relaxation, genome, least * (1 - 2 * TOLERANCE), multipliers)

    def _offer_best(
        self, choices: list[Choices], trail: list[Any], score: Floats, use: Floats
    ) -> None:
        for label in np.argsort(use[:, self.at], kind="stable"):
            if score[label] > self.score and self.offer(self._genome(choices, trail, int(label))):
                return

    def offer(self, genome: Genomes) -> bool:
        """Keep a genome, shape (D,), that, evaluated exactly, is within the budgets and scores
        enough."""
        evaluation = self.relaxation.problem.evaluate(genome[None])
        fits = bool(self.relaxation.problem.feasible(evaluation)[0])
        if fits and evaluation.score[0] > self.score:
            self.found = genome
        return self.found is not None
