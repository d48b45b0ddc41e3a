"""Where results may be written: what a command reads is never written over, and of what lies in its
way only what lightnas made is replaced unasked.

A directory of lightnas carries a marker that says what made it, and which of its files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InputError, shown
from .files import dead_parts, is_stream, output_errors, read_text, write_whole

# Only the files that it lists are ever replaced or removed.
MARKER = ".lightnas.json"


class Kind(NamedTuple):
    """A kind of file that a command writes where it is told to.

    Attributes:
        name: what messages call it.
        recognised: whether the file at a path is one that lightnas wrote.
        of_run: its name in the directory of a run, where it may be made again.
    """

    name: str
    recognised: Callable[[Path], bool]
    of_run: str = ""


# Nothing tells a network that lightnas wrote from one of another program.
NETWORK = Kind("network", lambda path: False)


def check_file(
    path: Path, kind: Kind, inputs: Iterable[Path] = (), *, overwrite: bool = False
) -> None:
    """Refuse, before any work, a path that a result may not be written to.

    A pipe or a device is fine; so are a new file and one of the kind that lightnas wrote. Any
    other file is only replaced with ``overwrite``.

    Args:
        inputs: files that the command reads.

    Raises:
        InputError: one line that names the path.
    """
    if is_stream(path):
        return
    with output_errors("output", path, "a file"):
        if path.is_dir():
            raise IsADirectoryError(None, "Is a directory")
        if not path.parent.is_dir():
            raise FileNotFoundError(None, "No such file or directory")
    check_apart(path, inputs)
    if path.is_symlink():
        raise InputError(f"output {path} is a link, expected a file, or none yet")
    for part in dead_parts(path):
        if part.is_file():
            part.unlink()
    if not path.exists():
        return
    if not path.is_file():
        raise InputError(f"output {path} is no regular file, expected a file, or none yet")
    marker = read_marker(path.parent)
    if marker and path.name in {MARKER, *marker["files"]} - {kind.of_run}:
        raise InputError(
            f"output {path} is a file of the {marker['kind']} in {path.parent}, expected another one"
        )
    if not overwrite and not kind.recognised(path):
        raise InputError(
            f"output {path} exists and is no {kind.name} that lightnas wrote, "
            "expected a new file, or overwrite=True"
        )


def check_apart(
    output: Path, inputs: Iterable[Path], made: Collection[str] = (), option: str = "output"
) -> None:
    """Refuse an output that is an input, or a directory above one.

    Args:
        made: files of the output, by their paths in it, that lightnas made: those may be inputs.
        option: what the user calls the output.

    Raises:
        InputError: one line that names both.
    """
    where = os.path.realpath(output)
    for path in inputs:
        read = os.path.realpath(path)
        if read == where or _same_file(read, where):
            raise InputError(
                f"{option} {output} is read too, as {path}: expected another place to write to"
            )
        if os.path.commonpath((read, where)) == where and os.path.relpath(read, where) not in made:
            raise InputError(
                f"{option} {output} holds {path}, which is read: expected another place to write to"
            )


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is not there
        return False


def read_marker(path: Path) -> dict[str, Any] | None:
    """What the marker of a directory says: ``kind``, ``version`` and ``files``; None without one.

    Raises:
        InputError: it is damaged.
    """
    file = path / MARKER
    if file.is_symlink() or not file.is_file():
        return None
    try:
        content = json.loads(read_text(file, 2**24))
        kind, files = content["kind"], content["files"]
        listed = isinstance(files, list) and all(isinstance(name, str) for name in files)
        if not isinstance(kind, str) or not listed:
            raise ValueError("not a kind of run and names of files")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: is damaged ({shown(str(error))}), expected a marker") from error
    return dict(content)


def record_made(path: Path, *names: str) -> None:
    """List files in the marker of a directory, before they are made; nothing where it has none."""
    marker = read_marker(path)
    if marker is not None and not set(names) <= set(marker["files"]):
        write_marker(path, marker | {"files": list(dict.fromkeys([*marker["files"], *names]))})


def write_marker(path: Path, content: Mapping[str, Any]) -> None:
    """Write the marker of a directory: ``kind``, ``version`` and ``files``."""
    write_whole(path / MARKER, (json.dumps(content, indent=1) + "\n").encode())
