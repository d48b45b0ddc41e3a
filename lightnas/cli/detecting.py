"""``detect`` and ``export-det``: what is done with a trained detector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import InputError, WorkError, require
from .detector_options import (
    device,
    exported,
    overwrite_directory,
    quiet_threads,
    score_threshold,
    trust_checkpoint,
)
from .options import PATH, SIZE, json_option, overwrite_file
from .pages import example, option
from .saying import say, say_json


@click.command(epilog=example("detect best.pth street.jpg --output found"))
@click.argument("checkpoint", metavar="WORK_DIR|CHECKPOINT|ONNX", type=PATH)
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGE...")
@option(
    "--output",
    metavar="DIR",
    type=PATH,
    required=True,
    help="For the pictures and videos with boxes, and detections.json.",
)
@score_threshold("Least score shown.")
@option(
    "--max-per-image",
    "most",
    metavar="N",
    type=click.IntRange(1),
    help="At most so many boxes a picture, the best.",
)
@option(
    "--classes",
    metavar="NAME,...",
    multiple=True,
    help="Boxes of these classes only; may be given several times.",
)
@option(
    "--format",
    "form",
    type=click.Choice(["json", "coco", "yolo", "csv"]),
    default="json",
    show_default=True,
    help="Beside detections.json also coco (results.json), csv (results.csv) or yolo (labels/).",
)
@overwrite_directory
@trust_checkpoint
@device
@json_option
def detect(
    checkpoint: Path,
    images: tuple[Path, ...],
    output: Path,
    score_thr: float,
    as_json: bool,
    **given: Any,
) -> None:
    """Find objects in pictures and videos.

    With a checkpoint, or with an ONNX file of export-det, which needs neither torch nor mmdet;
    nothing else of the training is needed.

    IMAGE is a picture, a video, a folder (with all folders in it), a .txt file with a path a line,
    or a quoted pattern such as 'photos/**/*.jpg'. What cannot be read is named and left out, and the
    exit status is 1; where nothing can be read, it is 2 and nothing is written.
    """
    quiet_threads()
    run = _detect_with(checkpoint, given.pop("trust_checkpoint"))
    from .tables import measuring_bar, print_found

    given["classes"] = given["classes"] or None
    with measuring_bar() as progress:
        results = run(checkpoint, images, output, threshold=score_thr, progress=progress, **given)
    if as_json:
        say_json({"images": results})
    else:
        print_found(results)
    bad = [f"{result['image']} {result['error']}" for result in results if "error" in result]
    if bad:
        raise WorkError(
            f"{len(bad)} of the pictures and videos left out: {'; '.join(bad[:3])}"
            f"{' ...' if len(bad) > 3 else ''}"
        )


def _detect_with(checkpoint: Path, trust: bool) -> Callable[..., list[dict[str, Any]]]:
    """What detects with a checkpoint, or with an ONNX file, which needs neither torch nor mmdet."""
    if exported(checkpoint, trust_checkpoint=trust):
        require(str(checkpoint), "deploy", "onnxruntime", "PIL")
        from ..deploy.detecting import detect as detect_deployed

        return detect_deployed
    from ..install.doctor import preflight

    preflight()
    from lightnas.detection import detect as detect_in_torch

    return partial(detect_in_torch, trust=trust)


@click.command("export-det", epilog=example("export-det best.pth --output detector.onnx"))
@click.argument("checkpoint", metavar="WORK_DIR|CHECKPOINT", type=PATH)
@option(
    "--output",
    metavar="FILE",
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
    help="int8 is calibrated on train; AP and speed are measured on val, beside fp32.",
)
@option(
    "--max-ap-loss",
    metavar="P",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Of --precision: nothing is written where AP falls by more.",
)
@option(
    "--data",
    metavar="DIR",
    type=PATH,
    help="Train and val of --precision.",
    show_default="the run's",
)
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
def export_det(
    checkpoint: Path,
    output: Path,
    raw: bool,
    input_size: tuple[int, int] | None,
    trust_checkpoint: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Write a trained detector as one ONNX file.

    A picture in, boxes out.

    `lightnas detect FILE.onnx` and `lightnas.deploy` run it without torch and mmdet. It is compared
    with what mmdet finds before it is written.
    """
    quiet_threads()
    from ..install.doctor import preflight

    require("export-det", "onnx", "onnx", "onnxruntime")
    preflight()
    from lightnas.detection import export_detector, export_raw

    from ..files import is_stream

    if raw:
        if given["precision"] != "fp32":
            raise InputError(f"--raw with --precision {given['precision']}, expected one of them")
        difference = export_raw(checkpoint, output, input_size, trust_checkpoint, overwrite)
        said = f"{output}: onnxruntime and torch differ by {difference:.1e} at most"
    else:
        written = export_detector(
            checkpoint, output,
            input_size=input_size, trust=trust_checkpoint, overwrite=overwrite, **given,
        )  # fmt: skip
        found = written.compared
        if written.measured:
            from .tables import print_precisions

            print_precisions(written.measured)
        said = (
            f"{output}: onnxruntime and mmdet differ by {found.pixels:.1e} pixels and {found.scores:.1e} "
            f"in score at most, in {found.boxes} boxes on {found.pictures} pictures"
        )
    say(said, err=is_stream(output))
