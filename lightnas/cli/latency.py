"""``lightnas profile`` and ``lightnas latency``: a table of this machine, and how good it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, require
from .options import option_names

if TYPE_CHECKING:
    from ..network.structure import Structure

INPUT_SIZE = "800x1280"


def machine_options(command: Any) -> Any:
    """The options that say where and how to measure."""
    for option in (
        click.option(
            "--threads",
            metavar="N",
            type=click.IntRange(1, 1024),
            help="On a CPU.  [default: torch's own]",
        ),
        click.option(
            "--precision", type=click.Choice(["fp32", "fp16", "bf16"]), help="[default: fp32]"
        ),
        click.option(
            "--batch", metavar="N", type=click.IntRange(1), help="Pictures at a time.  [default: 1]"
        ),
        click.option("--input-size", metavar="HxW", help="Of the pictures.  [default: 800x1280]"),
        click.option(
            "--device",
            type=click.Choice(["cpu", "cuda"]),
            help="[default: cuda where there is a GPU]",
        ),
    ):
        command = option(command)
    return command


@click.command()
@machine_options
@click.option(
    "--space",
    metavar="NAME|FILE",
    default="k1kxk1",
    show_default=True,
    help="Whose operations to measure.",
)
@click.option(
    "--max-channels",
    metavar="N",
    type=click.IntRange(1, 65_536),
    help="Replaces the space's own limit.",
)
@click.option(
    "--most-flops",
    metavar="N",
    help="Of the largest structure to measure for.  [default: ResNet-101's]",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=Path("table.json"),
    show_default=True,
)
@click.option("--resume", is_flag=True, help="Go on with a table that was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def profile(
    space: str,
    max_channels: int | None,
    most_flops: str | None,
    output: Path,
    resume: bool,
    overwrite: bool,
    input_size: str | None,
    **options: Any,
) -> None:
    """Measure on this machine what a search space asks for, and write it as a latency table."""
    require("profile", "torch", "torch")
    from ..latency import Machine, profile_table
    from ..units import parse_count, parse_size
    from .tables import measuring_bar

    size = parse_size(input_size or INPUT_SIZE, "--input-size")
    most = None if most_flops is None else parse_count(most_flops, "--most-flops")
    with option_names(), measuring_bar() as show:
        found = profile_table(
            output,
            Machine.here(**options),
            space,
            max_channels=max_channels,
            input_size=size,
            most_flops=most,
            resume=resume,
            overwrite=overwrite,
            on_progress=show,
        )
    if not found.anew:
        click.echo(f"{output} is complete")
        return
    name = found.table.document["name"]
    click.echo(f"{output}: {found.points} points of {found.operations} operations on {name}")


@click.command()
@click.argument("structures", nargs=-1, metavar="[STRUCTURE]...", type=click.Path(path_type=Path))
@click.option(
    "--latency-table",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Compare with what it says.",
)
@click.option(
    "--random",
    "n_random",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Measure N random structures too.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the random structures.",
)
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as one JSON object.")
def latency(
    structures: tuple[Path, ...],
    latency_table: Path | None,
    n_random: int | None,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure whole backbones on this machine, and say how far a latency table is off."""
    require("latency", "torch", "torch")
    from ..latency import Machine, load_table, measure_structures
    from ..latency.agreement import settings_of
    from ..units import parse_size
    from .tables import measuring_bar, print_latencies

    table = load_table(latency_table) if latency_table else None
    with option_names():
        settings = settings_of(table, options) if table else options
        size = parse_size(settings.pop("input_size") or INPUT_SIZE, "--input-size")
        named = _named(structures) + (_random(latency_table, n_random, seed) if n_random else [])
        if not named:
            raise InputError(
                "nothing to measure, expected a structure txt, or --random N with --latency-table"
            )
        machine = Machine.here(**settings)
    if table and table.document["name"] != machine.name:
        there = table.document["name"]
        click.echo(f"the table was measured on {there}, this machine is {machine.name}", err=True)
    with measuring_bar() as show:
        content = measure_structures(named, machine, size, table, show)
    if as_json:
        click.echo(json.dumps(content))
    else:
        print_latencies(content)


def _named(paths: tuple[Path, ...]) -> list[tuple[str, Structure]]:
    """Every structure of the files, by the file's name and its place in it."""
    from ..network.structure import read_structures

    return [
        (path.stem if i == 0 else f"{path.stem} {i}", structure)
        for path in paths
        for i, structure in enumerate(read_structures(path))
    ]


def _random(table: Path | None, n: int, seed: int) -> list[tuple[str, Structure]]:
    from ..latency import structures_like

    if table is None:
        raise InputError(
            "--random without --latency-table, expected the table that says of which space"
        )
    return [(f"random {i}", found) for i, found in enumerate(structures_like(table, n, seed))]
