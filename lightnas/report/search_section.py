"""What the page says of a search: its result beside budgets and bound, how it got there, and the
structure."""

from __future__ import annotations

from pathlib import Path

from ..network.score import score_structures
from ..network.structure import format_structures, read_structures
from ..resources import RESOURCES
from ..runs.config import load_config
from ..runs.history import HISTORY, read_history
from ..runs.output_dir import STRUCTURE
from ..runs.search_run import CONFIG, RESULT, SearchRun
from ..search.result import Found, gap
from .charts import Chart, Curve, Point, curves
from .section import (
    Budget,
    Section,
    architecture,
    comparison,
    own_row,
    score_label,
    thinned,
    with_detector,
)

# Where the convergence begins, as a share of the bound: from there on it can be told from it.
LATE = 0.9


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
    rows = score_structures(structures, problem.input_size, problem.alpha, problem.detector)
    if problem.score is not None:  # not entropy: as the search scored them
        scores = SearchRun(path).found().evaluation.score
        rows = [row | {"score": float(score)} for row, score in zip(rows, scores, strict=False)]
    own = [
        own_row(f"found, rank {i}", row["score"], row, f"{key}-{i}") for i, row in enumerate(rows)
    ]
    return Section(
        path,
        key,
        kind="search in space " + problem.space.name + with_detector(problem.detector),
        figures=[
            (score_label(config), f"{result.score:.3f}"),
            *(
                (f"from {part}", f"{value:.1f}")
                for part, value in (result.score_parts or {}).items()
            ),
            *(
                (RESOURCES[name].label, RESOURCES[name].format(value, 4))
                for name, value in (costs | {"rho": result.rho}).items()
            ),
            ("gap to the bound", result.gap_text("0, proven optimal")),
            *((("cheapest", said),) if (said := result.cheapest_text()) else ()),
            ("search", f"{result.seconds:.2f} s"),
        ],
        text=f"{key}-0",
        budgets=[
            _budget(name, costs[name], limit, result.priced().get(name))
            for name, limit in problem.limits.items()
            if name in costs
        ],
        charts=[("Convergence", _convergence(path / HISTORY, result.upper_bound))],
        architecture=architecture(structures[0], problem.input_size),
        table=comparison(own, problem),
        texts={
            f"{key}-{i}": format_structures([structure]) for i, structure in enumerate(structures)
        },
    )


def _budget(name: str, used: float, limit: float, price: str | None) -> Budget:
    resource = RESOURCES[name]
    texts = (resource.format(used, 5), resource.format(limit, 5))
    adds = "" if price is None else f"one more adds {price} to the score"
    return Budget(resource.label, *texts, share=100 * used / limit, price=adds)


def _convergence(history: Path, bound: float | None) -> Chart:
    """Best score against evaluations, from where evolution is within a tenth of its end, and the
    bound above it."""
    rows = [(n, best) for n, _, best in read_history(history)]
    top = rows[-1][1] if bound is None else bound
    late = [(n, best) for n, best in rows if best >= LATE * top] or rows
    ends = (late[0][0], max(late[-1][0], late[0][0] + 1))
    below = "" if bound is None else ", {:.3f} % below the bound"
    best = [
        Point(n, y, f"{n:,} evaluations: {y:.3f}" + below.format(100 * gap(y, top)))
        for n, y in late
    ]
    series = [Curve("best score", thinned(best))]
    if bound is not None:
        series.append(Curve("upper bound", [Point(n, bound) for n in ends], dots=False))
    what = "Best score against evaluations, and its upper bound"
    return curves(what, "evaluations", "score", series)
