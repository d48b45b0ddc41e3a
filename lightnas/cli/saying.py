"""What commands print, beside tables: lines for people, and one JSON object for programs."""

from __future__ import annotations

from typing import Any

import click

from ..errors import printable
from ..json_file import json_text


def say(text: str, err: bool = False) -> None:
    """Print a line on stdout, or on stderr; names in it cannot make the terminal do anything."""
    click.echo(printable(text), err=err)


def say_json(document: Any) -> None:
    """Print a document as one JSON object."""
    click.echo(json_text(document))
