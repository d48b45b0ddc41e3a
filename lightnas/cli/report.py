"""``lightnas report``: one self-contained page about runs that are finished."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, overwrite_file


@click.command()
@click.argument("run_dirs", nargs=-1, required=True, metavar="RUN_DIR...", type=PATH)
@click.option(
    "--output",
    metavar="FILE",
    type=PATH,
    help="[default: report.html in the first of them]",
)
@overwrite_file
def report(run_dirs: tuple[Path, ...], output: Path | None, overwrite: bool) -> None:
    """Write a page about searches, fronts and trainings: one file that needs no server and no
    network."""
    from ..files import is_stream
    from ..report.page import write_report

    written = write_report(run_dirs, output, overwrite)
    click.echo(str(written), err=is_stream(written))
