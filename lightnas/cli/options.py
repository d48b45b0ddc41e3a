"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from ..errors import InputError, WorkError
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


@contextmanager
def option_names() -> Iterator[None]:
    """The library's errors, which name arguments, in the words of the running command's options.

    ``device is tpu, expected ...`` becomes ``--device is tpu, expected ...``, and ``resume=True``
    becomes ``--resume``.
    """
    parameters = click.get_current_context().command.params
    options = {p.name: p.opts[0] for p in parameters if isinstance(p, click.Option)}
    try:
        yield
    except (InputError, WorkError) as error:
        said = re.sub(r"^\w+(?= )", lambda word: options.get(word[0], word[0]), str(error))
        said = re.sub(r"\b(\w+)=True\b", lambda set_: options.get(set_[1], set_[0]), said)
        error.args = (said,)
        raise
