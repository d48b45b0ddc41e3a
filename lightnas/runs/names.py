"""What people call a structure: a preset's name, a run directory, or a structure txt."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError, nearest
from ..files import presets_in
from ..network.structure import Structure, read_structures
from .output_dir import STRUCTURE


def structures(name: str | Path) -> list[Structure]:
    """The structures that a name stands for, best first.

    Args:
        name: a structure txt, the directory of a search, front or training, or a preset such as
            ``maedet-m``.

    Raises:
        InputError: it is none of these, or the txt is damaged.
    """
    return read_structures(structure_path(name))


def structure_path(name: str | Path) -> Path:
    """The structure txt that a name stands for, as ``structures`` takes it.

    Raises:
        InputError: there is neither a file nor a directory nor a preset of that name, or the
            directory holds no structure.
    """
    path = Path(name)
    if os.path.isdir(path):  # not path.is_dir, which raises for a name that is too long
        if not (path / STRUCTURE).is_file():
            raise InputError(
                f"{path / STRUCTURE}: cannot be read (there is none), expected the directory of a "
                "search, front or training that has one"
            )
        return path / STRUCTURE
    presets = presets_in("structures", ".txt")
    if os.path.exists(path) or path.suffix or path.name != str(name):
        return path  # a path that does not exist says so when it is read
    if str(name) not in presets:
        if str(name) in presets_in("search", ".yaml"):
            raise InputError(
                f"{name} is a preset of searches without a structure, expected the directory of its run: "
                f"`lightnas search --preset {name}`"
            )
        raise InputError(
            f"{name} is not a directory, a structure txt or a preset, {nearest(name, presets)}"
        )
    return presets[str(name)]


def name_of(name: str | Path) -> str:
    """What to call the structures of a name in tables and directories: maedet-m for
    outputs/maedet-m."""
    path = Path(name)
    return path.resolve().name if os.path.isdir(path) else path.stem
