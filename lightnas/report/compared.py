"""Networks beside each other: what a directory found, what it was compared with, what is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..latency.table import LatencyTable
from ..network.cost import INPUT_SIZE
from ..network.detector import Detector
from ..network.published import PUBLISHED
from ..network.scores import Entropy
from ..resources import RESOURCES
from ..runs.config import SearchConfig
from ..search.problem import Problem
from ..units import format_size

# What every network of the table has a column for; others are there where one of ours has them.
ALWAYS = [name for name, resource in RESOURCES.items() if resource.always]


class Compared(NamedTuple):
    """A network: its score, and costs by resource; what is not known is None or missing.

    Attributes:
        text: the id of its structure txt; empty where there is none on the page.
        kind: own or published.
        note: what else there is to say of it.
    """

    name: str
    score: float | None
    costs: Mapping[str, Any]
    text: str = ""
    kind: str = "own"
    note: str = ""


class Row(NamedTuple):
    """A row of the comparison; ``text``, ``kind`` and ``note`` as in ``Compared``."""

    name: str
    cells: list[str]
    text: str
    kind: str
    note: str


class Comparison(NamedTuple):
    """A table of networks, ours first: names of the columns after the first one, and rows."""

    columns: list[str]
    rows: list[Row]
    published: bool


def comparison(networks: Sequence[Compared], input_size: tuple[int, int]) -> Comparison:
    """The table of networks whose FLOPs were counted at ``input_size``."""
    own = [network for network in networks if network.kind == "own"]
    known = [
        name
        for name in RESOURCES
        if name in ALWAYS or any(network.costs.get(name) is not None for network in own)
    ]
    at = {"flops": f" at {format_size(input_size)}"}
    columns = ["score", *(RESOURCES[name].label + at.get(name, "") for name in known)]
    rows = [
        Row(
            network.name,
            [
                "-" if network.score is None else f"{network.score:.3f}",
                *(_cell(name, network.costs.get(name)) for name in known),
            ],
            network.text,
            network.kind,
            network.note,
        )
        for network in networks
    ]
    return Comparison(columns, rows, any(network.kind == "published" for network in networks))


def _cell(name: str, value: float | None) -> str:
    return "-" if value is None else RESOURCES[name].format(value, 4)


def published(problem: Problem) -> list[Compared]:
    """The published networks, whose FLOPs hold at 800 x 1280 and scores for the default weights; with
    a detector they have the same neck and head."""
    networks = []
    for row in published_costs(problem.detector):
        costs = row | ({} if problem.input_size == INPUT_SIZE else {"flops": None})
        score = row["score"] if problem.scorer == Entropy() else None
        networks.append(Compared(row["name"], score, costs, kind="published"))
    return networks


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


def measured_on(problem: Problem) -> str:
    """The title of a chart of seconds: the machine that the search's table was measured on."""
    table = problem.table
    return f"Latency on {table.title}" if isinstance(table, LatencyTable) else "Latency"


def score_label(config: SearchConfig) -> str:
    """What a score is called: score, and its name where it is not the entropy."""
    name = config.document["score"]
    return "score" if name == "entropy" else f"score {name}"
