"""What the config.py of a training says, read without running it: train-det writes a line ``name =
literal`` for each setting."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from typing import Any

from ..documents import dicts_in
from ..files import read_text
from .training_run import CONFIG

MAX_BYTES = 2**22
STEP = 32  # pixels; pictures are tested in whole steps of it


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a work directory's config that are plain values; a config that somebody else
    wrote may have none.

    Raises:
        InputError: it cannot be read.
    """
    text = read_text(path / CONFIG, MAX_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a text that is only read
            lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    settings = {}
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            try:
                settings[line.targets[0].id] = ast.literal_eval(line.value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                continue
    return settings


def tested_at(settings: dict[str, Any]) -> tuple[int, int] | None:
    """Height and width that pictures are tested at, in whole steps of 32; None where the settings do
    not say so."""
    data = settings.get("data")
    test = data.get("test") if isinstance(data, dict) else None
    for step in dicts_in(test):
        scale = step.get("img_scale")
        if step.get("type") != "MultiScaleFlipAug" or not isinstance(scale, list | tuple):
            continue
        sides = scale[0] if scale and isinstance(scale[0], list | tuple) else scale
        if len(sides) == 2 and all(type(side) is int and 0 < side < 2**16 for side in sides):
            short, long = sorted(-(-side // STEP) * STEP for side in sides)
            return short, long
    return None
