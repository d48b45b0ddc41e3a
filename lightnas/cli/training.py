"""``train-det``: a structure and a folder of pictures to a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..cores import cores
from ..errors import InputError
from .detector_options import (
    READING,
    KeyValues,
    cfg_options,
    data_options,
    device,
    print_result,
    quiet_threads,
    reading_options,
    share_options,
    trust_checkpoint,
)
from .options import PAIR, PATH, PROBABILITY, SIZE, begin_options, json_option, option_name
from .pages import STRUCTURE_NAMES, example, option

if TYPE_CHECKING:
    from lightnas.detection import Start, TrainOptions

    from ..data.coco import CocoSplit
    from ..data.layouts import Found


@click.command(
    "train-det",
    cls=KeyValues,
    epilog=example(
        "train-det maedet-s --data digits",
        "train-det maedet-s --data digits --resume",
    ),
)
@click.argument("structure", required=False, shell_complete=STRUCTURE_NAMES)
@data_options
@share_options
@option(
    "--config", metavar="FILE", type=PATH, help="An mmdet config instead of the published recipe."
)
@option(
    "--size",
    type=click.Choice(["s", "m", "l"]),
    help="FPN and head as published: s 192, m and l 256 wide.",
)
@option("--width", metavar="N", type=int, help="Width of FPN and head, instead of --size's.")
@option(
    "--schedule",
    metavar="auto|1x|2x|3x|6x|EPOCHS",
    help="auto: all for the size of the set; 12, 24, 36 or 73 epochs with steps; or a number, cosine.",
    show_default="auto below 5,000 pictures, else 6x",
)
@option(
    "--iterations",
    metavar="N",
    type=click.IntRange(1, 10**8),
    help="So many steps, instead of epochs.",
    show_default="by --schedule",
)
@option("--ema", is_flag=True, help="Measure and keep an average of the weights; auto always does.")
@option(
    "--optimizer",
    type=click.Choice(["sgd", "adamw", "muon"]),
    help="muon, adamw: for few epochs.",
    show_default="muon with --schedule auto, else sgd",
)
@option(
    "--input-size", metavar="HxW", type=SIZE, help="Test at this size.", show_default="800x1333"
)
@option(
    "--multi-scale",
    metavar="LO,HI",
    type=PAIR,
    help="Train at so many times the test size.",
    show_default="0.6,1.2",
)
@option(
    "--flip",
    metavar="P",
    type=PROBABILITY,
    help="Mirror so many pictures; 0 for digits.",
    show_default="0.5",
)
@option(
    "--batch",
    metavar="N",
    type=click.IntRange(1),
    help="Pictures a step, on each GPU.",
    show_default="2",
)
@option(
    "--workers",
    metavar="N",
    type=click.IntRange(0),
    help="Processes that load pictures, for each GPU.",
    show_default="2",
)
@option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**31 - 1),
    help="Of everything that is drawn at random.",
    show_default="0",
)
@option("--amp", is_flag=True, help="Mixed precision (GPUs only).")
@option(
    "--load-from",
    metavar="FILE",
    type=PATH,
    help="Start from a checkpoint of the same detector, every weight by its name.",
)
@option(
    "--init-from",
    metavar="FILE|WORK_DIR",
    type=PATH,
    help="Start from weights of any structure: what does not fit is carried over as far as it goes.",
)
@option(
    "--allow-mismatch",
    is_flag=True,
    help="With --load-from: load what fits; a classifier of other classes begins anew.",
)
@option(
    "--new-data",
    is_flag=True,
    help="With --resume: go on with other data than before; a finished run is measured on them.",
)
@trust_checkpoint
@reading_options
@device
@option(
    "--gpus",
    metavar="N",
    type=click.IntRange(1),
    help="Start a process for each of N GPUs (with --device cpu: N processes).",
)
@option(
    "--work-dir",
    metavar="DIR",
    type=PATH,
    help="Directory of the run.",
    show_default="outputs/NAME-det",
)
@begin_options(
    "Continue from the last whole checkpoint; --work-dir alone is enough.",
    "Replace what is in the directory.",
)
@json_option
@cfg_options
def train_det(structure: str | None, gpus: int | None, as_json: bool, **given: Any) -> None:
    """Train a GFLV2 detector on a backbone.

    STRUCTURE is a txt, a run directory or a preset.
    """
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
        print_result(result, as_json)
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
        "init_from",
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
        "iterations",
        "ema",
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
    elif gpus > cores():
        raise InputError(
            f"--gpus is {gpus} on a machine without GPUs, expected at most {cores()} processes, one a CPU core"
        )
