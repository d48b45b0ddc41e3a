"""The relaxed problem over a whole space, whose options would not fit in memory all at once.

They are met piece by piece, and what is kept is a number a pair (in, out) at most. For a fixed btn
the value of an option is linear in L, so its maximum over L and btn lies at an end of L: what is
best needs no L between.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from ..arrays import Floats
from .bound import Best, Options, Pairs, Relaxation, best_by, join_options, nonzero
from .deadline import OutOfTime

# Options of the whole space in memory at a time, and options looked at for them: beyond either, the
# proof ends with the bound of the whole space.
MAX_OPTIONS = 1_000_000
MAX_SCANNED = 100_000_000
# Options of the few channel counts that find good multipliers.
MAX_COARSE = 400_000


# --- few channel counts ------------------------------------------------------------------------------------------


def coarse_chain(relaxation: Relaxation) -> list[Options]:
    """Options over few channel counts, about 12 % apart: enough to find good multipliers.

    Where growth leaves no way between these, all of them; where those are too many, those of random
    structures.
    """
    kept = np.zeros(relaxation.grid, bool)
    value = 1.0
    while value < relaxation.grid:
        kept[int(value)] = True
        value = max(value + 1, value * 1.12)
    space = relaxation.space
    chain = [
        nonzero(pairs & kept & (kept[:, None] if i else True))
        for i, pairs in enumerate(space.pairs)
    ]
    if not _connected(chain):
        ends = [int(pairs.sum()) for pairs in space.pairs]
        few = _count(relaxation, ends) <= MAX_COARSE
        chain = [nonzero(pairs) for pairs in space.pairs] if few else []
    if not chain or _count(relaxation, [len(pairs.c_in) for pairs in chain]) > MAX_COARSE:
        chain = _of_random_structures(relaxation)
    return [
        join_options(list(relaxation.options(i, pairs, ends=True))) for i, pairs in enumerate(chain)
    ]


def _count(relaxation: Relaxation, pairs: list[int]) -> int:
    """Options at the ends of L of so many pairs a block."""
    blocks = zip(pairs, relaxation.space.blocks, strict=True)
    return sum(n * len(block.kernels) * len(set(block.depth)) for n, block in blocks)


def _of_random_structures(relaxation: Relaxation) -> list[Pairs]:
    space = relaxation.space
    n = max(1, MAX_COARSE // _count(relaxation, [1] * len(space.blocks)))
    genomes = np.concatenate([space.random(np.random.default_rng(0), n), space.smallest[None]])
    chain, c_in = [], np.zeros(len(genomes), np.int64)
    for i in range(len(space.blocks)):
        c_out = genomes[:, space.genes.index((i, "out"))]
        met = np.unique(np.stack([c_in, c_out], axis=1), axis=0)
        chain.append(Pairs(met[:, 0], met[:, 1]))
        c_in = c_out
    return chain


def _connected(chain: list[Pairs]) -> bool:
    reached = np.array([0])
    for c_in, c_out in chain:
        reached = np.unique(c_out[np.isin(c_in, reached)])
    return len(reached) > 0


# --- all of them -------------------------------------------------------------------------------------------------


def maximise_whole(relaxation: Relaxation, multipliers: Floats) -> Best:
    """``Relaxation.maximise`` at multipliers (R,) over all options of the space.

    Raises:
        OutOfTime: the relaxation's deadline has passed.
    """
    space, grid = relaxation.space, relaxation.grid
    rest = [np.zeros(grid)]
    for i in reversed(range(len(space.blocks))):
        best = np.full(grid, -np.inf)
        for pairs in relaxation.all_pairs(i):
            value = _best_of_pairs(relaxation, i, pairs, multipliers) + rest[-1][pairs.c_out]
            np.maximum(best, best_by(pairs.c_in, value, grid), out=best)
        rest.append(best)
    rest.reverse()
    chain, here = [], 0
    for i, pairs_of in enumerate(space.pairs):
        c_out = np.flatnonzero(pairs_of[here])
        options = join_options(
            list(relaxation.options(i, Pairs(np.full_like(c_out, here), c_out), ends=True))
        )
        value = relaxation.best(i, options, multipliers)[0] + rest[i + 1][options.c_out]
        at = np.argmax(value)
        chain.append(options.where(np.array([at])))
        here = int(options.c_out[at])
    return relaxation.maximise(chain, multipliers)


def narrowed(
    relaxation: Relaxation, low: dict[tuple[int, str], int], high: dict[tuple[int, str], int]
) -> Relaxation:
    """The relaxation of the part of the space whose depths lie between the genes ``low`` and
    ``high``."""
    space = relaxation.space
    blocks = (
        replace(block, depth=(low[i, "L"], high[i, "L"])) if (i, "L") in low else block
        for i, block in enumerate(space.blocks)
    )
    part = copy(relaxation)
    part.space = replace(space, blocks=tuple(blocks))
    return part


def survivors(
    relaxation: Relaxation, multipliers: Floats, target: float
) -> tuple[float, list[Options] | None]:
    """theta over the whole space at multipliers (R,), a bound, and the options of every block
    through which it beats the target.

    None where those that are left would be more than MAX_OPTIONS, or too many to look at, or where
    time runs out on the way.

    Raises:
        OutOfTime: the relaxation's deadline has passed before theta was known.
    """
    blocks = range(len(relaxation.space.blocks))
    best: list[list[Floats]] = []  # of every pair (in, out), in pieces, over k, L and btn
    for i in blocks:
        pieces = relaxation.all_pairs(i)
        best.append([_best_of_pairs(relaxation, i, pairs, multipliers) for pairs in pieces])
    rest = _rest(relaxation, best)
    theta = float(rest[0][0] + relaxation.lambdas(multipliers).sum())
    rounding = relaxation.rounding(theta, multipliers)
    try:
        chain = _beating(relaxation, multipliers, target - rounding, best, rest)
    except OutOfTime:
        chain = None
    return theta + rounding, chain


def _rest(relaxation: Relaxation, best: list[list[Floats]]) -> list[Floats]:
    """For every block, the best sum of values from it to the end, by its in; then zeros."""
    rest = [np.zeros(relaxation.grid)]
    for i in reversed(range(len(best))):
        column = np.full(relaxation.grid, -np.inf)
        for pairs, value in zip(relaxation.all_pairs(i), best[i], strict=True):
            through = value + rest[-1][pairs.c_out]
            np.maximum(column, best_by(pairs.c_in, through, relaxation.grid), out=column)
        rest.append(column)
    return rest[::-1]


def _beating(
    relaxation: Relaxation,
    multipliers: Floats,
    least: float,
    best: list[list[Floats]],
    rest: list[Floats],
) -> list[Options] | None:
    """The options of every block through which the relaxed problem is worth more than ``least``;
    None where they are too many."""
    chain, count, scanned = [], 0, 0
    before = np.zeros(relaxation.grid)
    for i, values in enumerate(best):
        kept: list[Options] = []
        after_block = np.full(relaxation.grid, -np.inf)
        for pairs, value in zip(relaxation.all_pairs(i), values, strict=True):
            so_far = value + before[pairs.c_in]
            order = np.argsort(pairs.c_out, kind="stable")
            reached = best_by(pairs.c_out[order], so_far[order], relaxation.grid)
            np.maximum(after_block, reached, out=after_block)
            through = so_far + rest[i + 1][pairs.c_out] + relaxation.lambdas(multipliers).sum()
            at = np.flatnonzero(through > least)
            scanned += len(at) * relaxation.each_pair(i)
            if scanned > MAX_SCANNED:
                return None
            # With another k or L than its best: as much below the best through the pair as its own
            # value is.
            below = through[at] - value[at]
            chosen = Pairs(pairs.c_in[at], pairs.c_out[at])
            for options in relaxation.options(i, chosen) if len(at) else ():
                worth = below + relaxation.best(i, options, multipliers)[0]
                kept.append(options.where(worth > least))
                count += len(kept[-1])
                if count > MAX_OPTIONS:
                    return None
        values.clear()
        before = after_block
        chain.append(join_options(kept) if kept else _none(relaxation, i))
    return chain


def _none(relaxation: Relaxation, i: int) -> Options:
    """No option of a block: nothing beats the target, and an empty chain closes the root at
    once."""
    pairs = next(relaxation.all_pairs(i))
    options = next(relaxation.options(i, Pairs(pairs.c_in[:1], pairs.c_out[:1])))
    return options.where(np.zeros(1, bool))


def _best_of_pairs(relaxation: Relaxation, i: int, pairs: Pairs, multipliers: Floats) -> Floats:
    """Largest value of block i over k, L and btn for each pair (in, out), (n,)."""
    best = np.full(len(pairs.c_in), -np.inf)
    for options in relaxation.options(i, pairs, ends=True):
        np.maximum(best, relaxation.best(i, options, multipliers)[0], out=best)
    return best
