"""What to measure for a latency table: the operations that a space asks for, and their channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..network.cost import INPUT_SIZE, cost
from ..network.structure import Structure
from ..search.space import Space
from ..units import NAMED_FLOPS, format_size
from .table import Op, Use, chain_uses

# Points measured of an operation with two channel counts, and with one.
POINTS = {"conv": 16} | dict.fromkeys(("relu", "silu", "add", "add_silu", "pool", "excite"), 6)
# Of a detector, what the choice of boxes has to choose from: three for every box of a picture.
CANDIDATES = 300
# Random structures whose operations are asked for, and how many are drawn at a time.
SAMPLES, DRAWN, DRAWS = 1000, 4096, 200


def largest_flops(input_size: tuple[int, int]) -> float:
    """FLOPs of the largest structures worth measuring for: ResNet-101's at that input size."""
    return (
        NAMED_FLOPS["resnet101"] * (input_size[0] * input_size[1]) / (INPUT_SIZE[0] * INPUT_SIZE[1])
    )


def random_structures(
    space: Space, input_size: tuple[int, int], most: float, n: int, seed: int
) -> list[Structure]:
    """n random structures of a space of at most ``most`` FLOPs each.

    Raises:
        InputError: hardly any structure of the space is that small.
    """
    rng = np.random.default_rng(seed)
    found: list[Structure] = []
    for _ in range(DRAWS):
        genomes = space.random(rng, DRAWN)
        small = cost(space.decode(genomes), input_size).flops <= most
        found += space.structures(genomes[small][: n - len(found)])
        if len(found) == n:
            return found
    raise InputError(
        f"most_flops is {most:.4g}, expected more: of {DRAWN * DRAWS:,} random structures of space {space.name} at "
        f"{format_size(input_size)}, {len(found)} use so few, and {n} are needed"
    )


def plan(
    space: Space, input_size: tuple[int, int], most: float, seed: int = 0
) -> dict[Op, list[tuple[int, int]]]:
    """For every operation that the space can ask for, the channels (c_in, c_out) to measure.

    Operations are those of random structures of at most ``most`` FLOPs and of the smallest one with
    each kernel; of each, the channels lie as far apart as they can (on a logarithmic scale), the
    smallest first.
    """
    structures = random_structures(space, input_size, most, SAMPLES, seed)
    smallest = space.structures(space.smallest[None])[0]
    met: dict[Op, set[tuple[int, int]]] = {}
    for structure in structures:
        for use in chain_uses(structure, input_size):
            if use.times:
                _meet(met, use)
    for chain in (
        space.every_kernel()
    ):  # a kernel that no small structure has, or a projection that none needs
        kernels = tuple(
            replace(block, k=other.k, depth=2) for block, other in zip(smallest, chain, strict=True)
        )
        for use in chain_uses(kernels, input_size):
            _meet(met, use)
    return {op: _spread(sorted(points), POINTS[op.kind]) for op, points in sorted(met.items())}


def _meet(met: dict[Op, set[tuple[int, int]]], use: Use) -> None:
    met.setdefault(use.op, set()).add((int(use.c_in), int(use.c_out)))


def _spread(points: Sequence[tuple[int, int]], n: int) -> list[tuple[int, int]]:
    """At most n of the points, the smallest first, each the farthest from those before it."""
    at = np.log(np.maximum(np.array(points, float), 1.0))
    chosen, distance = [0], np.abs(at - at[0]).max(axis=1)
    while len(chosen) < n and distance.max() > 0:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.abs(at - at[chosen[-1]]).max(axis=1))
    return [points[i] for i in chosen]
