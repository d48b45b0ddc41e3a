"""The command line: ``lightnas search | score | export-structure``, the detection commands, and how commands end.

Results go to stdout, progress and messages to stderr. Exit status: 0 done, 1 the work failed, 2 bad input, 130 after
Ctrl-C, 143 after SIGTERM. Commands import what they need when they run, so ``--help`` answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..errors import InputError, WorkError, nearest, require
from ..resources import RESOURCES
from .detection import COMMANDS
from .front import pareto
from .latency import latency, profile
from .options import budget_options
from .report import report

if TYPE_CHECKING:
    from ..runs.config import SearchConfig
    from ..runs.search_run import SearchRun

INTERRUPTED, TERMINATED = 130, 143
# Seconds of a search that a stop may cost.
SAVE_EVERY = 0.5


class Terminated(BaseException):
    """SIGTERM, raised where the program stands, so that it leaves by the same doors as Ctrl-C."""


class Commands(click.Group):
    """A group that suggests the nearest command for a typo."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"no command '{args[0]}', {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find detection backbones without training any network, proven optimal under your budgets."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command()
@budget_options()
@click.option("--latency-table", metavar="FILE", help="What `lightnas profile` measured.")
@click.option(
    "--preset",
    metavar="NAME",
    help="maedet-s, maedet-m or maedet-l: budgets of the published sizes.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="A search config, or the config.yaml of a run. Options win over it.",
)
@click.option("--space", metavar="NAME|FILE", help="Search space.  [default: k1kxk1]")
@click.option(
    "--max-channels",
    metavar="N",
    type=click.IntRange(1, 65_536),
    help="Replaces the space's own limit.",
)
@click.option("--input-size", metavar="HxW", help="For FLOPs.  [default: the table's, or 800x1280]")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), help="Of the one random generator.  [default: 0]"
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    help="Processes that score.  [default: 1]",
)
@click.option(
    "--evaluations", metavar="N", type=click.IntRange(1), help="At most so many.  [default: 100000]"
)
@click.option(
    "--proof-work",
    metavar="N",
    type=click.IntRange(0),
    help="Operations of the proof.  [default: 50000000]",
)
@click.option(
    "--time-limit",
    metavar="S",
    type=float,
    help="Stop after S seconds; the result then depends on the machine.",
)
@click.option(
    "--top", metavar="K", type=click.IntRange(1, 128), help="Structures to keep.  [default: 5]"
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Run directory.  [default: outputs/NAME]",
)
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the directory.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def search(
    workers: int, output: Path | None, resume: bool, overwrite: bool, as_json: bool, **options: Any
) -> None:
    """Search for the backbone of the largest score within the budgets."""
    from ..runs.output_dir import fresh_path
    from ..runs.search_run import SearchRun

    if resume and overwrite:
        raise InputError("--resume and --overwrite are both given, expected one of them")
    config = _search_config(options, output if resume else None)
    if output is None:
        output = Path("outputs") / _run_name(options)
        output = output if resume or overwrite else fresh_path(output)
    with SearchRun(output) as run:
        run.begin(config, resume=resume, overwrite=overwrite)
        content: dict[str, Any] = run.result or _run_search(config, run, workers)
    if as_json:
        click.echo(json.dumps(content | {"output": str(output)}))
    else:
        from .tables import print_search

        print_search(content, config.problem, output)


def _search_config(options: dict[str, Any], resumed: Path | None) -> SearchConfig:
    from ..runs.config import load_config, preset_path

    preset, path = options["preset"], options["config"]
    if preset and path:
        raise InputError("--preset and --config are both given, expected one of them")
    budget = {name: options[f"budget_{name}"] for name in RESOURCES}
    names = (
        "space",
        "latency_table",
        "max_channels",
        "input_size",
        "seed",
        "evaluations",
        "proof_work",
        "time_limit",
        "top",
    )
    given = {name: options[name] for name in names}
    if (
        resumed
        and not preset
        and not path
        and not any(value is not None for value in [*budget.values(), *given.values()])
    ):
        path = resumed / "config.yaml"
    source = preset_path(preset) if preset else Path(path) if path else None
    return load_config(source, given | {"budget": budget})


def _run_name(options: dict[str, Any]) -> str:
    """What the user said, as a directory name: maedet-m, resnet50, flops-0.5G-layers-40."""
    if options["preset"]:
        return str(options["preset"])
    if options["config"]:
        path = Path(options["config"])
        return path.parent.name or "config" if path.name == "config.yaml" else path.stem
    words = [
        f"{name}-{options[f'budget_{name}']}" for name in RESOURCES if options[f"budget_{name}"]
    ]
    return "-".join(words).replace("flops-resnet", "resnet").replace("/", "_")


def _run_search(config: SearchConfig, run: SearchRun, n_workers: int) -> dict[str, Any]:
    import time

    from ..report.page import write_report
    from ..search.engine import Search
    from ..search.workers import workers
    from .tables import progress_bar

    search = Search(config.problem, config.seed, config.limits, config.top)
    run.log(
        "resumed"
        if run.load(search)
        else f"started: budgets {config.problem.limits}, seed {config.seed}"
    )
    with workers(n_workers) as search.executor, progress_bar() as show:
        saved, phase = time.monotonic(), ""
        for progress in search.steps():
            show(progress)
            if progress.phase != phase:
                phase = progress.phase
                bound = progress.upper_bound
                run.log(
                    f"{phase}: {progress.evaluations} evaluations, best {progress.score!r}, bound {bound}"
                )
            if time.monotonic() - saved > SAVE_EVERY:
                run.save(search)
                saved = time.monotonic()
    result = search.result()
    run.finish_search(result, search.space.genes)
    write_report([run.path])
    run.log(f"finished: score {result.score!r}, upper bound {result.upper_bound!r}")
    return result.document


@cli.command()
@click.argument("structure", type=click.Path(path_type=Path))
@click.option(
    "--input-size", metavar="HxW", default="800x1280", show_default=True, help="Picture for FLOPs."
)
@click.option(
    "--alpha",
    metavar="A1,...,A5",
    default="0,0,1,1,6",
    show_default=True,
    help="Weights of the stages C1 to C5.",
)
@click.option(
    "--measured",
    is_flag=True,
    help="Run the networks too (needs torch), and print what they measure beside.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores as one JSON object.")
def score(structure: Path, input_size: str, alpha: str, measured: bool, as_json: bool) -> None:
    """Score and cost of every structure of a txt."""
    from ..network.score import parse_alpha, score_structures
    from ..network.structure import read_structures
    from ..units import parse_size

    size, weights = parse_size(input_size, "--input-size"), parse_alpha(alpha, "--alpha")
    structures = read_structures(structure)
    rows = score_structures(structures, size, weights)
    if measured:
        require("--measured", "torch", "torch")
        from ..backbone.measured import measured_entropies
        from ..network.score import entropy_row

        for row, blocks in zip(rows, structures, strict=True):
            row["measured"] = entropy_row(measured_entropies(blocks, size), weights)
    if as_json:
        click.echo(json.dumps({"structures": rows}))
    else:
        from .tables import print_scores

        print_scores(rows, structure, input_size, alpha)


@cli.command("export-structure")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option(
    "--rank",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="0 is the best structure.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Written whole.  [default: stdout]",
)
@click.option(
    "--format", "kind", type=click.Choice(["txt", "onnx"]), default="txt", show_default=True
)
@click.option(
    "--input-size",
    metavar="HxW",
    default="800x1280",
    show_default=True,
    help="Size that ONNX is traced at.",
)
def export_structure(
    run_dir: Path, rank: int, output: Path | None, kind: str, input_size: str
) -> None:
    """Write one structure of a run as a structure txt of its own, or as an untrained backbone in ONNX."""
    from ..files import write_output
    from ..network.structure import format_structures, read_structures
    from ..units import parse_size

    if not run_dir.is_dir():
        raise InputError(
            f"{run_dir} is not a directory, expected a run directory such as search writes"
        )
    structures = read_structures(run_dir / "structure.txt")
    if rank >= len(structures):
        raise InputError(
            f"--rank is {rank}, expected 0 to {len(structures) - 1}, the structures that {run_dir} holds"
        )
    if kind == "onnx":
        require("--format onnx", "onnx", "torch", "onnx", "onnxruntime")
        if output is None:
            raise InputError("--format onnx without --output, expected a file for the network")
        from ..backbone.onnx import export_backbone

        difference = export_backbone(
            structures[rank], output, parse_size(input_size, "--input-size")
        )
        click.echo(f"{output}: onnxruntime and torch differ by {difference:.1e} at most")
        return
    text = format_structures([structures[rank]])
    if output is None:
        click.echo(text, nl=False)
    else:
        write_output(output, text.encode(), "--output")


for command in (pareto, profile, latency, report, *COMMANDS):
    cli.add_command(command)


# --- leaving ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. Every expected failure is one line on stderr."""
    with _terminable():
        try:
            # Not cli.main: it prints a line of its own for Ctrl-C.
            given = list(sys.argv[1:] if arguments is None else arguments)
            with cli.make_context("lightnas", list(given), obj=given) as ctx:
                cli.invoke(ctx)
            sys.stdout.flush()
            return 0
        except click.exceptions.Exit as leaving:
            return leaving.exit_code
        except click.ClickException as error:
            return _fail(error.format_message(), 2)
        except (InputError, WorkError) as error:
            status = 2 if isinstance(error, InputError) else 1
            return status if error.said else _fail(str(error), status)
        except BrokenPipeError:
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), 1
            )  # whoever read our output has left; nothing is left to say
            return 1
        except OSError as error:
            _discard_output()
            return _fail(f"{error.filename or 'output'}: {error.strerror or error}", 1)
        except KeyboardInterrupt:
            return _leave("interrupted", INTERRUPTED)
        except Terminated:
            return _leave("terminated", TERMINATED)


def _discard_output() -> None:
    """What could not be written must not be tried again, and fail again, when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int) -> int:
    print(f"lightnas: {' '.join(message.split())}", file=sys.stderr)
    return status


def _leave(how: str, status: int) -> int:
    """Stopped by a signal, which several training processes get at once: the first one speaks for all."""
    return (
        _fail(f"{how}; --resume continues", status)
        if os.environ.get("RANK", "0") == "0"
        else status
    )


@contextmanager
def _terminable() -> Iterator[None]:
    def stop(signum: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
