"""``detect`` and ``export-det``: what is done with a trained detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import WorkError, require
from .detector_options import (
    device,
    overwrite_directory,
    quiet_threads,
    score_threshold,
    trust_checkpoint,
)
from .options import PATH, SIZE, json_option, overwrite_file
from .saying import say, say_json


@click.command()
@click.argument("checkpoint", metavar="WORK_DIR|CHECKPOINT", type=PATH)
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGE...")
@click.option(
    "--output",
    metavar="DIR",
    type=PATH,
    required=True,
    help="For the pictures and videos with boxes, and detections.json.",
)
@score_threshold("Least score shown.")
@click.option(
    "--max-per-image",
    "most",
    metavar="N",
    type=click.IntRange(1),
    help="At most so many boxes a picture, the best.",
)
@click.option(
    "--classes",
    metavar="NAME,...",
    multiple=True,
    help="Boxes of these classes only; may be given several times.",
)
@click.option(
    "--format",
    "form",
    metavar="NAME",
    type=click.Choice(["json", "coco", "yolo", "csv"]),
    default="json",
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
    """Find objects in pictures with a checkpoint; nothing else of the training is needed.

    IMAGE is a picture, a video, a folder (with all folders in it), a .txt file with a path a line,
    or a quoted pattern such as 'photos/**/*.jpg'. What cannot be read is named and left out.
    """
    quiet_threads()
    from ..install.doctor import preflight

    preflight()
    from lightnas.detection import detect as run

    from .tables import measuring_bar, print_found

    with measuring_bar() as progress:
        results = run(
            checkpoint, images, output,
            threshold=score_thr, classes=given["classes"] or None, most=given["most"], form=given["form"],
            device=given["device"], trust=given["trust_checkpoint"], overwrite=given["overwrite"],
            progress=progress,
        )  # fmt: skip
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


@click.command("export-det")
@click.argument("checkpoint", metavar="WORK_DIR|CHECKPOINT", type=PATH)
@click.option(
    "--output",
    metavar="FILE",
    type=PATH,
    required=True,
    help="Written whole, once torch and onnxruntime agree.",
)
@click.option(
    "--input-size",
    metavar="HxW",
    type=SIZE,
    help="Size that it is traced at; others work too.  [default: the test size]",
)
@trust_checkpoint
@overwrite_file
def export_det(
    checkpoint: Path,
    output: Path,
    input_size: tuple[int, int] | None,
    trust_checkpoint: bool,
    overwrite: bool,
) -> None:
    """Write a trained detector as ONNX: backbone, neck and head, up to the raw outputs."""
    quiet_threads()
    from ..install.doctor import preflight

    require("export-det", "onnx", "onnx", "onnxruntime")
    preflight()
    from lightnas.detection import export_detector

    from ..files import is_stream

    difference = export_detector(checkpoint, output, input_size, trust_checkpoint, overwrite)
    said = f"{output}: onnxruntime and torch differ by {difference:.1e} at most"
    say(said, err=is_stream(output))
