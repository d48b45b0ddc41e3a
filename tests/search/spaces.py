"""Small spaces and mixes of budgets drawn at random, and everything that is in them, listed."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from lightnas.arrays import Floats, Genomes
from lightnas.errors import InputError
from lightnas.latency import load_table
from lightnas.network.blocks import BLOCKS
from lightnas.network.detector import Detector
from lightnas.network.entropy import ALPHA
from lightnas.search.problem import evaluate_blocks
from lightnas.search.space_file import parse_space

from ..conftest import BLOCK, STEM, S
from ..latency.tables import made_up

SIZE = (64, 64)
KINDS = (BLOCK, "SuperResK1KX", "SuperResKXKX", "SuperResK1DWK1", "SuperResK1DWSEK1")
MOST = 60_000


def random_space(rng: np.random.Generator):
    """A space of at most MOST structures: any block types, sometimes two blocks in a stage."""
    while True:
        blocks = [{S: STEM, "s": 2, "k": [3], "out": [int(rng.choice([8, 16])), 16]}]
        for stage in range(4):
            for _ in range(1 + int(stage == 2 and rng.random() < 0.3)):
                low = int(rng.integers(1, 3))
                blocks.append(
                    {
                        S: str(rng.choice(KINDS)),
                        "s": 2,
                        "k": sorted(
                            map(int, rng.choice([1, 3, 5], rng.integers(1, 3), replace=False))
                        ),
                        "growth": [float(rng.choice([0.5, 1])), float(rng.choice([2, 2.5]))],
                        "btn": [float(rng.choice([0.3, 0.5])), float(rng.choice([0.5, 1]))],
                        "L": [low, low + int(rng.integers(0, 2))],
                    }
                )
        if len(blocks) == 6:
            blocks[4]["s"] = 1
        # Squeeze-and-excitation asks for wider steps.
        step = max(8, *(BLOCKS[block[S]].btn_step for block in blocks))
        blocks[0]["out"] = [channels * step // 8 for channels in blocks[0]["out"]]
        document = {"name": "drawn", "in": 3, "step": step, "max_channels": 3 * step}
        document["blocks"] = blocks
        try:
            space = parse_space(document, "drawn")
        except InputError:  # no out fits its neighbours
            continue
        if np.prod([1.0 + high - low for low, high in zip(*space.bounds, strict=True)]) <= MOST:
            return space


def every_genome(space):
    """All genomes of the space, (N, D)."""
    low, high = space.bounds
    every = np.array(list(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))))
    return every[(space.repair(every) == every).all(axis=1)]


def random_table(space, rng: np.random.Generator):
    """A made-up machine on which a larger kernel may be faster."""
    document = made_up(space, SIZE)
    for op in document["ops"]:
        op["fit"] = [float(value) for value in np.array(op["fit"]) * rng.uniform(0.2, 5)]
    return load_table(document)


def random_alpha(rng: np.random.Generator):
    """Weights of the stages: the usual ones, or any, some of them 0."""
    if rng.random() < 0.5:
        return ALPHA
    weights = rng.choice([0.0, 0.5, 1.0, 3.0, 10.0], 5)
    weights[rng.integers(5)] = 1.0
    return tuple(map(float, weights))


def random_mix(costs, rng: np.random.Generator):
    """Budgets for one to three resources: near what some structure uses, sometimes below all of
    them."""
    names = rng.choice(list(costs), rng.integers(1, min(4, len(costs) + 1)), replace=False)
    at = rng.integers(len(costs["flops"]))
    mix = {}
    for name in map(str, names):
        column = np.sort(costs[name])
        like = (costs[name][at], column[0], column[rng.integers(len(column))], column[0] * 0.999)
        mix[name] = float(like[rng.choice(4, p=[0.5, 0.2, 0.2, 0.1])])
    return mix


class Listed(NamedTuple):
    """Everything in a space: genomes (N, D), scores (N,) and costs by resource, (N,) each."""

    genomes: Genomes
    scores: Floats
    costs: dict[str, Floats]

    def best(self, mix):
        """The largest score within budgets; None where nothing is within them."""
        fits = np.all([self.costs[name] <= limit for name, limit in mix.items()], axis=0)
        return float(self.scores[fits].max()) if fits.any() else None


def random_detector(rng: np.random.Generator):
    """One that is about as large as the networks of these spaces, so that it matters."""
    return Detector(int(rng.choice([32, 64])))


def listed(space, table, alpha=ALPHA, detector=None, activations=False, rho=False):
    """Everything in the space; costs with those of a detector, where there is one."""
    genomes = every_genome(space)
    blocks = space.decode(genomes)
    found = evaluate_blocks(blocks, SIZE, alpha, table, detector, activations, rho)
    return Listed(genomes, found.score, found.cost.known())
