"""What every run has in common: a directory, held by one process at a time, that a stop leaves
whole.

A run begins in it (new, resumed or overwritten), writes its files whole or not at all, and is
finished once its result stands there. ``SearchRun``, ``FrontRun`` and ``TrainingRun`` say which
files are theirs. Messages name the arguments of Python; the command line puts its options in their
place.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

import numpy as np
import scipy
from filelock import FileLock, Timeout

import lightnas

from ..documents import Document, check
from ..errors import InputError, advised
from ..files import output_errors, short_name, write_whole
from ..json_file import json_text, read_json
from ..outputs import MARKER, check_apart, read_marker, record_made, write_marker
from .origin import BEGUN, origin_now

LOCK, STRUCTURE, REPORT = ".lock", "structure.txt", "report.html"
# What a write that was killed leaves, as ``files.write_whole`` names it.
PART = re.compile(r"\.(.+)\.[0-9]+\.part")
CONFIG_AHEAD = ".config.ahead.part"
CONFIG_HEAD = b"# Everything that decides this run"
# What to do where a file of a run is damaged.
ANEW = "overwrite=True starts anew"

Dir = TypeVar("Dir", bound="OutputDir")


class OutputDir:
    """One run's directory. ``begin`` holds it, ``close`` or the end of the ``with`` block lets go
    of it.

    Attributes:
        path: of the directory.
        continues: after ``begin``, whether there is an earlier run that goes on.
        option, kind, home: what messages call the path, the run and its directory.
        config_name, result_name: the file that decides the run, and the one that says that it is
            finished; ``result_shape``: what that one holds.
        log_name: the file that ``log`` writes to; a kind of run without one is not logged here.
        mark, command: what the marker calls this kind of run, and the command that makes it.
        ours: names of the files of such a run in a directory from before there was a marker.
        inside: directories of a run that others write to, and the pattern of their files.
        parts: names that a write which was killed leaves a part of, though no file has them.
    """

    option: ClassVar[str] = "output"
    kind: ClassVar[str] = "run"
    home: ClassVar[str] = "directory of a run"
    mark: ClassVar[str]
    command: ClassVar[str]
    inside: ClassVar[Mapping[str, str]] = {}
    config_name: ClassVar[str]
    result_name: ClassVar[str]
    result_shape: ClassVar[type[Document]] = Document
    log_name: ClassVar[str | None] = None
    ours: ClassVar[re.Pattern[str]]
    parts: ClassVar[Sequence[str]] = ()

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

    def hold(
        self,
        *,
        resume: bool | None,
        overwrite: bool,
        inputs: Iterable[Path] = (),
        kept: Iterable[Path] = (),
        names: Iterable[str] = (),
    ) -> None:
        """Make the directory, or take it over; nothing in it changes but what a kill has left
        unfinished.

        Args:
            resume: go on with the run in it; None for a kind that cannot.
            inputs: files that were read; in the directory may be only those that the run made.
            kept: files that are read later too, which an overwritten run may not hold at all.
            names: files that this run makes beside those that every run of its kind makes.

        Raises:
            InputError: it is not empty (without resume or overwrite), holds no run (with either),
                holds an input or a file of the user's where the run would write, is in use, or
                cannot be written.
        """
        with output_errors(self.option, self.path, "a directory"):
            self.path.mkdir(parents=True, exist_ok=True)
            self._look(resume, overwrite)
            self._take()
            empty, made = self._look(resume, overwrite)  # another run may have come and gone
            check_apart(self.path, inputs, made, self.option)
            check_apart(self.path, kept, made if resume else (), self.option)
            self._refuse_foreign(made, names)
            self._mark(made)
            if self.log_name:
                self.record(self.log_name)
                self._log = open(self.path / self.log_name, "a", encoding="utf-8")  # noqa: SIM115 (held until close)
            for folder in (self.path, *self._folders(made)):
                for entry in folder.iterdir():
                    if self._is_part(entry, made):
                        _remove(entry)
            self.continues = bool(resume) and not empty

    def _look(self, resume: bool | None, overwrite: bool) -> tuple[bool, list[str]]:
        """Whether the directory is empty, but for what a run leaves that was killed before it had a
        config, and the files in it that a run of this kind has made."""
        made = self._begun()
        if all(self._is_leftover(entry, made) for entry in self.path.iterdir()):
            return True, made
        self._check(resume, overwrite)
        return False, self._made(bool(resume))

    def _check(self, resume: bool | None, overwrite: bool) -> None:
        """Refuse to begin in a directory that is not empty unless it was asked for."""
        if not (resume or overwrite):
            ways = "or overwrite=True" if resume is None else "resume=True or overwrite=True"
            comma = " " if resume is None else ", "
            raise InputError(
                f"{self.option} {self.path} is not empty, expected a new directory{comma}{ways}"
            )
        if resume and not (self.path / self.config_name).is_file():
            raise InputError(
                f"resume=True: {self.path} holds no {self.config_name}, expected the {self.home}"
            )

    def _begun(self) -> list[str]:
        """The files of a run of this kind that was killed before it had a config."""
        marker = read_marker(self.path)
        if marker is None or marker["kind"] != self.mark:
            return []
        named = (self.path / name for name in (self.config_name, self.result_name))
        return [] if any(map(os.path.lexists, named)) else list(marker["files"])

    def _folders(self, made: Collection[str]) -> list[Path]:
        """The directories in this one that hold files which a run has made."""
        names = {Path(name).parts[0] for name in made if "/" in name.rstrip("/")}
        folders = (self.path / name for name in sorted(names - {"/", ".."}))
        return [path for path in folders if path.is_dir() and not path.is_symlink()]

    def _is_leftover(self, entry: Path, made: Collection[str]) -> bool:
        """What a run killed in its first instants leaves: an unfinished file, a lock, a log without
        a line, a file of those it ``made``, or a directory of such."""
        if entry in self._folders(made):
            return all(
                f"{entry.name}/{inner.name}" in made or self._is_part(inner, made)
                for inner in entry.iterdir()
            )
        empty_log = (
            entry.name == self.log_name and _is_plain_file(entry) and entry.stat().st_size == 0
        )
        ours = entry.name in (LOCK, MARKER) or (entry.name in made and _is_plain_file(entry))
        return empty_log or ours or self._is_part(entry, made)

    def _is_part(self, entry: Path, made: Collection[str]) -> bool:
        """Whether an entry is what a write of this run that was killed leaves."""
        if entry.name == CONFIG_AHEAD:
            return True
        match = PART.fullmatch(entry.name)
        if match is None:
            return False
        names = {Path(name).name for name in made} | {MARKER, CONFIG_AHEAD, *self.parts}
        known = match[1] in names | set(map(short_name, names))
        return known or self.ours.fullmatch(match[1]) is not None

    def _refuse_foreign(self, made: Collection[str], names: Iterable[str]) -> None:
        """Refuse to begin where a file of the user's has a name that the run would write to."""
        ours = {name.split("/")[0] for name in made}
        foreign = [
            entry.name
            for entry in self.path.iterdir()
            if self.ours.fullmatch(entry.name) and entry.name not in ours
        ]
        foreign += [
            name for name in names if name not in made and os.path.lexists(self.path / name)
        ]
        if foreign:
            raise InputError(
                f"{self.path / min(foreign)} is in the way: {MARKER} does not list it as made by "
                "this run, expected it elsewhere"
            )

    def _take(self) -> None:
        """Two processes in one directory would write over each other. The kernel lets go for who
        was killed."""
        for name in filter(None, (LOCK, MARKER, self.log_name)):
            self._refuse_link(self.path / name)
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise InputError(
                f"{self.option} {self.path} is in use by another {self.kind}, expected a directory of its own"
            ) from error
        self._lock = lock

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

    def _made(self, resume: bool) -> list[str]:
        """What the marker of a directory that is not empty lists.

        A directory from before there were markers is known by its config and, where it is to be
        overwritten, by its result.

        Raises:
            InputError: it was made by another kind of run, or by none.
        """
        marker = read_marker(self.path)
        if marker is None:
            needed = [self.config_name] if resume else [self.config_name, self.result_name]
            known = all(_is_plain_file(self.path / name) for name in needed)
            if not known or not self._is_ours(self.path):
                raise InputError(
                    f"{'resume' if resume else 'overwrite'}=True: {self.path} holds no {MARKER} and "
                    f"no run from before there were any, so nothing in it may be replaced; "
                    f"expected the {self.home}, or a new directory"
                )
            return [name for entry in self.path.iterdir() for name in self._older(entry)]
        if marker["kind"] != self.mark:
            raise InputError(
                f"{self.option} {self.path} was made by a {marker['kind']}, expected the {self.home}, "
                "or a new directory"
            )
        return list(marker["files"])

    def _is_ours(self, path: Path) -> bool:
        """Whether a directory without a marker, whose config is there, was made by this kind of run."""
        with open(path / self.config_name, "rb") as file:
            head = file.readline(200)
        return head.startswith(CONFIG_HEAD) and f"`lightnas {self.command} ".encode() in head

    def _older(self, entry: Path) -> list[str]:
        """What of an entry a run from before there were markers has made."""
        if not self.ours.fullmatch(entry.name):
            return []
        if entry.is_dir() and not entry.is_symlink():
            return [*(f"{entry.name}/{inner.name}" for inner in entry.iterdir()), f"{entry.name}/"]
        return [entry.name]

    def _refuse_link(self, path: Path) -> None:
        if path.is_symlink():
            raise InputError(f"{path} is a link, expected a file of the run, or none")

    def record(self, *names: str) -> None:
        """List files in the marker, before they are made; one that ends in a slash is a directory."""
        record_made(self.path, *names)

    def _mark(self, files: Sequence[str]) -> None:
        """Write the marker, unless it says so already: a finished run that is asked again stays."""
        marker = read_marker(self.path)
        if marker is None or (marker["kind"], marker["files"]) != (self.mark, list(files)):
            content = {"kind": self.mark, "version": lightnas.__version__, "files": list(files)}
            write_marker(
                self.path, content | {k: v for k, v in (marker or {}).items() if k == BEGUN}
            )

    def clear(self) -> None:
        """Remove the files that an earlier run has made, and nothing else; the result goes first,
        what decides the run last."""
        order = {self.result_name: 0, self.config_name: 2}
        marker = read_marker(self.path)
        made = marker["files"] if marker else []
        for name in sorted(made, key=lambda name: order.get(name, 1)):
            if name != self.log_name:
                self._remove(name)
        self._mark([name for name in made if name == self.log_name])
        self._note_origin()
        if self._log is not None:
            self._log.truncate(0)

    def _note_origin(self) -> None:
        """Write down how the run that begins here came about."""
        if marker := read_marker(self.path):
            origin = origin_now(self.taking_part(), self.accelerator())
            write_marker(self.path, marker | {BEGUN: origin})

    def taking_part(self) -> dict[str, str]:
        """Versions of everything that takes part in the result."""
        return versions()

    def accelerator(self) -> str:
        """The name of what computes beside the processor; empty where nothing does."""
        return ""

    def _remove(self, name: str) -> None:
        """Remove one file that was made; its directory too once that is empty. No link is followed,
        and nothing outside the directory is touched, whatever the marker says."""
        path = self.path / name
        inner = len(Path(name).parts) > 1
        if (
            ".." in Path(name).parts
            or Path(name).is_absolute()
            or (inner and path.parent.is_symlink())
        ):
            return
        if name.endswith("/"):
            if path.is_dir() and not path.is_symlink():
                pattern = self.inside.get(name.rstrip("/"))
                for file in path.glob(pattern) if pattern else ():
                    file.unlink()
                _remove_empty(path)
        elif path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            if inner:
                _remove_empty(path.parent)

    def replace_with(self, config: str) -> None:
        """Begin anew with the text of a config, which is safely on the disk before anything is
        removed."""
        ahead = self.path / CONFIG_AHEAD
        write_whole(ahead, config.encode())
        self.clear()
        self.record(self.config_name)
        ahead.replace(self.path / self.config_name)

    # --- files --------------------------------------------------------------------------------------------------

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the directory, whole or not at all; a link is replaced, not followed."""
        folder = (self.path / name).parent
        if folder != self.path:
            self._refuse_link(folder)
        self.record(name)
        folder.mkdir(exist_ok=True)
        encoded = content.encode() if isinstance(content, str) else content
        write_whole(self.path / name, encoded)

    def drop(self, name: str) -> None:
        """Remove a file that was only needed while the run was not finished, and list it no longer:
        what has its name from then on is the user's."""
        marker = read_marker(self.path)
        if marker is not None and name in marker["files"]:
            (self.path / name).unlink(missing_ok=True)
            self._mark([made for made in marker["files"] if made != name])

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result, which stands for a finished run: it comes last."""
        self.write(self.result_name, json_text(result, indent=1) + "\n")

    @property
    def result(self) -> dict[str, Any] | None:
        """The result of a finished run; None while it is not finished.

        Raises:
            InputError: the file is damaged; it says how to go on.
        """
        with advised(ANEW):
            return self.read_result()

    def read_result(self) -> dict[str, Any] | None:
        """``result``, for who only reads it: errors do not say how the run goes on.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / self.result_name
        if not path.is_file():
            return None
        document = read_json(path, "a result")
        check(self.result_shape, document, str(path))
        return dict(document)

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


def stops(error: BaseException) -> bool:
    """Whether an exception is a signal or a lack of memory: the work was right as far as it got."""
    return isinstance(error, MemoryError) or not isinstance(error, Exception)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _remove_empty(path: Path) -> None:
    with suppress(OSError):  # something of the user's is in it
        path.rmdir()


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


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
