"""Detecting: what a checkpoint finds in pictures and videos."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightnas.data.inputs import find_inputs, is_video
from lightnas.data.pictures import Box, draw_boxes, encode
from lightnas.data.reading import PictureError, header, read_picture
from lightnas.errors import InputError, nearest, shown

from .building import fitting
from .distributed import choose_device
from .embedded import config_of_checkpoint
from .finding import Finder, admit
from .found_dir import Found, FoundDir
from .output import stdout_to_stderr
from .pictures import boxes_of
from .testing import checkpoint_in, load_detector
from .videos import Video, VideoFile


@dataclass(frozen=True)
class Wanted:
    """Which of the found boxes are kept: those of at least ``threshold``, of ``classes`` (None: of
    all), and of these the ``most`` best a picture (None: as many as the detector gives)."""

    threshold: float = 0.3
    classes: Sequence[str] | None = None
    most: int | None = None

    def of(self, found: Sequence[NDArray[Any]], known: Sequence[str]) -> list[Box]:
        """The boxes kept, best first, of those that a detector found: of each of its classes (n, 5)."""
        boxes = boxes_of(found, known, self.threshold)
        return [box for box in boxes if self.classes is None or box.name in self.classes][
            : self.most
        ]


def chosen(classes: Sequence[str] | None, known: Sequence[str]) -> list[str] | None:
    """The classes meant by names, or by several names with commas between; None for all.

    Raises:
        InputError: the first that a detector does not know.
    """
    if classes is None:
        return None
    names = []
    for text in classes:
        names += [text] if text in known else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise InputError(
                f"classes {shown(name)} is none of the detector's, {nearest(name, known)}"
            )
    return names


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
    progress: Callable[[int, int], None] | None = None,
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
            not empty and was not made by this function.
    """
    inputs = find_inputs(images, output)
    sizes, bad = _check_inputs(inputs)
    checkpoint = checkpoint_in(checkpoint)
    cfg = config_of_checkpoint(checkpoint, trust)
    admit(cfg, threshold, most)
    where = choose_device(device)
    with stdout_to_stderr():
        model = load_detector(cfg, checkpoint, trust).to(where)
        if not model.CLASSES:
            raise InputError(
                f"{checkpoint}: its meta has no CLASSES, expected the names of the classes that it finds"
            )
        wanted = Wanted(threshold, chosen(classes, model.CLASSES), most)
        finder = Finder(model)

        def find(pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
            with fitting(str(checkpoint), "its detector cannot be run", "one of such pictures"):
                return finder(pixels)

        with FoundDir(output, form, model.CLASSES) as run:
            run.begin(checkpoint, inputs, bad, overwrite)
            counter = _Counter(sizes, progress)
            for number, path in enumerate(inputs):
                try:
                    if path in bad:
                        raise bad[path]
                    for found in _look(path, run.names[number], find, wanted, model.CLASSES, run):
                        run.add(found)
                        counter.step(path)
                except PictureError as error:
                    run.leave_out(path, error.why)
                    print(f"left out: {path} {error.why}", file=sys.stderr)
                counter.done(path)
    return run.results


def _look(
    path: Path,
    name: str,
    find: Callable[[NDArray[np.uint8]], list[NDArray[Any]]],
    wanted: Wanted,
    known: Sequence[str],
    run: FoundDir,
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

    def __init__(self, sizes: Mapping[Path, int], say: Callable[[int, int], None] | None) -> None:
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


def _check_inputs(inputs: Sequence[Path]) -> tuple[dict[Path, int], dict[Path, PictureError]]:
    """How many pictures each input is (a video as many as it says), and of those that cannot be
    read why.

    Raises:
        InputError: none can be read.
    """
    sizes: dict[Path, int] = {}
    bad: dict[Path, PictureError] = {}
    for path in inputs:
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
    return sizes, bad


def _size_of(path: Path) -> int:
    if not is_video(path):
        header(path)
        return 1
    with Video(path) as video:
        return max(1, video.frames)
