"""What the page says of a structure: its convolutions as a chart, and its stages as a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from ..network.blocks import DEPTHWISE, Block, layers
from ..network.cost import block_cost
from ..network.entropy import block_entropy
from ..network.stages import fed_size
from ..network.structure import Structure, format_structures
from ..units import format_size
from .charts import Bar, Chart, bars

# Bars of a chart: more cannot be told apart.
MAX_BARS = 2500
# Structures of one directory that are drawn: a page stays below 1 MB.
MOST_DRAWN = 32


class Stage(NamedTuple):
    """A row of the architecture: one stage; ``shares`` are names and percents of the whole
    backbone."""

    name: str
    size: str
    width: int
    depth: str
    kernel: str
    btn: str
    shares: list[tuple[str, float]]


class Architecture(NamedTuple):
    """The convolutions of a backbone as a chart, and its stages as a table."""

    chart: Chart
    rows: list[Stage]
    input_size: str


class Network(NamedTuple):
    """A structure of a directory: the id of its txt, its name, the txt, and what it looks like; None
    where there are too many."""

    key: str
    name: str
    text: str
    architecture: Architecture | None


def networks(
    structures: Sequence[Structure],
    names: Sequence[str],
    key: str,
    input_size: tuple[int, int],
    leading: bool = True,
) -> list[Network]:
    """The structures of a directory, in order; of very many every so many-th is drawn.

    Args:
        key: opens their ids.
        leading: every bar of the first one can be asked what it is.
    """
    every = -(-len(structures) // MOST_DRAWN)
    return [
        Network(
            f"{key}-{i}", name, format_structures([structure]),
            architecture(structure, input_size, silent=i > 0 or not leading)
            if i % every == 0 or i == len(structures) - 1
            else None,
        )
        for i, (structure, name) in enumerate(zip(structures, names, strict=True))
    ]  # fmt: skip


def architecture(
    structure: Structure, input_size: tuple[int, int], silent: bool = False
) -> Architecture:
    """A chart of the convolutions, and a row a stage with its shares of the whole.

    ``silent``: no bar says what it is.
    """
    size, sizes = fed_size(input_size, structure.strides), []
    uses = {name: [0.0] * 5 for name in ("flops", "params", "entropy")}
    for block, stage in zip(structure, structure.stages, strict=True):
        cost, size = block_cost(block, size)
        sizes.append(size)
        figures = (cost.flops, cost.params, block_entropy(block))
        for values, figure in zip(uses.values(), figures, strict=True):
            values[stage - 1] += float(figure)
    rows = []
    for i, end in enumerate(structure.ends):
        blocks = [b for b, at in zip(structure, structure.stages, strict=True) if at == i + 1]
        rows.append(
            Stage(
                name=f"C{i + 1}",
                size=format_size(sizes[end]),
                width=structure.widths[i],
                depth=" + ".join(str(block.depth) for block in blocks),
                kernel=", ".join(f"{block.k}x{block.k}" for block in blocks),
                btn=", ".join(str(block.btn) for block in blocks if block.btn) or "-",
                shares=[
                    (name, 100 * values[i] / (sum(values) or 1.0)) for name, values in uses.items()
                ],
            )
        )
    return Architecture(_convolutions(structure, silent), rows, format_size(input_size))


def _convolutions(structure: Structure, silent: bool) -> Chart:
    """A bar for every convolution on the main path, as tall as its output channels, coloured by
    stage; of very deep networks a bar for several in a row, as tall as the widest of them."""
    drawn = []
    for stage, run in groupby(
        zip(structure, structure.stages, strict=True), key=lambda pair: pair[1]
    ):
        path = [conv for block, _ in run for conv in _main_path(block)]
        each = -(-len(path) * len(structure.ends) // MAX_BARS)
        for at in range(0, len(path), each):
            channels, text = max(path[at : at + each], key=lambda conv: conv[0])
            several = f"{len(path[at : at + each])} convolutions, the widest " if each > 1 else ""
            drawn.append(Bar(channels, f"C{stage}: {several}{text}", stage - 1))
    legend = [f"C{stage}" for stage in sorted(set(structure.stages))]
    return bars("Output channels of every convolution on the main path", drawn, legend, silent)


def _main_path(block: Block[int]) -> list[tuple[int, str]]:
    """Output channels of every convolution on the main path, and what it is in words."""
    path = []
    for layer, times in layers(block):
        for conv in int(times) * layer.main:  # type: ignore[arg-type]  # a number, of one structure
            stride = f", stride {conv.stride}" if conv.stride > 1 else ""
            kind = {1: "", DEPTHWISE: " depthwise"}.get(conv.groups, f" in {conv.groups} groups")
            text = f"{conv.k}x{conv.k}{kind}, {conv.c_in} to {conv.c_out} channels{stride}"
            path.append((int(conv.c_out), text))  # type: ignore[arg-type]
    return path
