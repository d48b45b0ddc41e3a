"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..resources import RESOURCES

Command = TypeVar("Command", bound=Callable[..., Any])


def budget_options(row: bool = False) -> Callable[[Command], Command]:
    """``--budget-NAME`` for every resource; with ``row`` one of them may be a row LOW:HIGH:N."""

    def decorate(command: Command) -> Command:
        for resource in reversed(RESOURCES.values()):
            metavar, text = (
                ("LO:HI:N|N", resource.row) if row else (resource.metavar, resource.help)
            )
            command = click.option(f"--budget-{resource.name}", metavar=metavar, help=text)(command)
        return command

    return decorate
