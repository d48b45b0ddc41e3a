"""The logs of a training, *.log.json: a JSON object a line, of losses while it trains and of average
precision after each epoch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from ..documents import Document, check
from ..errors import InputError
from ..files import read_text
from .training_run import Precision

MAX_BYTES = 2**25
# A loss beyond it is one of a training that diverges, as NaN and Infinity are.
LARGEST_LOSS = 1e9
# Keys of the log, and what they are called.
PART, TRAIN = "loss_", "train_bbox_mAP"
LOGGED = {"bbox_mAP": "AP", "bbox_mAP_50": "AP50", "bbox_mAP_75": "AP75", TRAIN: "AP on train"}

# (epochs so far, value) of what is logged while it trains.
Curve = list[tuple[float, float]]

Ordinal = Annotated[int, Field(ge=1, le=10**9)]


class LossLine(Document):
    """A line while it trains; each part of the loss has a key that opens with ``loss_``. The learning
    rate is one of several where groups of weights have their own."""

    model_config = ConfigDict(extra="allow")

    mode: Literal["train"]
    epoch: Ordinal
    iter: Ordinal
    loss: float
    lr: Any = None


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
        parts: the same of each part of the loss, by its name without ``loss_``.
        rates: the same of the learning rate, where it is one number.
        diverged: losses that were not finite, or as good as.
        precisions: by epoch, in order: values by the keys of ``LOGGED`` that the line has.
        left_out: lines that hold something else than they should, but for a last one that was cut
            off.
    """

    losses: Curve = field(default_factory=list)
    parts: dict[str, Curve] = field(default_factory=dict)
    rates: Curve = field(default_factory=list)
    diverged: int = 0
    precisions: dict[int, dict[str, float]] = field(default_factory=dict)
    left_out: int = 0


def read_logs(path: Path) -> TrainingLog:
    """The logs of a work directory.

    Raises:
        InputError: there is none with a loss in it, or one cannot be read.
    """
    log = TrainingLog()
    found: dict[tuple[int, int], LossLine] = {}
    for file in sorted(path.glob("*.log.json")):
        lines = read_text(file, MAX_BYTES).split("\n")
        for line in lines:
            try:
                _take(line, log, found)
            except (ValueError, RecursionError):
                log.left_out += line is not lines[-1]  # a kill leaves the last one unfinished
    if not found:
        raise InputError(f"{path} holds no log of a training, expected one that train-det wrote")
    longest = max(iteration for _, iteration in found)
    logged = [(epoch - 1 + i / longest, line) for (epoch, i), line in sorted(found.items())]
    log.losses = _curve((at, line.loss) for at, line in logged)
    log.diverged = len(found) - len(log.losses)
    log.rates = _curve((at, line.lr) for at, line in logged)
    for name in dict.fromkeys(key for _, line in logged for key in line.model_extra or {}):
        if name.startswith(PART):
            values = ((at, (line.model_extra or {}).get(name)) for at, line in logged)
            log.parts[name.removeprefix(PART)] = _curve(values)
    log.precisions = dict(sorted(log.precisions.items()))
    return log


def _curve(values: Iterable[tuple[float, Any]]) -> Curve:
    """Those that are numbers, and no larger than a loss may be."""
    return [
        (at, float(value))
        for at, value in values
        if type(value) in (int, float) and abs(value) <= LARGEST_LOSS
    ]


def _take(line: str, log: TrainingLog, found: dict[tuple[int, int], LossLine]) -> None:
    """Take up a line; one of another mode says nothing of interest."""
    if not line.strip():
        return
    row: Any = json.loads(line)  # not parse_json: mmcv writes NaN
    mode = row.get("mode") if isinstance(row, dict) else None
    if mode == "train":
        loss = check(LossLine, row, "")
        found[loss.epoch, loss.iter] = loss
    elif mode == "val":
        precision = check(PrecisionLine, row, "")
        values = {name: getattr(precision, name) for name in LOGGED}
        log.precisions[precision.epoch] = {
            name: value
            for name, value in values.items()
            if value is not None and value >= 0  # older logs: -1 where nothing could be measured
        }
    elif not isinstance(row, dict):
        raise ValueError("no object")
