"""``lightnas data``: what a folder holds and what would be trained, before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError, require
from .detector_options import frame_options, share_options
from .options import PATH, json_option, overwrite_file
from .pages import example, option
from .saying import say_json

SUFFIXES = (".jpg", ".jpeg", ".png")


@click.command(epilog=example("data digits"))
@click.argument("folder", metavar="DIR", type=PATH)
@share_options
@option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Of the training: decides which pictures are set aside.",
)
@frame_options
@option(
    "--sheet",
    metavar="FILE",
    type=PATH,
    help="Pictures with their boxes, to look at: .jpg or .png.",
    show_default="outputs/NAME-data.jpg",
)
@overwrite_file
@json_option
def data(folder: Path, sheet: Path | None, overwrite: bool, as_json: bool, **given: Any) -> None:
    """Say what a folder of data holds, before any training.

    What would be left out and what may be wrong, too.
    """
    require("data", "det", "PIL")
    place = Path("outputs") / f"{folder.resolve().name or 'set'}-data.jpg"
    ours, sheet = sheet is None, sheet or place
    if sheet.suffix.lower() not in SUFFIXES:
        raise InputError(f"--sheet {sheet} ends in '{sheet.suffix}', expected .jpg or .png")
    from ..data.coco import SPLITS, DataOptions, check_split
    from ..data.layouts import find_data
    from ..data.pictures import save_picture
    from ..data.sheet import draw_sheet
    from ..data.summary import summarise
    from ..files import Kind, output_errors
    from ..outputs import check_file

    reading = {name: given.pop(name) for name in ("boxes", "box_format", "allow_outside")}
    options = DataOptions(skip_bad_images=True, **reading)
    found = find_data(folder, **given)
    with output_errors("--sheet", sheet, "a file"):
        sheet.parent.mkdir(parents=True, exist_ok=True)
    check_file(sheet, Kind("sheet", lambda path: ours), [folder], overwrite=overwrite)
    classes = None
    for name in SPLITS:
        if name in found.splits:
            classes = check_split(found.splits[name], options, classes).classes
    summary = summarise(found.splits, found.layout, found.notes)
    with output_errors("--sheet", sheet, "a file"):
        save_picture(draw_sheet(found.splits), sheet)
    if as_json:
        say_json({"folder": str(found.folder), **summary, "sheet": str(sheet)})
    else:
        from .tables import print_data

        print_data(summary, found.folder, sheet)
