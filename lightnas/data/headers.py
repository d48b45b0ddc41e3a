"""The headers of many pictures: read by several processes, and remembered from one start to the
next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..cores import cores
from . import memory as memories
from .memory import Memory
from .progress import Say, progress
from .reading import PictureError, header

# Below so many pictures a second process would not pay for its start, nor a bar be read.
MANY = 2_000
STEP = 100  # pictures between two steps of the bar


@dataclass
class Headers:
    """What pictures are, a row each.

    Attributes:
        stored, shown (P, 2): width and height in the file, and upright.
        marks (P,): the camera's orientation mark, 1 to 8.
        bad: why a picture cannot be read, by row.
    """

    stored: NDArray[np.int64]
    shown: NDArray[np.int64]
    marks: NDArray[np.int64]
    bad: dict[int, str]


def read_headers(folder: Path, names: Sequence[str], memory: Memory, title: str) -> Headers:
    """The headers of pictures in a folder.

    Args:
        memory: of an earlier start; a picture that has not changed since is not opened. It learns
            what has been read.
        title: of the bar.
    """
    begun = time.time_ns()
    stats = stats_of(folder, names)
    known = memory.rows(names, stats)
    rows = np.zeros((len(names), 5), dtype=np.int64)
    rows[known >= 0] = memory.headers[known[known >= 0]]
    asked = np.flatnonzero(known < 0)
    bad: dict[int, str] = {}
    with progress(len(asked), title, len(asked) >= MANY) as say:
        found = _read_all(folder, [names[i] for i in asked.tolist()], say)
        for row, answer in zip(asked.tolist(), found, strict=True):
            if isinstance(answer, str):
                bad[row] = answer
            else:
                rows[row] = answer
    stats[list(bad)] = 0
    stats[(stats[:, 1:3] > begun - memories.TICK_NS).any(axis=1)] = 0
    memory.learn(names, stats, rows)
    return Headers(rows[:, :2], rows[:, 2:4], rows[:, 4], bad)


def stats_of(folder: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """What changes with each file (P, 4): size, times of content and entry in ns, node; zeros where
    there is none."""
    prefix = os.path.join(folder, "")
    found = np.zeros((len(names), 4), dtype=np.int64)
    for row, name in enumerate(names):
        try:
            about = os.stat(prefix + name)
        except (OSError, ValueError):  # named when it is opened
            continue
        node = about.st_ino & (2**63 - 1)
        found[row] = about.st_size, about.st_mtime_ns, about.st_ctime_ns, node
    return found


def _read_all(folder: Path, names: Sequence[str], say: Say) -> Iterator[list[int] | str]:
    """An answer for each name: five numbers, or why it cannot be read. Other processes read one
    part each while this one reads its own."""
    n = min(cores(), len(names) // (MANY // 2)) or 1
    ends = [len(names) * i // n for i in range(n + 1)]
    helpers = [_Helper(folder, names[a:b]) for a, b in pairwise(ends[1:])]
    try:
        for i, name in enumerate(names[: ends[1]]):
            yield read_one(folder, name)
            if i % STEP == 0:
                say(min(n * i, len(names)))
        for helper in helpers:
            yield from helper.answers()
            say(len(names))
    finally:
        for helper in helpers:
            helper.stop()


def read_one(folder: Path, name: str) -> list[int] | str:
    """Stored and shown width and height and the mark of one picture, or why it cannot be read."""
    try:
        found = header(os.path.join(folder, name))
    except PictureError as error:
        return error.why
    return [*found.stored, *found.shown, found.orientation]


class _Helper:
    """Another Python that reads part of the pictures. It is a program of its own and no fork: that
    is safe beside threads, and needs no guard around the caller's script."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names
        self.input: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed in stop)
        self.output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.input.write(json.dumps([os.path.abspath(folder), list(names)]).encode())
        self.input.seek(0)
        code = "from lightnas.data.headers import serve; serve()"
        # It finds this package where it starts; Ctrl-C is for the one that asks, which stops it.
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", code], stdin=self.input, stdout=self.output,
            stderr=subprocess.DEVNULL, cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )  # fmt: skip

    def answers(self) -> Iterator[list[int] | str]:
        """What it found; what it did not get to is read here."""
        self.process.wait()
        self.output.seek(0)
        lines = self.output.read().splitlines() if self.process.returncode == 0 else []
        yield from map(json.loads, lines)
        for name in self.names[len(lines) :]:
            yield read_one(self.folder, name)

    def stop(self) -> None:
        """End it, whatever it is at."""
        self.process.kill()
        self.process.wait()
        self.input.close()
        self.output.close()


def serve() -> None:
    """Read pictures for another process: folder and names from stdin, a line each to stdout."""
    folder, names = json.loads(sys.stdin.buffer.read())
    for name in names:
        sys.stdout.write(json.dumps(read_one(Path(folder), name)) + "\n")
