"""How long the detector of a checkpoint takes: by torch and mmdet, or by another runtime, as
``export-det`` would write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from lightnas.deploy.latency import Asked, measure_model, pictures_for, row_of
from lightnas.deploy.resize import check_size
from lightnas.errors import InputError

from .config import test_size
from .detecting import load_finder
from .embedded import config_of_checkpoint
from .onnx import exported
from .output import stdout_to_stderr
from .testing import checkpoint_in, load_detector


def measure_checkpoint(source: Path, asked: Asked, *, trust: bool = False) -> dict[str, Any]:
    """Measure the detector of a checkpoint, or of a work directory's best one, from the pixels of a
    picture of the size that it is tested at to boxes.

    Args:
        asked: by default with torch, where one picture at a time goes through mmdet's own test
            pipeline, as in ``lightnas detect``.
        trust: unpickle a checkpoint whole, whatever code it names.

    Returns:
        as ``deploy.latency.measure_model``; ``name`` is that of the checkpoint.

    Raises:
        InputError: the checkpoint cannot be read, or not be measured so.
    """
    checkpoint = checkpoint_in(source)
    cfg = config_of_checkpoint(checkpoint, trust)
    size = test_size(cfg)
    name = str(checkpoint)
    check_size(asked.input_size or size, "input_size")
    with stdout_to_stderr():
        detector = load_detector(cfg, checkpoint, trust)
        model, metadata = exported(cfg, detector, checkpoint, asked.input_size or size)
    if asked.runtime not in (None, "torch"):
        return measure_model(model, metadata, name, asked)
    own = {"input_size": asked.input_size in (None, size), "batch": asked.batch in (None, 1)}
    if not all(own.values()):
        option = min(own, key=own.__getitem__)  # the first that is not the detector's own
        raise InputError(
            f"{option} is given for {name} with torch, expected one picture of "
            f"{size[0]}x{size[1]}, as it is tested; or another runtime"
        )
    if asked.threads:
        torch.set_num_threads(asked.threads)
    find, _ = load_finder(checkpoint, threshold=1.0, device=asked.device, trust=trust)
    pictures = pictures_for(metadata, name, asked)
    pixels = np.ascontiguousarray(pictures[0].transpose(1, 2, 0))
    row = row_of(metadata, name, pictures, lambda: find(pixels))
    device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return row | {"runtime": "torch", "device": device}
