"""stdin, stdout and stderr as a caller may have left them: closed, or a pipe that nobody reads."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _Lasting(io.FileIO):
    """A file whose reader may leave: what is written from then on goes nowhere."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content) or 0
        except BrokenPipeError:
            to_nowhere(self.fileno())
            return len(content)


def to_nowhere(descriptor: int) -> None:
    """Let what is written to an open file from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def settle_streams() -> None:
    """Make the three usable for the whole of a run.

    A closed one (``>&-``) is as good as /dev/null, else the first file that is opened would take
    its place. Messages are worth less than the run that says them: nobody need read stderr to its
    end. That nobody reads the results is an error, which ``main`` turns into a status.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (as long as we live)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    raw = _Lasting(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True
    )
