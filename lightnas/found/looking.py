"""Pictures and videos looked at, one after the other, by whatever finds boxes in pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.inputs import find_inputs, is_video
from ..data.pictures import draw_boxes, encode
from ..data.reading import PictureError, header, read_picture
from ..errors import InputError, require
from .boxes import Wanted
from .found_dir import Found, FoundDir

# Of every class corners and scores (n, 5), in pixels, RGB (H, W, 3).
Find = Callable[[NDArray[np.uint8]], list[NDArray[Any]]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Inputs:
    """What is to be looked at.

    Attributes:
        paths: pictures and videos, in order.
        sizes: how many pictures each is (a video as many as it says).
        bad: of those that cannot be read, why.
    """

    paths: Sequence[Path]
    sizes: Mapping[Path, int]
    bad: Mapping[Path, PictureError]


def check_inputs(images: Sequence[str | Path], output: Path) -> Inputs:
    """Pictures, videos, folders, lists and patterns, as ``data.inputs.find_inputs`` takes them.

    Raises:
        InputError: none can be read, or what is named yields nothing.
    """
    paths = find_inputs(images, output)
    if any(map(is_video, paths)):
        require("videos", "video", "cv2")
    sizes: dict[Path, int] = {}
    bad: dict[Path, PictureError] = {}
    for path in paths:
        try:
            sizes[path] = _size_of(path)
        except PictureError as error:
            sizes[path], bad[path] = 1, error
    if len(bad) == len(sizes):
        path, first = next(iter(bad.items()))
        more = f", nor {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputError(
            f"{path}: cannot be read as a picture ({first.why}){more}, expected a whole JPEG, PNG or the like"
        )
    return Inputs(paths, sizes, bad)


def look_at(
    inputs: Inputs,
    detector: Path,
    find: Find,
    known: Sequence[str],
    wanted: Wanted,
    output: Path,
    *,
    form: str = "json",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Find objects in pictures and videos; writes ``output/NAME`` with boxes on it for each, and
    ``output/detections.json``.

    What is found is on the disk at once: a run that is stopped has detections.json too, or, killed,
    ``detections.jsonl``, a line a picture.

    Args:
        detector: the file that is read for it, never written over.
        known: the classes that ``find`` tells apart, in its order.
        form: ``json``; or ``coco``, ``csv``, ``yolo``: written as well, as ``data.export`` says,
            where pictures count from 1 as in detections.json, and classes from 1 (yolo: from 0).
        progress: told how many pictures and frames of how many are done.

    Returns:
        for each picture: image, picture (where the boxes were drawn; None for a video that OpenCV
        cannot write), and detections, best first, each with class, score and bbox (x, y, width,
        height in pixels of the picture as shown); for each frame of a video also ``frame``, from 0.
        What could not be read has image and ``error``, and is said on stderr.

    Raises:
        InputError: an input lies in the output, or that is not empty and was not made by this
            function.
    """
    with FoundDir(output, form, known) as run:
        run.begin(detector, inputs.paths, inputs.bad, overwrite)
        counter = _Counter(inputs.sizes, progress)
        for number, path in enumerate(inputs.paths):
            try:
                if path in inputs.bad:
                    raise inputs.bad[path]
                for found in _look(path, run.names[number], find, wanted, known, run):
                    run.add(found)
                    counter.step(path)
            except PictureError as error:
                run.leave_out(path, error.why)
                print(f"left out: {path} {error.why}", file=sys.stderr)
            counter.done(path)
    return run.results


def _look(
    path: Path, name: str, find: Find, wanted: Wanted, known: Sequence[str], run: FoundDir
) -> Iterator[Found]:
    """What is found in a picture, or in every frame of a video; it is drawn under ``name``.

    Raises:
        PictureError: it cannot be read, or ends before its first frame.
    """
    if not is_video(path):
        pixels = read_picture(path)
        boxes = wanted.of(find(pixels), known)
        run.put(name, encode(draw_boxes(Image.fromarray(pixels), boxes), Path(name).suffix))
        yield Found(path, name, _size(pixels), boxes)
        return
    from .videos import Video, VideoFile

    number = -1
    with Video(path) as video, VideoFile(run.path, Path(name).stem, video.rate) as drawn:
        for number, pixels in enumerate(video):
            boxes = wanted.of(find(pixels), known)
            drawn.add(draw_boxes(Image.fromarray(pixels), boxes))
            if number == 0 and drawn.name:
                run.record(drawn.name)
            yield Found(path, drawn.name, _size(pixels), boxes, number)
    if number < 0:
        raise PictureError(f"{path} has no frame that can be read", "has no frame that can be read")


def _size(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[0]


class _Counter:
    """How far a run is: pictures, and the frames that videos say they have."""

    def __init__(self, sizes: Mapping[Path, int], say: Progress | None) -> None:
        self._sizes, self._say = sizes, say or (lambda done, total: None)
        self._total = sum(sizes.values())
        self._before = self._now = 0

    def step(self, path: Path) -> None:
        """One picture or frame more."""
        self._now += 1
        self._say(self._before + min(self._now, self._sizes[path]), self._total)

    def done(self, path: Path) -> None:
        """All of an input, however many frames it had."""
        self._before += self._sizes[path]
        self._now = 0
        self._say(self._before, self._total)


def _size_of(path: Path) -> int:
    if not is_video(path):
        header(path)
        return 1
    from .videos import Video

    with Video(path) as video:
        return max(1, video.frames)
