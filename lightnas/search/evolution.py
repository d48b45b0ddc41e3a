"""Evolution over integer genomes by ask and tell: it knows integers, bounds and scores, and nothing
of networks.

    evolution = Evolution(low, high, rng)
    evolution.tell(first_genomes, scores, feasible)   # at least one feasible genome: offspring need parents
    while ...:
        genomes = evolution.ask(n)                    # (n, D): may be moved (repaired) before they are told
        evolution.tell(genomes, scores, feasible)

A steady population keeps the best distinct genomes seen. An offspring is a crossover of two
parents, then a mutation whose steps shrink from coarse to fine over ``anneal`` generations.
Everything random comes from the one generator handed in, so the same seed gives the same genomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Flags, Floats, Genomes


@dataclass(frozen=True)
class Settings:
    """How evolution behaves.

    population: genomes kept.
    mutated_genes: genes that mutate in an offspring, on average.
    coarsest: the largest mutation step of the first generation, as a share of a gene's range.
    anneal: generations in which the largest step halves eight times.
    crossover: share of the offspring that have two parents.
    """

    population: int = 128
    mutated_genes: float = 4.0
    coarsest: float = 0.25
    anneal: int = 200
    crossover: float = 0.8


class Evolution:
    """A population of at most ``settings.population`` distinct feasible genomes, best first.

    Attributes:
        genomes: (N, D) integers, ``low <= genome <= high``.
        scores: (N,), falling; equal scores stand in the order in which they were met.
        generation: how often ``tell`` was called.
    """

    def __init__(
        self,
        low: Genomes,
        high: Genomes,
        rng: np.random.Generator,
        settings: Settings = Settings(),
    ) -> None:
        self.low, self.high = low, high
        self.rng = rng
        self.settings = settings
        self.genomes: Genomes = np.empty((0, len(low)), np.int64)
        self.scores: Floats = np.empty(0)
        self.generation = 0

    def ask(self, n: int) -> Genomes:
        """n offspring of the population, shape (n, D), inside the bounds.

        Raises:
            ValueError: nothing feasible was told yet, so there are no parents.
        """
        if not len(self.genomes):
            raise ValueError("tell a feasible genome first: offspring need parents")
        return self._mutate(self._cross(self._parents(n), self._parents(n)))

    def tell(self, genomes: Genomes, scores: Floats, feasible: Flags) -> int:
        """Merge scored genomes into the population; returns how many distinct ones were new and
        stayed."""
        self.generation += 1
        before = len(self.genomes)
        if before == self.settings.population:  # what is no better than the last one stays outside
            feasible = feasible & (scores > self.scores[-1])
        merged = np.concatenate([self.genomes, genomes[feasible]])
        merged_scores = np.concatenate([self.scores, scores[feasible]])
        _, first = np.unique(merged, axis=0, return_index=True)
        first.sort()
        best = first[np.argsort(-merged_scores[first], kind="stable")][: self.settings.population]
        self.genomes, self.scores = merged[best], merged_scores[best]
        return int((best >= before).sum())

    def state(self) -> dict[str, Any]:
        """Everything that decides what comes next, but for the bounds and settings."""
        return {
            "genomes": self.genomes,
            "scores": self.scores,
            "generation": self.generation,
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a ``state``."""
        self.genomes, self.scores = state["genomes"], state["scores"]
        self.generation = state["generation"]
        self.rng.bit_generator.state = state["rng"]

    def _parents(self, n: int) -> Genomes:
        """Tournament of two: the population is sorted, so the smaller of two ranks wins."""
        ranks = self.rng.integers(len(self.genomes), size=(2, n)).min(axis=0)
        parents: Genomes = self.genomes[ranks]
        return parents

    def _cross(self, mothers: Genomes, fathers: Genomes) -> Genomes:
        """Two-point crossover, so that neighbouring genes travel together; a share of the offspring
        is not crossed."""
        n, d = mothers.shape
        cuts = np.sort(self.rng.integers(d + 1, size=(2, n)), axis=0)[:, :, None]
        columns = np.arange(d)
        crossed: Flags = np.less(self.rng.random(n), self.settings.crossover)
        from_father = (columns >= cuts[0]) & (columns < cuts[1]) & crossed[:, None]
        return np.where(from_father, fathers, mothers)

    def _mutate(self, genomes: Genomes) -> Genomes:
        """Move some genes of every genome up or down by 1 to the generation's largest step."""
        n, d = genomes.shape
        free: Flags = np.greater(self.high, self.low)
        rate = min(1.0, self.settings.mutated_genes / max(1, free.sum()))
        chosen = (self.rng.random((n, d)) < rate) & free
        log_uniform = self._largest_steps() ** self.rng.random((n, d))
        steps = np.floor(log_uniform).astype(np.int64)
        signs = self.rng.choice((-1, 1), size=(n, d))
        return np.clip(genomes + np.where(chosen, signs * steps, 0), self.low, self.high)

    def _largest_steps(self) -> Floats:
        """Largest step of every gene, shape (D,): from ``coarsest`` of its range down to 1, by
        halves."""
        share = self.settings.coarsest * 0.5 ** (8 * self.generation / self.settings.anneal)
        largest: Floats = np.maximum(2.0, share * (self.high - self.low))
        return largest
