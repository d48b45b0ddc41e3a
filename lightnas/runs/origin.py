"""How a run came about: the command, when, with which versions and on which machine.

It stands in the marker of the run's directory, which is no result: of two runs with equal results it
is another one.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..command_line import command
from ..documents import Document, check
from ..latency.runtimes import cpu_name
from ..outputs import MARKER, read_marker

# Its key in the marker.
BEGUN = "begun"


class Origin(Document):
    """What the marker says of how a run was begun; a run that goes on keeps it.

    Attributes:
        command: as it was typed; empty where Python called.
        date: of the beginning, in seconds, with the offset of its time zone.
        machine: processor and cores, system, and the accelerator where one is used.
        versions: of what takes part in the result.
    """

    command: str
    date: str
    machine: str
    versions: dict[str, str]


def origin_now(versions: Mapping[str, str], accelerator: str = "") -> dict[str, Any]:
    """What a run that begins now writes down."""
    cores = os.cpu_count() or 1
    parts = [
        f"{cpu_name()}, {cores} core{'s' if cores > 1 else ''}",
        accelerator,
        f"{platform.system()} {platform.release()} {platform.machine()}",
    ]
    return Origin(
        command=command(),
        date=datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        machine=", ".join(filter(None, parts)),
        versions=dict(versions),
    ).model_dump()


def read_origin(path: Path) -> Origin | None:
    """How the run in a directory was begun; None where it is from before runs wrote that down.

    Raises:
        InputError: the marker is damaged.
    """
    marker = read_marker(path)
    if marker is None or BEGUN not in marker:
        return None
    return check(Origin, marker[BEGUN], f"{path / MARKER}: {BEGUN}")
