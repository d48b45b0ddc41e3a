"""A detector in three lines of Python, from an ONNX file or from a work directory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.reading import pixels_in, read_picture
from ..errors import InputError, require, shown
from ..found.boxes import Wanted, by_class
from ..found.looking import Find
from ..outputs import is_network
from .network import Network, open_network
from .resize import resized

# What finds with torch and mmdet stands above this room, and is loaded only for a checkpoint.
TORCH = "lightnas.detection"


@dataclass(frozen=True)
class Detections:
    """What was found in a picture, the best first. ``boxes, scores, labels = detections`` works too.

    Attributes:
        boxes (N, 4): x1, y1, x2, y2 in pixels of the upright picture.
        scores (N,): 0 ... 1.
        labels (N,): numbers of the classes, from 0.
        classes: names of all classes, by number.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: Sequence[str]

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.boxes, self.scores, self.labels))

    @property
    def names(self) -> list[str]:
        """The name of each box's class."""
        return [self.classes[label] for label in self.labels]

    def to_supervision(self) -> Any:
        """As ``supervision.Detections``, names under ``class_name``.

        Raises:
            InputError: supervision is not installed.
        """
        require("to_supervision", "supervision", "supervision")
        from supervision import Detections as Theirs

        return Theirs(
            xyxy=self.boxes, confidence=self.scores, class_id=self.labels,
            data={"class_name": np.array(self.names, dtype=np.str_)},
        )  # fmt: skip


class Detector:
    """Finds boxes in pictures.

        detector = Detector("detector.onnx")
        boxes, scores, labels = detector("street.jpg")

    Attributes:
        classes: names, by number.
    """

    def __init__(
        self,
        source: str | PathLike[str],
        *,
        threshold: float = 0.3,
        classes: Collection[str] | None = None,
        most: int | None = None,
        device: str | None = None,
        trust: bool = False,
    ) -> None:
        """Load it.

        Args:
            source: an ONNX file of ``lightnas export-det``; or, with torch and mmdet, a work
                directory of ``train-det`` (its best checkpoint) or a checkpoint.
            threshold, classes, most: which boxes are kept, as ``found.boxes.Wanted`` has them.
            device: ``cpu`` or ``cuda``; by default a GPU if there is one.
            trust: unpickle a checkpoint whole, whatever code it names.

        Raises:
            InputError: it cannot be read, a class is none of its own, or an argument is of another kind
                or outside its range.
        """
        wanted = Wanted(threshold, classes, most)
        if not isinstance(trust, bool):
            raise InputError(f"trust is {shown(trust)}, expected True or False")
        path = _path(source)
        if path is None:
            raise InputError(
                f"source is {shown(source)}, expected the path of an ONNX file, a work directory or a "
                "checkpoint"
            )
        self._find, self.classes = find_in(
            path, threshold=threshold, most=most, device=device, trust=trust
        )
        self._wanted = wanted.among(self.classes)

    def __call__(self, picture: Any) -> Detections:
        """What is in a picture.

        Args:
            picture: a path; a picture of Pillow; or pixels, RGB, uint8, (H, W, 3).

        Raises:
            PictureError: the file cannot be read.
            InputError: it is no picture.
        """
        boxes = self._wanted.of(self._find(pixels_of(picture)), self.classes)
        number = {name: label for label, name in reversed([*enumerate(self.classes)])}
        return Detections(
            boxes=np.array([box.corners for box in boxes], np.float32).reshape(-1, 4),
            scores=np.array([box.score for box in boxes], np.float32),
            labels=np.array([number[box.name] for box in boxes], np.int64),
            classes=self.classes,
        )


def find_in(
    path: Path, *, threshold: float, most: int | None, device: str | None, trust: bool
) -> tuple[Find, Sequence[str]]:
    """What finds with the detector at a path, its own limits let out so far, and its classes.

    Raises:
        InputError: it cannot be read.
    """
    if is_network(path):
        network = open_network(path, device)
        return finder(network, threshold, most), network.metadata.classes
    require("a checkpoint", "det", "torch", "mmdet", "mmcv")
    find, classes = import_module(TORCH).load_finder(path, threshold, most, device, trust)
    return find, classes


def finder(network: Network, threshold: float, most: int | None = None) -> Find:
    """What finds with an exported detector, which reports at least what is asked for: of every class
    corners and scores, shape (n, 5)."""
    metadata = network.metadata
    settings = {
        "score_threshold": min(metadata.defaults.score_threshold, threshold),
        "max_boxes": max(metadata.defaults.max_boxes, most or 1),
    }

    def find(pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
        height, width = pixels.shape[:2]
        size = metadata.resize.size(width, height)
        given = np.ascontiguousarray(resized(pixels, size).transpose(2, 0, 1)[None])
        found = network(given, **settings)
        scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
        return by_class(found.boxes / scale, found.scores, found.labels, len(metadata.classes))

    return find


def pixels_of(picture: Any) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of a path, a picture of Pillow or such an array.

    Raises:
        PictureError: the file cannot be read.
        InputError: it is none of them.
    """
    path = _path(picture)
    if path is not None:
        return read_picture(path)
    if isinstance(picture, Image.Image):
        return pixels_in(picture)
    expected = "expected a path, a picture of Pillow, or RGB pixels: uint8, (height, width, 3)"
    try:
        array = np.asarray(picture)
    # Rows of several lengths, or a tensor of a GPU.
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"picture is {shown(picture)}, {expected}") from error
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InputError(f"picture is {array.dtype} of shape {array.shape}, {expected}")
    return array


def _path(value: object) -> Path | None:
    """What is a path, or its text; None for anything else, an empty text included."""
    text = fspath(value) if isinstance(value, str | PathLike) else None
    return Path(text) if isinstance(text, str) and text else None
