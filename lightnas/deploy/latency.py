"""How long a detector takes from the pixels of a picture to boxes: ``lightnas latency detector.onnx``.

Backbone, neck, head, decoding and suppression, as the file has them; reading and resizing pictures are
left out. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cores import check_device
from ..errors import InputError
from ..latency.runtimes import (
    ONNXRUNTIME,
    TORCH,
    check_pictures,
    default_threads,
    gpu_there,
    opened,
)
from ..latency.speed import steadiest
from ..units import format_size
from .contents import read_model
from .metadata import Metadata
from .network import IMAGE, settings_arrays
from .resize import check_size
from .speed import side_by_side


@dataclass(frozen=True)
class Asked:
    """Where and how to measure a detector.

    Attributes:
        runtime: ``torch``, ``onnxruntime`` or ``openvino``; None: onnxruntime.
        device: ``cpu`` or ``cuda``; None: a GPU where the runtime sees one.
        threads: of a CPU; None: as OMP_NUM_THREADS says, or as many as there are cores.
        batch: pictures at a time; None: one.
        input_size: height and width of the pictures; None: those that the detector is tested at.
    """

    runtime: str | None = None
    device: str | None = None
    threads: int | None = None
    batch: int | None = None
    input_size: tuple[int, int] | None = None


def measure_file(path: Path, asked: Asked) -> dict[str, Any]:
    """Measure an ONNX file of ``export-det``: ``measure_model``.

    Raises:
        InputError: it cannot be read, or not be run so.
    """
    if asked.runtime == TORCH:
        raise InputError(
            f"runtime is torch, expected onnxruntime or openvino for {path}; or its checkpoint"
        )
    return measure_model(*read_model(path), str(path), asked)


def measure_model(content: bytes, metadata: Metadata, source: str, asked: Asked) -> dict[str, Any]:
    """Measure an exported detector.

    Args:
        content, metadata: as ``contents.read_model`` gives them.
        source: what it is called.

    Returns:
        ``name``, ``runtime``, ``device``, ``input_size``, ``batch``, ``precision``, ``flops`` (of the
        whole detector; None at another size than its own), ``seconds`` of a batch and ``spread``,
        their interquartile range as a share of them.

    Raises:
        InputError: it cannot be run so.
    """
    check_device(asked.device)
    runtime = asked.runtime or ONNXRUNTIME
    threads = default_threads() if asked.threads is None else asked.threads
    device = asked.device or ("cuda" if gpu_there(runtime) else "cpu")
    pictures = pictures_for(metadata, source, asked)
    network = opened(content, runtime, device=device, threads=threads, source=source)
    defaults = settings_arrays(metadata.defaults.model_dump())
    feed = {name: {IMAGE: pictures, **defaults}[name] for name in network.inputs}
    row = row_of(metadata, source, pictures, lambda: network.run(feed))
    return row | {"runtime": runtime, "device": device}


def row_of(
    metadata: Metadata, source: str, pictures: NDArray[np.uint8], run: Callable[[], object]
) -> dict[str, Any]:
    """Measure what runs a detector on pictures (N, 3, H, W); ``measure_model`` without ``runtime`` and
    ``device``."""
    speed = steadiest(lambda: side_by_side({source: run})[source])
    batch, _, height, width = pictures.shape
    own = [height, width] == metadata.flops.input_size
    return {
        "name": source, "input_size": format_size((height, width)), "batch": batch,
        "precision": metadata.precision, "flops": metadata.flops.detector if own else None,
        "seconds": speed.median, "spread": speed.spread,
    }  # fmt: skip


def pictures_for(metadata: Metadata, source: str, asked: Asked) -> NDArray[np.uint8]:
    """Pictures of noise, RGB (N, 3, H, W), always the same.

    Raises:
        InputError: there are more at once, or larger ones, than the file takes.
    """
    batch = asked.batch or 1
    if batch > metadata.max_batch:
        raise InputError(
            f"batch is {batch}, expected at most {metadata.max_batch}, what {source} takes"
        )
    height, width = asked.input_size or metadata.flops.input_size
    check_size((height, width), "input_size")
    check_pictures((height, width), batch)
    return np.random.default_rng(0).integers(0, 256, (batch, 3, height, width), np.uint8)
