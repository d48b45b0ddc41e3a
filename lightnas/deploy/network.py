"""An exported detector, opened by onnxruntime: pictures of one size in, boxes in their pixels out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cores import check_device
from ..errors import InputError, out_of_memory, require, shown
from ..latency.runtimes import ONNXRUNTIME, PROVIDERS, default_threads, gpu_there, said
from .contents import read_model
from .metadata import Metadata
from .resize import MOST_PIXELS, MOST_SIDE, too_large

IMAGE = "image"
OUTPUTS = ("boxes", "scores", "labels", "pictures")


class Raw(NamedTuple):
    """What was found in a batch: corners (M, 4) in pixels of what was given, scores (M,), labels
    (M,), and the number of the picture in the batch (M,); the best first."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    pictures: NDArray[np.int64]


class Network:
    """An ONNX file of ``export-det``.

    Attributes:
        source: what messages call it.
        metadata: what it says of itself.
    """

    def __init__(
        self, content: bytes, metadata: Metadata, source: str, device: str | None = None
    ) -> None:
        """Open it.

        Args:
            content, metadata: as ``contents.read_model`` gives them.
            device: ``cpu`` or ``cuda``; by default a GPU where onnxruntime has one.

        Raises:
            InputError: onnxruntime is missing, sees no such device or cannot open it.
        """
        require(source, "deploy", "onnxruntime")
        import onnxruntime

        self.source, self.metadata = source, metadata
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it logs, it raises as well
        options.intra_op_num_threads = default_threads()
        providers = [_provider(device)]
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # onnxruntime has a class of its own for every fault
            raise InputError(
                f"{source}: onnxruntime cannot open it ({said(error)}), expected an ONNX file of "
                "lightnas export-det"
            ) from error
        self._check_names()

    def _check_names(self) -> None:
        inputs = [node.name for node in self._session.get_inputs()]
        outputs = tuple(node.name for node in self._session.get_outputs())
        if inputs != [IMAGE] or outputs != OUTPUTS:
            raise InputError(
                f"{self.source}: takes {shown(inputs)} and gives {shown(outputs)}, expected {IMAGE} "
                f"and {', '.join(OUTPUTS)}, as export-det writes them"
            )

    def __call__(self, pictures: NDArray[np.uint8], **settings: float) -> Raw:
        """Find boxes in pictures of one size: RGB (N, 3, H, W).

        Args:
            settings: ``score_threshold``, ``iou_threshold``, ``max_boxes``; by default the file's.

        Raises:
            InputError: there are more or larger pictures than the file takes.
        """
        self._check_size(pictures)
        try:
            found = self._session.run(None, {IMAGE: pictures, **settings_arrays(settings)})
        except Exception as error:  # as above
            if out_of_memory(error):
                raise
            raise InputError(
                f"{self.source}: cannot be run ({said(error)}), expected a detector of such pictures"
            ) from error
        return Raw(*found)

    def _check_size(self, pictures: NDArray[np.uint8]) -> None:
        shape = pictures.shape
        if pictures.dtype != np.uint8 or len(shape) != 4 or shape[1] != 3 or min(shape) < 1:
            raise InputError(
                f"{self.source}: was given {pictures.dtype} of shape {shape}, expected pictures: "
                "uint8, (N, 3, height, width)"
            )
        n, _, height, width = shape
        if n > self.metadata.max_batch:
            raise InputError(
                f"{self.source}: was given {n} pictures at once, expected at most "
                f"{self.metadata.max_batch}"
            )
        if too_large(height, width):
            raise InputError(
                f"{self.source}: was given a picture of {width} x {height}, expected sides of at most "
                f"{MOST_SIDE} and {MOST_PIXELS} pixels"
            )
        fixed = self._session.get_inputs()[0].shape
        if any(
            isinstance(side, int) and side != own for side, own in zip(fixed, shape, strict=True)
        ):
            raise InputError(f"{self.source}: was given {shape}, expected {fixed}, as it says")


def open_network(path: Path, device: str | None = None) -> Network:
    """An ONNX file of ``export-det``.

    Raises:
        InputError: it cannot be read, or is none.
    """
    return Network(*read_model(path), str(path), device)


def _provider(device: str | None) -> str:
    check_device(device)
    there = gpu_there(ONNXRUNTIME)
    if device == "cuda" and not there:
        raise InputError(
            "device cuda: onnxruntime sees no GPU here, expected one and onnxruntime-gpu, or device cpu"
        )
    return PROVIDERS[device or ("cuda" if there else "cpu")]


def settings_arrays(settings: Mapping[str, float]) -> dict[str, Any]:
    """The optional inputs of the graph, each of shape (1,)."""
    kinds = {"score_threshold": np.float32, "iou_threshold": np.float32, "max_boxes": np.int64}
    return {name: np.array([value], kinds[name]) for name, value in settings.items()}
