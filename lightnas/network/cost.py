"""FLOPs, params and layers of a backbone, in closed form.

What is counted
  FLOPs   multiply-accumulates of every convolution, plus 2 per output element of its BN.
  params  convolution weights, plus 2 per BN channel.
  layers  convolutions on the main path; projections on a shortcut are not layers, nor are the two
          convolutions of a squeeze-and-excitation.
What is left out
  pooling, activations, the residual sum, the scaling of channels, and everything that is not the backbone (neck, head).
At which input
  800 x 1280 unless said otherwise; odd sizes round up at each stride 2.

This reproduces the published 48.7 / 89.9 / 152.9 GFLOPs and 21.2 / 25.8 / 43.9 M params of
MAE-DET-S / M / L. Seconds come from a latency table of the user's own machine (the room
``latency``) where there is one. All other numbers are float64: exact integers up to 2**53, far
above any budget one can train.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .blocks import Block, Conv, Layer, Size, layers
from .stages import downsample, fed_size

INPUT_SIZE = (800, 1280)


class Latencies(Protocol):
    """Whatever knows the seconds of a block on an input of a size: a ``LatencyTable``."""

    def block(self, block: Block, size: tuple[int, int]) -> Size:
        """Seconds; a number, or an array of shape (N,)."""
        ...

    def require(self, blocks: Sequence[Block], input_size: tuple[int, int] | None = None) -> None:
        """Raises InputError where it does not know these blocks, or pictures of that size."""
        ...


class Cost(NamedTuple):
    """Each a number, or an array of shape (N,) for a population.

    Fields are named as in ``resources.RESOURCES``. Units: multiply-accumulates, weights, layers,
    seconds. ``latency`` is None where there is no latency table.
    """

    flops: Size
    params: Size
    layers: Size
    latency: Size | None = None

    def known(self) -> dict[str, Size]:
        """The figures there are, by resource."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def plus(self, other: Cost) -> Cost:
        """The sum; unknown where one of the two is."""
        pairs = zip(self, other, strict=True)
        return Cost(*(None if a is None or b is None else a + b for a, b in pairs))  # type: ignore[arg-type]


def _conv_params(conv: Conv) -> Size:
    return 1.0 * conv.c_out * (conv.reads * (conv.k * conv.k) + 2)


def _layer_cost(layer: Layer, size: tuple[int, int]) -> tuple[Size, Size, tuple[int, int]]:
    """FLOPs and params of one layer on an input of ``size``, and the size of its output.

    A convolution and its BN touch each of their parameters once per output pixel, so FLOPs = pixels
    * params.
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
        for excitation in conv.excitation:  # on one pixel
            weights = _conv_params(excitation)
            params, flops = params + weights, flops + weights
    return flops, params, size


def block_cost(
    block: Block, size: tuple[int, int], table: Latencies | None = None
) -> tuple[Cost, tuple[int, int]]:
    """Cost of one block on an input of ``size`` (height, width), and the size of its output."""
    latency = table.block(block, size) if table else None
    (first, _), *others = layers(block)
    flops, params, size = _layer_cost(first, size)
    count: Size = len(first.main)
    for layer, times in others:
        layer_flops, layer_params, _ = _layer_cost(layer, size)
        flops = flops + times * layer_flops
        params = params + times * layer_params
        count = count + times * len(layer.main)
    return Cost(flops, params, count, latency), size


def cost(
    blocks: Sequence[Block],
    input_size: tuple[int, int] = INPUT_SIZE,
    table: Latencies | None = None,
) -> Cost:
    """Cost of a backbone, or of a population whose blocks hold arrays of shape (N,).

    Args:
        blocks: from the stem to the last stage.
        input_size: height and width of the picture in pixels.
        table: says the latencies; None: they are not known.
    """
    total = Cost(0, 0, 0, 0.0 if table else None)
    size = fed_size(input_size, [block.stride for block in blocks])
    for block in blocks:
        of_block, size = block_cost(block, size, table)
        total = total.plus(of_block)
    return total
