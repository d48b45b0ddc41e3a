"""Documents, nested dicts and lists as YAML and JSON hold them, compared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from .errors import shown


def differences(
    there: Any,
    here: Any,
    may_differ: Collection[str] = (),
    show: Callable[[str, Any], str] = lambda key, value: shown(value),
) -> list[str]:
    """`seed is 0 there and 1 here` for everything in which two documents differ.

    Args:
        may_differ: keys, at any depth, that are not looked at.
        show: a value as people read it, by its key.
    """
    return [
        f"{key} is {show(key, old)} there and {show(key, new)} here"
        for key, old, new in _pairs(there, here, may_differ, "")
        if old != new
    ]


def _pairs(
    there: Any, here: Any, may_differ: Collection[str], key: str
) -> Iterator[tuple[str, Any, Any]]:
    """Every place in two documents, with what stands there; lists and tuples are alike."""
    inner: list[tuple[object, Any, Any]]
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [name for name in {**there, **here} if name not in may_differ]
        inner = [(name, there.get(name), here.get(name)) for name in keys]
    elif _are_lists(there, here) and len(there) == len(here):
        inner = [(i, *pair) for i, pair in enumerate(zip(there, here, strict=True))]
    else:
        yield key, there, here
        return
    for name, old, new in inner:
        yield from _pairs(old, new, may_differ, f"{key}.{name}".lstrip("."))


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, list | tuple) for value in values)
