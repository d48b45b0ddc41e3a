"""The depths that structures may have, apart: what the proof goes through under a limit on rho.

Whether depth is trainable depends on depths and widths together, and the relaxed problem mixes deep
and narrow structures with shallow and wide ones: its bound is loose. With every L given, n is given
too, the limit on rho is one on S alone, and the bound is as tight as under other budgets. There are
many combinations of depths, but at multipliers that are good for all of them few are worth more
than the best structure known, and these are found suffix by suffix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Genomes
from .bound import Options, Pairs, Relaxation, best_by

# Combinations of depths at a time, as numbers that their values by channels take; and such numbers
# added up at a time.
MAX_VALUES = 4_000_000
AT_A_TIME = 1_000_000


class Ways(NamedTuple):
    """n pairs (in, out) of a block with one L, sorted by in, and what each is worth at most, (n,)."""

    depth: int
    c_in: Genomes
    c_out: Genomes
    value: Floats


class Depths(NamedTuple):
    """N combinations of depths, (N, blocks), and the bound of what has them, (N,)."""

    depths: Genomes
    bounds: Floats


def of_chain(
    relaxation: Relaxation, chain: Sequence[Options], multipliers: Floats
) -> list[list[Ways]]:
    """For every block of a chain its ways at multipliers (R,), by depth."""
    result = []
    for i, options in enumerate(chain):
        value = relaxation.best(i, options, multipliers)[0]
        each = [np.flatnonzero(options.depth == depth) for depth in np.unique(options.depth)]
        result.append([_ways(options.where(at), value[at]) for at in each])
    return result


def of_space(relaxation: Relaxation, multipliers: Floats, need: float) -> list[list[Ways]]:
    """The same over all options of the space, less those that are not worth ``need``; multipliers:
    (R,).

    Raises:
        OutOfTime: the relaxation's deadline has passed.
    """
    result = []
    for i in range(len(relaxation.space.blocks)):
        by_depth: dict[int, list[Ways]] = {}
        for pairs in relaxation.all_pairs(i):
            for depth, ways in _best_of_pairs(relaxation, i, pairs, multipliers).items():
                by_depth.setdefault(depth, []).append(ways)
        result.append([_joined(parts) for parts in by_depth.values()])
    return _worth(result, relaxation.grid, need)


def _best_of_pairs(
    relaxation: Relaxation, i: int, pairs: Pairs, multipliers: Floats
) -> dict[int, Ways]:
    found: dict[int, Ways] = {}
    for options in relaxation.options(i, pairs):
        depth = int(options.depth[0])
        value = relaxation.best(i, options, multipliers)[0]
        if depth in found:
            value = np.maximum(value, found[depth].value)
        found[depth] = Ways(depth, pairs.c_in, pairs.c_out, value)
    return found


def _ways(options: Options, value: Floats) -> Ways:
    """Options of one depth, the best of each pair."""
    order = np.lexsort((-value, options.c_out, options.c_in))
    c_in, c_out = options.c_in[order], options.c_out[order]
    first = (np.diff(c_in, prepend=-1) != 0) | (np.diff(c_out, prepend=-1) != 0)
    return Ways(int(options.depth[0]), c_in[first], c_out[first], value[order][first])


def _joined(parts: list[Ways]) -> Ways:
    c_in, c_out = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    return Ways(parts[0].depth, c_in, c_out, np.concatenate([part.value for part in parts]))


def _worth(blocks: list[list[Ways]], grid: int, need: float) -> list[list[Ways]]:
    """The ways through which the best chain is worth more than ``need``."""
    before, rest = _before(blocks, grid), [np.zeros(grid)]
    for block in reversed(blocks):
        rest.append(np.max([_through(ways, rest[-1][None], grid)[0] for ways in block], axis=0))
    result = []
    for block, so_far, after in zip(blocks, before, rest[-2::-1], strict=True):
        kept = []
        for ways in block:
            keep = so_far[ways.c_in] + ways.value + after[ways.c_out] > need
            kept.append(Ways(ways.depth, ways.c_in[keep], ways.c_out[keep], ways.value[keep]))
        result.append([ways for ways in kept if len(ways.value)])
    return result


def _before(blocks: list[list[Ways]], grid: int) -> list[Floats]:
    """For every block the best sum of values in front of it, by its in; (grid,) each."""
    before = [np.where(np.arange(grid) == 0, 0.0, -np.inf)]
    for block in blocks[:-1]:
        reached = np.full(grid, -np.inf)
        for ways in block:
            order = np.argsort(ways.c_out, kind="stable")
            value = (before[-1][ways.c_in] + ways.value)[order]
            np.maximum(reached, best_by(ways.c_out[order], value, grid), out=reached)
        before.append(reached)
    return before


def _through(ways: Ways, rest: Floats, grid: int) -> Floats:
    """The best of a way and what follows it, by its in, for N combinations that follow; (N,
    grid)."""
    result = np.full((len(rest), grid), -np.inf)
    if len(ways.value):
        starts = np.flatnonzero(np.diff(ways.c_in, prepend=-1))
        step = max(1, AT_A_TIME // len(ways.value))
        for at in range(0, len(rest), step):
            values = ways.value + rest[at : at + step][:, ways.c_out]
            result[at : at + step, ways.c_in[starts]] = np.maximum.reduceat(values, starts, axis=1)
    return result


def combinations(relaxation: Relaxation, blocks: list[list[Ways]], need: float) -> Depths | None:
    """The combinations of depths with a chain worth more than ``need``, and the best of each; None
    where they are too many.

    Raises:
        OutOfTime: the relaxation's deadline has passed.
    """
    grid = relaxation.grid
    before, rest, depths = _before(blocks, grid), np.zeros((1, grid)), np.zeros((1, 0), np.int64)
    for block, so_far in zip(reversed(blocks), reversed(before), strict=True):
        longer, more, count = [], [], 0
        for ways in block:
            relaxation.deadline.check()
            values = _through(ways, rest, grid)
            keep = np.flatnonzero((values + so_far).max(axis=1) > need)
            longer.append(values[keep])
            more.append(np.insert(depths[keep], 0, ways.depth, axis=1))
            count += len(keep)
            if count * grid > MAX_VALUES:
                return None
        if not count:
            return Depths(np.zeros((0, len(blocks)), np.int64), np.zeros(0))
        rest, depths = np.concatenate(longer), np.concatenate(more)
    return Depths(depths, rest[:, 0])
