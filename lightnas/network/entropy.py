"""The maximum-entropy score in closed form (MAE-DET, ICML 2022, arXiv 2111.13336).

A Gaussian input runs through Gaussian weights, without BN and without shortcuts. The standard
deviation of a k x k convolution then grows by the square root of its fan-in, so its log grows by

    h(conv) = 1/2 log(k^2 c_in / groups)

and the entropy of the features at the end of stage i, up to constants, is

    H_i = log(channels of C_i) + sum of h over the main path, from the stem to the end of stage i.

The score is the multi-scale prior, sum_i alpha_i H_i over C1 ... C5. It does not depend on the
input size. Shortcut projections and squeeze-and-excitation add nothing, as in the published code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .blocks import Block, Layer, Size, layers
from .stages import stage_ends

ALPHA = (0.0, 0.0, 1.0, 1.0, 6.0)


def _layer_entropy(layer: Layer) -> Size:
    """1/2 log of the product of the fan-ins: one logarithm a layer, not one a convolution."""
    fan_in: Size = 1.0
    for conv in layer.main:
        fan_in = fan_in * conv.reads * (conv.k * conv.k)
    return 0.5 * np.log(fan_in)


def block_entropy(block: Block) -> Size:
    """Sum of h over the block's main path (nats)."""
    total: Size = 0
    for layer, times in layers(block):
        total = total + times * _layer_entropy(layer)
    return total


def entropies(blocks: Sequence[Block]) -> list[Size]:
    """H_1 ... H_5 of a backbone (numbers), or of a population (arrays of shape (N,))."""
    ends = stage_ends([block.stride for block in blocks])
    running: Size = 0
    result: list[Size] = []
    for i, block in enumerate(blocks):
        running = running + block_entropy(block)
        if i in ends:
            result.append(running + np.log(1.0 * block.c_out))
    return result


def effectiveness(blocks: Sequence[Block]) -> list[Size]:
    """rho_1 ... rho_5 of a backbone (numbers), or of a population (arrays of shape (N,)).

    rho_i = n_i exp(-2 S_i / n_i), with S_i the sum of h to the end of stage i (without
    log(channels)) and n_i its convolutions on the main path: depth over the geometric mean of the
    fan-ins. Networks of large rho are hard to train (DeepMAD, CVPR 2023, arXiv 2303.02165,
    which limits it to 0.3 for ResNet-18 to 50 and 0.5 for 29 M to 89 M parameters).
    """
    ends = stage_ends([block.stride for block in blocks])
    n: Size = 0
    total: Size = 0
    result: list[Size] = []
    for i, block in enumerate(blocks):
        for layer, times in layers(block):
            n = n + times * len(layer.main)
            total = total + times * _layer_entropy(layer)
        if i in ends:
            result.append(n * np.exp(-2 * total / n))
    return result


def largest_rho(blocks: Sequence[Block]) -> Size:
    """The largest of rho_1 ... rho_5, which a budget limits: a number, or an array of shape (N,)."""
    largest: Size = np.maximum.reduce(np.broadcast_arrays(*effectiveness(blocks)))
    return largest


def score(entropies_: Sequence[Size], alpha: Sequence[float] = ALPHA) -> Size:
    """sum_i alpha_i H_i; stages of weight 0 are skipped."""
    total: Size = 0
    for weight, entropy in zip(alpha, entropies_, strict=True):
        if weight:
            total = total + weight * entropy
    return total
