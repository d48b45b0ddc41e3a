"""``test-det``: how good a detector is on pictures that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.export import FORMATS
from ..errors import InputError, require
from .detector_options import (
    READING,
    KeyValues,
    cfg_options,
    device,
    exported,
    layout_option,
    print_result,
    quiet_threads,
    reading_options,
    score_threshold,
    trust_checkpoint,
)
from .options import PATH, json_option
from .pages import example, option

if TYPE_CHECKING:
    from ..data.coco import CocoSplit


@click.command("test-det", cls=KeyValues, epilog=example("test-det outputs/maedet-s-det"))
@click.argument("source", metavar="WORK_DIR|CONFIG|CHECKPOINT|ONNX", type=PATH)
@click.argument("checkpoint", required=False, type=PATH)
@option(
    "--data",
    metavar="DIR",
    type=PATH,
    help="Another folder than that of the training, in any layout of train-det.",
)
@layout_option
@option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    show_default=True,
    help="Which pictures of --data.",
)
@option("--annotations", metavar="FILE", type=PATH, help="Another COCO annotation file.")
@option("--images", metavar="DIR", type=PATH, help="Its pictures.")
@score_threshold("Least score that counts in the confusion matrix.")
@option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Write what was found, to --output, with the data's ids and names.",
)
@option(
    "--output", metavar="DIR|FILE", type=PATH, help="Of --format: a file, or a folder for yolo."
)
@trust_checkpoint
@reading_options
@device
@json_option
@cfg_options
def test_det(source: Path, checkpoint: Path | None, as_json: bool, **given: Any) -> None:
    """Measure AP of a trained detector on the test split."""
    quiet_threads()
    onnx = exported(
        source, checkpoint=checkpoint, trust_checkpoint=given["trust_checkpoint"],
        cfg_options=given["cfg_options"],
    )  # fmt: skip
    if onnx:
        require(str(source), "deploy", "onnxruntime", "PIL", "faster_coco_eval")
    else:
        from ..install.doctor import preflight

        preflight()
    from ..data.coco import DataOptions

    split = _split(given)
    form, output = given["form"], given["output"]
    if (form is None) != (output is None):
        lone, other = ("format", "output") if output is None else ("output", "format")
        raise InputError(f"--{lone} without --{other}, expected both or neither")
    options: dict[str, Any] = {
        "device": given["device"], "score": given["score_thr"], "results": form and (form, output),
        "data": DataOptions(**{name: given[name] for name in READING}),
    }  # fmt: skip
    if onnx:
        result = _measure_deployed(source, split, given["split"], options)
    else:
        from lightnas.detection import measure

        result = measure(
            source, checkpoint, split, given["split"],
            trust=given["trust_checkpoint"], cfg_options=given["cfg_options"], **options,
        )  # fmt: skip
    print_result(result, as_json)
    if not as_json:
        from .tables import print_classes

        print_classes(result["per_class"])


def _split(given: dict[str, Any]) -> CocoSplit | None:
    """The split that is named, None where none is."""
    from ..data.coco import find_split
    from ..data.layouts import find_data

    if given["annotations"] is not None:
        return find_split(
            given["data"], given["split"], given["annotations"], given["images"],
            options=("--annotations", "--images"),
        )  # fmt: skip
    if given["data"] is None:
        return None
    found = find_data(given["data"], [given["split"]], layout=given["layout"])
    split = found.splits.get(given["split"])
    if split is None:
        raise InputError(
            f"--data {given['data']} holds no {given['split']} split ({found.layout}), expected it, or "
            "--annotations"
        )
    return split


def _measure_deployed(
    source: Path, split: CocoSplit | None, name: str, options: dict[str, Any]
) -> dict[str, Any]:
    """``test-det`` of an ONNX file."""
    if split is None:
        raise InputError(
            f"{source}: an ONNX file names no data, expected --data DIR or --annotations"
        )
    from ..deploy.testing import measure
    from .tables import measuring_bar

    with measuring_bar() as progress:
        return measure(source, split, name, progress=progress, **options)
