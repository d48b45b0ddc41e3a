"""The two ways a command ends badly, other than by a signal."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60
_repr.maxlevel = 3

# What a terminal or a page would obey instead of showing it: control characters but for line feed
# and tab, surrogates (bytes of a file name that are not UTF-8), line separators, and what turns the
# direction of writing.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class InputError(ValueError):
    """Bad input: the message is one line that says which file or option, what it was and what was
    expected.

    ``said`` is true in the other processes of a run where the first one has printed it.
    """

    said = False


class WorkError(RuntimeError):
    """Good input, but the work failed; the message is one line. ``said`` as for InputError."""

    said = False


def shown(value: object) -> str:
    """A value as it stands in a message: short, on one line, whatever it holds."""
    try:
        return " ".join(_repr.repr(value).split())
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        return f"<{type(value).__name__} too long to print>"


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out: Python's, numpy's, or torch's, which is not loaded for
    the question."""
    words = ("out of memory", "not enough memory", "allocate memory", "ALLOC_FAILED")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == "OutOfMemoryError" or any(w in str(error) for w in words))
    )


def printable(text: str) -> str:
    """A text as it may stand in a terminal or on a page: what they would obey is spelled out."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


@contextmanager
def advised(remedy: str) -> Iterator[None]:
    """Around reading: what it refuses ends in what to do about it.

    Raises:
        InputError: that of the reading, with the remedy behind it.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{error}; {remedy}") from error


def installs(extra: str, options: str = "") -> str:
    """The command that installs an extra, which stands in no package index."""
    return f"pip install {options}'.[{extra}]' in a checkout of lightnas"


def require(what: str, extra: str, *modules: str) -> None:
    """Refuse to begin where a package of an extra is missing.

    Raises:
        InputError: the first module that is not installed, and how to install it.
    """
    for module in modules:
        if find_spec(module) is None:
            raise InputError(f"{what}: {module} is not installed, expected it: {installs(extra)}")


def nearest(word: object, valid: Iterable[str]) -> str:
    """`, did you mean 'x'?` where a valid word is near, else the valid words."""
    valid = sorted(valid)
    text = word if isinstance(word, str) else shown(word)
    close = difflib.get_close_matches(text[:60], valid, n=1)
    return f"did you mean '{close[0]}'?" if close else f"expected one of {', '.join(valid)}"
