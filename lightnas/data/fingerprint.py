"""What tells a data set from another, wherever it lies: counts, classes, and a hash of every picture's
name and size and of every object."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import shown
from .split import CocoSplit

Fingerprint = dict[str, Any]


def fingerprint(split: CocoSplit) -> Fingerprint:
    """``pictures``, ``objects``, ``classes`` and ``sha256`` of a checked split."""
    objects = split.objects
    assert objects is not None, "a split that was not checked"
    digest = hashlib.sha256(json.dumps([list(split.classes), objects.names]).encode())
    for column, kind in (
        (objects.sizes, np.int64),
        (objects.boxes, np.float64),
        (objects.pictures, np.int64),
        (objects.classes, np.int64),
        (objects.crowds, np.uint8),
    ):
        digest.update(np.ascontiguousarray(column, kind).tobytes())
    return {
        "pictures": split.n_images,
        "objects": len(objects.boxes),
        "classes": list(split.classes),
        "sha256": digest.hexdigest(),
    }


def changes(then: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint]) -> list[str]:
    """In what the splits differ, in words; empty where they are the same data."""
    return [
        f"{name} {words}"
        for name in now
        if name in then and (words := _change(then[name], now[name]))
    ]


def _change(then: Fingerprint, now: Fingerprint) -> str:
    """``had 20 pictures and has 24``, or nothing."""
    if then["sha256"] == now["sha256"]:
        return ""
    if then["classes"] != now["classes"]:
        return f"had the classes {shown(then['classes'])} and has {shown(now['classes'])}"
    counts = [
        f"{then[key]:,} {key} and has {now[key]:,}"
        for key in ("pictures", "objects")
        if then[key] != now[key]
    ]
    if counts:
        return "had " + ", ".join(counts)
    return f"has as many pictures and objects as it had ({now['pictures']:,} and {now['objects']:,}), but not the same"
