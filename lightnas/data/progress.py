"""How far a long check is: a bar where somebody looks, one line where a log is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[int], None]


@contextmanager
def progress(total: int, title: str, long: bool) -> Iterator[Say]:
    """A bar on stderr, or the title alone where that is no terminal; nothing where it will not be
    long. What is yielded takes how much of the total is done."""
    if not long:
        yield _nothing
        return
    if not sys.stderr.isatty():
        print(title, file=sys.stderr)
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    said = TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold"))
    columns = said, BarColumn(), TaskProgressColumn()
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def _nothing(done: int) -> None:
    """Nobody is told."""
