"""What a search solves: a space, budgets, an input size and the weights of the score.

maximise score(structure) over the space, with flops, params and layers within their budgets
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from ..arrays import Flags, Floats, Genomes
from ..errors import InputError
from ..network.blocks import Block
from ..network.cost import INPUT_SIZE, RESOURCES, Cost, Latencies, cost
from ..network.entropy import ALPHA, entropies, score
from ..units import format_count, format_resource, format_seconds, format_size
from .space import Space

# Arrays of this many structures stay in the cache; larger ones are slower a structure.
CHUNK = 8192


class Evaluation(NamedTuple):
    """Score and cost of N structures, each an array of shape (N,)."""

    score: Floats
    flops: Floats
    params: Floats
    layers: Floats
    latency: Floats


@dataclass(frozen=True)
class Budget:
    """Upper limits; None: unlimited. FLOPs in multiply-accumulates at the problem's input size, latency in seconds."""

    flops: float | None = None
    params: float | None = None
    layers: float | None = None
    latency: float | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in RESOURCES):
            raise InputError(f"no budget: expected at least one of {', '.join(RESOURCES)}")
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

    ``space`` is the user's; ``searched`` is what the layer budget leaves of it. ``table`` gives the latencies; without one
    they are 0 and cannot be limited.
    """

    space: Space
    budget: Budget
    input_size: tuple[int, int] = INPUT_SIZE
    alpha: tuple[float, ...] = ALPHA
    table: Latencies | None = None

    def __post_init__(self) -> None:
        if self.table:
            for blocks in self.space.every_kernel():
                self.table.require(blocks, self.input_size)
        elif self.budget.latency is not None:
            raise InputError("a latency budget without a latency table, expected --latency-table of `lightnas profile`")
        least = self.evaluate(self.searched.smallest[None])
        for name, limit in self.budget.limits().items():
            smallest = float(getattr(least, name)[0])
            if smallest > limit:
                flops, params, layers = (format_count(float(value[0]), digits=15) for value in least[1:4])
                latency = f", {format_seconds(float(least.latency[0]))}" if self.table else ""
                shown = partial(format_resource, name)
                raise InputError(
                    f"budget {name} is {shown(limit)}, expected at least {shown(smallest, digits=15)}: the "
                    f"smallest structure of space {self.space.name} at {format_size(self.input_size)} has {flops} FLOPs, "
                    f"{params} params, {layers} layers{latency}"
                )

    @cached_property
    def searched(self) -> Space:
        """The space with the depth limits that the layer budget sets."""
        return self.space.under_layers(self.budget.layers)

    @cached_property
    def limits(self) -> dict[str, float]:
        """The budgets there are, by resource."""
        return self.budget.limits()

    @property
    def resources(self) -> tuple[str, ...]:
        """What is known of a structure: latency only with a table."""
        return RESOURCES if self.table else tuple(name for name in RESOURCES if name != "latency")

    def evaluate(self, genomes: Genomes) -> Evaluation:
        """Score, FLOPs, params and layers of a population of shape (N, D), CHUNK structures at a time."""
        parts = [self._evaluate_chunk(chunk) for chunk in chunks(genomes)]
        return Evaluation(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _evaluate_chunk(self, genomes: Genomes) -> Evaluation:
        return evaluate_blocks(self.searched.decode(genomes), self.input_size, self.alpha, self.table)

    def feasible(self, evaluation: Evaluation) -> Flags:
        """Which structures are within every budget, shape (N,)."""
        within = np.ones(len(evaluation.score), bool)
        for name, limit in self.limits.items():
            within &= getattr(evaluation, name) <= limit
        return within


def evaluate_blocks(
    blocks: tuple[Block, ...],
    input_size: tuple[int, int] = INPUT_SIZE,
    alpha: tuple[float, ...] = ALPHA,
    table: Latencies | None = None,
) -> Evaluation:
    """Score and cost of one chain of blocks; its sizes are arrays of shape (N,), or numbers for one structure."""
    of_chain: Cost = cost(blocks, input_size, table)
    values = (score(entropies(blocks), alpha), *of_chain)
    return Evaluation(*np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, float)) for value in values)))


def chunks(genomes: Genomes) -> Iterator[Genomes]:
    """The population in pieces of at most CHUNK rows, at least one."""
    for start in range(0, max(1, len(genomes)), CHUNK):
        yield genomes[start : start + CHUNK]
