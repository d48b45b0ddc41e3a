"""Latency tables: the seconds of a structure on one machine.

    from lightnas.latency import load_table

    table = load_table("table.json")        # what `lightnas profile` wrote
    table.chain(structure)                  # seconds

``table`` is the model, ``table_file`` its file, ``fit`` its coefficients; ``plan`` says what to
measure for a space, ``measure`` measures it (the only module that needs torch), ``profile`` makes a
table of it, and ``agreement`` checks one. Importing this package loads none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agreement import measure_structures, structures_like
    from .measure import Machine
    from .profile import profile_table
    from .table import LatencyTable
    from .table_file import load_table

__all__ = [
    "LatencyTable",
    "Machine",
    "load_table",
    "measure_structures",
    "profile_table",
    "structures_like",
]

_MODULES = {
    "LatencyTable": "table",
    "Machine": "measure",
    "load_table": "table_file",
    "measure_structures": "agreement",
    "profile_table": "profile",
    "structures_like": "agreement",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
