"""history.csv: evaluations, seconds and best score after each step of a search."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ..documents import LARGEST
from ..errors import InputError, shown
from ..files import read_text

HISTORY = "history.csv"
COLUMNS = ("evaluations", "seconds", "best_score")
MAX_BYTES = 2**25

Step = tuple[int, float, float]


def format_history(steps: Iterable[Step]) -> str:
    """The text of the file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((n, f"{seconds:.4f}", repr(score)) for n, seconds, score in steps)
    return text.getvalue()


def read_history(path: Path) -> list[Step]:
    """The steps of a file, at least one.

    Raises:
        InputError: one line that names the file, and of a damaged one the line and what it holds.
    """
    lines = read_text(path, MAX_BYTES).split("\n")
    expected = f"expected {','.join(COLUMNS)} as a search writes them"
    if lines[0].rstrip("\r") != ",".join(COLUMNS):
        raise InputError(f"{path}: line 1 is {shown(lines[0])}, {expected}")
    steps = []
    for number, line in enumerate(lines[1:], start=2):
        if line:
            try:
                steps.append(_step(line))
            except ValueError as error:
                raise InputError(f"{path}: line {number} is {shown(line)}, {expected}") from error
    if not steps:
        raise InputError(f"{path}: holds no step, {expected}")
    return steps


def _step(line: str) -> Step:
    evaluations, seconds, score = line.split(",")
    step = int(evaluations), float(seconds), float(score)
    if not all(0 <= value <= LARGEST for value in step):
        raise ValueError("not a number of a search")
    return step
