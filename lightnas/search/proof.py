"""Branch and bound: from the best structure known to the best there is, or to a smaller gap.

A node is a box of genomes: a low and a high value for every gene. It is closed when its Lagrangian
bound says that nothing in it beats the best structure known, or when everything in it that could
has been listed.

    1. Bound the box (``Relaxation.minimise``), and drop every choice of a block through which even the relaxed
       problem cannot beat the best structure known.
    2. List what is left by label setting (Joksch 1966; bounds as in Beasley and Christofides 1989): partial
       structures from the stem onwards, dropped as soon as their completion bound is too low or a budget must be
       exceeded.
    3. Where the labels are too many, the most promising ones are followed, which finds better structures, and the
       box is split.

Nodes are taken by falling bound, so the bound of the next node bounds every structure of the space.
Work is counted in operations, not in seconds: the same problem gives the same result on any
machine.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Flags, Floats, Genomes
from .bound import Best, Options, Relaxation, best_by
from .deadline import OutOfTime
from .depths import combinations, of_chain, of_space
from .narrowing import trimmed
from .pairing import Pairing, Pairs
from .whole import narrowed, survivors

# A bound that exceeds the best score by less than this share is equal to it: sums of logs are not
# exact.
TOLERANCE = 1e-11

# Choices of a block and of a box, and labels, in memory at a time. A box with more is split.
MAX_CHOICES = 400_000
MAX_ALL_CHOICES = 3_200_000
MAX_LABELS = 80_000
# Pairs with the last block that are looked at, and the shares of the way from the best relaxed value
# down to what is needed at which what was found raises the latter.
MAX_LAST = 200_000
LAST_SHARES = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)
# Bytes of the boxes that wait. With more the proof ends, and what they leave open is the gap.
MAX_WAITING = 2**26
# How far from the best structure known it is improved first, as a share of each gene: any kernel,
# the same depths.
NEAR = {"out": 0.1, "btn": 0.2}
# Every so many boxes the most promising choices of a box too large to list are followed for better
# structures.
DIVE_EVERY = 4


class Choices(NamedTuple):
    """n ways to fill one block, sorted by in: its genes and what it adds to the score, (n,); use,
    (n, R), in shares; reach, (n, 2), under a limit on rho: its convolutions and their entropy; else
    (n, 0)."""

    c_in: Genomes
    c_out: Genomes
    kernel: Genomes
    depth: Genomes
    btn: Genomes
    score: Floats
    use: Floats
    reach: Floats

    def where(self, keep: Flags | Genomes) -> Choices:
        """The choices that a mask of shape (n,) or an index array selects."""
        columns: list[Any] = [column[keep] for column in self]
        return Choices(*columns)


class Labels(NamedTuple):
    """n partial structures: out, (n,), score, (n,), use, (n, R), in shares, and reach as in
    ``Choices``."""

    at: Genomes
    score: Floats
    use: Floats
    reach: Floats

    @classmethod
    def none(cls, budgets: int, reach: int) -> Labels:
        """The one label before the first block, under so many budgets."""
        return cls(np.zeros(1, np.int64), np.zeros(1), np.zeros((1, budgets)), np.zeros((1, reach)))

    def pairing(self, block: Choices, ends: Floats, lambdas: Floats) -> Pairing:
        """Their pairs with the choices of the next block, whose relaxed values with the best
        completion are ``ends``."""
        return Pairing(self.at, self.score - self.use @ lambdas, block.c_in, ends)

    def fitting(self, block: Choices, pairs: Pairs, least: Floats) -> Pairs:
        """The pairs within the budgets, where the blocks after use at least ``least``, (grid, R)."""
        # A share may exceed 1 by rounding; ``offer`` decides by the exact evaluation.
        room = 1 + 1e-9 - block.use - least[block.c_out]
        label, choice = pairs
        for r in range(room.shape[1]):
            fits = self.use[:, r].take(label) <= room[:, r].take(choice)
            label, choice = label[fits], choice[fits]
        return Pairs(label, choice)

    def joined(self, block: Choices, pairs: Pairs) -> Labels:
        """The longer labels of the pairs."""
        label, choice = pairs
        return Labels(
            block.c_out[choice],
            self.score[label] + block.score[choice],
            self.use[label] + block.use[choice],
            self.reach[label] + block.reach[choice],
        )


@dataclass(order=True)
class Node:
    """A box of genomes, ``low`` to ``high`` included, each (D,); multipliers (R,). Sorted by
    falling bound, then by age."""

    minus_bound: float
    serial: int
    low: Genomes = field(compare=False)
    high: Genomes = field(compare=False)
    multipliers: Floats = field(compare=False)


class Proof:
    """The state of one proof.

    Attributes:
        score, genome: the best structure known; the genome has shape (D,).
        multipliers: that make the bound of the whole space small, (R,): the shadow prices.
        upper_bound: no structure within the budgets scores more.
        work: choices and labels handled so far.

    Raises:
        OutOfTime: the relaxation's deadline has passed before there was a bound.
    """

    def __init__(
        self,
        relaxation: Relaxation,
        genome: Genomes,
        score: float,
        multipliers: Floats,
        nodes: list[Node] | None = None,
    ) -> None:
        """``nodes`` are those of an earlier proof that goes on; None: the whole space."""
        self.relaxation = relaxation
        self.space = relaxation.space
        self.genome, self.score = genome, score
        self.work = 0
        self.root_score, self.root_multipliers = score, multipliers
        self.multipliers = multipliers
        self.serial = 0
        self._survivors: list[Options] | None = None
        self._beyond_memory = False
        self._picked: dict[tuple[int, int], Options] = {}
        if nodes is None:
            low, high = self.space.bounds
            nodes = [Node(-self._bound_root(), 0, low, high, multipliers)]
            self.work += sum(map(len, self.chain))
        self.nodes = nodes

    def _bound_root(self) -> float:
        """theta over the whole space; it leaves the options that boxes are cut from."""
        target = _beyond(self.root_score)
        theta, chain = survivors(self.relaxation, self.root_multipliers, target)
        self._beyond_memory = chain is None and not self.relaxation.rho
        self._survivors = chain or []
        return theta

    @property
    def chain(self) -> list[Options]:
        """The options of every block through which the whole space may beat what was known at the
        root; empty where they are too many.

        Raises:
            OutOfTime: the proof goes on from an earlier one, and the deadline has passed before
                they were listed again.
        """
        if self._survivors is None:
            self._bound_root()
        return self._survivors or []

    @property
    def too_large(self) -> bool:
        """What is left does not fit in memory: there are no steps to take, and the bound stays."""
        node = self.nodes[0] if self.nodes else None
        each = node.low.nbytes + node.high.nbytes + node.multipliers.nbytes + 400 if node else 0
        return self._beyond_memory or each * len(self.nodes) > MAX_WAITING

    @property
    def upper_bound(self) -> float:
        """Falls from node to node; equal to the best score once the proof is complete."""
        return max(self.score, -self.nodes[0].minus_bound) if self.nodes else self.score

    @property
    def complete(self) -> bool:
        """The best structure known is the best there is."""
        return not self.nodes

    def step(self) -> None:
        """Handle the node of the largest bound: close it, or split it in two.

        Raises:
            OutOfTime: the deadline has passed; the node waits as before.
        """
        whole = self.chain
        if self.too_large:
            return
        node = heapq.heappop(self.nodes)
        try:
            self._handle(node, whole)
        except OutOfTime:
            heapq.heappush(self.nodes, node)
            raise

    def _handle(self, node: Node, whole: list[Options]) -> None:
        if -node.minus_bound <= self._target():
            return
        if node.serial == 0 and whole:
            self._improve(whole, node.multipliers)
        chain = self._chain_of(node, whole)
        if chain is None and self._depths_given(node):
            self._beyond_memory = True
            heapq.heappush(self.nodes, node)
            return
        if chain is None:
            self._apart(node, None, -node.minus_bound, node.multipliers)
            return
        if not (chain and all(map(len, chain))):
            return
        # Under a limit on rho there are many boxes, most of them closed by their first thetas, and
        # better structures are known than when the options of the whole space were chosen.
        if self.relaxation.rho and node.serial:
            self.work += sum(map(len, chain))
            chain, _ = self._prune(chain, node.multipliers)
            if not all(map(len, chain)):
                return
        enough = self._target() if self.relaxation.rho or node.serial else -np.inf
        multipliers, met = self.relaxation.minimise(
            chain, node.multipliers, tolerance=1e-7, rounds=12, enough=enough
        )
        self.work += sum(map(len, chain)) * len(met)
        if node.serial == 0:  # over all channel counts, not the few that the root's were found by
            self.multipliers = multipliers
        if self.relaxation.rho:
            self._offer_met(met)
        bound = min(-node.minus_bound, min(best.theta for best in met))
        if bound <= self._target():
            return
        chain, through = self._prune(chain, multipliers)
        apart = self.relaxation.rho is not None and self._depths_given(node)
        dive = apart or node.serial % DIVE_EVERY == 0
        if not all(map(len, chain)) or self._list(chain, through, multipliers, dive):
            return
        if self.relaxation.rho and not apart:
            self._apart(node, chain, bound, multipliers)
        else:
            self._split(node, chain, bound, multipliers)

    def _chain_of(self, node: Node, whole: list[Options]) -> list[Options] | None:
        """The options of a box, none where nothing in it beats the target; None where they are too
        many."""
        low, high = self._columns(node.low), self._columns(node.high)
        if not self.relaxation.rho:
            return _inside(whole, low, high)
        if whole:
            given = [low.get((i, "L"), 1) for i in range(len(whole))]
            apart = self._depths_given(node)
            return _inside(self._of_depths(whole, given) if apart else whole, low, high)
        if node.serial == 0:  # as was found when it was bounded
            return None
        part = narrowed(self.relaxation, low, high)
        self.work += sum(int(p.sum()) * part.each_pair(i) for i, p in enumerate(part.space.pairs))
        theta, chain = survivors(part, node.multipliers, self._target())
        return [] if theta <= self._target() else chain and _inside(chain, low, high)

    def _of_depths(self, whole: list[Options], depths: list[int]) -> list[Options]:
        """The options of blocks of given depths; each is met in many boxes, and picked out once."""
        for at in enumerate(depths):
            if at not in self._picked:
                options = whole[at[0]]
                self._picked[at] = options.where(options.depth == at[1])
        return [self._picked[at] for at in enumerate(depths)]

    def _improve(self, whole: list[Options], multipliers: Floats) -> None:
        """List what is close to the best structure known, and so on from what is better: the better
        it is, the less is left of the space."""
        lowest, highest = self.space.bounds
        keys = [key for _, key in self.space.genes]
        shares = np.array([NEAR.get(key, 0.0) for key in keys])
        least = np.where(np.equal(keys, "k"), highest - lowest, 0)
        score = -np.inf
        while self.score > score:
            score = self.score
            away = np.maximum(least, np.ceil(shares * self.genome).astype(np.int64))
            low = np.maximum(lowest, self.genome - away)
            high = np.minimum(highest, self.genome + away)
            chain = _inside(whole, self._columns(low), self._columns(high))
            if all(map(len, chain)):
                chain, through = self._prune(chain, multipliers)
            if all(map(len, chain)):
                self._list(chain, through, multipliers, dive=True)

    def _target(self) -> float:
        return _beyond(self.score)

    def _need(self, multipliers: Floats) -> float:
        """What the relaxed values of a structure's blocks have to exceed in sum."""
        allowed = float(self.relaxation.lambdas(multipliers).sum())
        return self._target() - self._rounding(multipliers) - allowed

    def _rounding(self, multipliers: Floats) -> float:
        return self.relaxation.rounding(self.score, multipliers)

    def _columns(self, genome: Genomes) -> dict[tuple[int, str], int]:
        return dict(zip(self.space.genes, map(int, genome), strict=True))

    def _prune(
        self, chain: list[Options], multipliers: Floats
    ) -> tuple[list[Options], list[Floats]]:
        """Drop options through which even the relaxed problem stays below the best score.

        Returns what is left, and for each option the relaxed optimum among the structures that hold
        it.
        """
        solved = [self.relaxation.best(i, opts, multipliers) for i, opts in enumerate(chain)]
        allowed = self.relaxation.lambdas(multipliers).sum()
        through = [
            value + allowed
            for value in self.relaxation.through(chain, [value for value, _ in solved])
        ]
        least = self._target() - self._rounding(multipliers)
        keep = [value > least for value in through]
        through = [value[kept] for value, kept in zip(through, keep, strict=True)]
        chain = [
            trimmed(
                self.relaxation, i, options.where(kept), multipliers,
                (value[kept], btn[kept]), worth - least,
            )
            for i, (options, kept, (value, btn), worth) in enumerate(
                zip(chain, keep, solved, through, strict=True)
            )
        ]  # fmt: skip
        return chain, through

    # --- listing ------------------------------------------------------------------------------------------------

    def _list(
        self, chain: list[Options], through: list[Floats], multipliers: Floats, dive: bool
    ) -> bool:
        """Follow all partial structures that may still beat the best score; False if some had to be
        left out.

        Where there are too many choices for that, none is followed, or with ``dive`` the most
        promising ones.
        """
        counts = [options.btn_high - options.btn_low + 1 for options in chain]
        each = [int(count.sum()) for count in counts]
        whole = max(each) <= MAX_CHOICES and sum(each) <= MAX_ALL_CHOICES
        if not whole:
            if not dive:
                return False
            least = max(_cutoff(value, count) for value, count in zip(through, counts, strict=True))
            chain = [
                options.where(value >= least) for options, value in zip(chain, through, strict=True)
            ]
        choices = []
        for i, options in enumerate(chain):
            self.relaxation.deadline.check()
            choices.append(self._cut(i, _spell_out(options, self.space.step), multipliers))
        self.work += sum(len(block.c_in) for block in choices)
        lambdas = self.relaxation.lambdas(multipliers)
        values = [block.score - block.use @ lambdas for block in choices]
        need = self._need(multipliers)
        through = self.relaxation.through(choices, values)
        choices = [block.where(value > need) for block, value in zip(choices, through, strict=True)]
        if not all(len(block.c_in) for block in choices):
            return whole
        return self._follow(choices, multipliers) and whole

    def _cut(self, i: int, choices: Choices, multipliers: Floats) -> Choices:
        """Choices of block i whose use has that of the cuts of rho too."""
        rho = self.relaxation.rho
        if not rho:
            return choices
        shares = rho.of_block(i, choices.reach, rho.tangents(multipliers))
        return choices._replace(use=np.hstack([choices.use, shares]))

    def _follow(self, choices: list[Choices], multipliers: Floats) -> bool:
        """Label setting, block by block; True if no label was left out.

        A label is a partial structure: its out, score, use and reach. ``trail`` holds parents and
        choices per block.
        """
        lambdas = self.relaxation.lambdas(multipliers)
        values = [block.score - block.use @ lambdas for block in choices]
        rests, least = self.relaxation.backward(choices, values), self._least_use(choices)
        labels = Labels.none(len(lambdas), choices[0].reach.shape[1])
        trail: list[Pairs] = []
        whole = True
        for i, block in enumerate(choices[:-1]):
            self.relaxation.deadline.check()
            pairing = labels.pairing(block, values[i] + rests[i + 1][block.c_out], lambdas)
            pairs, every = pairing.best(self._need(multipliers), MAX_LABELS)
            self.work += len(pairs.label)
            whole &= every
            pairs = self._fitting(i, labels, block, pairs, least[i + 1])
            trail.append(pairs)
            labels = labels.joined(block, pairs)
        pairing = labels.pairing(choices[-1], values[-1], lambdas)
        most = MAX_LAST if whole else MAX_LABELS
        return self._finish(choices, trail, labels, pairing, multipliers, most) and whole

    def _finish(
        self,
        choices: list[Choices],
        trail: list[Pairs],
        labels: Labels,
        pairing: Pairing,
        multipliers: Floats,
        most: int,
    ) -> bool:
        """Join the last block, the most promising pairs first, while one may still beat the best;
        True if none was left out."""
        last, nothing = choices[-1], np.zeros((self.relaxation.grid, labels.use.shape[1]))
        done = np.zeros(len(labels.at), np.int64)
        for share in LAST_SHARES:
            self.relaxation.deadline.check()
            need = self._need(multipliers)
            threshold = pairing.most - share * (pairing.most - need)
            lengths, every = pairing.few(threshold, most, most // 10)
            lengths = np.maximum(done, lengths)
            pairs = pairing.between(done, lengths)
            self.work += len(pairs.label)
            pairs = self._fitting(len(choices) - 1, labels, last, pairs, nothing)
            joined = labels.joined(last, pairs)
            self._offer_best(choices, [*trail, pairs], joined.score, joined.use)
            if not every:
                return False
            done = lengths
        return True

    def _fitting(
        self, i: int, labels: Labels, block: Choices, pairs: Pairs, least: Floats
    ) -> Pairs:
        """The pairs with block i within the budgets and the limit on rho."""
        label, choice = pairs = labels.fitting(block, pairs, least)
        if not self.relaxation.rho:
            return pairs
        fits = self.relaxation.rho.within(i, labels.reach[label] + block.reach[choice])
        return Pairs(label[fits], choice[fits])

    def _least_use(self, choices: list[Choices]) -> list[Floats]:
        """For every block, the least share of each budget that the blocks from it on must use, by
        in; (grid, R)."""
        grid, resources = self.relaxation.grid, range(choices[0].use.shape[1])
        least = [np.zeros((grid, len(resources)))]
        for block in reversed(choices):
            after = least[-1][block.c_out]
            columns = [
                -best_by(block.c_in, -(block.use[:, r] + after[:, r]), grid) for r in resources
            ]
            least.append(np.stack(columns, axis=1))
        return least[::-1]

    def _offer_best(
        self,
        choices: list[Choices],
        trail: list[Pairs],
        score: Floats,
        use: Floats,
    ) -> None:
        """Offer the structures of the complete labels, best first, until one is taken: mostly the
        first."""
        for label in np.argsort(-score, kind="stable"):
            if score[label] <= self.score or self.offer(self._genome(choices, trail, int(label))):
                return

    def _genome(self, choices: list[Choices], trail: list[Pairs], label: int) -> Genomes:
        """The genome of a complete label, from its choices along the trail."""
        genes: dict[tuple[int, str], Any] = {}
        for i in range(len(choices) - 1, -1, -1):
            parent, choice = trail[i]
            block, c = choices[i], choice[label]
            genes |= {(i, "out"): block.c_out[c], (i, "k"): block.kernel[c]}
            genes |= {(i, "L"): block.depth[c], (i, "btn"): block.btn[c]}
            label = int(parent[label])
        return np.array([genes[gene] for gene in self.space.genes], np.int64)

    def _offer_met(self, met: list[Best]) -> None:
        """Offer the maximisers that may be within the budgets: in a small box some are."""
        for best in met:
            if best.score > self.score and (best.use <= 1 + 1e-9).all():
                self.offer(best.genome)

    def offer(self, genome: Genomes) -> bool:
        """Make a genome, shape (D,), the best known if, evaluated exactly, it is within the budgets
        and scores more."""
        evaluation = self.relaxation.problem.evaluate(genome[None])
        if not self.relaxation.problem.feasible(evaluation)[0] or evaluation.score[0] <= self.score:
            return False
        self.score, self.genome = float(evaluation.score[0]), genome
        return True

    # --- splitting ----------------------------------------------------------------------------------------------

    def _split(self, node: Node, chain: list[Options], bound: float, multipliers: Floats) -> None:
        low, high = node.low.copy(), node.high.copy()
        for column, (i, key) in enumerate(self.space.genes):
            smallest, largest = _range_of(chain[i], key)
            low[column] = max(low[column], smallest)
            high[column] = min(high[column], largest)
        self._halve(low, high, bound, multipliers)

    def _halve(self, low: Genomes, high: Genomes, bound: float, multipliers: Floats) -> None:
        column = self._gene_to_split(low, high)
        middle = (low[column] + high[column]) // 2
        upper_low, lower_high = low.copy(), high.copy()
        upper_low[column], lower_high[column] = middle + 1, middle
        for box in ((low, lower_high), (upper_low, high)):
            self._push(bound, *box, multipliers)

    def _push(self, bound: float, low: Genomes, high: Genomes, multipliers: Floats) -> None:
        self.serial += 1
        heapq.heappush(self.nodes, Node(-bound, self.serial, low, high, multipliers))

    def _depths_given(self, node: Node) -> bool:
        return bool((node.low == node.high)[self._depth_genes].all())

    @cached_property
    def _depth_genes(self) -> Flags:
        return np.array([key == "L" for _, key in self.space.genes])

    def _apart(
        self, node: Node, chain: list[Options] | None, bound: float, multipliers: Floats
    ) -> None:
        """Split a box into one for every combination of depths that may beat the best score; a
        chain of None: its options are too many."""
        allowed = float(self.relaxation.lambdas(multipliers).sum())
        slack = self._rounding(multipliers)
        need = self._target() - slack - allowed
        relaxation = narrowed(self.relaxation, self._columns(node.low), self._columns(node.high))
        ways = (
            of_space(relaxation, multipliers, need)
            if chain is None
            else of_chain(relaxation, chain, multipliers)
        )
        self.work += sum(len(each.value) for block in ways for each in block)
        found = combinations(relaxation, ways, need)
        if found is None:
            self._halve(node.low, node.high, bound, multipliers)
            return
        blocks = [i for i, key in self.space.genes if key == "L"]
        for depths, theta, rows in zip(
            *found, relaxation.touching_at(multipliers, found.depths), strict=True
        ):
            low, high = node.low.copy(), node.high.copy()
            low[self._depth_genes] = high[self._depth_genes] = depths[blocks]
            self._push(min(bound, theta + allowed + slack), low, high, rows)

    def _gene_to_split(self, low: Genomes, high: Genomes) -> int:
        """Depths and kernels first: the relaxation is loose there, and nearly exact between channel
        counts."""
        spread = (high - low) / np.maximum(1, low)
        discrete = np.array([key in ("k", "L") for _, key in self.space.genes])
        return int(np.argmax(np.where(discrete & (high > low), 1000 + spread, spread)))

    # --- resuming -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Arrays and numbers that ``restore`` continues from."""
        names = ("minus_bound", "serial", "low", "high", "multipliers")
        return {
            "genome": self.genome,
            "score": self.score,
            "work": self.work,
            "serial": self.serial,
            "root_score": self.root_score,
            "root_multipliers": self.root_multipliers,
            "multipliers": self.multipliers,
            "nodes": {
                name: np.array([getattr(node, name) for node in self.nodes]) for name in names
            },
        }

    @classmethod
    def restore(cls, relaxation: Relaxation, state: dict[str, Any]) -> Proof:
        """The proof as it was when ``state`` was taken."""
        columns = state["nodes"]
        nodes = [
            Node(float(minus_bound), int(serial), *rest)
            for minus_bound, serial, *rest in zip(*columns.values(), strict=True)
        ]
        root = (float(state["root_score"]), state["root_multipliers"])
        proof = cls(relaxation, state["genome"], *root, nodes)
        proof.score = float(state["score"])
        proof.work, proof.serial = int(state["work"]), int(state["serial"])
        if state["multipliers"] is not None:
            proof.multipliers = state["multipliers"]
        return proof


def _inside(
    chain: list[Options], low: dict[tuple[int, str], int], high: dict[tuple[int, str], int]
) -> list[Options]:
    """The options of the chain that lie in a box of genomes."""
    result = []
    for i, options in enumerate(chain):
        keep = np.ones(len(options), bool)
        columns = {(i - 1, "out"): options.c_in, (i, "out"): options.c_out}
        columns |= {(i, "k"): options.kernel, (i, "L"): options.depth}
        for gene, column in columns.items():
            if gene in low:
                keep &= (column >= low[gene]) & (column <= high[gene])
        if (i, "btn") in low:
            options = replace(
                options,
                btn_low=np.maximum(options.btn_low, low[i, "btn"]),
                btn_high=np.minimum(options.btn_high, high[i, "btn"]),
            )
            keep &= options.btn_low <= options.btn_high
        result.append(options if keep.all() else options.where(keep))
    return result


def _range_of(options: Options, key: str) -> tuple[int, int]:
    low, high = {
        "out": (options.c_out, options.c_out),
        "k": (options.kernel, options.kernel),
        "L": (options.depth, options.depth),
        "btn": (options.btn_low, options.btn_high),
    }[key]
    return int(low.min()), int(high.max())


def _cutoff(through: Floats, count: Genomes) -> float:
    """Value that leaves options of at most MAX_CHOICES / 8 choices, the best ones."""
    order = np.argsort(-through, kind="stable")
    fitting = int(np.searchsorted(np.cumsum(count[order]), MAX_CHOICES // 8))
    return float(through[order[min(max(fitting - 1, 0), len(order) - 1)]])


def _spell_out(options: Options, step: int) -> Choices:
    """Every option with every btn of its range."""
    count = options.btn_high - options.btn_low + 1
    row = np.repeat(np.arange(len(options)), count)
    btn = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + options.btn_low[row]
    b = btn * float(step)
    log_btn = np.log(np.maximum(b, 1.0))  # weight 0 where the block has no btn
    use = options.use[0][:, row] + (options.use[1][:, row] + options.use[2][:, row] * b) * b
    score = options.reward[row] + options.log_btn[row] * log_btn
    if len(options.gain):
        score = score + (options.gain[0][row] + options.gain[1][row] * b) * b
    c_in, c_out, kernel, depth = (
        column[row] for column in (options.c_in, options.c_out, options.kernel, options.depth)
    )
    reach = np.zeros((len(row), 0))
    if len(options.trained):
        n, h, log_h = options.trained[:, row]
        reach = np.stack([n, h + log_h * log_btn], axis=1)
    return Choices(c_in, c_out, kernel, depth, btn, score, use.T, reach)


def _beyond(score: float) -> float:
    """What a bound has to exceed to be larger than a score but for rounding."""
    return score * (1 + TOLERANCE if score >= 0 else 1 - TOLERANCE)
