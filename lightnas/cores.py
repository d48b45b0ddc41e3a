"""What this machine computes with: the cores that this process may use, how processes share them, and
what a device is called."""

from __future__ import annotations

import os

from .errors import InputError, shown

DEVICES = ("cpu", "cuda")


def check_device(device: object) -> None:
    """Refuse what is no device; None, whichever there is, is fine.

    Raises:
        InputError: it is another word, or no word.
    """
    if device is not None and not (isinstance(device, str) and device in DEVICES):
        raise InputError(f"device is {shown(device)}, expected {' or '.join(DEVICES)}")


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
