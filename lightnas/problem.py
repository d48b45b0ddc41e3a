"""What a search solves: a space, budgets, an input size and the weights of the score.

maximise score(structure) over the space, with flops, params and layers within their budgets
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .arrays import Flags, Floats, Genomes
from .blocks import Block
from .cost import INPUT_SIZE, RESOURCES, Cost, cost
from .entropy import ALPHA, entropies, score
from .errors import InputError
from .space import Space
from .units import format_count, format_size

# Arrays of this many structures stay in the cache; larger ones are slower a structure.
CHUNK = 8192


class Evaluation(NamedTuple):
    """Score and cost of N structures, each an array of shape (N,)."""

    score: Floats
    flops: Floats
    params: Floats
    layers: Floats


@dataclass(frozen=True)
class Budget:
    """Upper limits; None: unlimited. FLOPs in multiply-accumulates at the problem's input size."""

    flops: float | None = None
    params: float | None = None
    layers: float | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in RESOURCES):
            raise InputError("no budget: expected at least one of flops, params, layers")
        for name in RESOURCES:
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < float("inf"):
                raise InputError(f"budget {name} is {limit}, expected a positive number")

    def limits(self) -> dict[str, float]:
        """The limits there are, by resource."""
        return {name: float(getattr(self, name)) for name in RESOURCES if getattr(self, name) is not None}


@dataclass(frozen=True)
class Problem:
    """Checked once: the smallest structure of the space meets the budgets.

    ``space`` is the user's; ``searched`` is what the layer budget leaves of it.
    """

    space: Space
    budget: Budget
    input_size: tuple[int, int] = INPUT_SIZE
    alpha: tuple[float, ...] = ALPHA

    def __post_init__(self) -> None:
        least = self.evaluate(self.searched.smallest[None])
        for name, limit in self.budget.limits().items():
            smallest = float(getattr(least, name)[0])
            if smallest > limit:
                flops, params, layers = (format_count(float(value[0]), digits=15) for value in least[1:])
                raise InputError(
                    f"budget {name} is {format_count(limit)}, expected at least {format_count(smallest, digits=15)}: the "
                    f"smallest structure of space {self.space.name} at {format_size(self.input_size)} has {flops} FLOPs, "
                    f"{params} params, {layers} layers"
                )

    @cached_property
    def searched(self) -> Space:
        """The space with the depth limits that the layer budget sets."""
        return self.space.under_layers(self.budget.layers)

    @cached_property
    def limits(self) -> dict[str, float]:
        """The budgets there are, by resource."""
        return self.budget.limits()

    def evaluate(self, genomes: Genomes) -> Evaluation:
        """Score, FLOPs, params and layers of a population of shape (N, D), CHUNK structures at a time."""
        parts = [self._evaluate_chunk(chunk) for chunk in chunks(genomes)]
        return Evaluation(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _evaluate_chunk(self, genomes: Genomes) -> Evaluation:
        return evaluate_blocks(self.searched.decode(genomes), self.input_size, self.alpha)

    def feasible(self, evaluation: Evaluation) -> Flags:
        """Which structures are within every budget, shape (N,)."""
        within = np.ones(len(evaluation.score), bool)
        for name, limit in self.limits.items():
            within &= getattr(evaluation, name) <= limit
        return within


def evaluate_blocks(
    blocks: tuple[Block, ...], input_size: tuple[int, int] = INPUT_SIZE, alpha: tuple[float, ...] = ALPHA
) -> Evaluation:
    """Score and cost of one chain of blocks; its sizes are arrays of shape (N,), or numbers for one structure."""
    of_chain: Cost = cost(blocks, input_size)
    values = (score(entropies(blocks), alpha), *of_chain)
    return Evaluation(*(np.atleast_1d(np.asarray(value, float)) for value in values))


def chunks(genomes: Genomes) -> Iterator[Genomes]:
    """The population in pieces of at most CHUNK rows, at least one."""
    for start in range(0, max(1, len(genomes)), CHUNK):
        yield genomes[start : start + CHUNK]
