"""``demo-data``: a small detection set, made offline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from ..errors import require
from .detector_options import overwrite_directory
from .options import PATH, Command
from .pages import example, option
from .saying import say

# Of each kind the extra with what it is made of, and what it calls its objects.
KINDS = {"digits": ("det", "digits"), "emoji": ("emoji", "objects")}


def pictures_option(split: str, default: str, text: str) -> Callable[[Command], Command]:
    """How many pictures of a split ``demo-data`` writes."""
    number = click.IntRange(1, 999_999)
    return option(f"--{split}", metavar="N", type=number, show_default=default, help=text)


@click.command("demo-data", epilog=example("demo-data digits --train 300"))
@click.argument("directory", type=PATH)
@option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="digits",
    show_default=True,
    help="digits: handwritten ones on textured canvases; emoji: six classes of them in photographs, at "
    "many sizes and partly hidden.",
)
@pictures_option("train", "1500, emoji 400", "Pictures to train on.")
@pictures_option("val", "200, emoji 100", "Pictures of val.")
@pictures_option("test", "500, emoji 200", "Pictures of test.")
@option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the one random generator.",
)
@overwrite_directory
def demo_data(
    directory: Path,
    kind: str,
    train: int | None,
    val: int | None,
    test: int | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Write a small detection set, made without a network.

    In COCO format: handwritten digits on textured canvases, or emoji in photographs.
    """
    extra, objects = KINDS[kind]
    require("demo-data", extra, "sklearn", "PIL")
    from ..data import demo_data as made

    given = {"train": train, "val": val, "test": test}
    splits = replace(
        made.KINDS[kind].splits, **{name: n for name, n in given.items() if n is not None}
    )
    counts = made.write_demo_data(directory, splits, seed, overwrite, kind)
    for name, n in counts.items():
        say(
            f"{name:5}  {getattr(splits, name):6,} pictures  {n:6,} {objects}  "
            f"{directory / 'annotations' / f'instances_{name}.json'}"
        )
    say(f"{directory / 'ground_truth.jpg'}")
