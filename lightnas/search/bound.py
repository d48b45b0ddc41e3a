"""An upper bound on what any structure within the budgets can score, by Lagrangian relaxation.

Score, FLOPs, params, layers and activations, those of a whole detector too, are sums over blocks,
and what a block adds depends on its own sizes and its input channels only: a chain. For multipliers
lambda >= 0 (one a budget) let

    theta(lambda) = max over all structures x of  score(x) + sum_r lambda_r (budget_r - use_r(x))

A structure within the budgets has no negative term in the sum, so theta(lambda) bounds its score.
The maximum is exact: dynamic programming over the channels between blocks. Inside a block of given
in, out, k and L the best btn is known too: entropy grows with log btn, cost is a quadratic in btn
with coefficients >= 0, so the difference is concave and its best grid point is one of the two
neighbours of the stationary point

    n / b = q1 + 2 q2 b        (n: weight of log b;  q0 + q1 b + q2 b^2: lambda-weighted cost)

theta is convex in lambda; Kelley's cutting planes minimise it (Kelley 1960). Every theta met is a
valid bound.

The module reads costs and entropies through ``block_cost`` and ``block_entropy`` only, so a new
block type needs nothing here as long as its cost is such a quadratic and its entropy is linear in
log btn. Other scores than the entropy add a quadratic in btn as well (``gain``), and the best btn is
an end of its range or a neighbour of one of two stationary points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..arrays import Flags, Floats, Genomes
from ..network.blocks import Block, Size
from ..network.cost import Cost, block_cost
from ..network.entropy import block_entropy
from ..network.scores import Entropy, Placed
from ..network.stages import STAGES, downsample, fed_size, stage_ends
from ..resources import RESOURCES
from .cutting_planes import CuttingPlanes
from .deadline import Deadline
from .effectiveness import RhoLimit
from .objective import Objective

# Relative error of a block's terms, as a sum of at most sixteen of them, each right to half a unit
# in the last place.
ROUNDING = 16 * 2.0**-53
# Multipliers where nothing may be within the budgets, at most, as a multiple of theta.
FAR = 1e2
# Pairs (in, out) handled at a time where all of them are met: bounds the memory of fine grids.
PAIRS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class Options:
    """n choices (in, out, k, L) of one block, sorted by in; every field has length n in its last
    axis.

    Attributes:
        c_in, c_out: channels in steps (c_in is 0 for the stem).
        kernel: index into the block's kernels; depth: L.
        btn_low, btn_high: range of btn in steps; 0 where the block has none.
        reward: what the block adds to the score, without log btn (log of btn in channels).
        log_btn: weight of log btn in the score.
        gain: (2, n) coefficients of btn and btn^2 (btn in channels) in the score; (0, n) for the
            entropy, which has none.
        use: (3, R, n) coefficients of 1, btn and btn^2 (btn in channels) in the use of each limited
            resource, as a share of its budget.
        trained: (3, n), under a limit on rho: convolutions, and the coefficients of 1 and log btn
            in their entropy; else (0, n).
    """

    c_in: Genomes
    c_out: Genomes
    kernel: Genomes
    depth: Genomes
    btn_low: Genomes
    btn_high: Genomes
    reward: Floats
    log_btn: Floats
    gain: Floats
    use: Floats
    trained: Floats

    def __len__(self) -> int:
        return len(self.c_in)

    def where(self, keep: Flags | Genomes) -> Options:
        """The options that a mask or an index array selects."""
        return Options(*(getattr(self, field.name)[..., keep] for field in fields(self)))


def join_options(parts: Sequence[Options]) -> Options:
    """All options of the parts, sorted by in."""
    order = np.argsort(np.concatenate([part.c_in for part in parts]), kind="stable")
    # Column by column: the parts and the whole in memory, and no third copy.
    columns = (
        np.concatenate([getattr(part, f.name) for part in parts], axis=-1)[..., order]
        for f in fields(Options)
    )
    return Options(*columns)


class Linked(Protocol):
    """n ways through one block, sorted by in."""

    @property
    def c_in(self) -> Genomes:
        """Channels that go in, in steps; (n,)."""
        ...

    @property
    def c_out(self) -> Genomes:
        """Channels that come out, in steps; (n,)."""
        ...


class Pairs(NamedTuple):
    """In and out of n pairs, in steps, each of shape (n,); sorted by in."""

    c_in: Genomes
    c_out: Genomes


class Best(NamedTuple):
    """The maximiser of the relaxed problem. ``use``: (R,), shares of the budgets and of the cuts of
    rho; ``genome``: (D,); ``reach``: (2, E), its convolutions and entropy where stages end, under a
    limit on rho."""

    theta: float
    score: float
    use: Floats
    genome: Genomes
    reach: Floats | None = None


class Relaxation:
    """The relaxed problem of R budgets. ``use`` is counted in shares of a budget, and multipliers
    go with that. A limit on rho adds multipliers behind those of the budgets (``effectiveness``).

    Attributes:
        limited: the resources that have a budget.
        limits: their budgets, shape (R,); that of layers is lowered to what depths can add up to.
        grid: channel counts in steps run from 0 to grid - 1.
        deadline: whatever takes a while asks it, and ends by ``OutOfTime``.
    """

    def __init__(
        self,
        problem: Objective,
        alpha: tuple[float, ...] | None = None,
        start: Genomes | None = None,
    ) -> None:
        """``alpha`` replaces the problem's weights of the stages: with zeros only costs are left.

        ``start``: a genome (D,) within the budgets, where one is known; it bounds the multipliers.
        """
        self.start = start
        self.deadline = Deadline()
        entropy = problem.scorer if isinstance(problem.scorer, Entropy) else Entropy(problem.alpha)
        bounded = alpha is None and problem.bounded
        entropy_alone = not bounded or isinstance(problem.scorer, Entropy)
        alpha = entropy.alpha if alpha is None else alpha
        # What each block adds to a score; None: the entropy's, by the weights below.
        self.terms: Callable[[Placed], Size] | None = (
            None if entropy_alone else getattr(problem.scorer, "terms")  # noqa: B009
        )
        self.problem = problem
        self.space = problem.searched
        self.rho = RhoLimit.of(problem)
        self.limited = [name for name in problem.limits if RESOURCES[name].summed]
        limits = problem.limits | self._attainable_layers()
        self.limits = np.array([limits[name] for name in self.limited])
        self.grid = self.space.max_channels // self.space.step + 1
        # Costs are sampled at btn 0, far and 2 far: the farther, the less their rounding shows in
        # the coefficients.
        self.far = 2.0 ** int(np.ceil(np.log2(self.space.max_channels)))
        strides = [block.stride for block in self.space.blocks]
        ends = stage_ends(strides)
        first_stage = np.searchsorted(ends, np.arange(len(self.space.blocks)))
        # h of a block counts in its own stage and in all later ones; log(channels) where a stage
        # ends.
        self.weights = [float(sum(alpha[stage:])) for stage in first_stage]
        self.end_weights = [
            alpha[ends.index(i)] if i in ends else 0.0 for i in range(len(self.space.blocks))
        ]
        # What a detector adds to a stage's last block: the number of the stage.
        self.detected = {end: stage for stage, end in enumerate(ends, start=1)}
        self.stages = [int(stage) for stage in first_stage]
        self.stage_closes = [i in ends for i in range(len(self.space.blocks))]
        self.sizes = [fed_size(problem.input_size, strides)]
        for stride in strides[:-1]:
            self.sizes.append(downsample(self.sizes[-1], stride))

    def _attainable_layers(self) -> dict[str, float]:
        """A layer budget lowered to the largest number of layers that some choice of depths has.

        Depths add layers in threes, say: the multipliers would else reward layers of the budget
        that cannot be had.
        """
        if "layers" not in self.problem.limits:
            return {}
        most = int(self.problem.limits["layers"])
        totals = 1  # bit n: some choice of depths so far has n layers
        for block in self.space.blocks:
            shallowest, deeper = (
                int(block_cost(Block(block.kind, 1, 1, 1, 1, depth, 1), (1, 1))[0].layers)
                for depth in (block.depth[0], block.depth[0] + 1)
            )
            times = block.depth[1] - block.depth[0]
            totals = _stepped(totals << shallowest, deeper - shallowest, times)
            if most < totals.bit_length():
                totals &= (1 << most + 1) - 1
        return {"layers": float(totals.bit_length() - 1)} if totals else {}

    # --- options ------------------------------------------------------------------------------------------------

    def options(self, i: int, pairs: Pairs, ends: bool = False) -> Iterator[Options]:
        """All options of block i over the given (in, out) pairs, one (k, L) at a time.

        With ``ends``, of the smallest and the largest L alone.

        Raises:
            OutOfTime: the deadline has passed.
        """
        block = self.space.blocks[i]
        c_in, c_out = pairs
        low, high = (
            (bounds[c_out] for bounds in self.space.btn_range(i))
            if block.btn
            else (0 * c_out, 0 * c_out)
        )
        lowest, highest = block.depth
        depths = sorted({lowest, highest}) if ends else range(lowest, highest + 1)
        for kernel, k in enumerate(block.kernels):
            self.deadline.check()
            first, inner = self._coefficients(i, pairs, k)
            for depth in depths:
                self.deadline.check()
                reward, log_btn, gain, use, trained = (
                    a + (depth - 1) * b for a, b in zip(first, inner, strict=True)
                )
                if self.terms is None:
                    reward = reward + self.end_weights[i] * np.log(c_out * float(self.space.step))
                log_btn = np.broadcast_to(log_btn, c_in.shape)
                gain = np.broadcast_to(gain, (len(gain), len(c_in)))
                same = np.ones_like(c_in)
                yield Options(
                    c_in, c_out, kernel * same, depth * same, low, high, reward, log_btn, gain, use,
                    trained,
                )  # fmt: skip

    def _coefficients(self, i: int, pairs: Pairs, k: int) -> tuple[Any, Any]:
        """(reward, log_btn, gain, use, trained) of block i with one layer, and what every further
        layer adds."""
        one, two = self._at_depth(i, pairs, k, 1), self._at_depth(i, pairs, k, 2)
        return one, tuple(b - a for a, b in zip(one, two, strict=True))

    def _at_depth(self, i: int, pairs: Pairs, k: int, depth: int) -> tuple[Any, ...]:
        step = float(self.space.step)
        c_in, c_out = (steps.astype(np.float64) * step for steps in pairs)
        if i == 0:
            c_in = np.full(len(c_out), float(self.space.c_in))
        spec = self.space.blocks[i]

        def block(btn: float) -> Block:
            return Block(spec.kind, c_in, c_out, k, spec.stride, depth, btn)

        far = self.far
        costs = [self._cost(i, block(btn)) for btn in (0.0, far, 2 * far)]
        y0, y1, y2 = (self._limited(c, c_in.shape) for c in costs)
        # Divided differences over powers of two: exact for integers below 2**53. Latencies are
        # rounded, and a coefficient of 0 must not come out below it. Scaled to shares of the
        # budgets last.
        q2 = np.maximum((y2 - 2 * y1 + y0) / (2 * far * far), 0.0)
        q1 = np.maximum((y1 - y0) / far - q2 * far, 0.0)
        use = np.stack([y0, q1, q2]) / self.limits[:, None]
        trained = np.zeros((0, len(c_in)))
        if self.rho:
            h, twice = (np.asarray(block_entropy(block(btn)), float) for btn in (1.0, 2.0))
            rows = (costs[0].layers, h, (twice - h) / np.log(2.0))
            trained = np.stack([np.broadcast_to(row, c_in.shape) for row in rows])
        if self.terms is not None:
            return *self._fitted(i, block, c_in.shape, bool(spec.btn)), use, trained
        reward = self.weights[i] * np.asarray(block_entropy(block(1.0)), float)
        growth = self.weights[i] * np.asarray(block_entropy(block(2.0)), float) - reward
        return reward, float(np.max(growth) / np.log(2.0)), np.zeros((0, len(c_in))), use, trained

    def _fitted(
        self, i: int, block: Callable[[float], Block], shape: tuple[int, ...], has_btn: bool
    ) -> tuple[Floats, Floats, Floats]:
        """(reward, log_btn, gain) of the score's terms of block i, from four btn, each twice the
        one before."""
        assert self.terms is not None
        terms = self.terms

        def term(btn: float) -> Floats:
            b = block(btn)
            sizes = (b.kind, b.c_in, b.c_out, b.k, b.stride, b.depth, b.btn)
            here = Placed(*sizes, self.stages[i], self.stage_closes[i], self.sizes[i])  # type: ignore[arg-type]
            return np.broadcast_to(np.asarray(terms(here), float), shape)

        if not has_btn:
            return term(0.0), np.zeros(shape), np.zeros((2, *shape))
        step = float(self.space.step)  # between its multiples a squeeze's width is rounded
        b = step * max(1.0, np.floor(self.far / (8 * step)))
        y = [term(b * 2**power) for power in range(4)]
        first = [y[j + 1] - y[j] for j in range(3)]
        # y = r + n log b + g1 b + g2 b^2: differences over the four b leave one unknown each.
        second = first[1] - first[0], first[2] - first[1]
        g2 = (second[1] - 2 * second[0]) / (18 * b * b)
        g1 = (second[0] - 9 * g2 * b * b) / b
        n = (first[0] - g1 * b - 3 * g2 * b * b) / np.log(2.0)
        return y[0] - n * np.log(b) - (g1 + g2 * b) * b, n, np.stack([g1, g2])

    def value(self, genomes: Genomes) -> Floats:
        """The score of each genome, (N, D), as the bound counts it, (N,)."""
        total, here = np.zeros(len(genomes)), np.zeros(len(genomes), np.int64)
        column = {gene: genomes[:, at] for at, gene in enumerate(self.space.genes)}
        for i, spec in enumerate(self.space.blocks):
            c_out = column[i, "out"]
            kernel = column.get((i, "k"), np.zeros_like(here))
            depth = column.get((i, "L"), np.full_like(here, spec.depth[0]))
            btn = column.get((i, "btn"), np.zeros_like(here)) * float(self.space.step)
            for k, size in enumerate(spec.kernels):
                at = np.flatnonzero(kernel == k)
                first, inner = self._coefficients(i, Pairs(here[at], c_out[at]), size)
                r, n, gain = (
                    a + (depth[at] - 1) * b for a, b in zip(first[:3], inner[:3], strict=True)
                )
                b = btn[at]
                total[at] += r + n * np.log(np.maximum(b, 1.0))
                if len(gain):
                    total[at] += (gain[0] + gain[1] * b) * b
            here = c_out
        return total

    def _cost(self, i: int, block: Block) -> Cost:
        """Of block i, and what the detector adds where a stage ends with it."""
        problem = self.problem
        of_block, _ = block_cost(block, self.sizes[i], problem.table, problem.activations)
        if problem.detector is None or i not in self.detected:
            return of_block
        return of_block.plus(
            problem.detector.added(self.detected[i], block.c_out, problem.input_size, problem.table)
        )

    def _limited(self, of_blocks: Cost, shape: tuple[int, ...]) -> Floats:
        """The figures of the limited resources, (R, n)."""
        figures = of_blocks.known()
        limited = [np.broadcast_to(np.asarray(figures[n], float), shape) for n in self.limited]
        return np.stack(limited) if limited else np.zeros((0, *shape))

    def each_pair(self, i: int) -> int:
        """How many options block i has for each pair (in, out)."""
        block = self.space.blocks[i]
        return len(block.kernels) * (block.depth[1] - block.depth[0] + 1)

    def all_pairs(self, i: int) -> Iterator[Pairs]:
        """Every (in, out) of block i, sorted, in pieces."""
        c_in, c_out = nonzero(self.space.pairs[i])
        for start in range(0, len(c_in), PAIRS_AT_A_TIME):
            piece = slice(start, start + PAIRS_AT_A_TIME)
            yield Pairs(c_in[piece], c_out[piece])

    # --- multipliers -------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many numbers multipliers have."""
        return len(self.limits) + (2 * STAGES if self.rho else 0)

    def lambdas(self, multipliers: Floats) -> Floats:
        """What use is multiplied with, (R,): of multipliers (R,) all, but for the tangents of the
        cuts of rho behind them."""
        return self.rho.lambdas(multipliers) if self.rho else multipliers

    def alike(self, value: float, genome: Genomes | None = None) -> Floats:
        """Multipliers (R,) that are all of one value; cuts of rho touch at a genome (D,), the
        smallest one unless given."""
        if not self.rho:
            return np.full(len(self.limits), value)
        blocks = self.space.decode((self.space.smallest if genome is None else genome)[None])
        tangents = self.rho.reach_of(blocks)[0]
        return self.rho.at(np.full(len(self.limits) + STAGES, value), tangents)

    def touching_at(self, multipliers: Floats, depths: Genomes) -> Floats:
        """Multipliers (R,) for each of N combinations of depths, (N, blocks), whose cuts of rho
        touch at the convolutions there; (N, R)."""
        if not self.rho:
            return np.broadcast_to(multipliers, (len(depths), len(multipliers)))
        ends = self.rho.ends_of(depths)
        return np.array([self.rho.moved(multipliers, n) for n in ends])

    def _with_lambdas(self, lambdas: Floats, multipliers: Floats) -> Floats:
        """Other lambdas (R,), and the tangents of multipliers, (R,)."""
        return self.rho.at(lambdas, self.rho.tangents(multipliers)) if self.rho else lambdas

    # --- the relaxed problem at given multipliers --------------------------------------------------------------------

    def best(self, i: int, options: Options, multipliers: Floats) -> tuple[Floats, Genomes]:
        """``best_btn`` of options of block i, n of them, with what cuts of rho give and take; (n,)
        each. Multipliers: (R,)."""
        return self.best_btn(*self.priced(i, options, multipliers))

    def priced(self, i: int, options: Options, multipliers: Floats) -> tuple[Options, Floats]:
        """Options of block i with what cuts of rho give and take in their reward, and the
        multipliers (R,) of the budgets."""
        if not self.rho:
            return options, multipliers
        reward, log_btn = self.rho.worth(i, options.trained, multipliers)
        options = replace(
            options, reward=options.reward + reward, log_btn=options.log_btn + log_btn
        )
        return options, multipliers[: len(self.limits)]

    def best_btn(self, options: Options, multipliers: Floats) -> tuple[Floats, Genomes]:
        """Largest reward - multipliers * use of every option over its btn, and that btn in steps.

        Args:
            options: n of them.
            multipliers: shape (R,).

        Returns:
            Each of shape (n,).

        Raises:
            OutOfTime: the deadline has passed.
        """
        self.deadline.check()
        q0, q1, q2 = multipliers @ options.use
        n, step = options.log_btn, float(self.space.step)
        base = options.reward - q0
        if not options.btn_high.any():
            return base, options.btn_high
        if len(options.gain):
            q1, q2 = q1 - options.gain[0], q2 - options.gain[1]
            return _best_of_any(options, base, q1, q2, step)
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # no cost at all: as much btn as there is
            stationary = 2 * n / (q1 + np.sqrt(q1 * q1 + 8 * q2 * n)) / step
        stationary = np.where(n > 0, stationary, 0.0)  # no reward either: as little
        lower = np.floor(np.minimum(stationary, self.grid)).astype(np.int64)
        value, best = np.full(len(options), -np.inf), lower
        for btn in (lower, lower + 1):
            btn = np.minimum(np.maximum(btn, options.btn_low), options.btn_high)
            b = btn * step
            at = base + n * np.log(b) - (q1 + q2 * b) * b
            value, best = np.maximum(value, at), np.where(at > value, btn, best)
        return value, best

    def backward(self, chain: Sequence[Linked], values: Sequence[Floats]) -> list[Floats]:
        """For every block, the best sum of values from it to the end, by its in; then zeros for the
        end.

        Args:
            chain: for every block, n ways through it (another n for each block).
            values: for every block, what each way is worth, shape (n,).

        Returns:
            One array of shape (grid,) more than there are blocks.
        """
        result = [np.zeros(self.grid)]
        for ways, value in zip(reversed(chain), reversed(values), strict=True):
            result.append(best_by(ways.c_in, value + result[-1][ways.c_out], self.grid))
        return result[::-1]

    def through(self, chain: Sequence[Linked], values: Sequence[Floats]) -> list[Floats]:
        """For every way through every block, the best sum of values along a chain that takes it.

        Args:
            chain, values: as for ``backward``.

        Returns:
            For every block an array of shape (n,).
        """
        before, rest = np.zeros(self.grid), self.backward(chain, values)
        result = []
        for ways, value, after in zip(chain, values, rest[1:], strict=True):
            so_far = value + before[ways.c_in]
            result.append(so_far + after[ways.c_out])
            order = np.argsort(ways.c_out, kind="stable")
            before = best_by(ways.c_out[order], so_far[order], self.grid)
        return result

    def maximise(self, chain: list[Options], multipliers: Floats) -> Best:
        """theta at the multipliers, shape (R,), over the options of the chain, and a structure that
        reaches it."""
        solved = [self.best(i, options, multipliers) for i, options in enumerate(chain)]
        rest = self.backward(chain, [value for value, _ in solved])
        lambdas = self.lambdas(multipliers)
        theta = float(rest[0][0] + lambdas.sum())
        bound = theta + self.rounding(theta, multipliers)
        here, use, each = 0, np.zeros(len(self.limits)), []
        genes: dict[tuple[int, str], int] = {}
        for i, (options, (value, btns)) in enumerate(zip(chain, solved, strict=True)):
            start, end = np.searchsorted(options.c_in, [here, here + 1])
            at = int(start + np.argmax(value[start:end] + rest[i + 1][options.c_out[start:end]]))
            here = int(options.c_out[at])
            b = float(btns[at] * self.space.step)
            use += options.use[:, :, at].T @ (1.0, b, b * b)
            if self.rho:
                n, h, log_btn = options.trained[:, at]
                each.append((n, h + log_btn * np.log(max(b, 1.0))))
            genes |= {
                (i, "out"): here,
                (i, "k"): options.kernel[at],
                (i, "L"): options.depth[at],
                (i, "btn"): btns[at],
            }
        genome = np.array([genes[gene] for gene in self.space.genes], np.int64)
        if not self.rho:
            return Best(bound, theta - float(lambdas @ (1 - use)), use, genome)
        reach = self.rho.at_ends(np.array(each))
        use = np.concatenate([use, self.rho.shares(reach, self.rho.tangents(multipliers))])
        return Best(bound, theta - float(lambdas @ (1 - use)), use, genome, reach)

    def rounding(self, theta: float, multipliers: Floats) -> float:
        """What theta at the multipliers, (R,), may have lost to rounding.

        For any x within the budgets theta is compared with score(x) + sum lambda (1 - use(x)),
        whose terms are at most the score and, for each budget, lambda twice: sums of a few terms a
        block, each right to half a unit in the last place. Multipliers far above the score cost
        digits.
        """
        terms = 2 * float(multipliers[: len(self.limits)].sum())
        if self.rho:  # whose terms are of both signs
            terms += self.rho.terms(multipliers)
        return ROUNDING * len(self.space.blocks) * (abs(theta) + terms)

    def minimise(
        self,
        chain: list[Options],
        start: Floats,
        tolerance: float,
        rounds: int,
        enough: float = -np.inf,
    ) -> tuple[Floats, list[Best]]:
        """Multipliers that make theta small over a chain, and what was met on the way (the least
        theta is a bound).

        Args:
            start: multipliers to begin with, shape (R,).
            tolerance: stop once theta is proven to be this close to its minimum (relative).
            rounds: stop after so many evaluations of theta.
            enough: stop once theta is no more than this.
        """
        best, met = self._descend(chain, start, [], tolerance, rounds, enough)
        while self.rho and len(met) < rounds:  # cuts that touch elsewhere are tighter
            moved, least = self._moved(best, met), min(point.theta for point in met)
            if moved is None or least <= enough:
                break
            met = [self._touching(point, moved) for point in met]
            lower, met = self._descend(chain, moved, met, tolerance, rounds, enough)
            if min(point.theta for point in met) >= least - tolerance * abs(least):
                break
            best = lower
        return best, met

    def _descend(
        self,
        chain: list[Options],
        start: Floats,
        met: list[Best],
        tolerance: float,
        rounds: int,
        enough: float,
    ) -> tuple[Floats, list[Best]]:
        """As ``minimise``, from what was met before; cuts of rho touch where they do at the
        start, (R,)."""
        met = [*met, self.maximise(chain, start)]
        best, least = start, met[-1].theta
        model = CuttingPlanes(self._largest_multipliers(least, len(self.lambdas(start))))
        for point in met[:-1]:
            model.add(point.score, 1 - point.use)
        while len(met) < rounds and least > enough:
            model.add(met[-1].score, 1 - met[-1].use)
            lowest = model.lowest()
            if lowest is None or least - lowest[1] <= tolerance * abs(least):
                break
            multipliers = self._with_lambdas(lowest[0], start)
            met.append(self.maximise(chain, multipliers))
            if met[-1].theta < least:
                best, least = multipliers, met[-1].theta
        return best, met

    def _moved(self, multipliers: Floats, met: list[Best]) -> Floats | None:
        """The multipliers (R,) with cuts of rho that touch between the maximisers there; None where
        they do."""
        assert self.rho
        lambdas = self.lambdas(multipliers)
        values = np.array([point.score + lambdas @ (1 - point.use) for point in met])
        near = np.flatnonzero(values >= values.max() - 1e-5 * abs(values.max()))
        n = np.mean([met[at].reach[0] for at in near], axis=0)  # type: ignore[index]
        if np.abs(n / self.rho.tangents(multipliers) - 1).max() < 0.01:
            return None
        return self.rho.moved(multipliers, n)

    def _touching(self, point: Best, multipliers: Floats) -> Best:
        """A maximiser with the use of the cuts of rho that touch where multipliers (R,) say."""
        assert self.rho and point.reach is not None
        shares = self.rho.shares(point.reach, self.rho.tangents(multipliers))
        return point._replace(use=np.concatenate([point.use[: len(self.limits)], shares]))

    def shadow_prices(self, multipliers: Floats) -> dict[str, float]:
        """What a little more of each budget adds to the bound, by resource, per unit of its scale:
        a G of FLOPs, an M of params, a layer, a millisecond.

        theta(lambda) counts use in shares, so its derivative by a budget is lambda over that
        budget; at the multipliers (R,) that minimise theta it is that of the bound (Everett 1963).
        A budget that does not bind has the price 0.
        """
        slopes = self.slopes(multipliers).items()
        return {name: float(slope * RESOURCES[name].scale) for name, slope in slopes}

    def slopes(self, multipliers: Floats) -> dict[str, float]:
        """The same in the units of the budgets, at multipliers (R,)."""
        each = multipliers[: len(self.limits)] / self.limits
        slopes = dict(zip(self.limited, each, strict=True))
        return slopes | ({"rho": self.rho.slope(multipliers)} if self.rho else {})

    def _largest_multipliers(self, theta: float, size: int) -> Floats:
        """Some x within the budgets has score(x) + lambda (1 - use(x)) <= theta: no multiplier
        beyond improves on it.

        Where none is known yet, the relaxed problem is one of costs alone, and only ratios of
        multipliers count. Under a limit on rho many boxes hold no x within the budgets, which large
        multipliers show.
        """
        if self.start is None:
            return np.ones(size)
        if self.rho:
            return np.full(size, FAR * (abs(theta) + 1.0))
        start = self.problem.evaluate(self.start[None])
        use = self._limited(start.cost, (1,))[:, 0] / self.limits
        largest: Floats = (theta - start.score[0]) / np.maximum(1 - use, 1e-6) + 1.0
        return largest


def _best_of_any(
    options: Options, base: Floats, q1: Floats, q2: Floats, step: float
) -> tuple[Floats, Genomes]:
    """Largest base + n log b - q1 b - q2 b^2 over the btn of every option, of whatever sign its
    coefficients are, and that btn in steps; each of shape (n,)."""
    n = options.log_btn
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.sqrt(q1 * q1 + 8 * q2 * n)
        down = -(q1 + np.copysign(root, q1)) / 2  # 2 q2 b^2 + q1 b - n = 0 without cancellation
        stationary = [down / (2 * q2) / step, -n / down / step]
    tried = [options.btn_low, options.btn_high]
    for point in stationary:
        whole = np.floor(np.clip(np.nan_to_num(point, nan=0.0), 0, 1e9)).astype(np.int64)
        tried += [np.clip(whole + up, options.btn_low, options.btn_high) for up in (0, 1)]
    value, best = np.full(len(options), -np.inf), options.btn_low
    for btn in tried:
        b = btn * step
        at = base + n * np.log(np.maximum(b, 1.0)) - (q1 + q2 * b) * b
        value, best = np.maximum(value, at), np.where(at > value, btn, best)
    return value, best


def _stepped(bits: int, step: int, times: int) -> int:
    """All sums of a number that ``bits`` has and 0 to ``times`` steps, as bits."""
    done = 0
    while done < times and step:
        more = min(done + 1, times - done)
        bits |= bits << more * step
        done += more
    return bits


def nonzero(pairs: Flags) -> Pairs:
    """Rows and columns of the n True entries of a matrix, row by row; each of shape (n,)."""
    rows, columns = np.nonzero(pairs)
    return Pairs(rows.astype(np.int64), columns.astype(np.int64))


def best_by(group: Genomes, values: Floats, size: int) -> Floats:
    """Largest value of every group, shape (size,); groups that are absent get -inf.

    Args:
        group: of every value, sorted; (n,), from 0 to size - 1.
        values: (n,).
    """
    result = np.full(size, -np.inf)
    if len(group):
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        result[group[starts]] = np.maximum.reduceat(values, starts)
    return result
