"""``lightnas search | score | export-structure``: from budgets to a structure, and from a structure
to its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, require
from ..resources import RESOURCES
from .options import (
    ALPHA,
    PATH,
    SHARE,
    SIZE,
    STRUCTURES,
    Named,
    begin_options,
    budget_options,
    detector_option,
    json_option,
    latency_table_option,
    option_name,
    overwrite_file,
    score_options,
    space_options,
    work_options,
    written_budgets,
)
from .pages import PRESET_NAMES, STRUCTURE_NAMES, example, option
from .saying import say, say_json

if TYPE_CHECKING:
    from ..runs import SearchConfig


AT_LIMIT = "depth is at the space's limit in every stage; consider --budget-layers or --budget-rho"


@click.command(
    epilog=example(
        "search --preset maedet-m",
        "search --budget-flops 83.6G --budget-layers 91",
    )
)
@budget_options()
@latency_table_option
@detector_option("Count")
@score_options
@option(
    "--preset",
    metavar="NAME",
    help="maedet-s, -m or -l, damo-t, -s or -m: budgets of the published sizes.",
    shell_complete=PRESET_NAMES,
)
@option(
    "--config",
    metavar="FILE",
    type=PATH,
    help="A search config, or the config.yaml of a run. Options win over it.",
)
@space_options
@work_options("the one random generator")
@option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that score.",
)
@option(
    "--time-limit",
    metavar="S",
    type=float,
    help="Stop after S seconds; the result then depends on the machine.",
)
@option(
    "--top", metavar="K", type=click.IntRange(1, 128), help="Structures to keep.", show_default="5"
)
@option(
    "--within",
    metavar="SHARE",
    type=SHARE,
    help="With --minimise: a score this close to the best will do, e.g. 1%.",
)
@option(
    "--minimise",
    type=click.Choice(list(RESOURCES)),
    help="Then find what uses least of it.",
)
@option("--output", metavar="DIR", type=PATH, help="Run directory.", show_default="outputs/NAME")
@begin_options("Continue a run that was stopped.", "Replace the run in the directory.")
@json_option
def search(
    workers: int, output: Path | None, resume: bool, overwrite: bool, as_json: bool, **given: Any
) -> None:
    """Find the backbone of the largest score within the budgets."""
    from .. import runs
    from ..report.page import write_report
    from .tables import print_search, progress_bar

    config = _config(output if resume else None, **given)
    if output is None:
        output = Path("outputs") / _run_name(given)
        output = output if resume or overwrite else runs.fresh_path(output)
    with progress_bar() as show:
        result = runs.search(
            config, output, resume=resume, overwrite=overwrite, workers=workers,
            on_progress=show, write_report=write_report,
        )  # fmt: skip
    warnings = [AT_LIMIT] if result.depth_is_at_limit(config.problem.searched) else []
    for warning in warnings:
        say(f"warning: {warning}", err=True)
    if as_json:
        rhos = {"rho": result.rho, "rhos": result.rhos}
        told = {"warnings": warnings} if warnings else {}
        say_json(result.document | rhos | told | {"output": str(output)})
    else:
        print_search(result, config, output)


def _config(
    resumed: Path | None, preset: str | None, config: Path | None, **given: Any
) -> SearchConfig:
    """What the options ask for; --resume alone asks for what the run is."""
    from ..runs import load_config, preset_path

    if preset and config:
        raise InputError("--preset and --config are both given, expected one of them")
    if preset:
        config = preset_path(preset, "--preset")
    elif (
        resumed
        and not config
        and all(value is None for key, value in given.items() if key != "score")
    ):
        config = resumed / "config.yaml"
    budget = written_budgets(given)
    return load_config(config, given | {"budget": budget}, named=option_name)


def _run_name(given: dict[str, Any]) -> str:
    """What the user said, as a directory name: maedet-m, resnet50, flops-0.5G-layers-40."""
    if given["preset"]:
        return str(given["preset"])
    if given["config"]:
        path: Path = given["config"]
        return path.parent.name or "config" if path.name == "config.yaml" else path.stem
    budgets = {name: given[f"budget_{name}"] for name in RESOURCES}
    words = [f"{name}-{value.text}" for name, value in budgets.items() if value is not None]
    if given["detector"] is not None:
        words.append(given["detector"].strip().replace(":", "-"))
    return "-".join(words).replace("flops-resnet", "resnet").replace("/", "_")


@click.command(epilog=example("score maedet-m", "score outputs/maedet-m --verbose"))
@click.argument("structure", type=STRUCTURES, shell_complete=STRUCTURE_NAMES)
@option(
    "--input-size",
    metavar="HxW",
    type=SIZE,
    help="Picture for FLOPs.",
    show_default="the run's, or 800x1280",
)
@option(
    "--alpha",
    metavar="A1,...,A5",
    type=ALPHA,
    help="Weights of the stages C1 to C5.",
    show_default="the run's, or 0,0,1,1,6",
)
@detector_option("Count", "the run's, or none")
@option(
    "--activations",
    is_flag=True,
    help="Count the output elements of all convolutions.",
    show_default="where the run limits them",
)
@option(
    "--measured",
    is_flag=True,
    help="Run the networks too (needs torch), and print what they measure beside.",
)
@option(
    "--all",
    "every",
    is_flag=True,
    help="By every built-in score (zen needs torch), side by side.",
)
@option(
    "--verbose", is_flag=True, help="Print the entropy of every stage too; --json always has them."
)
@option("--json", "as_json", is_flag=True, help="Print the scores as one JSON object.")
def score(
    structure: Named,
    input_size: tuple[int, int] | None,
    alpha: tuple[float, ...] | None,
    detector: str | None,
    activations: bool,
    measured: bool,
    every: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Print score and cost of structures.

    STRUCTURE is a txt, of which every structure is shown, a run directory or a preset.
    """
    from ..network.detector import parse_detector
    from ..network.score import entropy_row, score_structures
    from ..runs import every_score, scored_at
    from .tables import print_scores

    of_run = scored_at(structure.name)
    input_size, alpha = input_size or of_run.input_size, alpha or of_run.alpha
    counted = of_run.detector if detector is None else parse_detector(detector, "--detector")
    activations |= of_run.activations
    rows = score_structures(structure.structures, input_size, alpha, counted, activations)
    if measured:
        require("--measured", "torch", "torch")
        from ..backbone.measured import measured_entropies

        for row, one in zip(rows, structure.structures, strict=True):
            row["measured"] = entropy_row(measured_entropies(one, input_size), alpha)
    if every:
        for row, one in zip(rows, structure.structures, strict=True):
            row["scores"] = every_score(one, input_size, alpha)
    if as_json:
        say_json({"structures": rows} | ({"detector": str(counted)} if counted else {}))
    else:
        print_scores(rows, structure.name, input_size, alpha, counted, verbose)


@click.command("export-structure", epilog=example("export-structure maedet-m --output m.txt"))
@click.argument("structure", type=STRUCTURES, shell_complete=STRUCTURE_NAMES)
@option(
    "--rank",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="0 is the best structure.",
)
@option("--output", metavar="FILE", type=PATH, help="Written whole.", show_default="stdout")
@option(
    "--format",
    "kind",
    type=click.Choice(["txt", "onnx"]),
    default="txt",
    show_default=True,
    help="A structure txt, or an untrained backbone.",
)
@option(
    "--input-size",
    metavar="HxW",
    type=SIZE,
    default="800x1280",
    show_default=True,
    help="Size that ONNX is traced at.",
)
@overwrite_file
def export_structure(
    structure: Named,
    rank: int,
    output: Path | None,
    kind: str,
    input_size: tuple[int, int],
    overwrite: bool,
) -> None:
    """Write one structure as a txt of its own, or as ONNX.

    STRUCTURE is a run directory, a preset or a txt; ONNX holds the untrained backbone.
    """
    from ..files import write_output
    from ..network.structure import STRUCTURE_FILE
    from ..outputs import NETWORK, check_file
    from ..runs import structure_path

    if rank >= len(structure.structures):
        raise InputError(
            f"--rank is {rank}, expected 0 to {len(structure.structures) - 1}, "
            f"the structures that {structure.name} holds"
        )
    if output is not None:
        what = NETWORK if kind == "onnx" else STRUCTURE_FILE
        check_file(output, what, [structure_path(structure.name)], overwrite=overwrite)
    chosen = structure.structures[rank]
    if kind == "onnx":
        _export_onnx(chosen, output, input_size)
    elif output is None:
        click.echo(str(chosen), nl=False)
    else:
        write_output(output, str(chosen).encode(), "--output")


def _export_onnx(structure: Any, output: Path | None, input_size: tuple[int, int]) -> None:
    require("--format onnx", "onnx", "torch", "onnx", "onnxruntime")
    if output is None:
        raise InputError("--format onnx without --output, expected a file for the network")
    from ..backbone.onnx import export_backbone
    from ..files import is_stream

    difference = export_backbone(structure, output, input_size)
    said = f"{output}: onnxruntime and torch differ by {difference:.1e} at most"
    say(said, err=is_stream(output))
