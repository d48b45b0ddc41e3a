"""What the page says of a search: its result beside budgets and bound, how it got there, and the
structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..documents import LARGEST
from ..network.score import score_structures
from ..network.structure import Structure, read_structures
from ..resources import RESOURCES, Resource
from ..runs.config import SearchConfig, load_config
from ..runs.history import HISTORY, read_history
from ..runs.output_dir import STRUCTURE
from ..runs.search_run import CONFIG, POPULATION, RESULT, SearchRun, read_population
from ..search.problem import Evaluation, Problem
from ..search.result import Found, gap
from .architecture import networks
from .charts import Chart, Curve, Point, curves
from .compared import Compared, comparison, measured_on, published, score_label, with_detector
from .made import made_of
from .section import Budget, Overlay, Section, thinned

# Without a bound the convergence begins at this share of the best score.
LATE = 0.9
# Percent: what is less is the rounding of a gap that is 0.
LEAST = 1e-9
# Of a population so many are drawn.
MOST_DRAWN = 600


def read_search(path: Path, key: str) -> Section:
    """The section of a search's run directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: a file of it is missing or damaged.
    """
    result = Found.from_document(SearchRun(path).read_result(), str(path / RESULT))
    config = load_config(path / CONFIG, {})
    problem = config.problem
    costs = {name: float(value) for name, value in result.cost.known().items()}
    structures = read_structures(path / STRUCTURE)
    file = path / POPULATION
    population: Evaluation | None = read_population(file)["evaluation"] if file.is_file() else None
    rows = _rows(structures, problem, population)
    names = [f"found, rank {i}" for i in range(len(rows))]
    own = [
        Compared(name, row["score"], row, f"{key}-{i}")
        for i, (name, row) in enumerate(zip(names, rows, strict=True))
    ]
    steps = read_history(path / HISTORY)
    converged, chart = _convergence(steps, result.upper_bound)
    charts = [("Convergence", chart)]
    if population is not None:
        charts += _clouds(population, own, problem)
    return Section(
        path,
        key,
        kind="search in space " + problem.space.name + with_detector(problem.detector),
        figures=_figures(result, config, costs),
        made=made_of(path, seed=str(config.seed)),
        leading=True,
        budgets=[
            _budget(name, costs[name], limit, result.priced().get(name))
            for name, limit in problem.limits.items()
            if name in costs
        ],
        charts=charts,
        networks=networks(structures, names, key, problem.input_size),
        table=comparison([*own, *published(problem)], problem.input_size),
        overlays=[converged],
    )


def _rows(
    structures: Sequence[Structure], problem: Problem, population: Evaluation | None
) -> list[dict[str, Any]]:
    """Score and costs of each structure, by the table of the search in seconds too."""
    rows = score_structures(structures, problem.input_size, problem.alpha, problem.detector)
    if problem.score is not None and population is not None:  # as the search scored them
        rows = [
            row | {"score": float(score)}
            for row, score in zip(rows, population.score, strict=False)
        ]
    if problem.table is not None:
        rows = [
            row | {"latency": problem.latency_of(structure)}
            for row, structure in zip(rows, structures, strict=True)
        ]
    return rows


def _figures(
    result: Found, config: SearchConfig, costs: Mapping[str, float]
) -> list[tuple[str, str]]:
    return [
        (score_label(config), f"{result.score:.3f}"),
        *((f"from {part}", f"{value:.1f}") for part, value in (result.score_parts or {}).items()),
        *(
            (RESOURCES[name].label, RESOURCES[name].format(value, 4))
            for name, value in {**costs, "rho": result.rho}.items()
        ),
        ("gap to the bound", result.gap_text("0, proven optimal")),
        *((("cheapest", said),) if (said := result.cheapest_text()) else ()),
        ("search", f"{result.seconds:.2f} s"),
    ]


def _budget(name: str, used: float, limit: float, price: str | None) -> Budget:
    resource = RESOURCES[name]
    texts = (resource.format(used, 5), resource.format(limit, 5))
    adds = "" if price is None else f"one more adds {price} to the score"
    return Budget(resource.label, *texts, share=100 * used / limit, price=adds)


def _convergence(
    steps: Sequence[tuple[int, float, float]], bound: float | None
) -> tuple[Overlay, Chart]:
    """How far the best score is below the bound, against evaluations, on a scale of ratios; without
    a bound the best score itself, from where it is within a tenth of its end."""
    best = [(n, score) for n, _, score in steps]
    if bound is None:
        late = [(n, score) for n, score in best if score >= LATE * best[-1][1]] or best
        points = [Point(n, y, f"{n:,} evaluations: {y:.3f}") for n, y in late]
        overlay = Overlay(
            "Convergence", "evaluations", "score", Curve("best score", thinned(points))
        )
        return overlay, _drawn(overlay, "Best score against evaluations")
    gaps = [100 * gap(score, bound) for _, score in best]
    gaps = [min(each, LARGEST) if each > LEAST else 0.0 for each in gaps]  # rounding
    points = [
        Point(n, share, f"{n:,} evaluations: {score:.3f}, {share:.3g} % below the bound")
        for (n, score), share in zip(best, gaps, strict=True)
    ]
    curve = Curve("gap to the bound", thinned(points))
    overlay = Overlay("Convergence", "evaluations", "gap to the bound, %", curve, log="y")
    what = "How far the best score is below its upper bound, against evaluations"
    return overlay, _drawn(overlay, what)


def _drawn(overlay: Overlay, what: str) -> Chart:
    return curves(what, overlay.x_title, overlay.y_title, [overlay.curve], log=overlay.log)


def _clouds(
    population: Evaluation, own: Sequence[Compared], problem: Problem
) -> list[tuple[str, Chart]]:
    """The final population: score against the budget that its structures use most differently, and
    against latency where that is known."""
    spread = {
        name: float(np.ptp(use)) / float(np.max(use))
        for name, use in population.cost.known().items()
        if name in problem.limits and np.max(use, initial=0.0) > 0
    }
    widest = max(spread, key=spread.__getitem__, default="flops")
    drawn = [("Population", _cloud(population, own, RESOURCES[widest]))]
    if widest != "latency" and problem.table is not None:
        drawn.append((measured_on(problem), _cloud(population, own, RESOURCES["latency"])))
    return [(title, chart) for title, chart in drawn if chart is not None]


def _cloud(population: Evaluation, own: Sequence[Compared], resource: Resource) -> Chart | None:
    """None where the population does not know the resource, or is none."""
    use = getattr(population.cost, resource.name)
    if use is None or not len(use):
        return None
    every = -(-len(use) // MOST_DRAWN)
    pairs = zip(use[::every].tolist(), population.score[::every].tolist(), strict=True)
    cloud = [Point(x / resource.scale, y) for x, y in pairs if max(abs(x), abs(y)) <= LARGEST]
    best = [
        Point(
            network.costs[resource.name] / resource.scale,
            network.score,
            f"{network.name}: score {network.score:.3f}, "
            f"{resource.format(network.costs[resource.name], 4)} {resource.label}",
            network.text,
        )
        for network in own
        if network.costs.get(resource.name) is not None and network.score is not None
    ]
    unit = f"{resource.unit} {resource.label}".strip()
    series = [
        Curve("final population", cloud, line=False, cloud=True),
        Curve("best structures", best, line=False),
    ]
    return curves(f"Score against {resource.label} of the final population", unit, "score", series)
