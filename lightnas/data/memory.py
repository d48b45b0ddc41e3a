"""What a check found out, remembered for the next start on the same data.

One file a split in the user's cache (``XDG_CACHE_HOME``, ``~/.cache`` by default), for large sets
only. It is never trusted for a file that has changed since: size, both times, in nanoseconds, and
the node of every picture and of the annotation file are compared.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import write_whole

# Remembered from so many pictures on; below, a check takes a moment.
WORTH = 2_000
VERSION = 1
KEPT = 20  # splits; one of COCO's size takes 50 MB
# A file that changes within one tick of the clock after it was looked at has the time of before.
TICK_NS = 2_000_000_000


@dataclass
class Memory:
    """Headers of pictures, and the result of a whole check.

    Attributes:
        names: of the P pictures.
        stats (P, 4): as ``headers.stats_of`` gives them; 0 is never taken for known.
        headers (P, 5): stored and shown width and height, mark.
        asked: what the check was asked for: file, options, classes.
        result: what it answered, in words and numbers.
        arrays: what else it answered.
    """

    names: list[str] = field(default_factory=list)
    stats: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    headers: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 5), np.int64))
    asked: Any = None
    result: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def learn(
        self, names: Sequence[str], stats: NDArray[np.int64], headers: NDArray[np.int64]
    ) -> None:
        """Take headers (P, 5) of files with stats (P, 4) for those before; the result no longer
        holds."""
        self.names, self.stats, self.headers = list(names), stats, headers
        self.asked, self.result, self.arrays = None, {}, {}

    def rows(self, names: Sequence[str], stats: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each name (P,) whose file is the one that was read, -1 where it is not."""
        if self.names == names:  # the usual case
            rows = np.arange(len(names))
        else:
            known = {name: row for row, name in enumerate(self.names)}
            rows = np.fromiter((known.get(name, -1) for name in names), np.int64, len(names))
        if not len(self.stats):
            return np.full(len(names), -1)
        same = (self.stats[rows] == stats).all(axis=1) & (stats[:, 1] != 0)
        return np.where(same, rows, -1)


def memory_path(annotations: Path, images: Path) -> Path:
    """Where the memory of a split lies, the same for a link to its annotations."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    key = f"{os.path.realpath(annotations)}\0{os.path.realpath(images)}"
    return Path(base) / "lightnas" / "data" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


def recall(path: Path) -> Memory:
    """What was remembered; nothing where there is none, or it is damaged or of another version."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        about = json.loads(content.pop("about").tobytes())
        names = json.loads(content.pop("names").tobytes())
        stats, headers = content.pop("stats"), content.pop("headers")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return Memory()
    if about.get("version") != VERSION or not len(names) == len(stats) == len(headers):
        return Memory()
    return Memory(names, stats, headers, about["asked"], about["result"], content)


def remember(path: Path, memory: Memory) -> None:
    """Write a memory down; where that cannot be, the next start takes as long as this one."""
    about = {"version": VERSION, "asked": memory.asked, "result": memory.result}
    texts = {
        name: np.frombuffer(json.dumps(value).encode(), np.uint8)
        for name, value in {"about": about, "names": memory.names}.items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, stats=memory.stats, headers=memory.headers, **texts, **memory.arrays)  # type: ignore[arg-type]
    with suppress(OSError):  # a home that cannot be written, a full disk: no concern of this check
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, buffer.getvalue())
        others = sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime_ns)
        for file in others[:-KEPT]:
            file.unlink()
