"""``lightnas report``: one self-contained page about runs that are finished."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, overwrite_file
from .pages import example, option
from .saying import say


@click.command(epilog=example("report outputs/maedet-m outputs/front"))
@click.argument("run_dirs", nargs=-1, required=True, metavar="RUN_DIR...", type=PATH)
@option(
    "--output",
    metavar="FILE",
    type=PATH,
    help="The page.",
    show_default="report.html in the first of them that can be read",
)
@overwrite_file
def report(run_dirs: tuple[Path, ...], output: Path | None, overwrite: bool) -> None:
    """Write one page about searches, fronts and trainings.

    A file that needs no server and no network. Of several it has one table, and their curves in one
    chart.

    Of several directories one that cannot be read is left out: stderr and the page say so.
    """
    from ..files import is_stream
    from ..report.page import write_report

    written = write_report(
        run_dirs, output, overwrite, lambda line: say(f"left out: {line}", err=True)
    )
    say(str(written), err=is_stream(written))
