"""Training on CPUs: what costs time there and what cures it. Measured by
``benchmarks/detector.py``."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc keep freed memory: feature maps are freed and asked for at every step, and each
    fresh page costs a fault."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
            libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def prepare(model: Any) -> Any:
    """The model in the memory layout that convolutions run fastest in on a CPU; its values and
    names stay."""
    keep_freed_memory()
    return model.to(memory_format=torch.channels_last)
