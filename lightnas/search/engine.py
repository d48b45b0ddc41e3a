"""The search: evolution for a good structure, branch and bound for the best one and the proof.

    from lightnas.search import search

    result = search("k1kxk1", flops=83.6e9, params=25.6e6, layers=91, seed=0)
    result.score, result.gap, result.structure

Steps, each short, so that a run can be stopped between any two of them and continued to the same
result:

    start    random structures, pulled towards a small one until they meet the budgets
    evolve   generations of crossover, mutation and repair, until the best has not improved for a while
    prove    nodes of branch and bound, until the best is proven optimal or the work allowed is done
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, TimeoutError
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Floats, Genomes
from ..errors import InputError
from ..network.cost import INPUT_SIZE, Cost, Latencies
from ..network.detector import Detector
from ..network.entropy import ALPHA
from ..network.scores import Entropy, Score, is_additive
from ..network.structure import Structure
from .bound import Best, Relaxation
from .deadline import NEVER, Deadline, OutOfTime
from .evolution import Evolution, Settings
from .objective import Budget, Evaluation, joined
from .problem import Problem
from .proof import Proof
from .result import Found, SearchResult, gap
from .space import Space
from .space_file import load_space
from .whole import coarse_chain

# Offspring a generation, and generations without a better structure after which evolution has
# converged.
OFFSPRING = 1024
PATIENCE = 25
# Share of the evaluations for the structures that evolution begins with.
FOR_START = 0.15
# What is enough where a proof follows, which finds what is left: structures to begin with, patience,
# and generations until steps are small.
RANDOM_BEFORE_PROOF = 128
PATIENCE_BEFORE_PROOF = 6
ANNEAL_BEFORE_PROOF = 25
# Evaluations kept back for structures that branch and bound finds.
FOR_PROOF = 100
# Random structures whose terms are compared with their scores.
CHECKED = 256
# Structures that can be kept: the size of the population.
MAX_TOP = Settings.population
# Structures a worker scores at a time; it does not depend on the number of workers.
PIECE = 256
# The same of a score without terms, which may be measured.
SLOW_PIECE = 8
# Halvings on the way from a random structure to one within the budgets.
PULLS = 8
# Share of a time limit that is kept for bound and proof, and the seconds that the first bound has in
# any case, beyond the limit where that is shorter.
FOR_BOUND = 1 / 3
GRACE = 0.7


@dataclass(frozen=True)
class Limits:
    """When a search stops: evaluations and operations of the proof at most; seconds only where
    asked for.

    ``time_limit`` makes the result depend on the machine; without it the same seed gives the same
    result. It holds within a second; a space too large to bound in it has no bound then.

    Raises:
        InputError: a limit is not positive (``proof_work`` may be 0).
    """

    evaluations: int = 100_000
    proof_work: int = 50_000_000
    time_limit: float | None = None

    def __post_init__(self) -> None:
        if self.evaluations < 1:
            raise InputError(f"evaluations is {self.evaluations}, expected at least 1")
        if self.proof_work < 0:
            raise InputError(f"proof_work is {self.proof_work}, expected at least 0")
        if self.time_limit is not None and not 0 < self.time_limit < float("inf"):
            raise InputError(
                f"time limit is {self.time_limit}, expected a positive number of seconds"
            )


class Progress(NamedTuple):
    """Where a search stands: ``done`` rises from 0 to 1, evolution the first half, the proof the
    second."""

    phase: str
    done: float
    evaluations: int
    score: float
    upper_bound: float | None


def search(
    space: Space | str,
    *,
    seed: int = 0,
    executor: Executor | None = None,
    input_size: tuple[int, int] = INPUT_SIZE,
    alpha: tuple[float, ...] = ALPHA,
    table: Latencies | None = None,
    detector: Detector | None = None,
    score: Score | None = None,
    limits: Limits = Limits(),
    top: int = 1,
    **budgets: float | None,
) -> SearchResult:
    """Search a space for the structure of the largest score within the budgets.

    Args:
        space: a Space, or the name or path of a space file.
        seed: of the one random generator; the same seed gives the same result, whatever the
            executor.
        executor: scores populations; any ``concurrent.futures.Executor``. None: this process.
        input_size: height and width of the picture, in pixels.
        alpha: weights of the entropies of C1 ... C5 in the score.
        table: what ``lightnas profile`` measured (``latency.load_table``).
        detector: whose neck and head count too, ``network.Detector()``; None: the backbone alone.
        score: what is made large (``network.scores``); None: the entropy. One without ``terms``
            has no bound.
        limits: when to stop without a proof.
        top: how many structures to keep in ``result.top``.
        budgets: ``flops=``, ``params=``, ``layers=``, ``activations=``, ``latency=`` (seconds, by
            the table), ``rho=`` (``network.entropy.largest_rho``), at least one.

    Raises:
        InputError: a budget is missing, unknown, not positive, or below what any structure uses.
    """
    chosen = load_space(space) if isinstance(space, str) else space
    deadline = Deadline.after(limits.time_limit)
    problem = Problem(
        chosen,
        Budget(**budgets),
        input_size,
        alpha,
        table,
        detector=detector,
        deadline=deadline,
        score=score,
    )
    run = Search(problem, seed, limits, top, executor)
    for _ in run.steps():
        pass
    return run.result()


class Search:
    """One search, step by step. ``state`` and ``restore`` carry it over to another process.

    Args:
        problem: what is solved.
        seed, limits, top, executor: as for ``search``.
        known: structures of the space, found under other budgets, say, that join the random ones
            evolution starts from.

    Attributes:
        phase: ``start``, ``evolve``, ``prove`` or ``done``.
        evaluations: structures scored so far.
        seconds: spent so far, in earlier processes too; ``evolution_seconds``: of these before the
            proof.
        history: (evaluations, seconds, best score) after each step.

    Raises:
        InputError: a seed below 0, or a top that the population does not hold.
    """

    def __init__(
        self,
        problem: Problem,
        seed: int = 0,
        limits: Limits = Limits(),
        top: int = 1,
        executor: Executor | None = None,
        known: Sequence[Structure] = (),
    ) -> None:
        if seed < 0:
            raise InputError(f"seed is {seed}, expected 0 or more")
        if not 1 <= top <= MAX_TOP:
            raise InputError(f"top is {top}, expected 1 to {MAX_TOP}")
        self.problem, self.seed, self.limits = problem, seed, limits
        self.top, self.executor, self.known = top, executor, tuple(known)
        self.space = problem.searched
        # A limit on rho leaves the proof many boxes; it needs what evolution finds.
        self.brief = problem.bounded and limits.proof_work > 0 and "rho" not in problem.limits
        settings = Settings(anneal=ANNEAL_BEFORE_PROOF) if self.brief else Settings()
        self.evolution = Evolution(*self.space.bounds, np.random.default_rng(seed), settings)
        self.relaxation = Relaxation(problem, start=problem.start)
        self.proof: Proof | None = None
        if problem.bounded:
            self._check_terms()
        self.phase = "start"
        self.evaluations = 0
        self.improved_at = 0  # generation of the last improvement
        self.seconds, self.evolution_seconds = problem.seconds, 0.0
        self.history: list[tuple[int, float, float]] = []
        self._step = NEVER  # the end of the time limit, seen from the step being taken

    def steps(self) -> Iterator[Progress]:
        """Take all steps that are left, and report after each."""
        advance = {"start": self._start, "evolve": self._evolve, "prove": self._prove}
        while self.phase != "done":
            began = time.perf_counter()
            self._step = self._deadline()
            phase = self.phase
            advance[phase]()
            took = time.perf_counter() - began
            self.seconds += took
            if phase != "prove":
                self.evolution_seconds += took
            self.history.append((self.evaluations, self.seconds, self.best_score))
            yield self._progress()

    @property
    def best_score(self) -> float:
        """Score of the best structure known."""
        return float(self.evolution.scores[0])

    @property
    def best(self) -> list[Structure]:
        """The best structures known, best first, at most ``top``; none before the first step."""
        return self.space.structures(self.evolution.genomes[: self.top])

    # --- steps --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Tell evolution a structure within the budgets, mostly the smallest one, and others pulled
        to it: random ones, and those that are best where budgets are only paid for."""
        start = self.problem.start
        self._tell(start[None])
        if self.known:
            self._tell(self.space.encode(self.known))
        n = min(self._offspring(), int(FOR_START * self._evaluations_left()) // (PULLS + 2))
        n = max(1, min(n, RANDOM_BEFORE_PROOF) if self.brief else n)
        if n * (PULLS + 2) <= self._evaluations_left():
            genomes = self.space.random(self.evolution.rng, n)
            first = self.space.encode([self.space.initial]) if self.space.initial else genomes[:1]
            chosen = np.concatenate([first, self._paid_for(), genomes[1:]])[:n]
            self._tell(self._pull(chosen, start))
        self.phase = "evolve"

    def _pull(self, genomes: Genomes, start: Genomes) -> Genomes:
        """Move genomes that exceed a budget along the line to one that does not, by bisection."""

        def between(share: Any) -> Genomes:
            return self.space.repair(
                start + np.floor(share[:, None] * (genomes - start)).astype(np.int64)
            )

        inside = self.problem.feasible(self._evaluate(genomes)).astype(float)
        outside = np.ones(len(genomes))
        for _ in range(PULLS):
            middle = (inside + outside) / 2
            fits = self.problem.feasible(self._evaluate(between(middle)))
            inside, outside = np.where(fits, middle, inside), np.where(fits, outside, middle)
        return between(inside)

    def _evolve(self) -> None:
        n = min(self._offspring(), self._evaluations_left())
        before = self.best_score
        if n > 0:
            self._tell(self.space.repair(self.evolution.ask(n)))
        if self.best_score > before:
            self.improved_at = self.evolution.generation
        patience = PATIENCE_BEFORE_PROOF if self.brief else PATIENCE
        converged = self.evolution.generation - self.improved_at >= patience
        if n <= 0 or converged or self._out_of_time(1 - FOR_BOUND):
            self.phase = "prove" if self.problem.bounded else "done"

    def _prove(self) -> None:
        """Bound the whole space, then close or split one node a step."""
        if self.proof is None:
            self.relaxation.deadline = self._deadline(at_least=GRACE)
            try:
                self.proof = self._first_bound()
            except OutOfTime:
                self.phase = "done"
                return
        elif not self._proof_ends():
            self.relaxation.deadline = self._step
            with suppress(OutOfTime):
                self.proof.step()
            if self.proof.score > self.best_score:
                self._tell(self.proof.genome[None])
        if self._proof_ends():
            self.phase = "done"

    def _paid_for(self) -> Genomes:
        """What the relaxed problem found on its way to good multipliers, the best last met first,
        (n, D): hardly beyond the budgets, or within them."""
        self.relaxation.deadline = self._deadline(share=FOR_BOUND)
        with suppress(OutOfTime):
            if self.problem.bounded:
                return np.stack([best.genome for best in reversed(self._relaxed[1])])
        return np.empty((0, len(self.space.genes)), np.int64)

    def _first_bound(self) -> Proof:
        best = self.evolution.genomes[0]
        # Cuts of rho that touch where the best structure is are tighter.
        multipliers, _ = self._relax(best) if self.relaxation.rho else self._relaxed
        return Proof(self.relaxation, best, self.best_score, multipliers)

    @cached_property
    def _relaxed(self) -> tuple[Floats, list[Best]]:
        """Good multipliers, (R,), and the structures met on the way to them, whatever is known."""
        return self._relax(self.problem.start)

    def _relax(self, known: Genomes) -> tuple[Floats, list[Best]]:
        """The same from a genome, (D,), within the budgets."""
        coarse = coarse_chain(self.relaxation)
        worth = float(self.problem.evaluate(known[None]).score[0])
        start = self.relaxation.alike(max(0.1 * worth, 0.0), known)
        return self.relaxation.minimise(coarse, start, tolerance=1e-6, rounds=60)

    def _proof_ends(self) -> bool:
        assert self.proof is not None
        spent = (
            self.proof.work >= self.limits.proof_work or self.evaluations >= self.limits.evaluations
        )
        return self.proof.complete or self.proof.too_large or spent or self._out_of_time()

    def _evaluations_left(self) -> int:
        """Evaluations that evolution may still use."""
        reserved = min(FOR_PROOF, self.limits.evaluations // 10)
        most = getattr(self.problem.scorer, "most_evaluations", self.limits.evaluations)
        return min(self.limits.evaluations - reserved, most) - self.evaluations

    def _offspring(self) -> int:
        """Of one generation: fewer where few structures may be scored."""
        most = getattr(self.problem.scorer, "most_evaluations", None)
        return OFFSPRING if most is None else min(OFFSPRING, max(1, most // 20))

    def _out_of_time(self, share: float = 1.0) -> bool:
        limit = self.limits.time_limit
        return limit is not None and self.seconds >= share * limit

    def _deadline(self, at_least: float = 0.0, share: float = 1.0) -> Deadline:
        """The end of the time limit, or of a share of it, or so many seconds from now if that is
        later."""
        limit = self.limits.time_limit
        left = None if limit is None else max(share * limit - self.seconds, at_least)
        return Deadline.after(left)

    def _check_terms(self) -> None:
        """Refuse a score whose terms are no closed form of it: the bound would be false."""
        if isinstance(self.problem.scorer, Entropy):
            return
        genomes = self.space.random(np.random.default_rng(0), CHECKED)
        told, counted = self.problem.evaluate(genomes).score, self.relaxation.value(genomes)
        off = np.abs(told - counted) > 1e-9 * np.maximum(1, np.abs(told))
        if off.any():
            at = int(np.argmax(off))
            raise InputError(
                f"score {type(self.problem.scorer).__name__}: its terms add up to {counted[at]!r} where "
                f"evaluate gives {told[at]!r}, expected a sum over blocks, linear in depth, of 1, btn, "
                "btn^2 and log btn"
            )

    # --- scoring ------------------------------------------------------------------------------------------------

    def _tell(self, genomes: Genomes) -> None:
        evaluation = self._evaluate(genomes)
        self.evolution.tell(genomes, evaluation.score, self.problem.feasible(evaluation))

    def _evaluate(self, genomes: Genomes) -> Evaluation:
        found = self._evaluate_all(genomes)
        # Without terms only what is within the budgets is scored.
        scored = is_additive(self.problem.scorer)
        self.evaluations += len(genomes) if scored else int(self.problem.feasible(found).sum())
        return found

    def _evaluate_all(self, genomes: Genomes) -> Evaluation:
        if self.executor is None:
            return self.problem.evaluate(genomes)
        size = PIECE if is_additive(self.problem.scorer) else SLOW_PIECE
        pieces = [genomes[i : i + size] for i in range(0, len(genomes), size)]
        # Lists, not iterators: Dask's executor asks for their lengths.
        problems = [self.problem] * len(pieces)
        left = None if self.limits.time_limit is None else max(0.0, self._step.left)
        try:
            return joined(list(self.executor.map(_evaluate, problems, pieces, timeout=left)))
        except TimeoutError:  # workers that are still starting, say: what is left is done here
            self.executor = None
            return self.problem.evaluate(genomes)

    # --- results ------------------------------------------------------------------------------------------------

    def _progress(self) -> Progress:
        if self.phase == "done":
            done = 1.0
        elif self.proof is None:
            done = 0.5 * self.evaluations / self.limits.evaluations
        else:
            done = 0.5 + 0.5 * min(1.0, self.proof.work / max(1, self.limits.proof_work))
        bound = None if self.proof is None else self.proof.upper_bound
        return Progress(self.phase, done, self.evaluations, self.best_score, bound)

    def found(self) -> Found:
        """What is known by now; at least one step is taken."""
        best = self.evolution.genomes[:1]
        structure, figures = self.space.structures(best)[0], self.problem.unscored(best).cost
        upper_bound = None if self.proof is None else self.proof.upper_bound
        return Found(
            score=self.best_score,
            cost=Cost(**{name: float(value[0]) for name, value in figures.known().items()}),  # type: ignore[index]
            upper_bound=upper_bound,
            gap=None if upper_bound is None else gap(self.best_score, upper_bound),
            proven_optimal=None if self.proof is None else self.proof.complete,
            evaluations=self.evaluations,
            evaluations_per_second=self.evaluations / max(self.evolution_seconds, 1e-9),
            seconds=self.seconds,
            seed=self.seed,
            structure=structure,
            detector=str(self.problem.detector) if self.problem.detector else None,
            shadow_prices=self._shadow_prices(),
            score_parts=self.problem.score_parts(structure) if self.problem.bounded else None,
        )

    def result(self) -> SearchResult:
        """The result once all steps are taken."""
        assert self.phase == "done"
        genomes = self.evolution.genomes
        evaluation = self.problem.evaluate(genomes)
        # As the whole population was scored, whose rounding that of one row may not be.
        figures = {name: float(value[0]) for name, value in evaluation.cost.known().items()}  # type: ignore[index]
        best = vars(self.found()) | {"score": float(evaluation.score[0]), "cost": Cost(**figures)}
        return SearchResult(
            **best,
            top=self.best,
            genomes=genomes,
            evaluation=evaluation,
            history=self.history,
            genes=self.space.genes,
        )

    def _shadow_prices(self) -> dict[str, float] | None:
        if self.proof is None:
            return None
        return self.relaxation.shadow_prices(self.proof.multipliers)

    def state(self) -> dict[str, Any]:
        """Everything that decides what comes next: nested dicts of arrays, numbers, strings and
        lists."""
        names = ("phase", "evaluations", "improved_at", "seconds", "evolution_seconds", "history")
        state = {name: getattr(self, name) for name in names}
        return state | {
            "evolution": self.evolution.state(),
            "proof": self.proof.state() if self.proof else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a ``state`` of the same problem, seed and limits.

        Raises:
            InputError: it is of another one.
        """
        evolution, proof = state["evolution"], state["proof"]
        self._check_known(evolution["genomes"], evolution["scores"])
        if proof:
            self._check_known(proof["genome"][None], np.array([proof["score"]]))
        if state["phase"] != "start" and not len(evolution["genomes"]):
            raise InputError(f"nothing is known in phase {state['phase']}, expected a population")
        self.evolution.restore(evolution)
        self.proof = Proof.restore(self.relaxation, proof) if proof else None
        self.phase = state["phase"]
        self.evaluations, self.improved_at = state["evaluations"], state["improved_at"]
        self.seconds, self.evolution_seconds = state["seconds"], state["evolution_seconds"]
        self.history = [(int(n), float(s), float(best)) for n, s, best in state["history"]]

    def _check_known(self, genomes: Genomes, scores: Any) -> None:
        """Refuse genomes (N, D) of another space or beyond the budgets, and scores (N,) of others."""
        low, high = self.space.bounds
        if ((genomes >= low) & (genomes <= high)).all():
            found = self.problem.evaluate(genomes)
            close = np.abs(found.score - scores) <= 1e-9 * np.maximum(1, found.score)
            if close.all() and self.problem.feasible(found).all():
                return
        raise InputError("a structure of it is of another search, expected those of this one")


def _evaluate(problem: Problem, genomes: Genomes) -> Evaluation:
    """What a worker does: the problem's own evaluation, a subclass's too."""
    return problem.evaluate(genomes)
