"""``demo-data``: a small detection set, made offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ..errors import require
from .detector_options import overwrite_directory
from .options import PATH, Command
from .saying import say


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
