"""FLOPs, params, layers and activations of a backbone, in closed form.

What is counted
  FLOPs        multiply-accumulates of every convolution, plus 2 per output element of its BN.
  params       convolution weights, plus 2 per BN channel.
  layers       convolutions on the main path; projections on a shortcut are not layers, nor are the
               two convolutions of a squeeze-and-excitation.
  activations  output elements of every convolution, where they are asked for (RegNet, arXiv
               2003.13678): what training keeps in memory, and a proxy of seconds without a table.
What is left out
  pooling, activation functions, the residual sum, the scaling of channels, and neck and head unless
  a ``detector`` is asked for.
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
from .stages import downsample, fed_size, stage_ends

INPUT_SIZE = (800, 1280)


class Latencies(Protocol):
    """Whatever knows the seconds of a block on an input of a size: a ``LatencyTable``."""

    def block(self, block: Block, size: tuple[int, int]) -> Size:
        """Seconds; a number, or an array of shape (N,)."""
        ...

    @property
    def detector(self) -> str | None:
        """Whose neck and head it knows too, as ``parse_detector`` reads it; None: of none."""
        ...

    def added(self, stage: int, channels: Size) -> Size:
        """Seconds of neck and head where stage 1 ... 5 ends in so many channels; a number, or (N,)."""
        ...

    def require(self, blocks: Sequence[Block], input_size: tuple[int, int] | None = None) -> None:
        """Raises InputError where it does not know these blocks, or pictures of that size."""
        ...


class Cost(NamedTuple):
    """Each a number, or an array of shape (N,) for a population.

    Fields are named as in ``resources.RESOURCES``. Units: multiply-accumulates, weights, layers,
    seconds, elements. ``latency`` is None where there is no latency table, ``activations`` where
    they are not asked for. ``rho``, which is no sum over blocks, is never set here: it is
    ``entropy.largest_rho`` of a whole network, beside its costs where it is limited.
    """

    flops: Size
    params: Size
    layers: Size
    latency: Size | None = None
    activations: Size | None = None
    rho: Size | None = None

    def known(self) -> dict[str, Size]:
        """The figures there are, by resource."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def plus(self, other: Cost) -> Cost:
        """The sum; unknown where one of the two is."""
        pairs = zip(self, other, strict=True)
        return Cost(*(None if a is None or b is None else a + b for a, b in pairs))  # type: ignore[arg-type]


class Added(Protocol):
    """Whatever is counted beside the backbone: a ``Detector``."""

    def added(
        self,
        stage: int,
        channels: Size,
        picture: tuple[int, int],
        table: Latencies | None = None,
    ) -> Cost:
        """Cost, by a table seconds too, where stage 1 ... 5 ends in so many channels; numbers, or arrays of shape (N,)."""
        ...


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


def _layer_activations(layer: Layer, size: tuple[int, int]) -> Size:
    """Output elements of one layer's convolutions on an input of ``size``."""
    elements: Size = 0
    if layer.projection is not None:
        height, width = downsample(size, layer.pool)
        elements = height * width * (layer.projected * (1.0 * layer.projection.c_out))
    for conv in layer.main:
        size = downsample(size, conv.stride)
        elements = elements + size[0] * size[1] * (1.0 * conv.c_out)
        for excitation in conv.excitation:  # on one pixel
            elements = elements + 1.0 * excitation.c_out
    return elements


def block_cost(
    block: Block,
    size: tuple[int, int],
    table: Latencies | None = None,
    activations: bool = False,
) -> tuple[Cost, tuple[int, int]]:
    """Cost of one block on an input of ``size`` (height, width), and the size of its output."""
    latency = table.block(block, size) if table else None
    (first, _), *others = layers(block)
    elements = _layer_activations(first, size) if activations else None
    flops, params, size = _layer_cost(first, size)
    count: Size = len(first.main)
    for layer, times in others:
        layer_flops, layer_params, _ = _layer_cost(layer, size)
        flops = flops + times * layer_flops
        params = params + times * layer_params
        count = count + times * len(layer.main)
        if elements is not None:
            elements = elements + times * _layer_activations(layer, size)
    return Cost(flops, params, count, latency, elements), size


def cost(
    blocks: Sequence[Block],
    input_size: tuple[int, int] = INPUT_SIZE,
    table: Latencies | None = None,
    detector: Added | None = None,
    activations: bool = False,
) -> Cost:
    """Cost of a backbone, or of a population whose blocks hold arrays of shape (N,).

    Args:
        blocks: from the stem to the last stage.
        input_size: height and width of the picture in pixels.
        table: says the latencies; None: they are not known.
        detector: its neck and head are counted too; by a table that knows them.
        activations: count them.
    """
    total = Cost(0, 0, 0, 0.0 if table else None, 0 if activations else None)
    strides = [block.stride for block in blocks]
    size = fed_size(input_size, strides)
    for block in blocks:
        of_block, size = block_cost(block, size, table, activations)
        total = total.plus(of_block)
    if detector:
        for stage, end in enumerate(stage_ends(strides), start=1):
            total = total.plus(detector.added(stage, blocks[end].c_out, input_size, table))
    return total
