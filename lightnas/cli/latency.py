"""``lightnas profile`` and ``lightnas latency``: a latency table of this machine, and how well it predicts networks."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, require

if TYPE_CHECKING:
    from ..latency.measure import Machine, Measured, Network
    from ..latency.table import LatencyTable
    from ..network.structure import Structure

# Seconds of measuring that a stop may cost.
SAVE_EVERY = 1.0


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
    **options: Any,
) -> None:
    """Measure on this machine what a search space asks for, and write it as a latency table."""
    require("profile", "torch", "torch")
    from ..files import write_output
    from ..latency import measure as latency
    from ..latency.table import read_table_document
    from ..search.space_file import parse_space, read_space_document
    from ..units import format_size, parse_count, parse_size
    from .tables import measuring_bar

    if resume and overwrite:
        raise InputError("--resume and --overwrite are both given, expected one of them")
    if output.exists() and not (resume or overwrite):
        raise InputError(f"--output {output} exists, expected a new file, --resume or --overwrite")
    space_document, where = read_space_document(space, "--space")
    chosen = parse_space(space_document, where, max_channels)
    size = parse_size(options["input_size"] or "800x1280", "--input-size")
    most = (
        latency.most_flops(size) if most_flops is None else parse_count(most_flops, "--most-flops")
    )
    machine = _machine(options)
    head = machine.document() | {"input_size": format_size(size), "most_flops": most}
    head["space"] = space_document | {"max_channels": chosen.max_channels}
    before = read_table_document(output) if resume and output.exists() else {"ops": []}
    _same(before, head, output)
    if before.get("complete"):
        click.echo(f"{output} is complete")
        return

    def save(measured: Measured, networks: Sequence[Network] = ()) -> None:
        content = head | latency.table_document(measured, size, networks)
        write_output(output, (json.dumps(content) + "\n").encode(), "--output")

    saved = time.monotonic()
    measured: Measured = {}
    with measuring_bar() as show:
        try:
            for count, total, measured in latency.profile(
                machine, chosen, size, most, _done(before)
            ):
                show(count, total + latency.NETWORKS)
                if time.monotonic() - saved > SAVE_EVERY:
                    save(measured)
                    saved = time.monotonic()
        except BaseException:
            if measured:
                save(measured)
            raise
        save(measured)  # --resume needs them where the networks do not calibrate the table
        structures = latency.random_structures(chosen, size, most, latency.NETWORKS, seed=0)
        networks: Sequence[Network] = ()
        for networks in latency.measured_networks(machine, structures, size, measured):
            show(total + len(networks), total + latency.NETWORKS)
    save(measured, networks)
    click.echo(f"{output}: {total} points of {len(measured)} operations on {head['name']}")


def _machine(options: dict[str, Any]) -> Machine:
    import torch

    from ..latency.measure import Machine

    device = options["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
    machine = Machine(
        device, options["precision"] or "fp32", options["batch"] or 1, options["threads"]
    )
    machine.begin()
    return machine


def _same(before: dict[str, Any], head: dict[str, Any], output: Path) -> None:
    """Refuse to go on with a table of something else."""
    from ..runs.output_dir import differences

    there = {key: before.get(key) for key in head}
    if before["ops"] and (found := differences(there, head)):
        raise InputError(f"--resume: {output} was measured otherwise: {'; '.join(found)}")


def _done(document: dict[str, Any]) -> Measured:
    from ..latency.table import Op
    from ..units import parse_size

    return {
        Op(op["kind"], op["k"], op["stride"], parse_size(op["size"], "size", least=1)): [
            tuple(p) for p in op["points"]
        ]
        for op in document["ops"]
    }


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
    from ..latency.table import load_table
    from ..units import parse_size
    from .tables import measuring_bar, print_latencies

    table = load_table(latency_table) if latency_table else None
    if table:
        _agree(options, table)
    size = parse_size(options["input_size"] or "800x1280", "--input-size")
    named = _named(structures) + (_random(latency_table, n_random, size, seed) if n_random else [])
    if not named:
        raise InputError(
            "nothing to measure, expected a structure txt, or --random N with --latency-table"
        )
    sums = [table.chain(structure) if table else None for _, structure in named]
    machine = _machine(options)
    if table and table.document["name"] != machine.name:
        click.echo(
            f"the table was measured on {table.document['name']}, this machine is {machine.name}",
            err=True,
        )
    rows: list[dict[str, Any]] = []
    with measuring_bar() as show:
        for (name, structure), by_table in zip(named, sums, strict=True):
            show(len(rows), len(named))
            rows.append(
                _row(name, structure, size, machine.network_seconds(structure, size), by_table)
            )
    content = {
        "device": machine.name,
        "input_size": options["input_size"] or "800x1280",
        "structures": rows,
    } | _agreement(rows)
    if as_json:
        click.echo(json.dumps(content))
    else:
        print_latencies(content)


def _agree(options: dict[str, Any], table: LatencyTable) -> None:
    """What the table was measured with holds; an option that says otherwise is refused."""
    for key in ("device", "precision", "batch", "threads", "input_size"):
        if options[key] not in (None, table.document[key]):
            raise InputError(
                f"--{key.replace('_', '-')} is {options[key]}, expected {table.document[key]}, what the latency table has"
            )
        options[key] = table.document[key]


def _named(paths: tuple[Path, ...]) -> list[tuple[str, Structure]]:
    from ..network.structure import read_structures

    return [
        (path.stem if i == 0 else f"{path.stem} {i}", structure)
        for path in paths
        for i, structure in enumerate(read_structures(path))
    ]


def _random(
    path: Path | None, n: int, size: tuple[int, int], seed: int
) -> list[tuple[str, Structure]]:
    """Random structures of the space that the table was made for, within its FLOPs; other ones than it was made from."""
    from ..latency.measure import random_structures
    from ..latency.table import read_table_document
    from ..search.space_file import parse_space

    if path is None:
        raise InputError(
            "--random without --latency-table, expected the table that says of which space"
        )
    document = read_table_document(path)
    if document["space"] is None or document["most_flops"] is None:
        raise InputError(
            f"{path}: names no space and most_flops, expected a table that `lightnas profile` wrote"
        )
    space = parse_space(document["space"], f"{path}: space")
    found = random_structures(space, size, document["most_flops"], n, seed + 1)
    return [(f"random {i}", structure) for i, structure in enumerate(found)]


def _row(
    name: str, structure: Structure, size: tuple[int, int], seconds: float, by_table: float | None
) -> dict[str, Any]:
    from ..network.cost import cost

    row = {"name": name, "flops": int(cost(structure, size).flops), "seconds": seconds}
    return row if by_table is None else row | {"table": by_table, "off": by_table / seconds - 1}


def _agreement(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Over at least three structures: Spearman's rank correlation of table and measurement, and the median error."""
    from statistics import median

    from scipy.stats import spearmanr

    if len(rows) < 3 or "table" not in rows[0]:
        return {}
    rank = spearmanr([row["seconds"] for row in rows], [row["table"] for row in rows]).statistic
    return {
        "rank_correlation": float(rank),
        "median_error": median(abs(row["off"]) for row in rows),
    }
