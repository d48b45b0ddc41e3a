"""Reading with a limit, and writing whole or not at all."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .errors import InputError, shown

# The disk's fault, not the user's.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
# Bytes of a file name, on the file systems that people use.
MAX_NAME = 255
STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}


class Kind(NamedTuple):
    """A kind of file that a command writes where it is told to.

    Attributes:
        name: what messages call it.
        recognised: whether the file at a path is one that lightnas wrote; None where nothing in such
            a file says so.
        of_run: its name in the directory of a run, where it may be made again.
    """

    name: str
    recognised: Callable[[Path], bool] | None
    of_run: str = ""


def read_text(path: str | Path, max_bytes: int) -> str:
    """The text of a UTF-8 file of at most ``max_bytes``.

    Raises:
        InputError: one line that names the file.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{path}: cannot be read ({reason}), expected a text file") from error
    if len(content) > max_bytes:
        raise InputError(f"{path}: is larger than {max_bytes} bytes, expected a small text file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is not UTF-8, expected a text file in UTF-8"
        ) from error


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file so that, killed or out of space at any instant, it holds the old bytes or the
    new ones.

    Content that comes in parts is never held whole. A link is replaced, not followed. What is no
    regular file (a pipe, a device, /dev/stdout) is written to, not replaced.

    Raises:
        OSError: nothing has changed; it names the file.
    """
    try:
        if is_stream(path):
            _write_stream(path, content if isinstance(content, bytes) else b"".join(content))
        else:
            _write_beside(path, [content] if isinstance(content, bytes) else content)
    except OSError as error:
        if error.filename is None:  # of a full disk, the system says no more than that
            error.filename = str(path)
        raise


def _write_beside(path: Path, content: Iterable[bytes]) -> None:
    beside = part_of(path)
    try:
        with open(beside, "wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if sys.platform != "win32":
        _sync_directory(path.parent)


def part_of(path: Path) -> Path:
    """Where this process writes a file before it takes its name: hidden, beside it."""
    return path.with_name(f"{part_stem(path)}.{os.getpid()}.part")


def part_stem(path: Path) -> str:
    """What the parts of a file begin with, whatever process writes them."""
    longest = f".{path.name}.{2**22}.part"  # with the largest process id there is
    name = path.name if len(os.fsencode(longest)) <= MAX_NAME else short_name(path.name)
    return f".{name}"


def dead_parts(path: Path) -> list[Path]:
    """What writings of a file by processes that were killed have left beside it."""
    parts = path.parent.glob(f"{glob.escape(part_stem(path))}.*.part")
    named = [(part, part.name.split(".")[-2]) for part in parts if not part.is_symlink()]
    dead = [(part, int(pid)) for part, pid in named if pid.isdigit()]
    return [part for part, pid in dead if pid == os.getpid() or not is_alive(pid)]


def is_alive(pid: int) -> bool:
    """Whether there is a process of that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def short_name(name: str) -> str:
    """What stands for a file name that leaves no room for an ending."""
    return hashlib.sha1(os.fsencode(name), usedforsecurity=False).hexdigest()


def is_stream(path: Path) -> bool:
    """Whether bytes go through a path rather than stay there: a pipe, a terminal, /dev/stdout."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _descriptor(path: Path) -> int | None:
    """The open file of this process that a path names. It is written on where it stands: a shell
    may have opened it to append."""
    text = os.fspath(path)
    if text in STANDARD:
        return STANDARD[text]
    match = re.fullmatch(r"/(?:dev|proc/self)/fd/([0-9]{1,9})", text)
    return int(match[1]) if match else None


def _write_stream(path: Path, content: bytes) -> None:
    descriptor = _descriptor(path)
    sys.stdout.flush()
    with open(path if descriptor is None else os.dup(descriptor), "wb") as stream:
        stream.write(content)


@contextmanager
def output_errors(option: str, path: str | Path, expected: str) -> Iterator[None]:
    """Around the writing of what the user named: a path that cannot be written is bad input, a full
    disk is not.

    Args:
        option: what the user calls the path, e.g. ``--output``; empty where the path speaks for
            itself.
        expected: what the path should have been, e.g. ``a directory``.

    Raises:
        InputError: the path cannot be written.
        OSError: the disk is full or broken, or who reads our output has left.
    """
    named = f"{option} {path}".lstrip()
    try:
        if b"\0" in os.fsencode(path):
            raise ValueError("a zero byte")
    except ValueError as error:
        raise InputError(
            f"{named} is no name of a file ({shown(str(error))[1:-1]}), expected {expected}"
        ) from error
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE or isinstance(error, BrokenPipeError):
            raise
        raise InputError(
            f"{named} cannot be written ({error.strerror}), expected {expected}"
        ) from error


def write_output(path: Path, content: bytes, option: str) -> None:
    """``write_whole`` to a path that the user gave; errors as for ``output_errors``."""
    with output_errors(option, path, "a file"):
        write_whole(path, content)


def _sync_directory(directory: Path) -> None:
    """The rename itself reaches the disk only with its directory."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def data_file(folder: str, name: str) -> Path:
    """A file of ``search_spaces`` or ``configs``: beside this package in a checkout, inside it once
    installed."""
    return data_folder(folder) / name


def data_folder(folder: str) -> Path:
    """``search_spaces`` or ``configs``, found as ``data_file`` finds it."""
    package = Path(__file__).resolve().parent
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder


def presets_in(folder: str, suffix: str) -> dict[str, Path]:
    """The files of a folder of ``configs`` by the names that people use: maedet-m and the like."""
    found = (data_folder("configs") / folder).glob(f"*{suffix}")
    return {path.stem.replace("_", "-"): path for path in sorted(found)}
