"""Videos, frame by frame, as OpenCV reads and writes them."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.reading import PictureError

# Of a file that is no video FFmpeg would write a line of its own beside ours; it asks at its first one.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Container, codec: what OpenCV's own build of FFmpeg writes, and what needs none.
FORMS = ((".mp4", "mp4v"), (".avi", "MJPG"))


class Video:
    """A video that is read.

    Attributes:
        rate: frames a second.
        frames: how many there are, as the file says; 0 where it does not.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            PictureError: OpenCV cannot.
        """
        why = None if path.is_file() else "is missing"
        self._capture = cv2.VideoCapture(str(path) if why is None else "")
        if why or not self._capture.isOpened():
            why = why or "cannot be opened as a video"
            raise PictureError(f"{path} {why}, expected one that OpenCV reads", why)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and rate > 0 else 25.0
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(count) if math.isfinite(count) and 0 < count < 1e9 else 0

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Its frames in order: RGB (H, W, 3), upright."""
        while True:
            there, frame = self._capture.read()
            if not there:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


class VideoFile:
    """A video that is written; it stands under its name once it is whole.

        with VideoFile(folder, "street", rate) as video:
            video.add(frame)

    Attributes:
        name: of the file, None where OpenCV can write none here.
    """

    def __init__(self, folder: Path, stem: str, rate: float) -> None:
        self.name: str | None = None
        self._folder, self._stem, self._rate = folder, stem, rate
        self._beside = folder / f".{stem[:100]}.{os.getpid()}.part"
        self._writer: cv2.VideoWriter | None = None
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if self.name is not None:  # stopped before its end, it still shows what was found by then
            os.replace(self._beside / self.name, self._folder / self.name)
        if self._beside.is_dir():
            shutil.rmtree(self._beside)

    def add(self, frame: Image.Image) -> None:
        """Add a frame; all are brought to the size of the first, in even numbers of pixels."""
        if self._size is None:
            self._size = (max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2))
            self._open()
        if self._writer is not None:
            pixels = np.asarray(frame if frame.size == self._size else frame.resize(self._size))
            self._writer.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))

    def _open(self) -> None:
        self._beside.mkdir()
        for suffix, codec in FORMS:
            name = f"{self._stem}{suffix}"
            code = cv2.VideoWriter_fourcc(*codec)  # type: ignore[attr-defined]
            writer = cv2.VideoWriter(str(self._beside / name), code, self._rate, self._size)
            if writer.isOpened():
                self._writer, self.name = writer, name
                return
