"""``detect`` with an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..found.boxes import Wanted
from ..found.looking import Progress, check_inputs, look_at
from .detector import finder
from .network import open_network


def detect(
    detector: Path,
    images: Sequence[str | Path],
    output: Path,
    *,
    threshold: float = 0.3,
    classes: Sequence[str] | None = None,
    most: int | None = None,
    form: str = "json",
    device: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Find objects in pictures and videos, as ``lightnas.detection.detect`` does with a checkpoint;
    the same files are written.

    Raises:
        InputError: the file or a picture cannot be read or lies in the output, or that is not
            empty and was not made by ``detect``; or nothing like that can be wanted.
    """
    asked = Wanted(threshold, classes, most)
    inputs = check_inputs(images, output)
    network = open_network(detector, device)
    known = network.metadata.classes
    return look_at(
        inputs, detector, finder(network, threshold, most), known, asked.among(known), output,
        form=form, overwrite=overwrite, progress=progress,
    )  # fmt: skip
