"""How far a work of several parts is, where each knows its own length only once it begins."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


class Steps:
    """Steps that are done, of those that are known of.

    Args:
        say: told how many of how many.
    """

    def __init__(self, say: Progress | None = None) -> None:
        self._say = say or (lambda done, total: None)
        self._done = self._total = 0

    def expect(self, steps: int) -> None:
        """So many more are to come."""
        self._total += steps
        self._say(self._done, self._total)

    def step(self, *_: object) -> None:
        """One more is done; beyond those that were expected, it is one more of them too."""
        self._done += 1
        self._total = max(self._done, self._total)
        self._say(self._done, self._total)
