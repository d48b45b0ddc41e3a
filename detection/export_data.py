"""Which pictures an export is compared on, calibrated with and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv import Config
from numpy.typing import NDArray

from lightnas.data.coco import CocoSplit
from lightnas.data.inputs import find_inputs, is_video
from lightnas.data.layouts import find_data
from lightnas.data.reading import read_picture
from lightnas.deploy.sample import pictures_of, spread_out
from lightnas.errors import InputError

from .config import data_of

PICTURES = 8  # that are compared
TO_COMPARE = "expected pictures to compare it on: pictures='FOLDER'"
TO_CALIBRATE = "expected pictures to calibrate with: data='DIR'"
HELD_OUT = ("val", "test")


def pictures_for(
    given: Sequence[str | Path], data: Path | None, cfg: Config, checkpoint: Path, output: Path
) -> list[tuple[Path, NDArray[np.uint8]]]:
    """Pictures to compare on, RGB (H, W, 3): some of those given, else of the split that is measured.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    if given:
        paths = [path for path in find_inputs(given, output) if not is_video(path)]
        if not paths:
            raise InputError(f"pictures {given[0]}: is no picture, {TO_COMPARE}")
    else:
        paths = pictures_of(measured_split(data, cfg, checkpoint, TO_COMPARE)[1], TO_COMPARE)
    return [(path, read_picture(path)) for path in spread_out(paths, PICTURES)]


def calibration(data: Path | None, cfg: Config, checkpoint: Path) -> list[Path]:
    """The pictures of train.

    Raises:
        InputError: there are none.
    """
    _, train = _first(("train",), data, cfg, checkpoint, TO_CALIBRATE)
    return pictures_of(train, TO_CALIBRATE)


def measured_split(
    data: Path | None, cfg: Config, checkpoint: Path, remedy: str = "expected data='DIR'"
) -> tuple[str, CocoSplit]:
    """The split that AP is measured on, and its name: val, or test where there is no val; of a folder
    that has neither, the share of train that ``train-det`` would set aside for val.

    Raises:
        InputError: there is none.
    """
    return _first(HELD_OUT, data, cfg, checkpoint, remedy)


def _first(
    names: Sequence[str], data: Path | None, cfg: Config, checkpoint: Path, remedy: str
) -> tuple[str, CocoSplit]:
    """The first of some splits that is there, of a folder or of a checkpoint's own config. Splits behind
    it are not looked at."""
    for name in names:
        split = _of_folder(data, [name], name) if data else _own(cfg, checkpoint, name)
        if split is not None:
            return name, split
    if data and "val" in names and (split := _of_folder(data, ["train", "val"], "val")):
        return "val", split
    where = f"data {data}" if data else f"{checkpoint}: its config"
    raise InputError(f"{where} names no {' or '.join(names)} data that are there, {remedy}")


def _of_folder(data: Path, wanted: Sequence[str], name: str) -> CocoSplit | None:
    return find_data(data, wanted).splits.get(name)


def _own(cfg: Config, checkpoint: Path, name: str) -> CocoSplit | None:
    split = data_of(cfg, checkpoint.parent, [name]).get(name)
    return split if split is not None and split.annotations.is_file() else None
