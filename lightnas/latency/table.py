"""Latency tables: the seconds of any block and structure by what was measured on one machine.

A network is a sum of operations, each at one size of its input (height x width):

    conv      k x k convolution of that stride with bias (its BN fused into it), in so many groups; a
              depthwise one has as many as channels, and c_out 0 here
    relu      ReLU in place
    add       sum of main path and shortcut in place, and the ReLU after it
    silu      SiLU in place
    add_silu  sum of main path and shortcut in place, and the SiLU after it
    pool      average pool of a shortcut, stride 2
    excite    means of channels, and their scaling, around the two convolutions of a
              squeeze-and-excitation

The seconds of an operation depend on its channels:

    seconds = a + b c_in + c c_out + d c_in c_out        a, b, c, d >= 0

(call, read, write, arithmetic). A network takes longer than its operations alone: code and data of
one displace those of another. So

    seconds of a network = scale * sum over its operations + per_conv * its convolutions       scale, per_conv >= 0

and ``scale`` and ``per_conv`` go into a, b, c and d at once. Runtimes other than torch make one
operation of a convolution and what follows it: there what is no convolution has a scale of its own,
``others``, which may be 0. So the latency of a block is a sum
over its layers, and a quadratic in btn with coefficients of at least 0, as the bound asks of every
cost.

What a detector has behind the backbone, from neck and head to decoding and suppression, takes seconds
that are linear in the channels of C3, C4 and C5, as its laterals are: a sum over stages.

A table belongs to one device, precision, batch, number of threads and input size. ``table_file``
reads its file, ``fit`` finds the coefficients, ``measure`` and ``profile`` the seconds. Importing
this module loads numpy alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Floats
from ..errors import InputError
from ..network.blocks import DEPTHWISE, Block, Conv, Layer, Size, layers
from ..network.cost import cost
from ..network.detector import LATERALS, Detector
from ..network.stages import STAGES, downsample, fed_size
from ..units import format_size, parse_size
from .runtimes import TORCH

# (kind, groups, stride, size) to an array (largest k + 1, 4) of a, b, c, d by kernel; NaN where k was
# not measured.
Fits = dict[tuple[str, int, int, tuple[int, int]], Floats]


class Op(NamedTuple):
    """One kind of operation at one size (height, width) of its input; its channels are open.

    ``groups`` are those of a convolution, DEPTHWISE for one with as many as channels.
    """

    kind: str
    k: int
    stride: int
    size: tuple[int, int]
    groups: int = 1

    def document(self) -> dict[str, Any]:
        """What a table's file says of it; one group is not spelled out."""
        groups = {} if self.groups == 1 else {"groups": self.groups}
        return {
            "kind": self.kind,
            "k": self.k,
            "stride": self.stride,
            "size": format_size(self.size),
        } | groups

    def __str__(self) -> str:
        name = f"conv {self.k}x{self.k}" if self.kind == "conv" else self.kind
        if self.groups != 1:
            in_groups = "depthwise" if self.groups == DEPTHWISE else f"in {self.groups} groups"
            name = f"{name} {in_groups}"
        return f"{name}{f' stride {self.stride}' if self.stride > 1 else ''} at {format_size(self.size)}"


class Use(NamedTuple):
    """An operation as a block has it, ``times`` over.

    k, channels and times may be arrays of shape (N,).
    """

    kind: str
    k: Size
    stride: int
    size: tuple[int, int]
    c_in: Size
    c_out: Size = 0
    times: Size = 1
    groups: int = 1

    @property
    def op(self) -> Op:
        """The operation, where k is a number."""
        return Op(self.kind, int(self.k), self.stride, self.size, self.groups)


def block_uses(block: Block, size: tuple[int, int]) -> Iterator[Use]:
    """Every operation of a block on an input of ``size`` (height, width)."""
    (first, _), *others = layers(block)
    yield from _layer_uses(first, size)
    size = downsample(size, block.stride)
    for layer, times in others:
        for use in _layer_uses(layer, size):
            yield use._replace(times=use.times * times)


def _layer_uses(layer: Layer, size: tuple[int, int]) -> Iterator[Use]:
    end = size
    activation = "silu" if layer.silu else "relu"
    for conv in layer.main:
        yield _conv_use(conv, end)
        end = downsample(end, conv.stride)
        if conv.relu:
            yield Use(activation, 1, 1, end, conv.c_out)
        if conv.excitation:
            yield Use("excite", 1, 1, end, conv.c_out)
        for excitation in conv.excitation:
            yield _conv_use(excitation, (1, 1))
            if excitation.relu:
                yield Use(activation, 1, 1, (1, 1), excitation.c_out)
    if layer.residual:
        if layer.pool > 1:
            yield Use("pool", 1, layer.pool, size, layer.main[0].c_in, times=layer.joined)
        if layer.projection is not None:
            yield Use(
                "conv",
                layer.projection.k,
                1,
                end,
                layer.projection.c_in,
                layer.projection.c_out,
                layer.projected,
            )
        add = "add_silu" if layer.silu else "add"
        yield Use(add, 1, 1, end, layer.main[-1].c_out, times=layer.joined)
        if not (isinstance(layer.joined, int) and layer.joined == 1):  # it may be absent
            yield Use(activation, 1, 1, end, layer.main[-1].c_out, times=1 - layer.joined)


def _conv_use(conv: Conv, size: tuple[int, int]) -> Use:
    c_out = 0 if conv.groups == DEPTHWISE else conv.c_out
    return Use("conv", conv.k, conv.stride, size, conv.c_in, c_out, groups=conv.groups)


def chain_uses(blocks: Sequence[Block], input_size: tuple[int, int]) -> Iterator[Use]:
    """Every operation of a backbone on a picture of ``input_size``."""
    size = fed_size(input_size, [block.stride for block in blocks])
    for block in blocks:
        yield from block_uses(block, size)
        size = downsample(size, block.stride)


@dataclass(frozen=True)
class LatencyTable:
    """The seconds of operations on one machine.

    Attributes:
        document: what the file holds, without the measured points.
        fits: a, b, c, d of every operation, calibrated.
    """

    document: dict[str, Any]
    fits: Fits

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the picture that it was measured for."""
        return parse_size(self.document["input_size"], "input_size")

    @property
    def runtime(self) -> str:
        """What ran the networks: ``torch`` where the table does not say."""
        return str(self.document.get("runtime", TORCH))

    @property
    def detector(self) -> str | None:
        """What was measured behind the backbone too, such as ``gflv2:256``; None: of none."""
        named: str | None = self.document.get("detector")
        return named

    def added(self, stage: int, channels: Size) -> Size:
        """Seconds of the detector where stage 1 ... 5 ends in so many channels (a number, or (N,)): a
        share of each lateral, and at the last stage what is the same whatever the backbone."""
        rest, *laterals = self.document["neck_and_head"]["fit"]
        seconds: Size = laterals[stage - LATERALS[0]] * channels if stage in LATERALS else 0.0
        return seconds + rest if stage == STAGES else seconds

    @property
    def title(self) -> str:
        """The machine in words."""
        d = self.document
        threads = (
            f", {d['threads']} thread{'s' if d['threads'] > 1 else ''}"
            if d["device"] == "cpu"
            else ""
        )
        runtime = f", {self.runtime}" if self.runtime != TORCH else ""
        return f"{d['name']}{threads}, {d['precision']}, batch {d['batch']}{runtime}"

    def block(self, block: Block, size: tuple[int, int]) -> Size:
        """Seconds of a block on an input of ``size`` (height, width).

        A number, or an array of shape (N,) for a population.
        """
        total: Size = 0.0
        for use in block_uses(block, size):
            total = total + use.times * use_seconds(self.fits, use)
        return total

    def chain(self, blocks: Sequence[Block], detector: Detector | None = None) -> float:
        """Seconds of one structure; with the table's own detector up to its boxes.

        Raises:
            InputError: it needs an operation that was not measured.
        """
        self.require(blocks)
        latency = cost(blocks, self.input_size, self, detector).latency
        assert latency is not None  # there is a table: this one
        return float(latency)

    def require(self, blocks: Sequence[Block], input_size: tuple[int, int] | None = None) -> None:
        """Refuse blocks that the table does not cover.

        Raises:
            InputError: it was measured for another input size, or an operation is missing.
        """
        if input_size not in (None, self.input_size):
            raise InputError(
                f"the latency table was measured at {format_size(self.input_size)}, expected the input size of the search, "
                f"{format_size(input_size)}"
            )
        for use in chain_uses(blocks, self.input_size):
            op = use.op
            fit = self.fits.get((op.kind, op.groups, op.stride, op.size))
            if fit is None or op.k >= len(fit) or np.isnan(fit[op.k]).any():
                raise InputError(
                    f"the latency table has no {op}, expected one that `lightnas profile --space` measured for these blocks"
                )


def use_seconds(fits: Fits, use: Use) -> Size:
    """Seconds of an operation as a block has it, once; a number, or an array of shape (N,)."""
    by_kernel = fits[use.kind, use.groups, use.stride, use.size]
    a, b, c, d = np.moveaxis(by_kernel[np.asarray(use.k, int)], -1, 0)
    seconds: Size = a + b * use.c_in + (c + d * use.c_in) * use.c_out
    return seconds


def calibrated_fits(
    ops: Sequence[dict[str, Any]],
    scale: float,
    per_conv: float,
    where: str = "latency_table",
    others: float | None = None,
) -> Fits:
    """The coefficients of a table's operations with ``scale`` and ``per_conv`` (seconds) in them.

    Args:
        ops: as the file has them: ``Op.document`` and ``fit``, which is a, b, c, d.
        others: the scale of what is no convolution; None: ``scale``.
        where: opens the error message.

    Raises:
        InputError: a size is none.
    """
    fits: Fits = {}
    largest = max((op["k"] for op in ops), default=1)
    for op in ops:
        size = parse_size(op["size"], f"{where}: size", least=1)
        key = (op["kind"], op.get("groups", 1), op["stride"], size)
        factor = scale if op["kind"] == "conv" or others is None else others
        a, *rest = (factor * coefficient for coefficient in op["fit"])
        fits.setdefault(key, np.full((largest + 1, 4), np.nan))[op["k"]] = (
            a + per_conv * (op["kind"] == "conv"),
            *rest,
        )
    return fits
