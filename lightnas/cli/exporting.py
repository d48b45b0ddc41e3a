"""``export-det``: a trained detector as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, require
from .detector_options import (
    READING,
    layout_option,
    quiet_threads,
    reading_options,
    trust_checkpoint,
)
from .options import PATH, PROBABILITY, SIZE, json_option, option_name, overwrite_file
from .pages import example, option
from .saying import say, say_json

if TYPE_CHECKING:
    from lightnas.detection.onnx import Exported


@click.command("export-det", epilog=example("export-det best.pth --output detector.onnx"))
@click.argument("checkpoint", metavar="WORK_DIR|CHECKPOINT", type=PATH)
@option(
    "--output",
    metavar="FILE.onnx",
    type=PATH,
    required=True,
    help="Written whole, once torch and onnxruntime agree.",
)
@option(
    "--pictures",
    metavar="PATH",
    type=PATH,
    multiple=True,
    help="What it is compared on: pictures, folders; may be given several times.",
    show_default="some of val",
)
@option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="int8 is calibrated on train; AP and speed are measured on val (test where there is none), "
    "beside fp32.",
)
@option(
    "--max-ap-loss",
    metavar="P",
    type=PROBABILITY,
    help="Of --precision: nothing is written where AP falls by more.",
    show_default="0.01",
)
@option(
    "--data",
    metavar="DIR",
    type=PATH,
    help="Where train and val are.",
    show_default="the run's",
)
@layout_option
@reading_options
@option(
    "--raw",
    is_flag=True,
    help="Up to the raw outputs of the head: a normalised picture in, no boxes.",
)
@option(
    "--input-size",
    metavar="HxW",
    type=SIZE,
    help="Size that it is traced at; others work too.",
    show_default="the test size",
)
@trust_checkpoint
@overwrite_file
@json_option
def export_det(
    checkpoint: Path,
    output: Path,
    raw: bool,
    input_size: tuple[int, int] | None,
    trust_checkpoint: bool,
    overwrite: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Write a trained detector as one ONNX file.

    A picture in, boxes out.

    `lightnas detect FILE.onnx` and `lightnas.deploy` run it without torch and mmdet. It is compared
    with what mmdet finds before it is written; with --precision then with itself in fp32. A file that
    export-det wrote is replaced unasked.
    """
    quiet_threads()
    from ..files import is_stream

    if as_json and is_stream(output):
        raise InputError(f"--json with --output {output}, expected a file, beside which it is said")
    if raw:
        _check_raw(given)
    from ..install.doctor import preflight

    require("export-det", "onnx", "onnx", "onnxruntime")
    preflight()
    from lightnas.detection import export_detector, export_raw

    if raw:
        difference = export_raw(checkpoint, output, input_size, trust_checkpoint, overwrite)
        if as_json:
            say_json({"output": str(output), "difference": difference})
        else:
            said = f"{output}: onnxruntime and torch differ by {difference:.1e} at most"
            say(said, err=is_stream(output))
        return
    from ..data.coco import DataOptions
    from .tables import measuring_lines

    reading = DataOptions(**{name: given.pop(name) for name in READING})
    with measuring_lines() as show:
        written = export_detector(
            checkpoint, output, reading=reading,
            input_size=input_size, trust=trust_checkpoint, overwrite=overwrite, progress=show, **given,
        )  # fmt: skip
    _show(written, output, as_json)


def _check_raw(given: dict[str, Any]) -> None:
    """Refuse options that mean nothing for raw outputs."""
    for name, value in given.items():
        if not (value is None or value is False or value in ((), "fp32")):
            told = f"{option_name(name)} {value}" if name == "precision" else option_name(name)
            raise InputError(
                f"--raw with {told}, expected one of them: raw outputs are fp32, and compared with "
                "torch on made-up pictures"
            )


def _show(written: Exported, output: Path, as_json: bool) -> None:
    """What was found of the file, and how noisy that is."""
    from ..files import is_stream
    from ..latency.speed import noise
    from .tables import print_precisions

    measured, found = written.measured, written.compared
    if as_json:
        say_json(_document(written, output))
    else:
        if measured:
            print_precisions(measured, str(written.split), err=is_stream(output))
        differ = f"differ by {found.pixels:.2g} pixels and {found.scores:.2g} in score at most"
        if found.against == "mmdet":
            said = f"onnxruntime and mmdet {differ}, in {found.boxes} boxes"
        else:
            *_, lowered = measured
            said = (
                f"{lowered} and fp32 {differ}, in {found.boxes} boxes that both find; fp32 alone finds "
                f"{found.missed}, {lowered} alone {found.extra},"
            )
        say(f"{output}: {said} on {found.pictures} pictures", err=is_stream(output))
    for line in next(iter(measured.values())).skipped if measured else ():
        say(f"left out: {line}", err=True)
    if told := noise((row.speed.spread for row in measured.values()), "a smaller OMP_NUM_THREADS"):
        say(told, err=True)


def _document(written: Exported, output: Path) -> dict[str, Any]:
    """The JSON object."""
    rows = {
        name: {"ap": row.ap, "seconds": row.speed.median, "spread": row.speed.spread}
        for name, row in written.measured.items()
    }
    *_, precision = rows or ["fp32"]
    return {
        "output": str(output), "precision": precision, "bytes": written.bytes,
        "compared": written.compared.model_dump(exclude_none=True),
    } | ({"split": written.split, "precisions": rows} if rows else {})  # fmt: skip
