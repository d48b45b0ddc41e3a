"""What a training is asked for, whatever framework trains: options, how it begins, schedules and
sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lightnas.data.split import DataOptions
from lightnas.deploy.resize import MOST_PIXELS, MOST_SIDE, check_size, too_large
from lightnas.errors import InputError, shown
from lightnas.units import format_size

MAX_EPOCHS, MAX_ITERATIONS = 10_000, 10**8
# The schedule that is made for the size of the set.
AUTO = "auto"


class Schedule(NamedTuple):
    """Epochs, and those after which the learning rate falls to a tenth; without steps it falls
    along a cosine."""

    epochs: int
    steps: tuple[int, ...] = ()


SCHEDULES = {
    "1x": Schedule(12, (8, 11)),
    "2x": Schedule(24, (16, 22)),
    "3x": Schedule(36, (28, 34)),
    "6x": Schedule(73, (65, 71)),
}
# Muon learns fastest, then AdamW, where epochs are few; SGD is the published one. Its learning rate is
# for 16 pictures a step and grows with them, the others' for 8 and by the square root.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4},
    "adamw": {"type": "AdamW", "lr": 0.001, "weight_decay": 0.05},
    "muon": {"type": "MuonAdamW", "lr": 0.001, "weight_decay": 0.05},
}
# Of FPN and head, as published.
WIDTHS = {"s": 192, "m": 256, "l": 256}
# Height and width that pictures are tested at, and how many times that they are trained at.
TEST_SIZE = (800, 1333)
MULTI_SCALE = (0.6, 1.2)


@dataclass
class TrainOptions:
    """What ``train-det`` was asked for; None where the config decides."""

    structure: Path | None = None
    config: Path | None = None
    size: str | None = None
    width: int | None = None
    schedule: str | None = None
    iterations: int | None = None
    ema: bool = False
    optimizer: str | None = None
    input_size: tuple[int, int] | None = None
    multi_scale: tuple[float, float] | None = None
    flip: float | None = None
    batch: int | None = None
    workers: int | None = None
    seed: int | None = None
    amp: bool = False
    cfg_options: Sequence[str] = ()


@dataclass
class Start:
    """How a run begins.

    ``load_from`` is a checkpoint of an equal detector, ``init_from`` one of any structure, or a work
    directory. ``layout`` and ``notes`` are what ``find_data`` says of the folder of data, for the
    log and the report.
    """

    work_dir: Path
    resume: bool = False
    new_data: bool = False
    overwrite: bool = False
    data: DataOptions = field(default_factory=DataOptions)
    load_from: Path | None = None
    init_from: Path | None = None
    allow_mismatch: bool = False
    trust_checkpoint: bool = False
    device: str | None = None
    layout: str = ""
    notes: Sequence[str] = ()


def parse_schedule(asked: str | int) -> Schedule:
    """The schedule of that name, or so many epochs.

    Raises:
        InputError: neither.
    """
    text = str(asked)
    if text in SCHEDULES:
        return SCHEDULES[text]
    if text.isdigit() and 1 <= int(text) <= MAX_EPOCHS:
        return Schedule(int(text))
    raise InputError(
        f"schedule is {shown(text)}, expected one of {', '.join([AUTO, *SCHEDULES])}, or a number of epochs"
    )


def check_length(options: TrainOptions) -> None:
    """Refuse options of which each says how long a training is.

    Raises:
        InputError: they disagree, or the number of iterations is none.
    """
    auto, iterations = options.schedule == AUTO, options.iterations
    if auto and options.config is not None:
        raise InputError(
            f"schedule is {AUTO} with config={str(options.config)!r}, expected a number of epochs or iterations: "
            f"{AUTO} writes the whole recipe, and that of your config is your own"
        )
    if iterations is None:
        return
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise InputError(
            f"iterations is {iterations}, expected a number from 1 to {MAX_ITERATIONS:,}"
        )
    if options.schedule is not None and not auto:
        raise InputError(
            f"schedule is {shown(str(options.schedule))} and iterations {iterations}, expected one of them"
        )


def check_pictures(size: tuple[int, int], scale: tuple[float, float]) -> None:
    """Refuse a height and width that the detector could not be given once it is trained, and times of
    it that are larger.

    Raises:
        InputError: they are.
    """
    check_size(size, "input_size")
    if too_large(*(round(side * max(scale)) for side in size)):
        raise InputError(
            f"multi_scale is up to {max(scale):g} times {format_size(size)}, expected sides of at most "
            f"{MOST_SIDE} and at most {MOST_PIXELS} pixels"
        )


def check_width(width: int) -> None:
    """Refuse a width of FPN and head that group norm cannot take.

    Raises:
        InputError: it is below 64 or no multiple of 32.
    """
    if width < 64 or width % 32:
        raise InputError(
            f"width is {width}, expected a multiple of 32 from 64 (group norm has 32 groups)"
        )
