"""Latency tables: what ``lightnas profile`` measured on one machine, and the seconds of any block by it.

A network is a sum of operations, each at one size of its input (height x width):

    conv   k x k convolution of that stride with bias (its BN fused into it)
    relu   ReLU in place
    add    sum of main path and shortcut in place, and the ReLU after it
    pool   average pool of a shortcut, stride 2

The seconds of an operation are measured over a grid of channels and described by

    seconds = a + b c_in + c c_out + d c_in c_out        a, b, c, d >= 0

(call, read, write, arithmetic), fitted by non-negative least squares of the relative error. A network takes longer than
its operations alone: code and data of one displace those of another. So whole networks are measured too, and

    seconds of a network = scale * sum over its operations + per_conv * its convolutions       scale, per_conv >= 0

is fitted to them. So the latency of a block is a sum over its layers, and a quadratic in btn with coefficients of at
least 0, as the bound asks of every cost.

A table belongs to one device, precision, batch, number of threads and input size. Its file is JSON:

    {"device": "cpu", "name": "...", "precision": "fp32", "batch": 1, "threads": 2, "input_size": "320x320",
     "complete": true, "scale": 1.03, "per_conv": 1.2e-05, "most_flops": 16e9, "space": {...}, "versions": {...},
     "ops": [{"kind": "conv", "k": 3, "stride": 2, "size": "160x160", "fit": [a, b, c, d], "off": 0.04,
              "points": [[c_in, c_out, seconds], ...]}, ...]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import nnls

from ..arrays import Floats
from ..errors import InputError
from ..files import read_text
from ..network.blocks import Block, Layer, Size, layers
from ..network.stages import downsample, fed_size
from ..units import format_size, parse_size
from ..yaml_file import check

MAX_BYTES = 2**24
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


# (kind, stride, size) to an array (largest k + 1, 4) of a, b, c, d by kernel; NaN where k was not measured.
Fits = dict[tuple[str, int, tuple[int, int]], Floats]


class Op(NamedTuple):
    """One kind of operation at one size (height, width) of its input; channels are what remains open."""

    kind: str
    k: int
    stride: int
    size: tuple[int, int]

    def __str__(self) -> str:
        name = f"conv {self.k}x{self.k}" if self.kind == "conv" else self.kind
        return f"{name}{f' stride {self.stride}' if self.stride > 1 else ''} at {format_size(self.size)}"


class Use(NamedTuple):
    """An operation as a block has it, ``times`` over; k, channels and times may be arrays of shape (N,)."""

    kind: str
    k: Size
    stride: int
    size: tuple[int, int]
    c_in: Size
    c_out: Size = 0
    times: Size = 1

    @property
    def op(self) -> Op:
        """The operation, where k is a number."""
        return Op(self.kind, int(self.k), self.stride, self.size)


def block_uses(block: Block, size: tuple[int, int]) -> Iterator[Use]:
    """Every operation of a block on an input of ``size`` (height, width)."""
    (first, _), *inner = layers(block)
    yield from _layer_uses(first, size)
    size = downsample(size, block.stride)
    for layer, times in inner:
        for use in _layer_uses(layer, size):
            yield use._replace(times=use.times * times)


def _layer_uses(layer: Layer, size: tuple[int, int]) -> Iterator[Use]:
    end = size
    for conv in layer.main:
        yield Use("conv", conv.k, conv.stride, end, conv.c_in, conv.c_out)
        end = downsample(end, conv.stride)
        if conv.relu:
            yield Use("relu", 1, 1, end, conv.c_out)
    if layer.residual:
        if layer.pool > 1:
            yield Use("pool", 1, layer.pool, size, layer.main[0].c_in)
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
        yield Use("add", 1, 1, end, layer.main[-1].c_out)


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
    def title(self) -> str:
        """The machine in words."""
        d = self.document
        threads = (
            f", {d['threads']} thread{'s' if d['threads'] > 1 else ''}"
            if d["device"] == "cpu"
            else ""
        )
        return f"{d['name']}{threads}, {d['precision']}, batch {d['batch']}"

    def block(self, block: Block, size: tuple[int, int]) -> Size:
        """Seconds of a block on an input of ``size``; a number, or an array of shape (N,) for a population."""
        total: Size = 0.0
        for use in block_uses(block, size):
            total = total + use.times * _seconds(self.fits, use)
        return total

    def chain(self, blocks: Sequence[Block]) -> float:
        """Seconds of one structure.

        Raises:
            InputError: it needs an operation that was not measured.
        """
        self.require(blocks)
        size, total = fed_size(self.input_size, [block.stride for block in blocks]), 0.0
        for block in blocks:
            total += float(self.block(block, size))
            size = downsample(size, block.stride)
        return total

    def require(self, blocks: Sequence[Block], input_size: tuple[int, int] | None = None) -> None:
        """Refuse blocks that the table does not cover.

        Raises:
            InputError: it was measured for another input size, or an operation is missing.
        """
        if input_size not in (None, self.input_size):
            raise InputError(
                f"--latency-table was measured at {format_size(self.input_size)}, expected the input size of the search, "
                f"{format_size(input_size)}"
            )
        for use in chain_uses(blocks, self.input_size):
            op = use.op
            fit = self.fits.get((op.kind, op.stride, op.size))
            if fit is None or op.k >= len(fit) or np.isnan(fit[op.k]).any():
                raise InputError(
                    f"--latency-table has no {op}, expected one that `lightnas profile --space` measured for these blocks"
                )


def fit_seconds(points: Sequence[Sequence[float]]) -> tuple[list[float], float]:
    """a, b, c, d of ``(c_in, c_out, seconds)`` rows, all at least 0, and the median of the relative error."""
    c_in, c_out, seconds = np.array(points, float).T
    terms = np.stack([np.ones_like(c_in), c_in, c_out, c_in * c_out], axis=1)
    fit = _fitted(terms, seconds)
    off = float(np.median(np.abs(terms @ fit / seconds - 1)))
    return [float(value) for value in fit], off


def _fitted(terms: Floats, seconds: Floats) -> Floats:
    """Coefficients of at least 0 of the terms, (n, m), whose sum comes closest to the seconds, (n,), in relative error."""
    relative = terms / seconds[:, None]
    scale = np.maximum(np.abs(relative).max(axis=0), 1e-300)
    fit: Floats = nnls(relative / scale, np.ones(len(seconds)))[0] / scale
    return np.where(relative.any(axis=0), fit, 0.0)  # a term that is 0 throughout gets a 0


def calibration(
    ops: Sequence[dict[str, Any]],
    input_size: tuple[int, int],
    networks: Sequence[tuple[Sequence[Block], float]],
) -> dict[str, float]:
    """``scale`` and ``per_conv``, from the fitted operations of a table, and whole networks with their seconds."""
    fits = _fits(ops, 1.0, 0.0)
    terms = [_sums(fits, blocks, input_size) for blocks, _ in networks]
    scale, per_conv = _fitted(np.array(terms), np.array([seconds for _, seconds in networks]))
    return {"scale": float(scale), "per_conv": float(per_conv)}


def _sums(fits: Fits, blocks: Sequence[Block], input_size: tuple[int, int]) -> tuple[float, float]:
    """Seconds of all operations of a structure, and the number of its convolutions."""
    uses = list(chain_uses(blocks, input_size))
    seconds = sum(float(use.times * _seconds(fits, use)) for use in uses)
    return seconds, float(sum(use.times for use in uses if use.kind == "conv"))


def _seconds(fits: Fits, use: Use) -> Size:
    a, b, c, d = np.moveaxis(fits[use.kind, use.stride, use.size][np.asarray(use.k, int)], -1, 0)
    seconds: Size = a + b * use.c_in + (c + d * use.c_in) * use.c_out
    return seconds


class OpFile(BaseModel):
    """One operation of a table file."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["conv", "relu", "add", "pool"]
    k: Annotated[int, Field(ge=1, le=1023)]
    stride: Annotated[int, Field(ge=1, le=2)]
    size: str
    fit: Annotated[list[Seconds], Field(min_length=4, max_length=4)] | None = None
    off: float | None = None
    points: list[tuple[int, int, Positive]] = []


class TableFile(BaseModel):
    """A latency table's file."""

    model_config = ConfigDict(extra="forbid")

    device: Literal["cpu", "cuda"]
    name: str
    precision: Literal["fp32", "fp16", "bf16"]
    batch: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    input_size: str
    complete: bool
    scale: Positive = 1.0
    per_conv: Seconds = 0.0
    most_flops: Positive | None = None
    space: dict[str, Any] | None = None
    versions: dict[str, str] = {}
    ops: list[OpFile]


def read_table_document(path: Path) -> dict[str, Any]:
    """The JSON of a latency table's file, finished or not; checked.

    Raises:
        InputError: one line that names the file and the key.
    """
    try:
        document = json.loads(read_text(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: is not JSON ({error}), expected a table that `lightnas profile` wrote"
        ) from error
    return check(TableFile, document, str(path)).model_dump()


def load_table(source: Path | dict[str, Any], where: str = "latency_table") -> LatencyTable:
    """A finished table from its file, or from its document, as a run's config.yaml holds it.

    Raises:
        InputError: it cannot be read, is no table, or is not finished.
    """
    if isinstance(source, Path):
        document, where = read_table_document(source), str(source)
    else:
        document = check(TableFile, source, where).model_dump()
    if not document["complete"] or any(op["fit"] is None for op in document["ops"]):
        raise InputError(
            f"{where}: is not finished, expected one that is; `lightnas profile --resume` goes on with it"
        )
    parse_size(document["input_size"], f"{where}: input_size")
    fits = _fits(document["ops"], document["scale"], document["per_conv"], where)
    keys = ("kind", "k", "stride", "size", "fit", "off")
    document["ops"] = [{key: op[key] for key in keys} for op in document["ops"]]
    return LatencyTable(
        {key: value for key, value in document.items() if key not in ("space", "most_flops")}, fits
    )


def _fits(
    ops: Sequence[dict[str, Any]], scale: float, per_conv: float, where: str = "latency_table"
) -> Fits:
    fits: Fits = {}
    largest = max((op["k"] for op in ops), default=1)
    for op in ops:
        key = (op["kind"], op["stride"], parse_size(op["size"], f"{where}: size", least=1))
        a, *rest = (scale * coefficient for coefficient in op["fit"])
        fits.setdefault(key, np.full((largest + 1, 4), np.nan))[op["k"]] = (
            a + per_conv * (op["kind"] == "conv"),
            *rest,
        )
    return fits
