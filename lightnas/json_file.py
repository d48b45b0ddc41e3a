"""JSON files: read with limits, so that no number, nesting or length of theirs is a surprise, and
written without NaN and Infinity, which are no JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from .errors import InputError, shown
from .files import read_text

# Digits of a whole number: the state of a random generator has 39.
MAX_DIGITS = 40
# Bytes of a file, and values in it, unless its reader says otherwise.
MAX_BYTES, MAX_VALUES = 2**25, 2_000_000


def parse_json(text: str, max_values: int = MAX_VALUES) -> Any:
    """What a JSON text holds: numbers are finite, whole ones of at most 40 digits.

    Raises:
        ValueError: it is none, or holds more than so many values. One line.
    """
    # A bound, since commas of strings count too; of what would take the memory before it is checked.
    if text.count(",") + text.count("[") + text.count("{") > max_values:
        raise ValueError(f"more than {max_values} values")
    try:
        return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("brackets nest too deep") from error


def read_json(
    path: Path,
    expected: str,
    fault: str = "is damaged",
    *,
    max_bytes: int = MAX_BYTES,
    max_values: int = MAX_VALUES,
) -> Any:
    """What a JSON file holds.

    Args:
        expected: what the file should have been, e.g. ``a result``.
        fault: what a file is said to be that is no JSON.
        max_bytes, max_values: limits of the file; as for ``parse_json``.

    Raises:
        InputError: one line that names the file: it cannot be read, or is no JSON.
    """
    text = read_text(path, max_bytes)
    try:
        return parse_json(text, max_values)
    except ValueError as error:
        raise InputError(
            f"{path}: {fault} ({shown(str(error))[1:-1]}), expected {expected}"
        ) from error


def json_text(document: Any, indent: int | None = None) -> str:
    """A document as JSON, null where a number is NaN or infinite, on one line unless indented."""
    try:
        return json.dumps(document, indent=indent, allow_nan=False)
    except ValueError:  # rare: most documents need no copy
        return json.dumps(_without_nan(document), indent=indent, allow_nan=False)


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{shown(digits)} is no finite number")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
