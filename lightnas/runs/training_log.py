"""The logs of a training, *.log.json: a JSON object a line, of losses while it trains and of average
precision after each epoch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ..documents import Document, check
from ..errors import InputError
from ..files import read_text
from .training_run import Precision

MAX_BYTES = 2**25
# A loss beyond it is one of a training that diverges, as NaN and Infinity are.
LARGEST_LOSS = 1e9
# Keys of the log, and what they are called.
TRAIN = "train_bbox_mAP"
LOGGED = {"bbox_mAP": "AP", "bbox_mAP_50": "AP50", "bbox_mAP_75": "AP75", TRAIN: "AP on train"}

Ordinal = Annotated[int, Field(ge=1, le=10**9)]


class LossLine(Document):
    """A line while it trains."""

    mode: Literal["train"]
    epoch: Ordinal
    iter: Ordinal
    loss: float


class PrecisionLine(Document):
    """A line after an epoch; no precision where not a single box was found. That on train, of a
    sample, only the recipe for small sets measures."""

    mode: Literal["val"]
    epoch: Ordinal
    bbox_mAP: Precision | None = None
    bbox_mAP_50: Precision | None = None
    bbox_mAP_75: Precision | None = None
    train_bbox_mAP: Precision | None = None


@dataclass
class TrainingLog:
    """What the logs of a work directory say; a resumed run adds to them, and later lines win.

    Attributes:
        losses: (epochs so far, loss), of finite losses, in order.
        diverged: losses that were not finite, or as good as.
        precisions: by epoch, in order: values by the keys of ``LOGGED`` that the line has.
        left_out: lines that hold something else than they should, but for a last one that was cut
            off.
    """

    losses: list[tuple[float, float]] = field(default_factory=list)
    diverged: int = 0
    precisions: dict[int, dict[str, float]] = field(default_factory=dict)
    left_out: int = 0


def read_logs(path: Path) -> TrainingLog:
    """The logs of a work directory.

    Raises:
        InputError: there is none with a loss in it, or one cannot be read.
    """
    log = TrainingLog()
    losses: dict[tuple[int, int], float] = {}
    for file in sorted(path.glob("*.log.json")):
        lines = read_text(file, MAX_BYTES).split("\n")
        for line in lines:
            try:
                _take(line, log, losses)
            except (ValueError, RecursionError):
                log.left_out += line is not lines[-1]  # a kill leaves the last one unfinished
    if not losses:
        raise InputError(f"{path} holds no log of a training, expected one that train-det wrote")
    longest = max(iteration for _, iteration in losses)
    curve = ((epoch - 1 + i / longest, loss) for (epoch, i), loss in losses.items())
    log.losses = sorted(point for point in curve if abs(point[1]) <= LARGEST_LOSS)
    log.diverged = len(losses) - len(log.losses)
    log.precisions = dict(sorted(log.precisions.items()))
    return log


def _take(line: str, log: TrainingLog, losses: dict[tuple[int, int], float]) -> None:
    """Take up a line; one of another mode says nothing of interest."""
    if not line.strip():
        return
    row: Any = json.loads(line)  # not parse_json: mmcv writes NaN
    mode = row.get("mode") if isinstance(row, dict) else None
    if mode == "train":
        loss = check(LossLine, row, "")
        losses[loss.epoch, loss.iter] = loss.loss if math.isfinite(loss.loss) else math.inf
    elif mode == "val":
        found = check(PrecisionLine, row, "")
        values = {name: getattr(found, name) for name in LOGGED}
        log.precisions[found.epoch] = {
            name: value
            for name, value in values.items()
            if value is not None and value >= 0  # older logs: -1 where nothing could be measured
        }
    elif not isinstance(row, dict):
        raise ValueError("no object")
