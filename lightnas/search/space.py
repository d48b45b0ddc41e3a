"""A search space: which structures there are, and the integer genomes that stand for them.

A genome is a row of integers; for every block in turn it holds, as far as the block has them,

    out   channels, counted in steps of ``space.step``
    k     index into the block's kernels
    L     depth: number of layers, the first one included
    btn   bottleneck channels, counted in steps of ``space.step``

so a population is an integer array of shape ``(N, D)``. Space files are read by ``space_file.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Flags, Genomes
from ..errors import InputError
from ..network.blocks import BLOCKS, Block, Size
from ..network.structure import MAX_DEPTH, Structure
from ..units import format_count

# A ratio such as 0.1 is no exact float: 0.1 * 70 exceeds 7. The bounds below allow for that.
_SLACK = 1e-9


@dataclass(frozen=True)
class BlockSpace:
    """The choices of one block.

    ``out`` in channels; ``growth`` bounds out / in and ``btn`` bounds btn / out (None: unbounded,
    or no btn). ``layers_per_depth``: under a layer budget the depth may reach layers //
    layers_per_depth instead of depth[1].
    """

    kind: str
    stride: int
    kernels: tuple[int, ...]
    out: tuple[int, int]
    growth: tuple[float, float] | None = None
    depth: tuple[int, int] = (1, 1)
    btn: tuple[float, float] | None = None
    layers_per_depth: int | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of this block's genes, in genome order."""
        return tuple(key for key in ("out", "k", "L", "btn") if key in BLOCKS[self.kind].keys)


@dataclass(frozen=True)
class Space:
    """Blocks from the stem to the last stage; channels are multiples of ``step`` up to
    ``max_channels``.

    Raises:
        InputError: the bounds of a block leave it no channels beside those of its neighbours.
    """

    name: str
    c_in: int
    step: int
    max_channels: int
    blocks: tuple[BlockSpace, ...]
    initial: Structure | None = None

    def __post_init__(self) -> None:
        for i, pairs in enumerate(self.pairs):
            if not pairs.any():
                raise InputError(
                    f"space {self.name}: blocks[{i}]: no out fits growth, btn and the blocks around it"
                )

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the fields alone. The tables derived from them are large, and workers do
        not need them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def under_layers(self, budget: float | None) -> Space:
        """The space that a layer budget leaves: depth limits given as a share of the layers are set
        by it.

        Raises:
            InputError: one of them would be beyond what a structure may have.
        """
        if budget is None:
            return self
        blocks = []
        for i, block in enumerate(self.blocks):
            if per := block.layers_per_depth:
                low = block.depth[0]
                if budget >= (MAX_DEPTH + 1) * per:
                    raise InputError(
                        f"budget layers is {format_count(budget)}, expected at most "
                        f"{(MAX_DEPTH + 1) * per - 1}: blocks[{i}].L of space {self.name} may reach a "
                        f"{per}th of it, and {MAX_DEPTH} at most"
                    )
                block = replace(block, depth=(low, max(low, int(budget) // block.layers_per_depth)))
            blocks.append(block)
        return replace(self, blocks=tuple(blocks))

    # --- genes --------------------------------------------------------------------------------------------------

    @cached_property
    def genes(self) -> tuple[tuple[int, str], ...]:
        """(block, key) of every column of a genome."""
        return tuple((i, key) for i, block in enumerate(self.blocks) for key in block.keys)

    @cached_property
    def bounds(self) -> tuple[Genomes, Genomes]:
        """Smallest and largest value of every gene, each of shape (D,)."""
        ranges = np.array([self._gene_range(i, key) for i, key in self.genes])
        return ranges[:, 0], ranges[:, 1]

    def _gene_range(self, i: int, key: str) -> tuple[int, int]:
        block = self.blocks[i]
        if key == "k":
            return 0, len(block.kernels) - 1
        if key == "L":
            return block.depth
        outs = np.flatnonzero(self.pairs[i].any(axis=0))
        if key == "out":
            return int(outs[0]), int(outs[-1])
        low, high = self.btn_range(i)
        return int(low[outs].min()), int(high[outs].max())

    # --- channels, counted in steps ------------------------------------------------------------------------------

    @cached_property
    def pairs(self) -> list[Flags]:
        """For every block, which (in, out) some structure has; (grid, grid), for the stem (1,
        grid)."""
        chain = [self._pairs_of(i) for i in range(len(self.blocks))]
        reached: Flags = np.ones(1, bool)
        for pairs in chain:  # keep what the stem leads to ...
            pairs &= reached[:, None]
            reached = np.any(pairs, axis=0)
        leads_on: Flags = np.ones_like(reached)
        for pairs in reversed(chain):  # ... and what leads on to the end
            pairs &= leads_on
            leads_on = np.any(pairs, axis=1)
        return chain

    def _pairs_of(self, i: int) -> Flags:
        """The pairs (in, out) that block i allows by itself."""
        block = self.blocks[i]
        steps = np.arange(self.max_channels // self.step + 1)
        allowed = (
            (steps > 0) & (steps * self.step >= block.out[0]) & (steps * self.step <= block.out[1])
        )
        if block.btn:
            low, high = self.btn_range(i)
            allowed &= low <= high
        c_in = np.array([self.c_in / self.step]) if i == 0 else steps
        pairs = np.repeat(allowed[None], len(c_in), axis=0)
        if block.growth:
            pairs &= steps >= block.growth[0] * c_in[:, None] - _SLACK
            pairs &= steps <= block.growth[1] * c_in[:, None] + _SLACK
        return pairs

    def btn_range(self, i: int) -> tuple[Genomes, Genomes]:
        """Smallest and largest btn of block i for an out of 0, 1, 2 ... steps; each of shape
        (grid,)."""
        steps = np.arange(self.max_channels // self.step + 1)
        low, high = self.blocks[i].btn or (1, 1)
        at_least = np.maximum(1, np.ceil(low * steps - _SLACK))
        at_most = np.minimum(steps[-1], np.floor(high * steps + _SLACK))
        return at_least.astype(np.int64), at_most.astype(np.int64)

    @cached_property
    def _nearest_out(self) -> list[NDArray[np.int16]]:
        """For every block, the allowed out nearest to a wanted one, by (in, wanted); -1 where in
        has none."""
        return [_nearest_set(pairs) for pairs in self.pairs]

    def every_kernel(self) -> list[tuple[Block, ...]]:
        """Chains of tiny blocks that between them have every kernel: what the space asks of a
        latency table."""
        chains = []
        for n in range(max(len(block.kernels) for block in self.blocks)):
            # Where a block has fewer kernels than another, its last one stands in.
            kernels = [block.kernels[: n + 1][-1] for block in self.blocks]
            chains.append(
                tuple(
                    Block(block.kind, 1, 1 + (i == 0), k, block.stride, depth=2, btn=1)
                    for i, (block, k) in enumerate(zip(self.blocks, kernels, strict=True))
                )
            )
        return chains

    # --- populations --------------------------------------------------------------------------------------------

    def repair(self, genomes: Genomes) -> Genomes:
        """The genomes, shape (N, D), with every gene moved to the nearest value that the genes
        before it allow."""
        columns = dict(zip(self.genes, np.clip(genomes, *self.bounds).T, strict=True))
        c_in = np.zeros(len(genomes), np.int64)
        for i, block in enumerate(self.blocks):
            c_in = columns[i, "out"] = self._nearest_out[i][c_in, columns[i, "out"]].astype(
                np.int64
            )
            if block.btn:
                low, high = self.btn_range(i)
                columns[i, "btn"] = np.clip(columns[i, "btn"], low[c_in], high[c_in])
        return np.stack([columns[gene] for gene in self.genes], axis=1)

    def random(self, rng: np.random.Generator, n: int) -> Genomes:
        """n genomes of the space, shape (n, D): channels grow by log-uniform steps, so every scale
        is met."""
        low, high = self.bounds
        genomes = rng.integers(low, high + 1, size=(n, len(low)))
        for column, (_, key) in enumerate(self.genes):
            if key in ("out", "btn"):
                spread = rng.uniform(np.log(low[column]), np.log(high[column]), size=n)
                genomes[:, column] = np.rint(np.exp(spread))
        return self.repair(genomes)

    @cached_property
    def smallest(self) -> Genomes:
        """The genome of shape (D,) that is smallest in every gene; so mostly in cost too, see
        ``feasible``.

        There is one: where two structures obey growth and btn bounds, their gene-by-gene minimum
        does too.
        """
        low, _ = self.bounds
        columns = dict(zip(self.genes, low, strict=True))
        c_in = 0
        for i, block in enumerate(self.blocks):
            c_in = columns[i, "out"] = int(np.argmax(self.pairs[i][c_in]))
            if block.btn:
                columns[i, "btn"] = self.btn_range(i)[0][c_in]
        return np.array([columns[gene] for gene in self.genes])

    def decode(self, genomes: Genomes) -> tuple[Block, ...]:
        """The population, shape (N, D), as one chain of blocks whose sizes are arrays of shape
        (N,)."""
        columns = dict(zip(self.genes, genomes.T.astype(float), strict=True))
        c_in: Size = self.c_in
        blocks = []
        for i, block in enumerate(self.blocks):
            kernels = np.array(block.kernels, float)
            c_out = columns[i, "out"] * self.step
            blocks.append(
                Block(
                    kind=block.kind,
                    c_in=c_in,
                    c_out=c_out,
                    k=kernels[genomes[:, self.genes.index((i, "k"))]],
                    stride=block.stride,
                    depth=columns.get((i, "L"), 1),
                    btn=columns[i, "btn"] * self.step if block.btn else 0,
                )
            )
            c_in = c_out
        return tuple(blocks)

    def structures(self, genomes: Genomes) -> list[Structure]:
        """The population, shape (N, D), as N structures with integer sizes."""
        columns = self.decode(genomes)
        return [Structure(tuple(_row(block, n) for block in columns)) for n in range(len(genomes))]

    def encode(self, structures: Sequence[Structure]) -> Genomes:
        """Genomes of shape (N, D) of structures with this space's blocks; off the grid they move to
        the nearest value.

        Raises:
            InputError: a structure has other blocks than the space.
        """
        rows = []
        for structure in structures:
            if [block.kind for block in structure] != [block.kind for block in self.blocks]:
                raise InputError(
                    f"space {self.name}: a structure has other block classes than the space"
                )
            rows.append([self._gene(structure[i], i, key) for i, key in self.genes])
        return self.repair(np.array(rows, np.int64))

    def _gene(self, block: Block, i: int, key: str) -> int:
        if key == "k":
            return int(np.argmin(np.abs(np.array(self.blocks[i].kernels) - block.k)))
        if key == "L":
            return int(block.depth)
        return round(float(block.c_out if key == "out" else block.btn) / self.step)


def _row(block: Block, n: int) -> Block:
    def pick(size: Size) -> int:
        return int(size if np.ndim(size) == 0 else size[n])  # type: ignore[index]

    sizes = (block.c_in, block.c_out, block.k, block.depth, block.btn)
    c_in, c_out, k, depth, btn = map(pick, sizes)
    return Block(block.kind, c_in, c_out, k, block.stride, depth, btn)


def _nearest_set(flags: Flags) -> NDArray[np.int16]:
    """For every place of a boolean (M, N) array, the column of the nearest True in its row (the
    lower of two)."""
    columns = np.arange(flags.shape[1])
    far = 4 * flags.shape[1]
    below = np.maximum.accumulate(np.where(flags, columns, -far), axis=1)
    above = np.minimum.accumulate(np.where(flags, columns, far)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(columns - below <= above - columns, below, above)
    return np.where(flags.any(axis=1, keepdims=True), nearest, -1).astype(np.int16)
