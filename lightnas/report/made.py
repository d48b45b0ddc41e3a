"""How a directory was made, for its page: the command, when, with what, and where."""

from __future__ import annotations

from pathlib import Path

from ..runs.origin import read_origin


def made_of(path: Path, seed: str = "") -> list[tuple[str, str]]:
    """Names and values; only those that are known.

    Raises:
        InputError: what it says of itself is damaged.
    """
    origin = read_origin(path)
    known = [("seed", seed)] if seed else []
    if origin is None:
        return known
    return [
        ("command", origin.command or "called from Python"),
        *known,
        ("begun", origin.date),
        ("versions", ", ".join(f"{name} {version}" for name, version in origin.versions.items())),
        ("machine", origin.machine),
    ]
