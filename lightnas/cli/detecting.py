"""``detect``: what a trained detector finds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import WorkError, require
from .detector_options import (
    device,
    exported,
    overwrite_directory,
    quiet_threads,
    score_threshold,
    trust_checkpoint,
)
from .options import PATH, json_option
from .pages import example, option
from .saying import say_json


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
