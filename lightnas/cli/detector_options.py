"""What the commands of the detection stage have in common: options, threads, how a result is printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .options import PATH, PROBABILITY, Command, several
from .pages import option
from .saying import say_json


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
        command = option(
            f"--{split}-images", metavar="DIR", type=PATH, help=f"Pictures of {split}."
        )(command)
        command = option(
            f"--{split}-json", metavar="FILE", type=PATH, help=f"COCO annotations of {split}."
        )(command)
    return option(
        "--data",
        metavar="DIR",
        type=PATH,
        help="A folder in COCO, YOLO or Pascal VOC layout, or an export of Roboflow, CVAT or Label Studio.",
    )(command)


cfg_options = option(
    "--cfg-options",
    metavar="KEY=VALUE ...",
    multiple=True,
    help="Replace keys of the mmdet config, e.g. optimizer.lr=0.01.",
)
device = option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where the network runs.",
    show_default="cuda where there is a GPU",
)
trust_checkpoint = option(
    "--trust-checkpoint",
    is_flag=True,
    help="Unpickle checkpoints whole and take their configs as they are, whatever code they name.",
)
READING = ("skip_bad_images", "boxes", "box_format", "allow_outside")
frame_options = several(
    option(
        "--boxes",
        type=click.Choice(["stored", "shown"]),
        help="Boxes of pictures that a camera marked as turned: as stored, or as shown.",
        show_default="from the numbers",
    ),
    option(
        "--box-format",
        type=click.Choice(["xywh", "xyxy", "normalised"]),
        help="xywh: COCO's; xyxy: corners; normalised: x, y, w, h as fractions.",
    ),
    option(
        "--allow-outside",
        is_flag=True,
        help="Take pictures that lie outside the folder of pictures.",
    ),
)
reading_options = several(
    option(
        "--skip-bad-images",
        is_flag=True,
        help="Leave out bad pictures and boxes instead of refusing.",
    ),
    frame_options,
)
layout_option = option(
    "--layout",
    type=click.Choice(["coco", "yolo", "voc"]),
    help="Which one, where a folder has several.",
    show_default="found out",
)
share_options = several(
    layout_option,
    option(
        "--val-share",
        metavar="P",
        type=float,
        help="Share of the pictures set aside where there is no val.",
        show_default="0.1",
    ),
)
overwrite_directory = option("--overwrite", is_flag=True, help="Replace what is in the directory.")


def score_threshold(text: str) -> Callable[[Command], Command]:
    """``--score-thr``, and what it decides."""
    return option(
        "--score-thr", metavar="P", type=PROBABILITY, default=0.3, show_default=True, help=text
    )


def exported(source: Path, **useless: Any) -> bool:
    """Whether a source is an ONNX file of ``export-det``.

    Args:
        useless: options that mean nothing for one, and what they were given.

    Raises:
        InputError: one of them was given for such a file.
    """
    from ..outputs import is_network

    if not is_network(source):
        return False
    for name, value in useless.items():
        if value:
            raise InputError(f"{name} goes with a checkpoint, expected none for {source}")
    return True


def print_result(result: dict[str, Any], as_json: bool) -> None:
    """One JSON object, or a table of AP."""
    if as_json:
        say_json(result)
    else:
        from .tables import print_detection

        print_detection(result)


def quiet_threads() -> None:
    """Two OpenMP threads that spin while they wait can be slower than one; torch reads this when it
    is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
