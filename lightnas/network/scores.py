"""Scores: what a search makes as large as it can.

A score of one's own is any object with ``evaluate``. Where it also has ``terms``, a sum over the
blocks, the search bounds it and proves its optimum; without, it runs evolution alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..arrays import Floats
from .blocks import Block, S, Size
from .cost import INPUT_SIZE, block_cost
from .entropy import ALPHA, block_entropy, entropies, score
from .stages import downsample, fed_size, stage_ends


@dataclass(frozen=True, slots=True)
class Placed(Block[S]):
    """A block where it stands in its chain.

    Attributes:
        stage: 0 for C1 up to 4 for C5; ``ends``: it is the last block of its stage.
        size: height and width of what it takes, in pixels.
    """

    stage: int = 0
    ends: bool = False
    size: tuple[int, int] = INPUT_SIZE


@runtime_checkable
class Score(Protocol):
    """What a search makes as large as it can.

    Optional: ``terms(block) -> (N,)``, what a ``Placed`` block adds to the score, which is then
    their sum. It must be linear in the block's depth and, in btn, a combination of 1, btn, btn^2
    and log(btn). ``most_evaluations``: how many structures one search may score at most.
    """

    def evaluate(self, blocks: Sequence[Placed]) -> Any:
        """The scores, (N,), of N structures whose sizes are arrays of shape (N,), or of one whose
        sizes are numbers."""
        ...


def placed(blocks: Sequence[Block], input_size: tuple[int, int] = INPUT_SIZE) -> tuple[Placed, ...]:
    """The blocks of a chain where they stand, for pictures of ``input_size`` (height, width)."""
    strides = [block.stride for block in blocks]
    ends, size, result = stage_ends(strides), fed_size(input_size, strides), []
    for i, b in enumerate(blocks):
        stage = int(np.searchsorted(ends, i))
        sizes = (b.kind, b.c_in, b.c_out, b.k, b.stride, b.depth, b.btn)
        result.append(Placed(*sizes, stage, i in ends, size))
        size = downsample(size, b.stride)
    return tuple(result)


@dataclass(frozen=True)
class Entropy:
    """The multi-scale entropy of ``entropy``: sum_i alpha_i H_i over C1 ... C5."""

    alpha: tuple[float, ...] = ALPHA

    def evaluate(self, blocks: Sequence[Block]) -> Size:
        """As ``Score`` asks."""
        return score(entropies(blocks), self.alpha)

    def terms(self, block: Placed) -> Size:
        """h of a block counts in its own stage and in all later ones, log(channels) at its end."""
        inner = sum(self.alpha[block.stage :]) * block_entropy(block)
        return inner + self.alpha[block.stage] * np.log(1.0 * block.c_out) if block.ends else inner


@dataclass(frozen=True)
class DeepMad:
    """sum_i alpha_i log(c_i r_i^2) S_i: c_i channels, r_i^2 pixels, S_i the sum of h to the end of
    stage i.

    DeepMAD (CVPR 2023, arXiv 2303.02165) as LightNAS computes it (tinynas/scores/
    compute_deepmad.py, alpha1 = alpha2 = 1). A product of sums over blocks has no terms: no bound.
    """

    alpha: tuple[float, ...] = ALPHA

    def evaluate(self, blocks: Sequence[Placed]) -> Size:
        """As ``Score`` asks."""
        total: Size = 0.0
        running: Size = 0.0
        for block in blocks:
            running = running + block_entropy(block)
            if block.ends:
                height, width = downsample(block.size, block.stride)
                features = np.log(1.0 * block.c_out) + np.log(float(height * width))
                total = total + self.alpha[block.stage] * features * running
        return total


@dataclass(frozen=True)
class OfCost:
    """A figure of the cost as the score: the baselines that zero-cost papers compare with.

    ``figure``: params, flops (multiply-accumulates) or layers.
    """

    figure: str

    def evaluate(self, blocks: Sequence[Placed]) -> Size:
        """As ``Score`` asks."""
        return sum((self.terms(block) for block in blocks), 0.0)

    def terms(self, block: Placed) -> Size:
        """What the block uses."""
        used: Size = getattr(block_cost(block, block.size)[0], self.figure)
        return used


def is_additive(score: Score) -> bool:
    """Whether a score has terms, so that it can be bounded."""
    return callable(getattr(score, "terms", None))


def scores_of(score: Score, blocks: Sequence[Block], input_size: tuple[int, int]) -> Floats:
    """The scores of a chain as floats, (N,) or a single one, unchecked."""
    return np.asarray(score.evaluate(placed(blocks, input_size)), float)
