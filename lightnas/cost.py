"""FLOPs, params and layers of a backbone, in closed form.

What is counted
  FLOPs   multiply-accumulates of every convolution, plus 2 per output element of its BN.
  params  convolution weights, plus 2 per BN channel.
  layers  convolutions on the main path; projections on a shortcut are not layers.
What is left out
  pooling, ReLU, the residual sum, and everything that is not the backbone (neck, head).
At which input
  800 x 1280 unless said otherwise; odd sizes round up at each stride 2.

This reproduces the published 48.7 / 89.9 / 152.9 GFLOPs and 21.2 / 25.8 / 43.9 M params of MAE-DET-S / M / L.
All numbers are float64: exact integers up to 2**53, far above any budget one can train.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .blocks import Block, Conv, Layer, Size, layers
from .stages import downsample, fed_size

INPUT_SIZE = (800, 1280)
RESOURCES = ("flops", "params", "layers")


class Cost(NamedTuple):
    """Each a number, or an array of shape (N,) for a population. Units: multiply-accumulates, weights, layers."""

    flops: Size
    params: Size
    layers: Size


def _conv_params(conv: Conv) -> Size:
    return 1.0 * conv.c_out * (conv.c_in * (conv.k * conv.k) + 2)


def _layer_cost(layer: Layer, size: tuple[int, int]) -> tuple[Size, Size, tuple[int, int]]:
    """FLOPs and params of one layer on an input of ``size``, and the size of its output.

    A convolution and its BN touch each of their parameters once per output pixel, so FLOPs = pixels * params.
    """
    flops: Size = 0
    params: Size = 0
    if layer.projection is not None:
        height, width = downsample(size, layer.pool)
        params = layer.projected * _conv_params(layer.projection)
        flops = height * width * params
    for conv in layer.main:
        size = downsample(size, conv.stride)
        weights = _conv_params(conv)
        params = params + weights
        flops = flops + size[0] * size[1] * weights
    return flops, params, size


def block_cost(block: Block, size: tuple[int, int]) -> tuple[Cost, tuple[int, int]]:
    """Cost of one block on an input of ``size`` (height, width), and the size of its output."""
    (first, _), *inner = layers(block)
    flops, params, size = _layer_cost(first, size)
    count: Size = len(first.main)
    for layer, times in inner:
        layer_flops, layer_params, _ = _layer_cost(layer, size)
        flops = flops + times * layer_flops
        params = params + times * layer_params
        count = count + times * len(layer.main)
    return Cost(flops, params, count), size


def cost(blocks: Sequence[Block], input_size: tuple[int, int] = INPUT_SIZE) -> Cost:
    """Cost of a backbone, or of a population whose blocks hold arrays of shape (N,).

    Args:
        blocks: from the stem to the last stage.
        input_size: height and width of the picture in pixels.
    """
    flops: Size = 0
    params: Size = 0
    count: Size = 0
    size = fed_size(input_size, [block.stride for block in blocks])
    for block in blocks:
        of_block, size = block_cost(block, size)
        flops = flops + of_block.flops
        params = params + of_block.params
        count = count + of_block.layers
    return Cost(flops, params, count)
