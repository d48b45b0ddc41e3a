"""Partial structures that grow by a block: which pairs of a label and a choice may still beat the best.

The relaxed value of a pair is a sum of two numbers, and pairs have to agree in a channel count. So
choices are sorted once, by channels and by falling value, and what a label may be joined with is a
prefix of those of its channels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Genomes

# Halvings in the look for a threshold that leaves few enough pairs.
HALVINGS = 12


class Pairs(NamedTuple):
    """n labels and the choice that each is joined with, as indices, (n,)."""

    label: Genomes
    choice: Genomes


class Pairing:
    """All pairs of labels and choices of one block, by their relaxed value.

    Attributes:
        most: the largest value; -inf where nothing can be joined.
    """

    def __init__(self, at: Genomes, labels: Floats, c_in: Genomes, ends: Floats) -> None:
        """``at``, ``labels``: out of every label and its relaxed value, (labels,).

        ``c_in``, ``ends``: in of every choice, sorted, and its relaxed value with the best
        completion, (choices,).
        """
        self.labels = labels
        self.order = np.lexsort((-ends, c_in))
        minus_ends = -ends[self.order]
        self.starts = np.searchsorted(c_in, at)
        self.groups: list[tuple[Genomes, Floats]] = []
        self.most = -np.inf
        for c in np.unique(at):
            start, end = np.searchsorted(c_in, [c, c + 1])
            if start < end:
                rows, of_group = np.flatnonzero(at == c), minus_ends[start:end]
                self.groups.append((rows, of_group))
                self.most = max(self.most, float(labels[rows].max() - of_group[0]))

    def lengths(self, threshold: float) -> Genomes:
        """With how many choices each label has a value above the threshold, (labels,)."""
        found = np.zeros(len(self.labels), np.int64)
        for rows, of_group in self.groups:
            found[rows] = np.searchsorted(of_group, self.labels[rows] - threshold)
        return found

    def between(self, fewer: Genomes, more: Genomes) -> Pairs:
        """The pairs of each label from its choice ``fewer`` to that before ``more``, each (labels,)."""
        count = more - fewer
        label = np.repeat(np.arange(len(count)), count)
        within = np.arange(len(label)) - np.repeat(np.cumsum(count) - count, count)
        return Pairs(label, self.order[self.starts[label] + fewer[label] + within])

    def few(self, need: float, most: int, kept: int) -> tuple[Genomes, bool]:
        """The lengths at ``need``, (labels,), and whether all pairs are in them: only the ``kept``
        most promising where there are more than ``most``."""
        lengths = self.lengths(need)
        if lengths.sum() <= most:
            return lengths, True
        low, high, lengths = need, self.most, np.zeros_like(lengths)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            found = self.lengths(middle)
            if found.sum() > kept:
                low = middle
            else:
                high, lengths = middle, found
        return lengths, False

    def best(self, need: float, most: int) -> tuple[Pairs, bool]:
        """The pairs of a value above ``need``, and whether these are all, as for ``few``."""
        lengths, every = self.few(need, most, most)
        return self.between(np.zeros_like(lengths), lengths), every
