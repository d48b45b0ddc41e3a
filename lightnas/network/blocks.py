"""What a block is made of: the one description that cost, entropy and the torch module read.

A block stands for one entry of a structure. It is a chain of ``depth`` layers (L in the txt), the
first one included: the first carries the stride and the change of channels, the others keep both. A
layer is a chain of convolutions (each with BN) on its main path and, where it is residual, a
shortcut beside it.

Sizes (channels, kernels, depths) are plain numbers in a ``Block[int]``, and arrays of shape
``(N,)`` in a ``Block[Floats]``: one description then stands for a whole population, and everything
that reads it is vectorised for free. A size that a whole population shares, such as the channels of
the picture, may be a plain number there too.

To add a block type, write a function that returns its ``Layer`` and name it in ``BLOCKS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from ..arrays import Floats

# A size that is computed: a number for one structure, an array of shape (N,) for a population.
Size = int | float | Floats
# A size that a block is given: of one structure, or of a population.
S = TypeVar("S", int, Floats)


@dataclass(frozen=True, slots=True)
class Block(Generic[S]):
    """One entry of a structure.

    ``kind`` is its class in the structure txt; ``stride`` is always a number.
    """

    kind: str
    c_in: S | int
    c_out: S | int
    k: S | int
    stride: int
    depth: S | int = 1
    btn: S | int = 0


# Groups of a convolution that has as many as channels: depthwise.
DEPTHWISE = 0


@dataclass(frozen=True, slots=True)
class Conv(Generic[S]):
    """A k x k convolution without bias, its BN, and an activation unless ``relu`` is False.

    Attributes:
        name: where the published state dict keeps it inside its layer.
        groups: every output channel reads a share of the input channels, one in so many; DEPTHWISE:
            its own one alone.
        squeeze: hidden channels of the squeeze-and-excitation behind it (None: there is none).
    """

    name: str
    c_in: S | int
    c_out: S | int
    k: S | int
    stride: int = 1
    relu: bool = True
    groups: int = 1
    squeeze: S | int | None = None

    @property
    def reads(self) -> Size:
        """Input channels that one output channel reads; with k^2 of each they are the fan-in."""
        if self.groups == 1:
            return self.c_in
        return 1 if self.groups == DEPTHWISE else self.c_in / self.groups

    @property
    def excitation(self) -> tuple[Conv[S], ...]:
        """The two 1 x 1 convolutions of the squeeze-and-excitation, on a single pixel; or none."""
        if self.squeeze is None:
            return ()
        return (
            Conv("conv1", self.c_out, self.squeeze, 1),
            Conv("conv2", self.squeeze, self.c_out, 1, relu=False),
        )


@dataclass(frozen=True, slots=True)
class Layer(Generic[S]):
    """Convolutions in the order they run, and the shortcut beside them.

    Attributes:
        main: the convolutions.
        residual: the shortcut is added to the main path, and an activation follows the sum.
        pool: stride of the average pool that opens the shortcut (1: none).
        projection: the convolution that follows the pool on the shortcut (None: identity).
        projected: 1 where the projection stands, 0 where it does not after all; it may depend on
            the sizes.
        joined: 1 where the shortcut stands, 0 where it does not after all; likewise.
        silu: the activations are SiLU, not ReLU.
    """

    main: tuple[Conv[S], ...]
    residual: bool = False
    pool: int = 1
    projection: Conv[S] | None = None
    projected: Size = 1
    joined: Size = 1
    silu: bool = False


@dataclass(frozen=True, slots=True)
class BlockType:
    """``keys`` are the txt keys of the type, in the order they are written, after ``class``.

    ``layer(block, first)`` describes the block's first layer, or one of the others. Where btn is a
    multiple of ``btn_step`` the block's cost is a quadratic in it, as the bound asks; a search space
    has such steps.
    """

    keys: tuple[str, ...]
    layer: Callable[[Block[Any], bool], Layer[Any]]
    btn_step: int = 1


def _conv_kx(block: Block[S], first: bool) -> Layer[S]:
    return Layer((Conv("", block.c_in, block.c_out, block.k, block.stride),))


def _k1_kx_k1(block: Block[S], first: bool) -> Layer[S]:
    """Residual bottleneck; a block's first layer projects its shortcut, even where in = out."""
    c_in = block.c_in if first else block.c_out
    stride = block.stride if first else 1
    return Layer(
        main=(
            Conv("conv1", c_in, block.btn, 1),
            Conv("conv2", block.btn, block.btn, block.k, stride),
            Conv("conv3", block.btn, block.c_out, 1, relu=False),
        ),
        residual=True,
        pool=stride,
        projection=Conv("residual_proj", c_in, block.c_out, 1, relu=False) if first else None,
    )


def _two_convs(block: Block[S], first: bool, k_first: S | int) -> Layer[S]:
    """Residual pair of convolutions, the last of which carries the stride.

    A projection stands only where in != out.
    """
    c_in = block.c_in if first else block.c_out
    stride = block.stride if first else 1
    return Layer(
        main=(
            Conv("conv1", c_in, block.btn, k_first),
            Conv("conv2", block.btn, block.c_out, block.k, stride, relu=False),
        ),
        residual=True,
        pool=stride,
        projection=Conv("residual_proj", c_in, block.c_out, 1, relu=False) if first else None,
        projected=1.0 * np.not_equal(c_in, block.c_out),
    )


def _k1_kx(block: Block[S], first: bool) -> Layer[S]:
    return _two_convs(block, first, 1)


def _kx_kx(block: Block[S], first: bool) -> Layer[S]:
    return _two_convs(block, first, block.k)


def _k1_dw_k1(block: Block[S], first: bool) -> Layer[S]:
    """Inverted bottleneck around a depthwise convolution; a shortcut stands only where in = out."""
    c_in = block.c_in if first else block.c_out
    stride = block.stride if first else 1
    return Layer(
        main=(
            Conv("conv1", c_in, block.btn, 1),
            Conv("conv2", block.btn, block.btn, block.k, stride, groups=DEPTHWISE),
            Conv("conv3", block.btn, block.c_out, 1, relu=False),
        ),
        residual=True,
        pool=stride,
        joined=1.0 * np.equal(c_in, block.c_out),
    )


def _k1_dwse_k1(block: Block[S], first: bool) -> Layer[S]:
    """Likewise, with squeeze-and-excitation behind the depthwise convolution, and SiLU."""
    plain = _k1_dw_k1(block, first)
    conv1, conv2, conv3 = plain.main
    return replace(
        plain, main=(conv1, replace(conv2, squeeze=_squeezed(block.btn)), conv3), silu=True
    )


def _squeezed(channels: S | int) -> Any:
    """A quarter of the channels rounded down to a multiple of 8, and 8 at least, as published."""
    quarter = np.rint(0.25 * np.asarray(channels))
    return np.where(np.asarray(channels) > 0, 8.0 * np.maximum(1, quarter // 8), 0.0)


BLOCKS = {
    "ConvKXBNRELU": BlockType(("in", "out", "s", "k"), _conv_kx),
    "SuperResK1KXK1": BlockType(("in", "out", "s", "k", "L", "btn"), _k1_kx_k1),
    "SuperResK1KX": BlockType(("in", "out", "s", "k", "L", "btn"), _k1_kx),
    "SuperResKXKX": BlockType(("in", "out", "s", "k", "L", "btn"), _kx_kx),
    "SuperResK1DWK1": BlockType(("in", "out", "s", "k", "L", "btn"), _k1_dw_k1),
    # A quarter of 32 channels is a multiple of 8 as it is: nothing is rounded.
    "SuperResK1DWSEK1": BlockType(("in", "out", "s", "k", "L", "btn"), _k1_dwse_k1, btn_step=32),
}


def layers(block: Block[S]) -> tuple[tuple[Layer[S], S | int], ...]:
    """The block's distinct layers, each with the number of times it runs.

    The first runs once, the other ``depth - 1`` times.
    """
    describe = BLOCKS[block.kind]
    first = (describe.layer(block, True), 1)
    if "L" not in describe.keys:
        return (first,)
    return (first, (describe.layer(block, False), block.depth - 1))
