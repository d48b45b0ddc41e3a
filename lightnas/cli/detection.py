"""The detection stage: ``train-det``, ``test-det``, ``detect``, ``export-det``, ``demo-data``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.export import FORMATS
from ..errors import InputError, WorkError, require
from .options import (
    PAIR,
    PATH,
    SIZE,
    Command,
    begin_options,
    json_option,
    option_name,
    overwrite_file,
    several,
)
from .saying import say, say_json

if TYPE_CHECKING:
    from lightnas.detection import Start, TrainOptions

    from ..data.coco import CocoSplit
    from ..data.layouts import Found


class KeyValues(click.Command):
    """A command whose ``--cfg-options`` takes several KEY=VALUE after one flag, as mmdet's own
    tools do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        inside = False
        for i, arg in enumerate(args):
            if arg == "--cfg-options":
                inside = True
                if i + 1 == len(args) or "=" not in args[i + 1]:
                    spread.append(arg)
            elif inside and "=" in arg and not arg.startswith("-"):
                spread += ["--cfg-options", arg]
            else:
                inside = False
                spread.append(arg)
        return super().parse_args(ctx, spread)


def data_options(command: Any) -> Any:
    """``--data`` and the explicit paths of each split."""
    for split in ("test", "val", "train"):
        command = click.option(
            f"--{split}-images", metavar="DIR", type=PATH, help=f"Pictures of {split}."
        )(command)
        command = click.option(
            f"--{split}-json", metavar="FILE", type=PATH, help=f"COCO annotations of {split}."
        )(command)
    return click.option(
        "--data",
        metavar="DIR",
        type=PATH,
        help="A folder in COCO, YOLO or Pascal VOC layout, or an export of Roboflow, CVAT or Label Studio.",
    )(command)


cfg_options = click.option(
    "--cfg-options",
    metavar="KEY=VALUE ...",
    multiple=True,
    help="Replace keys of the mmdet config, e.g. optimizer.lr=0.01.",
)
device = click.option(
    "--device",
    metavar="NAME",
    type=click.Choice(["cpu", "cuda"]),
    help="cpu or cuda.  [default: a GPU if any]",
)
trust_checkpoint = click.option(
    "--trust-checkpoint",
    is_flag=True,
    help="Unpickle checkpoints whole and take their configs as they are, whatever code they name.",
)
READING = ("skip_bad_images", "boxes", "box_format", "allow_outside")
frame_options = several(
    click.option(
        "--boxes",
        metavar="FRAME",
        type=click.Choice(["stored", "shown"]),
        help="Boxes of pictures that a camera marked as turned: as stored, or as shown.  [default: from the numbers]",
    ),
    click.option(
        "--box-format",
        metavar="NAME",
        type=click.Choice(["xywh", "xyxy", "normalised"]),
        help="xywh (COCO's), xyxy (corners) or normalised (x, y, w, h as fractions).",
    ),
    click.option(
        "--allow-outside",
        is_flag=True,
        help="Take pictures that lie outside the folder of pictures.",
    ),
)
reading_options = several(
    click.option(
        "--skip-bad-images",
        is_flag=True,
        help="Leave out bad pictures and boxes instead of refusing.",
    ),
    frame_options,
)
layout_option = click.option(
    "--layout",
    metavar="NAME",
    type=click.Choice(["coco", "yolo", "voc"]),
    help="coco, yolo or voc, where a folder has several.  [default: found out]",
)
share_options = several(
    layout_option,
    click.option(
        "--val-share",
        metavar="P",
        type=float,
        help="Share of the pictures set aside where there is no val.  [default: 0.1]",
    ),
)
overwrite_directory = click.option(
    "--overwrite", is_flag=True, help="Replace what is in the directory."
)


@click.command("train-det", cls=KeyValues)
@click.argument("structure", required=False)
@data_options
@share_options
@click.option(
    "--config", metavar="FILE", type=PATH, help="An mmdet config instead of the published recipe."
)
@click.option(
    "--size",
    metavar="S",
    type=click.Choice(["s", "m", "l"]),
    help="FPN and head as published: s 192, m and l 256 wide.",
)
@click.option("--width", metavar="N", type=int, help="Width of FPN and head, instead of --size's.")
@click.option(
    "--schedule",
    metavar="1x|2x|3x|6x|EPOCHS",
    help="12, 24, 36 or 73 epochs with steps, or a number, cosine.  [default: 6x]",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    type=click.Choice(["sgd", "adamw"]),
    help="adamw: for few epochs.  [default: sgd]",
)
@click.option(
    "--input-size", metavar="HxW", type=SIZE, help="Test at this size.  [default: 800x1333]"
)
@click.option(
    "--multi-scale",
    metavar="LO,HI",
    type=PAIR,
    help="Train at so many times the test size.  [default: 0.6,1.2]",
)
@click.option(
    "--flip",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="Mirror so many pictures; 0 for digits.  [default: 0.5]",
)
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(1),
    help="Pictures a step, on each GPU.  [default: 2]",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(0),
    help="Processes that load pictures, for each GPU.  [default: 2]",
)
@click.option("--seed", metavar="N", type=click.IntRange(0, 2**31 - 1), help="[default: 0]")
@click.option("--amp", is_flag=True, help="Mixed precision (GPUs only).")
@click.option(
    "--load-from", metavar="FILE", type=PATH, help="Start from the weights of a checkpoint."
)
@click.option(
    "--allow-mismatch",
    is_flag=True,
    help="With --load-from: load what fits; a classifier of other classes begins anew.",
)
@click.option(
    "--new-data",
    is_flag=True,
    help="With --resume: go on with other data than before; a finished run is measured on them.",
)
@trust_checkpoint
@reading_options
@device
@click.option(
    "--gpus",
    metavar="N",
    type=click.IntRange(1),
    help="Start a process for each of N GPUs (with --device cpu: N processes).",
)
@click.option("--work-dir", metavar="DIR", type=PATH, help="[default: outputs/NAME-det]")
@begin_options(
    "Continue from the last whole checkpoint; --work-dir alone is enough.",
    "Replace what is in the directory.",
)
@json_option
@cfg_options
def train_det(structure: str | None, gpus: int | None, as_json: bool, **given: Any) -> None:
    """Train a GFLV2 detector on the backbone of a structure txt, a run directory or a preset."""
    quiet_threads()
    from ..install.doctor import preflight

    preflight()
    from lightnas.detection import train
    from lightnas.detection.distributed import choose_device, launched, leave, start_processes

    request = _request(structure, **given)
    if gpus and not launched():
        _check_gpus(gpus, choose_device(given["device"]))
        if gpus > 1:
            context = click.get_current_context()
            context.exit(start_processes(gpus, context.obj))
    result = train(*request)
    if result:
        _print_result(result, as_json)
    if launched():
        leave(0)


def _request(
    structure: str | None, **given: Any
) -> tuple[TrainOptions | None, dict[str, CocoSplit], Start]:
    """What the options ask for; no options (None) where a run goes on as it was."""
    from lightnas.detection import Start, TrainOptions

    from ..data.coco import DataOptions
    from ..runs import name_of, structure_path

    txt = structure_path(structure) if structure else None
    name = name_of(structure or given["config"] or "train")
    work_dir = given["work_dir"] or Path("outputs") / f"{name}-det"
    how = (
        "resume",
        "new_data",
        "overwrite",
        "load_from",
        "allow_mismatch",
        "trust_checkpoint",
        "device",
    )
    reading = DataOptions(**{name: given[name] for name in READING})
    found = _found(**given)
    splits = found.splits
    start = Start(
        work_dir, data=reading, layout=found.layout, notes=tuple(found.notes),
        **{name: given[name] for name in how},
    )  # fmt: skip
    names = (
        "config",
        "size",
        "width",
        "schedule",
        "optimizer",
        "flip",
        "batch",
        "workers",
        "seed",
        "amp",
        "input_size",
        "multi_scale",
        "cfg_options",
    )
    values = [given[name] for name in names]
    if (
        given["resume"]
        and structure is None
        and all(value in (None, False, ()) for value in values)
    ):
        if splits:
            _check_splits(splits, given["data"])
            splits.setdefault("test", splits["val"])
        return None, splits, start
    if given["resume"] and structure is None and given["config"] is None:
        changed = [name for name in names if given[name] not in (None, False, ())]
        raise InputError(
            f"{', '.join(map(option_name, changed))} with --resume and no STRUCTURE.txt, expected "
            "--resume and --work-dir alone, which go on as the run began, or all of its options again"
        )
    if structure is None and given["config"] is None:
        raise InputError(
            "no STRUCTURE.txt and no --config, expected one of them (or --resume with --work-dir)"
        )
    if given["data"] is not None or splits:
        _check_splits(splits, given["data"])
        splits.setdefault("test", splits["val"])
    elif given["config"] is None:
        raise InputError(
            "no --data, expected a folder of pictures and annotations, e.g. --data digits after lightnas demo-data digits"
        )
    options = TrainOptions(structure=txt, **{name: given[name] for name in names})
    return options, splits, start


def _found(data: Path | None, **given: Any) -> Found:
    """The splits that are named one by one, and the others of the folder."""
    from ..data.coco import SPLITS, find_split
    from ..data.layouts import Found, find_data

    paths = {name: (given[f"{name}_json"], given[f"{name}_images"]) for name in SPLITS}
    notes: list[str] = []
    named = {
        name: find_split(data, name, *pair, notes) for name, pair in paths.items() if any(pair)
    }
    splits = {name: split for name, split in named.items() if split is not None}
    if data is None:
        if given["val_share"] is not None:
            raise InputError(
                "--val-share is given without --data, expected the folder that it is of"
            )
        return Found("", Path(), splits, notes=notes)
    found = find_data(
        data, [name for name in SPLITS if name not in splits],
        layout=given["layout"], val_share=given["val_share"], seed=given["seed"] or 0,
    )  # fmt: skip
    found.notes += notes
    both = {**found.splits, **splits}
    found.splits = {name: both[name] for name in SPLITS if name in both}
    return found


def _check_splits(splits: dict[str, Any], data: Path | None) -> None:
    for name in ("train", "val"):
        if name not in splits:
            where = f"--data {data} holds no {name} split" if data else f"no --{name}-json"
            raise InputError(f"{where}, expected annotations of {name}, or --{name}-json")


def _check_gpus(gpus: int, where: str) -> None:
    if where == "cuda":
        import torch

        if gpus > torch.cuda.device_count():
            raise InputError(
                f"--gpus is {gpus}, expected at most {torch.cuda.device_count()}, the GPUs of this machine"
            )
    elif gpus > (os.cpu_count() or 1):
        raise InputError(
            f"--gpus is {gpus} on a machine without GPUs, expected at most {os.cpu_count()} processes, one a CPU core"
        )


@click.command("test-det", cls=KeyValues)
@click.argument("source", metavar="WORK_DIR|CONFIG|CHECKPOINT", type=PATH)
@click.argument("checkpoint", required=False, type=PATH)
@click.option(
    "--data",
    metavar="DIR",
    type=PATH,
    help="Another folder than that of the training, in any layout of train-det.",
)
@layout_option
@click.option(
    "--split",
    metavar="NAME",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    help="[default: test]",
)
@click.option("--annotations", metavar="FILE", type=PATH, help="Another COCO annotation file.")
@click.option("--images", metavar="DIR", type=PATH, help="Its pictures.")
@click.option(
    "--score-thr",
    metavar="P",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Least score that counts in the confusion matrix.",
)
@click.option(
    "--format",
    "form",
    metavar="NAME",
    type=click.Choice(FORMATS),
    help="Write what was found, to --output: coco, yolo or csv, with the data's ids and names.",
)
@click.option(
    "--output", metavar="DIR|FILE", type=PATH, help="Of --format: a file, or a folder for yolo."
)
@trust_checkpoint
@reading_options
@device
@json_option
@cfg_options
def test_det(source: Path, checkpoint: Path | None, as_json: bool, **given: Any) -> None:
    """AP of a trained detector on the test split."""
    quiet_threads()
    from ..data.coco import DataOptions, find_split
    from ..data.layouts import find_data
    from ..install.doctor import preflight

    preflight()
    from lightnas.detection import measure

    split = None
    if given["annotations"] is not None:
        split = find_split(given["data"], given["split"], given["annotations"], given["images"])
    elif given["data"] is not None:
        found = find_data(given["data"], [given["split"]], layout=given["layout"])
        split = found.splits.get(given["split"])
        if split is None:
            raise InputError(
                f"--data {given['data']} holds no {given['split']} split ({found.layout}), expected it, or "
                "--annotations"
            )
    form, output = given["form"], given["output"]
    if (form is None) != (output is None):
        lone, other = ("format", "output") if output is None else ("output", "format")
        raise InputError(f"--{lone} without --{other}, expected both or neither")
    result = measure(
        source, checkpoint, split, given["split"],
        device=given["device"], data=DataOptions(**{name: given[name] for name in READING}), trust=given["trust_checkpoint"],
        cfg_options=given["cfg_options"], score=given["score_thr"], results=form and (form, output),
    )  # fmt: skip
    _print_result(result, as_json)
    if not as_json:
        from .tables import print_classes

        print_classes(result["per_class"])


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
@click.option(
    "--score-thr",
    metavar="P",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Least score shown.",
)
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


def pictures_option(split: str, default: int, text: str) -> Callable[[Command], Command]:
    """How many pictures of a split ``demo-data`` writes."""
    number = click.IntRange(1, 999_999)
    return click.option(
        f"--{split}", metavar="N", type=number, default=default, show_default=True, help=text
    )


@click.command("demo-data")
@click.argument("directory", type=PATH)
@pictures_option("train", 1500, "Pictures to train on.")
@pictures_option("val", 200, "Pictures of val.")
@pictures_option("test", 500, "Pictures of test.")
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True)
@overwrite_directory
def demo_data(directory: Path, train: int, val: int, test: int, seed: int, overwrite: bool) -> None:
    """Write a small detection set in COCO format: handwritten digits on textured canvases. Needs no
    network."""
    require("demo-data", "det", "sklearn", "PIL")
    from ..data.demo_data import Splits, write_demo_data

    counts = write_demo_data(directory, Splits(train, val, test), seed, overwrite)
    for (name, objects), pictures in zip(counts.items(), (train, val, test), strict=True):
        say(
            f"{name:5}  {pictures:6,} pictures  {objects:6,} digits  {directory / 'annotations' / f'instances_{name}.json'}"
        )
    say(f"{directory / 'ground_truth.jpg'}")


def _print_result(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(result)
    else:
        from .tables import print_detection

        print_detection(result)


def quiet_threads() -> None:
    """Two OpenMP threads that spin while they wait can be slower than one; torch reads this when it
    is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


OF_DETECTORS = (train_det, test_det, detect, export_det)
