"""Where results may be written: what a command reads is never written over, and of what lies in its
way only what lightnas made is replaced unasked.

A directory of lightnas carries a marker that says what made it, and which of its files.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, FailFast

from .documents import Document, check
from .errors import InputError, advised
from .files import Kind, dead_parts, is_stream, output_errors, write_whole
from .json_file import json_text, read_json

# Only the files that it lists are ever replaced or removed.
MARKER = ".lightnas.json"


# Nothing tells a network that lightnas wrote from one of another program.
NETWORK = Kind("network", None)
NETWORK_SUFFIX = ".onnx"
CHECKPOINT_SUFFIX = ".pth"


def is_network(path: Path) -> bool:
    """Whether a name is one of an ONNX file."""
    return path.suffix.lower() == NETWORK_SUFFIX


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
    if overwrite:
        return
    if kind.recognised is None:
        raise InputError(
            f"output {path} exists, and nothing in a {kind.name} says who wrote it, "
            "expected a new file, or overwrite=True"
        )
    if not kind.recognised(path):
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
        if b"\0" in os.fsencode(path):  # no file has such a name; whoever reads it says so
            continue
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
    with advised("without that file the run is known by its config"):
        content = read_json(file, "a marker")
        try:
            check(MarkerFile, content, str(file))
        except InputError as error:
            raise InputError(f"{error}: it is damaged, expected a marker") from error
        return dict(content)


def _name(name: str) -> str:
    """A name that a file can have, whatever system it is from."""
    try:
        parts = os.fsencode(name).split(b"/")
    except ValueError:
        parts = [b"\0"]
    if any(b"\0" in part or len(part) > 255 for part in parts) or len(parts) > 9:
        raise ValueError("be the name of a file")
    return name


class MarkerFile(Document):
    """What a marker says."""

    kind: str
    files: Annotated[list[Annotated[str, AfterValidator(_name)]], FailFast()]


def record_made(path: Path, *names: str) -> None:
    """List files in the marker of a directory, before they are made; nothing where it has none."""
    marker = read_marker(path)
    if marker is not None and not set(names) <= set(marker["files"]):
        write_marker(path, marker | {"files": list(dict.fromkeys([*marker["files"], *names]))})


def write_marker(path: Path, content: Mapping[str, Any]) -> None:
    """Write the marker of a directory: ``kind``, ``version`` and ``files``."""
    write_whole(path / MARKER, (json_text(content, indent=1) + "\n").encode())
