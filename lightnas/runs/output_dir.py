"""What every run has in common: a directory, held by one process at a time, that a stop leaves
whole.

A run begins in it (new, resumed or overwritten), writes its files whole or not at all, and is
finished once its result stands there. ``SearchRun``, ``FrontRun`` and ``TrainingRun`` say which
files are theirs. Messages name the arguments of Python; the command line puts its options in their
place.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

import numpy as np
import scipy
from filelock import FileLock, Timeout

import lightnas

from ..errors import InputError
from ..files import output_errors, write_whole

LOCK, STRUCTURE, REPORT = ".lock", "structure.txt", "report.html"

Dir = TypeVar("Dir", bound="OutputDir")


class OutputDir:
    """One run's directory. ``begin`` holds it, ``close`` or the end of the ``with`` block lets go
    of it.

    Attributes:
        path: of the directory.
        continues: after ``begin``, whether there is an earlier run that goes on.
        option, kind, home: what messages call the path, the run and its directory.
        config_name, result_name: the file that decides the run, and the one that says that it is
            finished.
        log_name: the file that ``log`` writes to; a kind of run without one is not logged here.
        ours: names of the files that belong to such a run, and may be removed with it.
    """

    option: ClassVar[str] = "output"
    kind: ClassVar[str] = "run"
    home: ClassVar[str] = "directory of a run"
    config_name: ClassVar[str]
    result_name: ClassVar[str]
    log_name: ClassVar[str | None] = None
    ours: ClassVar[re.Pattern[str]]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.continues = False
        self._lock: FileLock | None = None
        self._log: IO[str] | None = None

    def __enter__(self: Dir) -> Dir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- beginning and ending -----------------------------------------------------------------------------------

    def hold(self, *, resume: bool, overwrite: bool) -> None:
        """Make the directory, or take it over; nothing in it changes but what a kill has left
        unfinished.

        Raises:
            InputError: it is not empty (without resume or overwrite), holds no run (with either),
                is in use, or cannot be written.
        """
        with output_errors(self.option, self.path, "a directory"):
            self.path.mkdir(parents=True, exist_ok=True)
            empty = all(map(self._is_leftover, self.path.iterdir()))
            if not empty:
                self._check(resume, overwrite)
            self._take()
            for part in self.path.glob(".*.part"):
                _remove(part)
            self.continues = resume and not empty

    def _check(self, resume: bool, overwrite: bool) -> None:
        """Refuse to begin in a directory that is not empty unless it was asked for."""
        if not (resume or overwrite):
            raise InputError(
                f"{self.option} {self.path} is not empty, expected a new directory, resume=True or overwrite=True"
            )
        if resume and not (self.path / self.config_name).is_file():
            raise InputError(
                f"resume=True: {self.path} holds no {self.config_name}, expected the {self.home}"
            )

    def _is_leftover(self, entry: Path) -> bool:
        """What a run killed in its first instants leaves: an unfinished file, a lock, or a log
        without a line."""
        empty_log = entry.name == self.log_name and entry.stat().st_size == 0
        return empty_log or entry.name == LOCK or entry.name.endswith(".part")

    def _take(self) -> None:
        """Two processes in one directory would write over each other. The kernel lets go for who
        was killed."""
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise InputError(
                f"{self.option} {self.path} is in use by another {self.kind}, expected a directory of its own"
            ) from error
        self._lock = lock
        if self.log_name:
            self._log = open(self.path / self.log_name, "a", encoding="utf-8")  # noqa: SIM115 (held until close)

    def close(self) -> None:
        """Let go of the directory."""
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._lock is not None:
            # While it is held: whoever waits for the file finds it gone, and does not share the
            # lock with a later one.
            with suppress(OSError):
                (self.path / LOCK).unlink()
            self._lock.release()
            self._lock = None

    def clear(self) -> None:
        """Remove the files of an earlier run, and nothing else; the result goes first, what decides
        the run last."""
        order = {self.result_name: 0, self.config_name: 2}
        entries = [entry for entry in self.path.iterdir() if self.ours.fullmatch(entry.name)]
        for entry in sorted(entries, key=lambda entry: order.get(entry.name, 1)):
            _remove(entry)
        if self._log is not None:
            self._log.truncate(0)

    def replace_with(self, config: str) -> None:
        """Begin anew with the text of a config, which is safely on the disk before anything is
        removed."""
        ahead = self.path / ".config.ahead.part"
        write_whole(ahead, config.encode())
        self.clear()
        ahead.replace(self.path / self.config_name)

    # --- files --------------------------------------------------------------------------------------------------

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the directory, whole or not at all."""
        write_whole(self.path / name, content.encode() if isinstance(content, str) else content)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result, which stands for a finished run: it comes last."""
        self.write(self.result_name, json.dumps(result, indent=1) + "\n")

    @property
    def result(self) -> dict[str, Any] | None:
        """The result of a finished run; None while it is not finished.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / self.result_name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError as error:
            raise InputError(
                f"{path}: is damaged ({error}), expected a result; overwrite=True starts anew"
            ) from error

    def log(self, message: str) -> None:
        """Add a line with the time to the log."""
        assert self._log is not None
        self._log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {message}\n")
        self._log.flush()

    def refuse(self, found: list[str]) -> None:
        """Refuse to continue a run of another config.

        Raises:
            InputError: the first ``differences``, if there are any.
        """
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise InputError(
                f"resume=True: {self.path} holds a run of another config: {'; '.join(found[:3])}{more}"
            )


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def fresh_path(base: Path) -> Path:
    """``base``, or the first of ``base-2``, ``base-3`` ... that is missing or empty."""
    path, n = base, 1
    while path.exists() and not (path.is_dir() and not any(path.iterdir())):
        n += 1
        path = base.with_name(f"{base.name}-{n}")
    return path


def versions() -> dict[str, str]:
    """Versions of everything that takes part in the result."""
    packages = {module.__name__: str(module.__version__) for module in (lightnas, np, scipy)}
    return {"python": platform.python_version()} | packages
