"""Documents, nested dicts and lists as YAML and JSON hold them: compared, and checked with pydantic."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import InputError, nearest, shown

Model = TypeVar("Model", bound=BaseModel)

# Numbers of files that lightnas wrote: finite, and small enough to calculate and to draw with.
LARGEST = 1e30
Real = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Document(BaseModel):
    """A file that lightnas wrote: every value has exactly its type; keys of later versions are let
    pass."""

    model_config = ConfigDict(
        defer_build=True, extra="ignore", strict=True, arbitrary_types_allowed=True
    )


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


def check(model: type[Model], document: Any, where: str, **context: int) -> Model:
    """A document as ``model``; ``where`` opens the error message, ``context`` is for its validators.

    Raises:
        InputError: the first mistake: its key, the value and what was expected.
    """
    if not isinstance(document, dict):
        raise InputError(f"{where}: holds {shown(document)}, expected keys and values")
    try:
        return model.model_validate(document, context=context)
    except ValidationError as error:
        # An unknown key is mostly the misspelling of one that is missing: it is the better message.
        mistakes = sorted(
            error.errors(include_url=False),
            key=lambda mistake: mistake["type"] != "extra_forbidden",
        )
        raise InputError(f"{where}: {_line(mistakes[0], model)}") from error


def _line(mistake: Any, model: type[BaseModel]) -> str:
    path = mistake["loc"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if mistake["type"] == "extra_forbidden":
        return f"unknown key '{key}', {nearest(path[-1], _keys_at(model, path[:-1]))}"
    if mistake["type"] == "missing":
        return f"no key '{key}', expected one"
    expected = mistake["msg"].removeprefix("Input should ").removeprefix("Value error, ")
    return f"{key} is {shown(mistake['input'])}, expected it to {expected}"


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    """Valid keys of the model that stands at a path of keys and indices."""
    for part in path:
        if isinstance(part, int):
            continue
        field = next(f for name, f in model.model_fields.items() if part in (name, f.alias))
        found = [
            t
            for t in _types_in(field.annotation)
            if isinstance(t, type) and issubclass(t, BaseModel)
        ]
        model = found[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _types_in(annotation: Any) -> list[Any]:
    inner = getattr(annotation, "__args__", ())
    return [annotation, *(t for part in inner for t in _types_in(part))]


def dicts_in(document: Any) -> Iterator[Any]:
    """A dict and every one inside it, and inside lists in it."""
    if isinstance(document, dict):
        yield document
        document = list(document.values())
    if isinstance(document, list | tuple):
        for value in document:
            yield from dicts_in(value)
