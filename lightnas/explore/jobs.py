"""What a worker does for a page: generators that yield what is known, or None between two steps.

Whoever runs one may leave it at any yield. Events are dictionaries that go to the page as they are,
but for ``state``, which stays with the server; ``parts`` are HTML by the part of the page that it
fills.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError, WorkError, out_of_memory
from ..runs.config import format_config
from ..runs.output_dir import versions
from ..search.engine import Search
from ..search.fronts import Point, settled
from .drawing import draw_design, draw_front
from .settings import Offered, Settings, config_of, unlimited
from .state import SEARCHING, answer, front_axis, neighbours, slider_ranges

Event = dict[str, Any]
Events = Iterator[Event | None]

# Seconds between two looks at a search that goes on.
LOOK_EVERY = 0.3


def answers(settings: Settings, offered: Offered) -> Events:
    """The search of a setting: what is known by and by, the end last; how far the sliders go, once
    there is a first answer, or in any case before it is said that there is none.

    Raises:
        InputError: one line that names the setting.
    """
    try:
        config = config_of(settings, offered)
    except InputError:
        yield {"ranges": slider_ranges(unlimited(settings, offered))}
        raise
    search = Search(config.problem, config.seed, config.limits, config.top)
    looked, phase = time.monotonic(), ""
    for progress in search.steps():
        ended = progress.phase == "done"
        bounded = progress.upper_bound is not None and phase in ("", SEARCHING)
        if not (ended or bounded or time.monotonic() - looked > LOOK_EVERY):
            yield None
            continue
        state = answer(settings, offered, config, search.found(), ended)
        yield {"parts": draw_design(state), "phase": state["phase"], "state": state}
        if not phase:
            ranges = slider_ranges(unlimited(settings, offered))
            yield {"ranges": ranges, "limits": config.problem.limits}
        looked, phase = time.monotonic(), state["phase"]


def front(settings: Settings, offered: Offered) -> Events:
    """The front around a design: the same searches under neighbouring budgets, nearest first.

    Raises:
        InputError: one line that names the setting.
    """
    config = config_of(settings, offered)
    axis = front_axis(config.problem)
    limit = config.problem.limits[axis]
    points: dict[float, Point] = {}
    for value in [limit, *neighbours(config.problem, axis)]:
        try:
            problem = replace(config.problem, budget=config.problem.budget.replace(**{axis: value}))
        except InputError:  # nothing is so small
            continue
        search = Search(problem, config.seed, config.limits)
        for _ in search.steps():
            yield None
        points[value] = Point(**vars(search.found()), budget=value)
        known = settled([points[at] for at in sorted(points)])
        if len(known) > 1:
            yield {"parts": draw_front(config.problem, axis, limit, known)}


def files(kind: str, settings: Settings, state: Event, offered: Offered) -> Events:
    """A file of a design: its ``content``, bytes.

    Args:
        kind: a key of FILES.
        state: its final one.

    Raises:
        InputError: one line that names the setting.
        WorkError: a network that was exported is not the same.
    """
    yield {"content": FILES[kind](settings, offered, state)}


def _structure(settings: Settings, offered: Offered, state: Event) -> bytes:
    return str(state["txt"]).encode()


def _config(settings: Settings, offered: Offered, state: Event) -> bytes:
    return format_config(config_of(settings, offered).document, versions()).encode()


def _network(settings: Settings, offered: Offered, state: Event) -> bytes:
    from ..backbone.onnx import export_backbone
    from ..network.structure import parse_structures

    size = config_of(settings, offered).problem.input_size
    with tempfile.TemporaryDirectory(prefix="lightnas-explore-") as folder:
        path = Path(folder) / "backbone.onnx"
        export_backbone(parse_structures(state["txt"])[0], path, size)
        return path.read_bytes()


# The files of a design by name, and what makes them.
FILES: dict[str, Callable[[Settings, Offered, Event], bytes]] = {
    "structure.txt": _structure,
    "config.yaml": _config,
    "backbone.onnx": _network,
}
JOBS: dict[str, Callable[..., Events]] = {"answers": answers, "front": front, "files": files}


def fault(error: BaseException) -> str | None:
    """The line that a page shows of an error; None of one that is a mistake of the program."""
    if isinstance(error, InputError | WorkError):
        return str(error)
    return "out of memory" if out_of_memory(error) else None
