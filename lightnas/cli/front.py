"""``lightnas pareto``: a front of backbones under a row of budgets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..resources import RESOURCES
from .options import budget_options

if TYPE_CHECKING:
    from ..runs.front_run import FrontConfig, FrontRun
    from ..search import Point


@click.command()
@budget_options(row=True)
@click.option("--latency-table", metavar="FILE", help="What `lightnas profile` measured.")
@click.option(
    "--axis", metavar="NAME", type=click.Choice(list(RESOURCES)), help="Which budget has the row."
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A search config, or the config.yaml of a front.",
)
@click.option("--space", metavar="NAME|FILE", help="Search space.  [default: k1kxk1]")
@click.option(
    "--max-channels",
    metavar="N",
    type=click.IntRange(1, 65_536),
    help="Replaces the space's own limit.",
)
@click.option("--input-size", metavar="HxW", help="For FLOPs.  [default: the table's, or 800x1280]")
@click.option("--seed", metavar="N", type=click.IntRange(0), help="Of every search.  [default: 0]")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 256),
    help="Processes that search.  [default: one a CPU core]",
)
@click.option(
    "--evaluations",
    metavar="N",
    type=click.IntRange(1),
    help="At most so many a point.  [default: 100000]",
)
@click.option(
    "--proof-work",
    metavar="N",
    type=click.IntRange(0),
    help="Operations of each proof.  [default: 50000000]",
)
@click.option(
    "--compare",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Structure txts to show beside.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("outputs/front"),
    show_default=True,
)
@click.option("--resume", is_flag=True, help="Continue a front that was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace the front in the directory.")
@click.option("--json", "as_json", is_flag=True, help="Print the front as one JSON object.")
def pareto(
    axis: str | None, config: Path | None, compare: tuple[Path, ...], output: Path, resume: bool, overwrite: bool,
    as_json: bool, workers: int | None, **options: Any,
) -> None:  # fmt: skip
    """The best backbone under each of a row of budgets, every point with its bound."""
    from ..runs.front_run import FrontRun
    from .tables import print_front

    if resume and overwrite:
        raise InputError("--resume and --overwrite are both given, expected one of them")
    asked = _config(axis, config, output if resume else None, options)
    others = _compared(compare, asked)
    with FrontRun(output) as run:
        run.begin(asked, resume=resume, overwrite=overwrite)
        content: dict[str, Any] = run.result or _run(
            asked, run, workers or os.cpu_count() or 1, others
        )
    if others:  # of a finished front: shown, not written
        content = content | {"compare": others}
    if as_json:
        click.echo(json.dumps(content | {"output": str(output)}))
    else:
        print_front(content, output)


def _config(
    axis: str | None, path: Path | None, resumed: Path | None, options: dict[str, Any]
) -> FrontConfig:
    from ..runs.front_run import load_front
    from ..units import parse_range

    rows = {}
    for name in RESOURCES:
        text = options.pop(f"budget_{name}")
        if text is not None:
            rows[name] = parse_range(text, f"--budget-{name}", RESOURCES[name].parse)
    long = [name for name, values in rows.items() if len(values) > 1]
    if len(long) > 1:
        raise InputError(
            f"--budget-{long[0]} and --budget-{long[1]} both have a row LOW:HIGH:N, expected one of them"
        )
    if axis is not None and long != [axis]:
        raise InputError(
            f"--axis is {axis}, expected a row of budgets for it such as --budget-{axis} LOW:HIGH:N"
        )
    if (
        path is None
        and resumed is not None
        and not rows
        and all(value is None for value in options.values())
    ):
        path = resumed / "config.yaml"
    budget = {name: values[0] for name, values in rows.items() if name not in long}
    return load_front(
        path, options | {"budget": budget}, long[0] if long else None, rows[long[0]] if long else ()
    )


def _compared(paths: tuple[Path, ...], asked: FrontConfig) -> list[dict[str, Any]]:
    """Score and cost of the structures to show beside the front."""
    from ..network.score import score_structures
    from ..network.structure import read_structures

    problem = asked.search.problem
    return [
        {"name": path.stem if i == 0 else f"{path.stem} {i}"} | row
        for path in paths
        for i, row in enumerate(
            score_structures(read_structures(path), problem.input_size, problem.alpha)
        )
    ]


def _run(
    asked: FrontConfig, run: FrontRun, n_workers: int, others: list[dict[str, Any]]
) -> dict[str, Any]:
    from ..report.page import write_report
    from ..search import front
    from ..search.workers import workers
    from .tables import counting_bar

    search, points = asked.search, run.points
    run.log(
        f"{'resumed' if points else 'started'}: {asked.axis} {asked.values}, budgets {search.problem.limits}"
    )
    with (
        workers(min(n_workers, len(asked.values))) as executor,
        counting_bar(len(asked.values), len(points)) as advance,
    ):

        def report(i: int, point: Point) -> None:
            points[i] = point
            run.save_points(points)
            advance()

        found = front(
            search.problem,
            asked.axis,
            asked.values,
            search.seed,
            search.limits,
            executor,
            done=points,
            report=report,
        )
    content = {
        "axis": asked.axis,
        "input_size": search.document["input_size"],
        "points": [point.document for point in found.points],
        "compare": others,
    }
    run.finish_front(content)
    write_report([run.path])
    run.log(f"finished: largest gap {max(point.gap for point in found.points)!r}")
    return content
