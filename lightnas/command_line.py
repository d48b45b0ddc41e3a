"""The command that is at work, as it was typed, for what runs say of themselves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_words: ContextVar[tuple[str, ...]] = ContextVar("words", default=())


@contextmanager
def command_line(words: Sequence[str]) -> Iterator[None]:
    """For the time of a command: its words, that of the program left out."""
    token = _words.set(tuple(words))
    try:
        yield
    finally:
        _words.reset(token)


def command() -> str:
    """The command line at work; empty where Python called."""
    words = _words.get()
    return shlex.join(["lightnas", *words]) if words else ""
