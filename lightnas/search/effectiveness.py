"""A limit on rho, depth over mean width, in bound and proof.

Where stage i ends, n convolutions have brought S nats (``network.entropy.effectiveness``), and

    rho_i = n exp(-2 S / n) <= R    is    f(n) := n log(n / R) <= 2 S

f is convex, so it lies above its tangent at any t > 0, f(n) >= (1 + log(t / R)) n - t, and what is
within the limit meets the cut

    sum over the blocks to the end of stage i of  [(1 + log(t / R)) n_b - 2 h_b] / t  <=  1

A cut is a sum over blocks like any budget, counted in shares of it: it gets a multiplier in the
relaxed problem, whose optimum over the chain stays exact, since h_b is linear in log btn. At n = t
the cut is the limit itself. So one cut a stage end is enough, its tangent t moved to the n of the
relaxed problem's maximiser; the proof halves depths first, after which n is no longer free; and
what it lists carries (n, S) and is filtered by rho itself.

Multipliers (R,) of budgets become, with a limit on rho, an array (R + 2 E,) for E stage ends: those
of the budgets, those of the cuts, and the tangents. It says all that theta depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Flags, Floats, Genomes
from ..network.blocks import Block
from ..network.cost import block_cost
from ..network.entropy import block_entropy
from ..network.stages import STAGES, stage_ends
from .objective import Objective

# A label's rho may exceed the limit by rounding; the exact evaluation decides.
SLACK = 1e-9


@dataclass(frozen=True)
class RhoLimit:
    """A limit on rho in a space.

    Attributes:
        limit: R.
        stages: the stage of every block, from 0; ``closes``: whether a stage ends with it.
        most: convolutions and entropy of the deepest and widest structure at the stage ends, (2,
            E).
        layers: convolutions of every block with one layer, and of each layer more; (2, blocks).
    """

    limit: float
    stages: tuple[int, ...]
    closes: tuple[bool, ...]
    most: Floats
    layers: Floats

    @classmethod
    def of(cls, problem: Objective) -> RhoLimit | None:
        """The limit of a problem; None where it has none."""
        limit = problem.limits.get("rho")
        if limit is None:
            return None
        space = problem.searched
        ends = stage_ends([block.stride for block in space.blocks])
        stages = tuple(int(stage) for stage in np.searchsorted(ends, range(len(space.blocks))))
        widest = max(space.max_channels, space.c_in)
        largest = [
            Block(b.kind, widest, widest, max(b.kernels), b.stride, b.depth[1], widest)
            for b in space.blocks
        ]
        each = [(convolutions(block), float(np.max(block_entropy(block)))) for block in largest]
        most = np.cumsum(each, axis=0)[ends].T
        closes = tuple(i in ends for i in range(len(stages)))
        one, two = (
            np.array([convolutions(replace(block, depth=depth)) for block in largest])
            for depth in (1, 2)
        )
        return cls(limit, stages, closes, most, np.stack([one, two - one]))

    # --- multipliers -------------------------------------------------------------------------------------------

    def worth(self, i: int, trained: Floats, multipliers: Floats) -> tuple[Floats, Floats]:
        """What the cuts give to n options of block i, or take: for 1 and for log btn, (n,) each.

        Args:
            trained: convolutions, and the coefficients of 1 and log btn in h; (3, n).
            multipliers: (R + 2 E,).
        """
        each, tangents = self._cuts(multipliers)
        ahead = slice(self.stages[i], None)
        per_nat = 2 * float((each / tangents)[ahead].sum())
        per_layer = float((each * self._slopes(tangents) / tangents)[ahead].sum())
        n, h, log_btn = trained
        return per_nat * h - per_layer * n, per_nat * log_btn

    def at(self, lambdas: Floats, tangents: Floats) -> Floats:
        """Multipliers (R + 2 E,) of those of budgets and cuts, (R + E,), and of tangents (E,)."""
        return np.concatenate([lambdas, tangents])

    def moved(self, multipliers: Floats, tangents: Floats) -> Floats:
        """Multipliers (R + 2 E,) that weigh entropy as these do, with other tangents (E,)."""
        each, before = self._cuts(multipliers)
        budgets = multipliers[: -2 * STAGES]
        return np.concatenate([budgets, each * tangents / before, tangents])

    def ends_of(self, depths: Genomes) -> Floats:
        """Convolutions where stages end, (N, E), of combinations of depths, (N, blocks)."""
        one, more = self.layers
        layers: Floats = np.cumsum(one + (depths - 1) * more, axis=1)
        return layers[:, np.array(self.closes)]

    def lambdas(self, multipliers: Floats) -> Floats:
        """Those of budgets and cuts, (R + E,), without the tangents."""
        return multipliers[:-STAGES]

    def tangents(self, multipliers: Floats) -> Floats:
        """Where the cuts touch, (E,)."""
        return multipliers[-STAGES:]

    def _cuts(self, multipliers: Floats) -> tuple[Floats, Floats]:
        return multipliers[-2 * STAGES : -STAGES], multipliers[-STAGES:]

    def _slopes(self, tangents: Floats) -> Floats:
        return 1 + np.log(tangents / self.limit)

    def slope(self, multipliers: Floats) -> float:
        """What a limit larger by 1 would add, at the slope of the bound at multipliers (R + 2 E,):
        a cut's derivative by R is n / (t R), and n is t where the tangents are best."""
        return float(self._cuts(multipliers)[0].sum() / self.limit)

    # --- shares ------------------------------------------------------------------------------------------------

    def shares(self, reach: Floats, tangents: Floats) -> Floats:
        """How much of each cut, (E,), a structure uses whose stages end with (n, S) of reach, (2,
        E); tangents: (E,)."""
        n, s = reach
        shares: Floats = (self._slopes(tangents) * n - 2 * s) / tangents
        return shares

    def of_block(self, i: int, reach: Floats, tangents: Floats) -> Floats:
        """What choices of block i use of each cut, (n, E); reach: (n, 2), their n and h."""
        n, h = reach.T[:, :, None]
        after = np.arange(STAGES) >= self.stages[i]
        shares: Floats = after * (self._slopes(tangents) * n - 2 * h) / tangents
        return shares

    def terms(self, multipliers: Floats) -> float:
        """What the terms of the cuts at multipliers, (R + 2 E,), add up to without their signs, at
        most: rounding is a share of it."""
        each, tangents = self._cuts(multipliers)
        n, s = self.most
        of_cuts = 1 + (np.abs(self._slopes(tangents)) * n + 2 * s) / tangents
        return float(each @ of_cuts)

    def within(self, i: int, reach: Floats) -> Flags:
        """Which partial structures, with n and S in reach, (N, 2), may go on behind block i: all,
        but where a stage ends, those within the limit; (N,)."""
        if not self.closes[i]:
            return np.ones(len(reach), bool)
        n, s = reach.T
        fits: Flags = n * np.exp(-2 * s / n) <= self.limit * (1 + SLACK)
        return fits

    def at_ends(self, each: Floats) -> Floats:
        """(n, S) where stages end, (2, E), of what every block of a chain adds, (blocks, 2)."""
        ends: Floats = np.cumsum(each, axis=0)[np.array(self.closes)].T
        return ends

    def reach_of(self, blocks: Sequence[Block]) -> Floats:
        """(n, S) where the stages of a structure end, (2, E); its sizes are numbers or of shape
        (1,)."""
        each = [(convolutions(b), float(np.max(block_entropy(b)))) for b in blocks]
        return self.at_ends(np.array(each))


def convolutions(block: Block) -> float:
    """Of a block on its main path."""
    return float(np.max(block_cost(block, (1, 1))[0].layers))
