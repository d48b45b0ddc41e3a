"""``lightnas profile`` and ``lightnas latency``: a table of this machine, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, require
from .detector_options import quiet_threads, trust_checkpoint
from .options import (
    COUNT,
    PATH,
    SIZE,
    Named,
    Parsed,
    begin_options,
    detector_option,
    json_option,
    named_structures,
    several,
)
from .pages import SPACE_NAMES, STRUCTURE_NAMES, example, option
from .saying import say, say_json

if TYPE_CHECKING:
    from ..network.structure import Structure

machine_options = several(
    option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        help="Where it is measured.",
        show_default="cuda where there is a GPU",
    ),
    option(
        "--input-size", metavar="HxW", type=SIZE, help="Of the pictures.", show_default="800x1280"
    ),
    option(
        "--batch", metavar="N", type=click.IntRange(1), help="Pictures at a time.", show_default="1"
    ),
    option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "bf16"]),
        help="Of the numbers.",
        show_default="fp32",
    ),
    option(
        "--threads",
        metavar="N",
        type=click.IntRange(1, 1024),
        help="On a CPU.",
        show_default="torch's own",
    ),
    option(
        "--runtime",
        type=click.Choice(["torch", "onnxruntime", "openvino"]),
        help="What runs the networks.",
        show_default="torch; of an ONNX file onnxruntime",
    ),
)


def _measured(text: str, what: str) -> Named | Path:
    """A detector's file or the directory of its training, else structures."""
    from ..outputs import CHECKPOINT_SUFFIX, is_network
    from ..runs.training_run import is_work_dir

    path = Path(text)
    if is_network(path) or path.suffix.lower() == CHECKPOINT_SUFFIX or is_work_dir(path):
        return path
    return named_structures(text, what)


MEASURED = Parsed(_measured)


@click.command(epilog=example("profile --threads 1 --output table.json"))
@machine_options
@option(
    "--space",
    metavar="NAME|FILE",
    default="k1kxk1",
    show_default=True,
    help="Whose operations to measure.",
    shell_complete=SPACE_NAMES,
)
@option(
    "--max-channels",
    metavar="N",
    type=click.IntRange(1, 65_536),
    help="Replaces the space's own limit.",
)
@option(
    "--most-flops",
    metavar="N",
    type=COUNT,
    help="Of the largest structure to measure for.",
    show_default="ResNet-101's",
)
@option(
    "--output",
    metavar="FILE",
    type=PATH,
    default=Path("table.json"),
    show_default=True,
    help="The latency table.",
)
@detector_option("Measure")
@begin_options("Go on with a table that was stopped.", "Replace the file.")
def profile(
    space: str,
    output: Path,
    max_channels: int | None,
    input_size: tuple[int, int] | None,
    most_flops: float | None,
    detector: str | None,
    resume: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Measure a latency table of this machine. It holds what a search space asks for."""
    require("profile", "torch", "torch")
    from ..files import is_stream
    from ..latency import Machine, profile_table
    from ..network import INPUT_SIZE
    from ..network.detector import parse_detector
    from .tables import measuring_lines

    with measuring_lines() as show:
        found = profile_table(
            output,
            Machine.here(**options),
            space,
            max_channels=max_channels,
            input_size=input_size or INPUT_SIZE,
            most_flops=most_flops,
            resume=resume,
            overwrite=overwrite,
            on_progress=show,
            detector=parse_detector(detector, "--detector") if detector is not None else None,
        )
    if not found.anew:
        say(f"{output} is complete")
        return
    name = found.table.document["name"]
    said = f"{output}: {found.points} points of {found.operations} operations on {name}"
    say(said, err=is_stream(output))
    if found.noise:
        say(found.noise, err=True)


@click.command(
    epilog=example("latency maedet-s --threads 1", "latency --random 8 --latency-table table.json")
)
@click.argument(
    "measured",
    nargs=-1,
    metavar="[STRUCTURE|WORK_DIR|CHECKPOINT|ONNX]...",
    type=MEASURED,
    shell_complete=STRUCTURE_NAMES,
)
@option(
    "--latency-table",
    metavar="FILE",
    type=PATH,
    help="Compare with what it says.",
)
@option(
    "--random",
    "n_random",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Measure N random structures too.",
)
@option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the random structures.",
)
@machine_options
@detector_option("Measure")
@trust_checkpoint
@json_option
def latency(
    measured: tuple[Named | Path, ...],
    latency_table: Path | None,
    n_random: int | None,
    seed: int,
    detector: str | None,
    trust_checkpoint: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure whole backbones, or detectors, on this machine.

    With --latency-table it says how far the table is off. A CHECKPOINT (.pth) of train-det, the best
    one of its WORK_DIR, or an ONNX file of export-det is measured from the pixels of a picture to
    boxes, decoding and suppression included; of WORK_DIR/structure.txt, as of a search's directory,
    the backbone alone.
    """
    files = [one for one in measured if isinstance(one, Path)]
    structures = [one for one in measured if isinstance(one, Named)]
    if files:
        given = {
            "--latency-table": latency_table, "--random": n_random, "--detector": detector,
            "--precision": options.pop("precision"),
        }  # fmt: skip
        if structures:
            raise InputError(
                f"{structures[0].name} is a structure beside the detector {files[0]}, expected one kind"
            )
        _latency_of(files, given, trust_checkpoint, as_json, options)
        return
    require("latency", "torch", "torch")
    from ..latency import Machine, load_table, measure_structures
    from ..latency.agreement import settings_of
    from ..network import INPUT_SIZE
    from ..network.detector import parse_detector
    from .tables import measuring_lines

    counted = parse_detector(detector, "--detector") if detector is not None else None
    table = load_table(latency_table) if latency_table else None
    settings = settings_of(table, options) if table else options
    size = settings.pop("input_size") or INPUT_SIZE
    named = _each(structures) + (_random(latency_table, n_random, seed) if n_random else [])
    if not named:
        raise InputError(
            "nothing to measure, expected a structure txt, or --random N with --latency-table"
        )
    machine = Machine.here(**settings)
    if table and table.document["name"] != machine.name:
        there = table.document["name"]
        say(f"the table was measured on {there}, this machine is {machine.name}", err=True)
    with measuring_lines() as show:
        content = measure_structures(named, machine, size, table, show, counted)
    _show(content, as_json)


def _show(content: dict[str, Any], as_json: bool) -> None:
    from ..latency.speed import noise
    from .tables import print_latencies

    if as_json:
        say_json(content)
    else:
        print_latencies(content)
    if said := noise(row["spread"] for row in content.get("structures") or content["detectors"]):
        say(said, err=True)


def _latency_of(
    files: Sequence[Path],
    useless: dict[str, Any],
    trust: bool,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    """Measure whole detectors by their files."""
    for name, value in useless.items():
        if value:
            detector = f"the detector of {files[0]}"
            if files[0].is_dir():
                detector += f" (its backbone alone is {files[0] / 'structure.txt'})"
            raise InputError(f"{name} goes with structures, expected none beside {detector}")
    for path in files:  # before the first is measured
        if not path.exists():
            raise InputError(
                f"{path}: cannot be read (it is missing), expected an ONNX file or a checkpoint"
            )
    quiet_threads()
    from ..deploy.latency import Asked, measure_file
    from ..latency.runtimes import cpu_name
    from ..outputs import is_network
    from .tables import measuring_lines

    rows: list[dict[str, Any]] = []
    with measuring_lines() as show:
        for path in files:
            show(len(rows), len(files))
            if is_network(path):
                rows.append(measure_file(path, Asked(**options)))
                continue
            from ..install.doctor import preflight

            preflight()
            from lightnas.detection.latency import measure_checkpoint

            rows.append(measure_checkpoint(path, Asked(**options), trust=trust))
    _show({"device": cpu_name(), "detectors": rows}, as_json)


def _each(asked: Sequence[Named]) -> list[tuple[str, Structure]]:
    """Every structure that was asked for, by its file's name and its place in it."""
    from ..runs import name_of

    return [
        (name_of(one.name) if i == 0 else f"{name_of(one.name)} {i}", structure)
        for one in asked
        for i, structure in enumerate(one.structures)
    ]


def _random(table: Path | None, n: int, seed: int) -> list[tuple[str, Structure]]:
    from ..latency import structures_like

    if table is None:
        raise InputError(
            "--random without --latency-table, expected the table that says of which space"
        )
    return [(f"random {i}", found) for i, found in enumerate(structures_like(table, n, seed))]
