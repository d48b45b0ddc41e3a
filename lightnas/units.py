"""Numbers as people write them: 83.6G, 25.6M, 91, resnet50, 800x1280."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise

from .errors import InputError, nearest, shown

EXPONENTS = {"": 0, "K": 3, "M": 6, "G": 9, "T": 12}

# FLOPs of the published networks at 800 x 1280, multiply-accumulates (MAE-DET, table of results).
NAMED_FLOPS = {"resnet50": 83.6e9, "resnet101": 159.5e9}

MIN_SIDE, MAX_SIDE = 32, 65_536


def _word(text: object) -> str:
    """What a string or a number says, without the blanks around it; of anything else nothing."""
    is_text = isinstance(text, str | int | float) and not isinstance(text, bool)
    return str(text).strip() if is_text else ""


def parse_count(text: object, what: str, named: dict[str, float] | None = None) -> float:
    """A positive finite number such as ``83.6G``, ``8.36e10`` or a key of ``named``.

    Args:
        text: a string, or a number as YAML gives it.
        what: opens the error message, e.g. ``--budget-flops``.

    Raises:
        InputError: anything else.
    """
    named = named or {}
    expected = "expected a positive number such as 83.6G or 8.36e10" + "".join(
        f", or {name}" for name in named
    )
    word = _word(text)
    if word.lower() in named:
        return named[word.lower()]
    match = re.fullmatch(
        r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]?)", word
    )
    if not match or match[2].upper() not in EXPONENTS:
        is_name = re.fullmatch(r"(?!nan$|inf$|infinity$)[a-z][\w-]*", word.lower())
        if is_name and named:
            expected = f"{nearest(word.lower(), named)} (or a number such as 83.6G)"
        raise InputError(f"{what} is {shown(text)}, {expected}")
    # Decimal arithmetic: 83.6 * 1e9 in binary is not the integer that was meant.
    mantissa, _, exponent = match[1].lower().partition("e")
    value = float(f"{mantissa}e{int(exponent[:9] or 0) + EXPONENTS[match[2].upper()]}")
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{what} is {shown(text)}, {expected}")
    return value


def parse_seconds(text: object, what: str) -> float:
    """Seconds from ``30ms``, ``500us`` or ``0.03s``; a plain number, as a run's config holds it, is
    seconds too.

    Raises:
        InputError: another form, or not a positive finite number.
    """
    word = _word(text)
    match = re.fullmatch(r"([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?)\s*(s|ms|us|µs)", word)
    if match:
        mantissa, _, exponent = match[1].lower().partition("e")
        value = float(f"{mantissa}e{int(exponent or 0) - {'s': 0, 'ms': 3}.get(match[2], 6)}")
    else:
        value = float(text) if word and isinstance(text, float | int) else 0.0
    if not (value > 0 and math.isfinite(value)):
        raise InputError(
            f"{what} is {shown(text)}, expected a time with its unit such as 30ms or 0.03s"
        )
    return value


def format_seconds(value: float, digits: int = 4) -> str:
    """``29.98 ms`` and the like."""
    for suffix, unit in (("s", 1.0), ("ms", 1e-3)):
        if value >= unit:
            return f"{value / unit:.{digits}g} {suffix}"
    return f"{value / 1e-6:.{digits}g} us"


def parse_ratio(text: object, what: str) -> float:
    """A positive finite number without a unit such as ``0.3``.

    Raises:
        InputError: anything else.
    """
    match = re.fullmatch(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", _word(text))
    value = float(match[0]) if match else 0.0
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{what} is {shown(text)}, expected a positive number such as 0.3")
    return value


def format_ratio(value: float, digits: int = 5) -> str:
    """At most so many digits: 0.1461; ``parse_ratio`` reads it back, rounded."""
    return f"{value:.{digits}g}"


def parse_range(
    text: str, what: str, parse: Callable[[object, str], float] = parse_count
) -> list[float]:
    """Values from ``LOW:HIGH:N``, both ends included: evenly spaced, or with ``:log`` behind each as
    many times the one before, rounded; one value from a plain one.

    Raises:
        InputError: another form, LOW not below HIGH, or N not 2 ... 1000.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return [parse(text, what)]
    expected = "expected LOW:HIGH:N such as 10G:160G:16"
    form = re.fullmatch(r"([0-9]{1,4})(:log)?", ":".join(parts[2:]))
    if not form or not 2 <= int(form[1]) <= 1000:
        raise InputError(f"{what} is {shown(text)}, {expected} or 10G:160G:5:log, N from 2 to 1000")
    low, high = (parse(part, what) for part in parts[:2])
    if not low < high:
        raise InputError(f"{what} is {shown(text)}, {expected}, LOW below HIGH")
    n = int(form[1])
    if form[2]:
        return _geometric(low, high, n)
    return [low + (high - low) * i / (n - 1) for i in range(n)]


def _geometric(low: float, high: float, n: int) -> list[float]:
    """``n`` values from ``low`` to ``high``, each as many times the one before; those between the
    ends have the fewest digits, two at least, at which all differ."""
    begin, step = math.log(low), (math.log(high) - math.log(low)) / (n - 1)
    inner = [math.exp(begin + step * i) for i in range(1, n - 1)]
    for digits in range(2, 17):
        row = [low, *(float(f"{value:.{digits - 1}e}") for value in inner), high]
        if all(one < next_one for one, next_one in pairwise(row)):
            return row
    return [low, *inner, high]


def parse_share(text: object, what: str) -> float:
    """A share from ``1%`` or ``0.01``.

    Raises:
        InputError: another form, or not from 0 to below 1.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?)\s*(%?)", _word(text))
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share < 1:
        raise InputError(
            f"{what} is {shown(text)}, expected a share from 0 to below 1 such as 1% or 0.01"
        )
    return share


def parse_size(text: object, what: str, least: int = MIN_SIDE) -> tuple[int, int]:
    """Height and width from ``HxW``.

    Raises:
        InputError: another form, or a side outside least ... 65536.
    """
    match = (
        re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", str(text).strip())
        if isinstance(text, str)
        else None
    )
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(least <= side <= MAX_SIDE for side in size):
        raise InputError(
            f"{what} is {shown(text)}, expected HxW such as 800x1280, no side below {least} or above {MAX_SIDE}"
        )
    return size


def parse_pair(text: object, what: str) -> tuple[float, float]:
    """Two factors from ``LO,HI``.

    Raises:
        InputError: another form, or not 0.1 <= LO <= HI <= 10.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*,\s*([0-9]*\.?[0-9]+)", str(text).strip())
    low, high = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not 0.1 <= low <= high <= 10:
        raise InputError(f"{what} is {shown(text)}, expected LO,HI such as 0.6,1.2")
    return low, high


def whole(value: float) -> int | float:
    """An integer where the value is one."""
    return int(value) if float(value).is_integer() else float(value)


def format_size(size: tuple[int, int]) -> str:
    """``HxW``, as ``parse_size`` reads it."""
    return f"{size[0]}x{size[1]}"


def format_count(value: float, digits: int = 5) -> str:
    """A suffix and at most ``digits`` digits: 83.6G, 21.233M, 91; ``parse_count`` reads it back,
    rounded."""
    for suffix in ("T", "G", "M", "K"):
        unit = 10.0 ** EXPONENTS[suffix]
        if value >= unit:
            return f"{value / unit:.{digits}g}{suffix}"
    return f"{value:.{digits}g}"
