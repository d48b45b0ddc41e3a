"""The cores of this machine that this process may use, and how processes share them."""

from __future__ import annotations

import os


def cores() -> int:
    """How many there are for this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_each(processes: int) -> dict[str, str]:
    """Environment of each of so many processes that run torch side by side.

    Left alone each would take all cores, and two such processes on two cores are slower than one.
    OpenMP reads this when torch is imported; its threads wait without spinning.
    """
    return {"OMP_NUM_THREADS": str(max(1, cores() // processes)), "OMP_WAIT_POLICY": "passive"}
