"""``lightnas explore``: a local page on which a backbone is designed by hand."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import click

from ..errors import require
from .options import latency_table_option
from .pages import PRESET_NAMES, SPACE_NAMES, example, option
from .saying import say

if TYPE_CHECKING:
    from ..explore.settings import Offered


@click.command(epilog=example("explore", "explore --preset maedet-s --port 8000 --no-open"))
@option(
    "--preset",
    metavar="NAME",
    default="maedet-m",
    show_default=True,
    help="What the page begins with.",
    shell_complete=PRESET_NAMES,
)
@option(
    "--space",
    "spaces",
    metavar="NAME|FILE",
    multiple=True,
    help="A space file that the page offers beside the known spaces; it may be given again.",
    shell_complete=SPACE_NAMES,
)
@latency_table_option
@option(
    "--port",
    metavar="N",
    type=click.IntRange(1, 65_535),
    help="Of 127.0.0.1.",
    show_default="any that is free",
)
@option("--no-open", is_flag=True, help="Leave it to you to open the page in a browser.")
def explore(
    preset: str, spaces: tuple[str, ...], latency_table: str | None, port: int | None, no_open: bool
) -> None:
    """Design a backbone by hand on a local page, proven.

    Every setting is searched and proven while you look. The page's address is the first line; it
    holds the whole design, so it can be kept and shared. Ctrl-C ends the server.
    """
    require("explore", "explore", "starlette", "uvicorn")
    from ..explore.server import serve

    def ready(address: str) -> None:
        say(address)
        if not no_open:
            _open(address)

    serve(_offered(preset, spaces, latency_table), port, ready)


def _offered(preset: str, spaces: tuple[str, ...], latency_table: str | None) -> Offered:
    """What the page may choose from; files are read here, and nowhere else.

    Raises:
        InputError: one of them cannot be read, or there is no such preset.
    """
    from pathlib import Path

    from ..explore.settings import Offered, preset_settings
    from ..latency.table_file import load_table
    from ..search.space_file import parse_space, read_space_document

    documents = {}
    for name in spaces:
        document, where = read_space_document(name, "--space")
        parse_space(document, where)
        documents[name] = document
    first = preset_settings(preset, "--preset")
    if latency_table is None:
        return Offered(first, documents)
    table = load_table(Path(latency_table), "--latency-table")
    return Offered(first, documents, table.document, latency_table)


def _open(address: str) -> None:
    """Open the page, where there is a screen: a browser of the terminal would take it over."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name != "posix"):
        say("no screen is here: open the address in a browser", err=True)
        return
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
