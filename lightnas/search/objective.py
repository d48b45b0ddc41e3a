"""What structures of a space score and use, and whether that is within budgets: arrays in, arrays
out.

Nothing is checked here; ``problem`` makes a search problem of it, once bound and proof have said
that it has a solution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import NamedTuple

import numpy as np

from ..arrays import Flags, Floats, Genomes
from ..errors import InputError, nearest, shown
from ..network.blocks import Block, Size
from ..network.cost import INPUT_SIZE, Cost, Latencies, cost
from ..network.detector import Detector
from ..network.entropy import ALPHA, largest_rho
from ..network.score import score_parts
from ..network.scores import Entropy, Score, is_additive, scores_of
from ..resources import RESOURCES
from .space import Space

# Arrays of this many structures stay in the cache; larger ones are slower a structure.
CHUNK = 8192


class Evaluation(NamedTuple):
    """Score and cost of N structures, every figure an array of shape (N,)."""

    score: Floats
    cost: Cost

    def columns(self) -> dict[str, Floats]:
        """Score and the figures there are, by name, each of shape (N,)."""
        return {"score": self.score} | self.cost.known()  # type: ignore[return-value]


class Budget:
    """Upper limits by resource. FLOPs in multiply-accumulates at the problem's input size, latency
    in seconds.

    Args:
        limits: by the names of ``resources.RESOURCES``; None: unlimited.

    Raises:
        InputError: there is no limit, one is not positive and finite, or a resource is unknown.
    """

    def __init__(self, **limits: float | None) -> None:
        for name, limit in limits.items():
            if name not in RESOURCES:
                raise InputError(f"no budget '{name}', {nearest(name, RESOURCES)}")
            if limit is not None and not (isinstance(limit, Real) and 0 < limit < float("inf")):
                raise InputError(f"budget {name} is {shown(limit)}, expected a positive number")
        given = {name: limits.get(name) for name in RESOURCES}
        self.limits = {name: float(limit) for name, limit in given.items() if limit is not None}
        if not self.limits:
            raise InputError(f"no budget: expected at least one of {', '.join(RESOURCES)}")

    def replace(self, **limits: float | None) -> Budget:
        """This budget with other limits for some resources, or with None for those named; errors as
        for Budget."""
        return Budget(**(self.limits | limits))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Budget) and self.limits == other.limits

    def __hash__(self) -> int:
        return hash(tuple(self.limits.items()))

    def __repr__(self) -> str:
        return f"Budget({', '.join(f'{name}={limit!r}' for name, limit in self.limits.items())})"


@dataclass(frozen=True)
class Objective:
    """A space, limits on what its structures use, and the weights of their score.

    Attributes:
        space: the user's; ``searched`` is what the layer budget leaves of it.
        budget: the limits.
        input_size: height and width of the picture, in pixels.
        alpha: weights of the entropies of C1 ... C5 in the score.
        table: gives the latencies; without one they are not known and cannot be limited.
        detector: whose neck and head count as well; None: the backbone alone.
        score: what is made large; None: the entropy, with the weights ``alpha``.
    """

    space: Space
    budget: Budget
    input_size: tuple[int, int] = INPUT_SIZE
    alpha: tuple[float, ...] = ALPHA
    table: Latencies | None = None
    detector: Detector | None = None
    score: Score | None = field(default=None, kw_only=True)

    @cached_property
    def searched(self) -> Space:
        """The space with the depth limits that the layer budget sets."""
        return self.space.under_layers(self.limits.get("layers"))

    @property
    def limits(self) -> dict[str, float]:
        """The budgets there are, by resource."""
        return self.budget.limits

    @property
    def activations(self) -> bool:
        """Whether activations are counted: only where they are limited."""
        return "activations" in self.limits

    @cached_property
    def bounded(self) -> bool:
        """Whether what the search makes large is what bound and proof read: the score has terms,
        and no subclass computes score, cost or budgets in another way."""
        own: set[str] = {
            name
            for base in type(self).__mro__
            if not base.__module__.startswith(__package__)
            for name in vars(base)
        } | vars(self).keys()
        read = {name for name, value in vars(Objective).items() if _computes(name, value)}
        return is_additive(self.scorer) and not own & (read - {"searched", "bounded", "scorer"})

    @cached_property
    def scorer(self) -> Score:
        """The score that is made large."""
        return Entropy(self.alpha) if self.score is None else self.score

    def evaluate(self, genomes: Genomes) -> Evaluation:
        """Score and cost, each figure of shape (N,), of a population of shape (N, D), CHUNK
        structures at a time."""
        return joined([self._evaluate_chunk(chunk) for chunk in chunks(genomes)])

    def unscored(self, genomes: Genomes) -> Evaluation:
        """What a population of shape (N, D) uses, its scores left at 0: scores may be measured."""
        return self._unscored(self.searched.decode(genomes), len(genomes))

    def _unscored(self, blocks: tuple[Block, ...], n: int) -> Evaluation:
        figures = cost(blocks, self.input_size, self.table, self.detector, self.activations).known()
        if "rho" in self.limits:
            figures["rho"] = largest_rho(blocks)
        return Evaluation(np.zeros(n), _of_cost(figures, n))

    def _evaluate_chunk(self, genomes: Genomes) -> Evaluation:
        blocks = self.searched.decode(genomes)
        found = self._unscored(blocks, len(genomes))
        if is_additive(self.scorer):
            score = _checked(self.scorer, blocks, self.input_size, len(genomes))
            return found._replace(score=score)
        # A score without terms may be measured, by the second: of what is within the budgets alone.
        at = np.flatnonzero(self.feasible(found))
        if len(at):
            some = self.searched.decode(genomes[at])
            found.score[at] = _checked(self.scorer, some, self.input_size, len(at))
        return found

    def score_parts(self, structure: Sequence[Block[int]]) -> dict[str, float]:
        """What widths, kernels and depth give to a structure's score."""

        def score_of(blocks: Sequence[Block[int]]) -> float:
            return float(scores_of(self.scorer, tuple(blocks), self.input_size).item())

        return score_parts(structure, score_of)

    def feasible(self, evaluation: Evaluation) -> Flags:
        """Which structures are within every budget, shape (N,)."""
        within = np.ones(len(evaluation.score), bool)
        for name, limit in self.limits.items():
            within &= evaluation.cost.known()[name] <= limit
        return within


def evaluate_blocks(
    blocks: tuple[Block, ...],
    input_size: tuple[int, int] = INPUT_SIZE,
    alpha: tuple[float, ...] = ALPHA,
    table: Latencies | None = None,
    detector: Detector | None = None,
    activations: bool = False,
    rho: bool = False,
) -> Evaluation:
    """Score and cost of one chain of blocks, and rho where it is asked for; its sizes are arrays of
    shape (N,), or numbers for one structure."""
    figures = cost(blocks, input_size, table, detector, activations).known()
    if rho:
        figures["rho"] = largest_rho(blocks)
    n = max(np.size(value) for value in figures.values())
    return Evaluation(
        _checked(Entropy(alpha), blocks, input_size, n),
        _of_cost(figures, n),
    )


def _computes(name: str, value: object) -> bool:
    """Whether a member of a class computes something, and is not of every class."""
    return not name.startswith("__") and (
        callable(value) or isinstance(value, cached_property | property)
    )


def _of_cost(figures: dict[str, Size], n: int) -> Cost:
    return Cost(
        **{name: np.broadcast_to(np.asarray(value, float), n) for name, value in figures.items()}
    )


def _checked(score: Score, blocks: Sequence[Block], size: tuple[int, int], n: int) -> Floats:
    """The scores of n structures, (n,).

    Raises:
        InputError: they are not n finite numbers.
    """
    name = type(score).__name__
    found = scores_of(score, blocks, size)
    if found.shape not in ((), (1,), (n,)):
        raise InputError(f"score {name} gave shape {found.shape}, expected ({n},)")
    if not np.isfinite(found).all():
        raise InputError(
            f"score {name} gave {found[~np.isfinite(found)][0]}, expected a finite number"
        )
    return np.broadcast_to(found, n)


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """The evaluations of a population's pieces as one."""
    pieces = [part.columns() for part in parts]
    whole = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return Evaluation(whole.pop("score"), Cost(**whole))


def chunks(genomes: Genomes) -> Iterator[Genomes]:
    """The population, shape (N, D), in pieces of at most CHUNK rows; one piece at least, empty
    where N is 0."""
    for start in range(0, max(1, len(genomes)), CHUNK):
        yield genomes[start : start + CHUNK]
