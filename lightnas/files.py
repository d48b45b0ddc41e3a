"""Reading with a limit, and writing whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

# The disk's fault, not the user's.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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


def write_whole(path: Path, content: bytes | Iterable[bytes], follow: bool = True) -> None:
    """Write a file so that, killed or out of space at any instant, it holds the old bytes or the
    new ones.

    Content that comes in parts is never held whole. A link is followed, or replaced where
    ``follow`` is False. What is no regular file (a pipe, a device) is written to, not replaced.

    Raises:
        OSError: nothing has changed.
    """
    if follow:
        path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(content if isinstance(content, bytes) else b"".join(content))
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if sys.platform != "win32":
        _sync_directory(path.parent)


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
        OSError: the disk is full or broken.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise
        named = f"{option} {path}".lstrip()
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
