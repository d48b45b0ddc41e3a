"""Scores and costs of structures that were read from a txt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError, shown
from .blocks import Block, Size
from .cost import INPUT_SIZE, Added
from .entropy import ALPHA, effectiveness, entropies, largest_rho
from .entropy import score as weighted
from .scores import Score, scores_of
from .stages import STAGES
from .structure import Structure

# Of a stage; squares of scores must stay finite.
MAX_WEIGHT = 1e9


def score_structures(
    structures: Sequence[Structure],
    input_size: tuple[int, int] = INPUT_SIZE,
    alpha: tuple[float, ...] = ALPHA,
    detector: Added | None = None,
    activations: bool = False,
    by: Score | None = None,
) -> list[dict[str, Any]]:
    """A row a structure, as ``score --json`` prints it.

    ``by`` is what scores them; None: the entropy with the weights ``alpha``.

    Keys: score, flops, params, layers, activations where asked for, entropies (H_1 ... H_5, in
    nats), rhos (rho_1 ... rho_5) and rho, the largest of them. With a detector its neck and head
    count too.
    """
    rows = []
    for structure in structures:
        cost = structure.cost(input_size, None, detector, activations)
        counts = {name: int(value) for name, value in cost.known().items()}
        row = entropy_row(entropies(structure), alpha)
        score = row["score"] if by is None else scores_of(by, tuple(structure), input_size).item()
        rhos = {
            "rho": float(largest_rho(structure)),
            "rhos": list(map(float, effectiveness(structure))),
        }
        rows.append({"score": score} | counts | {"entropies": row["entropies"]} | rhos)
    return rows


def entropy_row(of_stages: Sequence[Size], alpha: tuple[float, ...]) -> dict[str, Any]:
    """score and entropies, as plain numbers."""
    return {"score": float(weighted(of_stages, alpha)), "entropies": [float(h) for h in of_stages]}


# What ``score_parts`` tells apart.
PARTS = ("widths", "kernels", "depth")


def score_parts(
    structure: Sequence[Block[int]], score_of: Callable[[Sequence[Block[int]]], float]
) -> dict[str, float]:
    """What widths, kernels and depth give to a score; they add up to it.

    Taken away one after the other: ``depth`` is what the score loses when every block keeps its
    first layer alone; ``kernels``, what that network loses when every kernel is 1 x 1; ``widths``,
    what is left: the channels of one layer a block. Channels of the layers that are taken away
    count as depth, since they are not there without it.

    Args:
        structure: the blocks.
        score_of: the score of a chain of blocks.
    """
    shallow = [replace(block, depth=1) for block in structure]
    plain = [replace(block, k=1) for block in shallow]
    whole, without_depth, widths = map(score_of, (structure, shallow, plain))
    parts = (widths, without_depth - widths, whole - without_depth)
    return dict(zip(PARTS, parts, strict=True))


def parse_alpha(text: str, what: str) -> tuple[float, ...]:
    """Five weights from ``0,0,1,1,6``.

    Raises:
        InputError: another number of weights, one below 0 or above MAX_WEIGHT, or none above 0.
    """
    try:
        weights = tuple(float(word) for word in text.split(","))
    except ValueError:
        weights = ()
    return check_alpha(weights, what, text)


def check_alpha(weights: Sequence[float], what: str, given: object) -> tuple[float, ...]:
    """The weights if they are such; ``given`` is how the user wrote them.

    Raises:
        InputError: another number of weights, one below 0 or above MAX_WEIGHT, or none above 0.
    """
    if len(weights) != STAGES or not all(0 <= w <= MAX_WEIGHT for w in weights) or not any(weights):
        raise InputError(
            f"{what} is {shown(given)}, expected {STAGES} weights of at least 0 and at most "
            f"{MAX_WEIGHT:.0f}, not all 0, such as 0,0,1,1,6"
        )
    return tuple(weights)
