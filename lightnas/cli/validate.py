"""``lightnas validate``: does a better score give a better detector, on one's own data?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .detector_options import quiet_threads
from .options import (
    PATH,
    STRUCTURES,
    begin_options,
    budget_options,
    json_option,
    latency_table_option,
    option_name,
    space_options,
    written_budgets,
)
from .pages import STRUCTURE_NAMES, example, option
from .saying import say_json
from .training import train_det

if TYPE_CHECKING:
    from ..runs.study_run import StudyConfig


@click.command(
    epilog=example(
        "validate --data digits --budget-flops 40M \\\n      --budget-layers 25 -- --schedule 6"
    )
)
@click.argument(
    "structure",
    nargs=-1,
    metavar="[STRUCTURE]... [-- TRAIN-DET-OPTIONS]",
    shell_complete=STRUCTURE_NAMES,
)
@option("--data", metavar="DIR", type=PATH, help="What `lightnas train-det` takes.")
@budget_options()
@latency_table_option
@space_options
@option(
    "--structures",
    metavar="N",
    type=click.IntRange(2, 99),
    default=12,
    show_default=True,
    help="How many to choose, from random to the best score.",
)
@option(
    "--seeds",
    metavar="N",
    type=click.IntRange(1, 99),
    default=3,
    show_default=True,
    help="Trainings of each.",
)
@option("--seed", metavar="N", type=click.IntRange(0), help="Of the choice.", show_default="0")
@option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1),
    help="Trainings side by side.",
    show_default="one a GPU, else 1",
)
@option("--gpus", metavar="N", type=click.IntRange(1), help="Spread the trainings over N GPUs.")
@option(
    "--output",
    metavar="DIR",
    type=PATH,
    default=Path("outputs/study"),
    show_default=True,
    help="Directory of the study.",
)
@begin_options("Continue a study that was stopped.", "Replace the study in the directory.")
@json_option
def validate(
    structure: tuple[str, ...], output: Path, resume: bool, overwrite: bool, as_json: bool,
    jobs: int | None, gpus: int | None, **given: Any,
) -> None:  # fmt: skip
    """Test on your own data what a better score is worth.

    It trains structures that share budgets and differ in score, and correlates score and AP.

    Without STRUCTURE, --budget-... options say what the structures share: each uses all of every
    budget. With STRUCTUREs, txts, run directories or presets, those are trained.
    """
    quiet_threads()
    from ..install.doctor import preflight

    preflight()
    from .. import runs
    from ..report.page import write_report
    from .tables import measuring_bar, print_study

    with measuring_bar() as show:
        result = runs.validate(
            _config(output if resume else None, structure, **given), output,
            resume=resume, overwrite=overwrite, jobs=jobs or gpus or 1, gpus=gpus or 0,
            on_progress=show, write_report=write_report,
        )  # fmt: skip
    if as_json:
        say_json(result | {"output": str(output)})
    else:
        print_study(result, output)


def _config(resumed: Path | None, words: tuple[str, ...], **given: Any) -> StudyConfig:
    """What is asked for; --resume alone asks for what the study is."""
    from ..network.cost import INPUT_SIZE
    from ..runs import load_config
    from ..runs.study_run import CONFIG, StudyConfig

    data, n, seeds = given.pop("data"), given.pop("structures"), given.pop("seeds")
    if resumed and not words and data is None:
        return StudyConfig.of(resumed / CONFIG)
    names, training = _split(words)
    if data is None or not data.is_dir():
        raise InputError(f"--data is {data}, expected the folder of a data set")
    size = given["input_size"]
    if size:
        training = ("--input-size", f"{size[0]}x{size[1]}", *training)
    _check_training(training)
    budget = written_budgets(given)
    if names:
        chosen = [
            found for name in names for found in STRUCTURES.convert(name, None, None).structures
        ]
        return StudyConfig(tuple(chosen), data, seeds, size or INPUT_SIZE, training)
    problem = load_config(None, given | {"budget": budget}, named=option_name).problem
    from ..search.spread import spread

    chosen = spread(problem, n, given["seed"] or 0)
    return StudyConfig(tuple(chosen), data, seeds, problem.input_size, training, problem.limits)


def _split(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of structures, and the options of train-det after them."""
    first = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:first], words[first:]


def _check_training(options: tuple[str, ...]) -> None:
    """Refuse options that train-det does not have, before any work."""
    train_det.make_context("train-det", ["structure.txt", *options])
