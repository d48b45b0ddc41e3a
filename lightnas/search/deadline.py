"""When work must end: asked before every piece of it that takes a while."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


class OutOfTime(Exception):
    """The deadline has passed; what was known before stays true. It never leaves this room."""


@dataclass(frozen=True)
class Deadline:
    """An instant of ``time.monotonic``, in seconds; without one there is no end."""

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """So many seconds from now; None: never."""
        return cls() if seconds is None else cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then; below 0 once it has passed."""
        return self.at - time.monotonic()

    def check(self) -> None:
        """Ask before a piece of work.

        Raises:
            OutOfTime: it has passed.
        """
        if self.at < math.inf and self.left <= 0:
            raise OutOfTime


NEVER = Deadline()
