"""What the page says of one directory, and the parts that several kinds of directories share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ..network.blocks import DEPTHWISE, Block, layers
from ..network.cost import INPUT_SIZE, block_cost
from ..network.detector import Detector
from ..network.entropy import block_entropy
from ..network.published import PUBLISHED
from ..network.scores import Entropy
from ..network.stages import fed_size
from ..network.structure import Structure
from ..resources import RESOURCES
from ..runs.config import SearchConfig
from ..search.problem import Problem
from ..units import format_count, format_size
from .charts import Bar, Chart, Point, bars

# Bars of a chart: more cannot be told apart.
MAX_BARS = 2500
COSTS = [name for name, resource in RESOURCES.items() if resource.always]  # of the comparison


class Budget(NamedTuple):
    """A budget, what was used of it, in words and in percent, and what one more of it adds."""

    name: str
    used: str
    limit: str
    share: float
    price: str = ""


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


class Row(NamedTuple):
    """A row of the comparison; ``text`` is the id of the structure txt that can be copied, ``kind``
    own or published."""

    name: str
    cells: list[str]
    text: str
    kind: str


class DataTable(NamedTuple):
    """A set of data in words.

    Attributes:
        layout: what the folder was laid out as; empty where it was not looked for.
        splits: names of the columns.
        rows: label and a cell a split, what there is.
        classes: the same, objects of each class.
        notes: what was understood, and what was left out.
        mistakes: what may be wrong.
    """

    layout: str
    splits: list[str]
    rows: list[tuple[str, list[str]]]
    classes: list[tuple[str, list[str]]]
    notes: list[str]
    mistakes: list[str]


class Comparison(NamedTuple):
    """Networks beside each other, ours first."""

    input_size: str
    rows: list[Row]


class Cell(NamedTuple):
    """A number of the matrix, and its share of the row in percent."""

    text: str
    share: float


class Confusion(NamedTuple):
    """Rows are true classes, columns found ones, the background last; ``note`` says what counts."""

    names: list[str]
    rows: list[tuple[str, list[Cell]]]
    note: str


class Measured(NamedTuple):
    """Of each class its name, AP, AP50, objects and pictures; the curves and the matrix, None where
    a run is from before they were written."""

    classes: list[tuple[str, list[str]]]
    curves: Chart | None
    confusion: Confusion | None


@dataclass(frozen=True)
class Section:
    """What the page says of one directory.

    Attributes:
        path: the directory; ``key`` opens the ids of its elements.
        kind: what it holds, in words.
        figures: names and values that stand on top.
        text: the id of the structure txt that the button on top copies; empty where there is none.
        texts: structure txts by id.
        charts: names and charts; ``hint`` says what can be done with them.
        data: what was trained on.
        recipe: what was chosen for the size of the set, in plain lines.
        picture: a JPEG file to show, where it exists.
        measured: what a detector reaches on each class.
    """

    path: Path
    key: str
    kind: str
    figures: Sequence[tuple[str, str]]
    text: str = ""
    budgets: Sequence[Budget] = ()
    charts: Sequence[tuple[str, Chart]] = ()
    hint: str = ""
    architecture: Architecture | None = None
    data: DataTable | None = None
    recipe: Sequence[str] = ()
    picture: Path | None = None
    measured: Measured | None = None
    table: Comparison | None = None
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What people call the directory."""
        return self.path.name or str(self.path)


def thinned(points: Sequence[Point], most: int = 60) -> list[Point]:
    """At most so many points, the last among them."""
    step = -(-len(points) // most)
    return [*points[:-1:step], points[-1]]


def architecture(structure: Structure, input_size: tuple[int, int]) -> Architecture:
    """A chart of the convolutions, and a row a stage with its shares of the whole."""
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
    return Architecture(_convolutions(structure), rows, format_size(input_size))


def _convolutions(structure: Structure) -> Chart:
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
    return bars("Output channels of every convolution on the main path", drawn, legend)


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


def own_row(name: str, score: float, costs: Mapping[str, Any], text: str = "") -> Row:
    """A row of the comparison that stands for a network of the user's; ``costs`` by resource."""
    return _row(name, score, costs, text, "own")


def score_label(config: SearchConfig) -> str:
    """What a score is called: score, and its name where it is not the entropy."""
    name = config.document["score"]
    return "score" if name == "entropy" else f"score {name}"


def comparison(own: Sequence[Row], problem: Problem) -> Comparison:
    """Rows of ours, then the published networks, whose FLOPs hold at 800 x 1280 and scores for the
    default weights; with a detector they have the same neck and head."""
    rows = list(own)
    for network in published_costs(problem.detector):
        score = network["score"] if problem.scorer == Entropy() else None
        costs = network | ({} if problem.input_size == INPUT_SIZE else {"flops": None})
        rows.append(_row(network["name"], score, costs, "", "published"))
    return Comparison(format_size(problem.input_size), rows)


def published_costs(detector: Detector | None) -> list[dict[str, Any]]:
    """A row a published network: name, score and costs at 800 x 1280, with neck and head where
    there is a detector."""
    rows = []
    for network in PUBLISHED:
        row = network._asdict()
        if detector:
            more = detector.on(network.widths)
            row |= {"flops": row["flops"] + more.flops, "params": row["params"] + more.params}
        rows.append(row)
    return rows


def with_detector(detector: Detector | None) -> str:
    """What a section's line says of the detector that is counted."""
    return f", neck and head of {detector} counted" if detector else ""


def _row(name: str, score: float | None, costs: Mapping[str, Any], text: str, kind: str) -> Row:
    cells = ["-" if score is None else f"{score:.3f}"]
    cells += ["-" if costs[key] is None else format_count(costs[key], 4) for key in COSTS]
    return Row(name, cells, text, kind)
