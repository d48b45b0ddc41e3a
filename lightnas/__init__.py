"""lightnas finds detection backbones without training any network.

    from lightnas.search import search

    result = search("k1kxk1", flops=83.6e9, params=25.6e6, layers=91)

Rooms, each a folder: ``network`` (what a structure is, costs and scores), ``search``, ``latency``,
``backbone`` (torch), ``runs`` (run directories), ``report``, ``data``, ``install``, ``detection``
(mmdet), ``cli``; docs/architecture.md walks through them. The names that most scripts need stand
here too, and load their room when they are first used: ``import lightnas`` alone loads neither
numpy nor torch. No name is that of a room: ``lightnas.search`` is always the folder.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing typing takes its time, in which nothing heeds a Ctrl-C
if TYPE_CHECKING:
    from .backbone import CnnNet as CnnNet
    from .network.structure import Structure as Structure
    from .network.structure import format_structures as format_structures
    from .network.structure import read_structures as read_structures
    from .runs import load_run as load_run
    from .search import Budget as Budget
    from .search import Front as Front
    from .search import Problem as Problem
    from .search import Search as Search
    from .search import SearchResult as SearchResult
    from .search import Space as Space
    from .search import load_space as load_space
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "backbone": ("CnnNet",),
    "network.structure": ("Structure", "format_structures", "read_structures"),
    "runs": ("load_run",),
    "search": ("Budget", "Front", "Problem", "Search", "SearchResult", "Space", "load_space"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [*_ROOM_OF, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
