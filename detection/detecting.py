"""Detecting: what a checkpoint finds in pictures and videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightnas.errors import InputError
from lightnas.found.boxes import Wanted
from lightnas.found.looking import Find, Progress, check_inputs, look_at

from .building import fitting
from .distributed import choose_device
from .embedded import config_of_checkpoint
from .finding import Finder, admit
from .output import stdout_to_stderr
from .testing import checkpoint_in, load_detector


def detect(
    checkpoint: Path,
    images: Sequence[str | Path],
    output: Path,
    *,
    threshold: float = 0.3,
    classes: Sequence[str] | None = None,
    most: int | None = None,
    form: str = "json",
    device: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Find objects in pictures and videos; writes ``output/NAME`` with boxes on it for each, and
    ``output/detections.json``.

    What is found is on the disk at once: a run that is stopped has detections.json too, or, killed,
    ``detections.jsonl``, a line a picture.

    Args:
        checkpoint: of ``train-det``, or its work directory: then the best one.
        images: pictures, videos, folders, lists and patterns, as ``data.inputs.find_inputs`` takes
            them.
        classes, threshold, most: which boxes are kept, as ``Wanted`` has them; classes as for
            ``chosen``.
        form: ``json``; or ``coco``, ``csv``, ``yolo``: written as well, as ``data.export`` says,
            where pictures count from 1 as in detections.json, and classes from 1 (yolo: from 0).
        progress: told how many pictures and frames of how many are done.

    Returns:
        for each picture: image, picture (where the boxes were drawn; None for a video that OpenCV
        cannot write), and detections, best first, each with class, score and bbox (x, y, width,
        height in pixels of the picture as shown); for each frame of a video also ``frame``, from 0.
        What could not be read has image and ``error``, and is said on stderr.

    Raises:
        InputError: the checkpoint or a picture cannot be read or lies in the output, or that is
            not empty and was not made by this function; or nothing like that can be wanted.
    """
    asked = Wanted(threshold, classes, most)
    inputs = check_inputs(images, output)
    checkpoint = checkpoint_in(checkpoint)
    with stdout_to_stderr():
        find, known = load_finder(checkpoint, threshold, most, device, trust)
        return look_at(
            inputs, checkpoint, find, known, asked.among(known), output,
            form=form, overwrite=overwrite, progress=progress,
        )  # fmt: skip


def load_finder(
    source: Path,
    threshold: float = 0.3,
    most: int | None = None,
    device: str | None = None,
    trust: bool = False,
) -> tuple[Find, tuple[str, ...]]:
    """What finds with a detector, and its classes.

    Args:
        source: a checkpoint of ``train-det``, or its work directory: then the best one.
        threshold, most: the least score and the most boxes a picture that are asked for.
        device: ``cpu`` or ``cuda``; by default a GPU if there is one.

    Raises:
        InputError: the checkpoint cannot be read, or does not say what its classes are.
    """
    checkpoint = checkpoint_in(source)
    cfg = config_of_checkpoint(checkpoint, trust)
    admit(cfg, threshold, most)
    where = choose_device(device)
    with stdout_to_stderr():
        model = load_detector(cfg, checkpoint, trust).to(where)
    if not model.CLASSES:
        raise InputError(
            f"{checkpoint}: its meta has no CLASSES, expected the names of the classes that it finds"
        )
    finder = Finder(model)

    def find(pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
        with fitting(str(checkpoint), "its detector cannot be run", "one of such pictures"):
            return finder(pixels)

    return find, model.CLASSES
