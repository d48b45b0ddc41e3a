"""What the page shows, as plain dictionaries: pure functions of settings and of what was found.

``answer`` is the state of one setting. Everything else (how the optimum moved, designs side by side)
is said of such states alone, so that it holds for those that were kept as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..network.blocks import Block
from ..network.cost import INPUT_SIZE, Cost, block_cost, cost
from ..network.entropy import block_entropy
from ..network.scores import Entropy
from ..network.stages import fed_size
from ..network.structure import Structure, format_structures
from ..report.compared import Compared, comparison, published, published_costs
from ..resources import RESOURCES, Resource
from ..runs.config import SearchConfig
from ..search.objective import Objective
from ..search.problem import Problem
from ..search.result import Found
from ..units import format_size
from .settings import BUDGETS, DEFAULTS, Offered, Settings, command_of

State = dict[str, Any]

LABELS = {
    "max-channels": "channels at most",
    "alpha": "weights of the stages",
    "detector": "budgets of",
}

# Where a search stands, in the order in which it gets there.
SEARCHING, BOUNDED, PROVEN, ENDED = "searching", "bounded", "proven", "ended"


def answer(
    settings: Settings, offered: Offered, config: SearchConfig, found: Found, ended: bool
) -> State:
    """All that the page says of what was found by now, ``ended`` where that is all.

    Keys: settings (as in an address), phase, found (as in result.json), figures, budgets, stages,
    blocks, command, txt, input_size, space, at_limit, compared.
    """
    problem = config.problem
    return {
        "settings": str(settings),
        "phase": _phase(found, ended),
        "found": found.document | {"rho": found.rho},
        "figures": _figures(found),
        "budgets": [budget_row(found, name, limit) for name, limit in problem.limits.items()],
        "stages": stage_rows(problem, found.structure),
        "blocks": [block_text(block) for block in found.structure],
        "command": command_of(settings, offered),
        "txt": format_structures([found.structure]),
        "input_size": format_size(problem.input_size),
        "space": problem.space.name,
        "at_limit": found.depth_is_at_limit(problem.searched),
        "compared": compared_with(problem, found),
    }


def is_final(state: State) -> bool:
    """Whether the search of a state has ended, with a proof or with a gap."""
    return state["phase"] in (PROVEN, ENDED)


def _phase(found: Found, ended: bool) -> str:
    if ended:
        return PROVEN if found.proven_optimal else ENDED
    return SEARCHING if found.upper_bound is None else BOUNDED


def _figures(found: Found) -> list[tuple[str, str]]:
    """Names and values on top of the page."""
    bound = "not yet" if found.upper_bound is None else f"{found.upper_bound:.3f}"
    gap = "not yet" if found.upper_bound is None else found.gap_text("0, proven optimal")
    parts = [
        (f"score from {part}", f"{value:.1f}") for part, value in (found.score_parts or {}).items()
    ]
    costs = {name: float(value) for name, value in found.cost.known().items()} | {"rho": found.rho}
    used = [(RESOURCES[name].label, RESOURCES[name].format(costs[name], 4)) for name in costs]
    top = [("score", f"{found.score:.3f}"), ("upper bound", bound), ("gap to the bound", gap)]
    return [*top, *used, *parts]


def budget_row(found: Found, name: str, limit: float) -> State:
    """A budget, what is used of it in percent, and what one more of it adds to the bound."""
    resource, used = RESOURCES[name], float(found.cost.known()[name])
    price = (found.shadow_prices or {}).get(name)
    doubled = 0.0 if price is None else price * limit / resource.scale
    return {
        "name": name,
        "label": resource.label,
        "used": resource.format(used, 5),
        "limit": resource.format(limit, 5),
        "share": 100 * used / limit,
        "price": None if price is None else f"{price:.4g} a {resource.one_more}",
        "binds": doubled > 1e-9 * abs(found.score),  # else it is rounding
    }


# --- stage by stage ------------------------------------------------------------------------------------------------


def stage_rows(problem: Objective, structure: Structure) -> list[State]:
    """A row a stage, and one of neck and head where they count: what it costs, in words and in
    percent of the whole."""
    costs, entropies = _costs_by_stage(problem, structure)
    total = {name: sum(one.known()[name] for one in costs) for name in costs[0].known()}
    rows = []
    for i, of_stage in enumerate(costs):
        cells = [
            (RESOURCES[name].label, RESOURCES[name].format(float(used), 4), _percent(used, total[name]))
            for name, used in of_stage.known().items()
        ]  # fmt: skip
        entropy = _percent(entropies[i], sum(entropies))
        name = f"C{i + 1}" if i < len(structure.ends) else "neck and head"
        rows.append({"name": name, "costs": cells, "entropy": entropy})
    return rows


def _costs_by_stage(problem: Objective, structure: Structure) -> tuple[list[Cost], list[float]]:
    """What the blocks of each stage cost, and their entropy; of a detector its neck and head last."""
    size, table = fed_size(problem.input_size, structure.strides), problem.table
    none = Cost(0, 0, 0, 0.0 if table else None, 0 if problem.activations else None)
    costs, entropies = [none] * len(structure.ends), [0.0] * len(structure.ends)
    for block, stage in zip(structure, structure.stages, strict=True):
        of_block, size = block_cost(block, size, table, problem.activations)
        costs[stage - 1] = costs[stage - 1].plus(of_block)
        entropies[stage - 1] += float(block_entropy(block))
    if problem.detector:
        more = none
        for stage, width in enumerate(structure.widths, start=1):
            more = more.plus(problem.detector.added(stage, width, problem.input_size, table))
        costs, entropies = [*costs, more], [*entropies, 0.0]
    return costs, entropies


def _percent(part: Any, whole: Any) -> float:
    return 100 * float(part) / (float(whole) or 1.0)


def block_text(block: Block[int]) -> dict[str, str]:
    """A block in words, by key: class, channels, kernel, layers, bottleneck."""
    return {
        "class": block.kind,
        "channels": str(block.c_out),
        "kernel": f"{block.k}x{block.k}",
        "layers": str(block.depth),
        "bottleneck": str(block.btn or "-"),
        "stride": str(block.stride),
    }


def compared_with(problem: Problem, found: Found) -> dict[str, Any]:
    """What was found, and the published networks beside it: names of the columns, and rows."""
    own = Compared("this design", found.score, found.cost.known())
    table = comparison([own, *published(problem)], problem.input_size)
    return {"columns": table.columns, "rows": [row._asdict() for row in table.rows]}


# --- between settings ----------------------------------------------------------------------------------------------


def moved(before: State, after: State) -> list[tuple[str, str, str, str]]:
    """How the optimum moved: name, then and now of everything asked, figure and block that is
    another one now, and of score and costs by how much."""
    by = _changes(before["found"], after["found"])
    rows = side_by_side([before, after])
    return [(name, then, now, by.get(name, "")) for name, (then, now) in rows if then != now]


def _changes(before: State, after: State) -> dict[str, str]:
    """Of the score in its own unit, of costs in percent."""
    changes = {"score": f"{after['score'] - before['score']:+.3f}"}
    for name, resource in RESOURCES.items():
        if before.get(name) and name in after:
            changes[resource.label] = f"{100 * (after[name] / before[name] - 1):+.1f} %"
    return changes


def side_by_side(states: Sequence[State]) -> list[tuple[str, list[str]]]:
    """Designs beside each other: the name of a row, and a cell a state; first what was asked for,
    then what was found, then the blocks."""
    rows = []
    for columns in zip(*map(_cells, states), strict=True):
        names = dict.fromkeys(name for cells in columns for name in cells)
        rows += [(name, [cells.get(name, "-") for cells in columns]) for name in names]
    return rows


def _cells(state: State) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """A column of the comparison in three parts."""
    values = DEFAULTS | Settings.parse(state["settings"]).values
    asked = {label_of(key): value for key, value in values.items()}
    blocks = {f"block {i + 1}": _in_short(block) for i, block in enumerate(state["blocks"])}
    return asked, dict(state["figures"]), blocks


def label_of(key: str) -> str:
    """What people call a setting."""
    if key in BUDGETS:
        return f"{RESOURCES[BUDGETS[key]].label} at most"
    return LABELS.get(key, key.replace("-", " "))


def _in_short(block: Mapping[str, str]) -> str:
    deep = f"{block['layers']} of " if block["layers"] != "1" else ""
    narrow = f" by {block['bottleneck']}" if block["bottleneck"] != "-" else ""
    return f"{deep}{block['kernel']}{narrow} to {block['channels']}"


# --- sliders -------------------------------------------------------------------------------------------------------


def slider_ranges(problem: Objective) -> dict[str, State]:
    """From where to where the sliders of the budgets go: low, high, and whether their steps are
    ratios (log) or one.

    A space reaches over five powers of ten, most of which nobody wants: they go from the smallest
    structure to some way above the middle. What lies beyond is typed.
    """
    space = problem.space
    genomes = np.stack([space.smallest, space.repair(space.bounds[1][None])[0]])
    blocks = space.decode(genomes)
    size, table = problem.input_size, problem.table
    bare = cost(blocks, size, None if problem.detector else table, activations=True).known()
    whole = cost(blocks, size, table, problem.detector, activations=True).known()
    ranges: dict[str, State] = {}
    for name, resource in RESOURCES.items():
        if not resource.summed:
            ranges[name] = {"low": 0.05, "high": 1.0, "log": True}
        elif name in whole:
            low, high = np.broadcast_to(bare.get(name, whole[name]), 2).tolist()
            more = float(np.broadcast_to(whole[name], 2)[0]) - low
            ranges[name] = _slider(resource, low, high, more)
            if resource.scale == 1 and _deepens(problem):
                ranges[name]["high"] *= 2
    return ranges


def _slider(resource: Resource, smallest: float, largest: float, more: float) -> State:
    """Of the backbone's figures, and what neck and head add."""
    if resource.scale == 1:
        return {"low": smallest, "high": largest, "log": False}
    middle = (smallest * largest) ** 0.5
    return {"low": 1.05 * smallest + more, "high": min(largest, 20 * middle) + more, "log": True}


def _deepens(problem: Objective) -> bool:
    """Whether a layer budget may raise the depths of the space."""
    return any(block.layers_per_depth for block in problem.space.blocks)


# --- around it -----------------------------------------------------------------------------------------------------

# Neighbours on the front, as shares of the budget, nearest first.
AROUND = (0.9, 1.1, 0.75, 1.25, 0.6, 1.5)


def front_axis(problem: Problem) -> str:
    """The budget that the front around a design varies: the first that is summed up."""
    limits = [name for name in problem.limits if RESOURCES[name].summed]
    return limits[0] if limits else next(iter(problem.limits))


def neighbours(problem: Problem, axis: str) -> list[float]:
    """Budgets around that of the design, nearest first."""
    limit = problem.limits[axis]
    near = [share * limit for share in AROUND]
    if RESOURCES[axis].scale == 1:  # whole layers
        near = [float(round(value)) for value in near]
    return [value for value in dict.fromkeys(near) if 0 < value != limit]


def published_points(problem: Problem, axis: str) -> list[tuple[str, float, float]]:
    """Name, use and score of the published networks that can stand on the front: where sizes and
    weights are theirs."""
    if problem.input_size != INPUT_SIZE or problem.scorer != Entropy():
        return []
    rows = [row for row in published_costs(problem.detector) if row["score"] is not None]
    return [(row["name"], float(row[axis]), row["score"]) for row in rows if row.get(axis)]
