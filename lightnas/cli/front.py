"""``lightnas pareto``: a front of backbones under a row of budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..cores import cores
from ..errors import InputError
from ..resources import RESOURCES
from .options import (
    PATH,
    begin_options,
    budget_options,
    detector_option,
    json_option,
    latency_table_option,
    option_name,
    score_options,
    space_options,
    work_options,
    written_budgets,
)
from .pages import STRUCTURE_NAMES, example, option
from .saying import say_json

if TYPE_CHECKING:
    from ..runs import FrontConfig


@click.command(
    epilog=example("pareto --budget-flops 10G:160G:16", "pareto --budget-flops 10G:160G:5:log")
)
@budget_options(row=True)
@latency_table_option
@detector_option("Count")
@score_options
@option("--axis", type=click.Choice(list(RESOURCES)), help="Which budget has the row.")
@option(
    "--config",
    metavar="FILE",
    type=PATH,
    help="A search config, or the config.yaml of a front.",
)
@space_options
@work_options("every search", " a point", "each")
@option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 256),
    help="Processes that search.",
    show_default="one a CPU core",
)
@option(
    "--compare",
    metavar="STRUCTURE",
    multiple=True,
    help="Structure txts, run directories or presets to show beside.",
    shell_complete=STRUCTURE_NAMES,
)
@option(
    "--output",
    metavar="DIR",
    type=PATH,
    default=Path("outputs/front"),
    show_default=True,
    help="Directory of the front.",
)
@begin_options("Continue a front that was stopped.", "Replace the front in the directory.")
@json_option
def pareto(
    compare: tuple[str, ...], output: Path, resume: bool, overwrite: bool,
    as_json: bool, workers: int | None, **given: Any,
) -> None:  # fmt: skip
    """Find the best backbone under each of a row of budgets. Every point has its bound."""
    from .. import runs
    from ..report.page import write_report
    from ..runs.front_run import FrontRun
    from .tables import counting_bar, print_front

    asked = _config(output if resume else None, **given)
    others = runs.compared(compare, asked.search.problem)
    with counting_bar() as show:
        runs.front(
            asked, output, resume=resume, overwrite=overwrite, workers=workers or cores(),
            compare=others, inputs=list(map(runs.structure_path, compare)), on_progress=show, write_report=write_report,
        )  # fmt: skip
    content = FrontRun(output).result or {}
    if others:  # beside a finished front: shown, not written
        content = content | {"compare": others}
    if as_json:
        say_json(content | {"output": str(output)})
    else:
        print_front(content, output, asked.search.runtime)


def _config(
    resumed: Path | None, axis: str | None, config: Path | None, **given: Any
) -> FrontConfig:
    """What the options ask for; --resume alone asks for what the front is."""
    from ..runs import load_front

    if (
        resumed
        and not config
        and all(value is None for key, value in given.items() if key != "score")
    ):
        config = resumed / "config.yaml"
    rows = {name: text for name, text in written_budgets(given).items() if text is not None}
    long = [name for name, text in rows.items() if ":" in text]
    if len(long) > 1:
        raise InputError(
            f"--budget-{long[0]} and --budget-{long[1]} both have a row LOW:HIGH:N, expected one of them"
        )
    if axis is not None and long != [axis]:
        raise InputError(
            f"--axis is {axis}, expected a row of budgets for it such as --budget-{axis} LOW:HIGH:N"
        )
    row = rows.pop(long[0]) if long else ()
    options = given | {"budget": rows}
    return load_front(config, options, long[0] if long else None, row, option_name)
