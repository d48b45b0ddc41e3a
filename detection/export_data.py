"""Which pictures an export is compared on, calibrated with and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmcv import Config
from numpy.typing import NDArray

from lightnas.data.coco import CocoSplit
from lightnas.data.inputs import find_inputs, is_video
from lightnas.data.layouts import find_data
from lightnas.data.reading import read_picture
from lightnas.deploy.precision import CALIBRATION
from lightnas.deploy.sample import some_of, spread_out
from lightnas.errors import InputError

from .config import data_of

PICTURES = 8  # that are compared
TO_COMPARE = "expected pictures to compare it on: pictures='FOLDER'"
TO_CALIBRATE = "expected pictures to calibrate with: data='DIR'"
HELD_OUT = ("val", "test")


@dataclass(frozen=True)
class Source:
    """Where the splits are.

    Attributes:
        cfg, checkpoint: of the detector; its config names those that it was trained on.
        folder, layout: as for ``data.layouts.find_data``, in their place; None for none.
        skip_bad: leave out pictures that cannot be read.
    """

    cfg: Config
    checkpoint: Path
    folder: Path | None
    layout: str | None
    skip_bad: bool


def pictures_for(
    given: Sequence[str | Path], source: Source, output: Path
) -> list[tuple[Path, NDArray[np.uint8]]]:
    """Pictures to compare on, RGB (H, W, 3): some of those given, else of the split that is measured.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    if given:
        paths = [path for path in find_inputs(given, output) if not is_video(path)]
        if not paths:
            raise InputError(f"pictures {given[0]} are videos, {TO_COMPARE}")
        paths = spread_out(paths, PICTURES)
    else:
        _, split = measured_split(source, TO_COMPARE)
        paths = some_of(split, PICTURES, TO_COMPARE, source.skip_bad)
    return [(path, read_picture(path)) for path in paths]


def calibration(source: Source) -> list[Path]:
    """Some pictures of train.

    Raises:
        InputError: there are none.
    """
    _, train = _first(("train",), source, TO_CALIBRATE)
    return some_of(train, CALIBRATION, TO_CALIBRATE, source.skip_bad)


def measured_split(source: Source, remedy: str = "expected data='DIR'") -> tuple[str, CocoSplit]:
    """The split that AP is measured on, and its name: val, or test where there is no val; of a folder
    that has neither, the share of train that ``train-det`` would set aside for val.

    Raises:
        InputError: there is none.
    """
    return _first(HELD_OUT, source, remedy)


def _first(names: Sequence[str], source: Source, remedy: str) -> tuple[str, CocoSplit]:
    """The first of some splits that is there. Splits behind it are not looked at."""
    aside = [("val", ["train", "val"])] if source.folder and "val" in names else []
    for name, wanted in [*((name, [name]) for name in names), *aside]:
        split = _split(name, wanted, source)
        if split is not None:
            return name, split
    where = f"data {source.folder}" if source.folder else f"{source.checkpoint}: its config"
    raise InputError(f"{where} names no {' or '.join(names)} data that are there, {remedy}")


def _split(name: str, wanted: Sequence[str], source: Source) -> CocoSplit | None:
    if source.folder:
        return find_data(source.folder, wanted, layout=source.layout).splits.get(name)
    split = data_of(source.cfg, source.checkpoint.parent, wanted).get(name)
    return split if split is not None and split.annotations.is_file() else None
