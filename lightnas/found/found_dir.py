"""The directory of what ``detect`` found, written as it comes."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from ..data import export
from ..data.inputs import is_video
from ..data.pictures import Box
from ..errors import InputError, nearest
from ..files import write_whole
from ..json_file import json_text
from ..runs.output_dir import OutputDir

DETECTIONS, LINES, LABELS = "detections.json", "detections.jsonl", "labels"
FORMATS = ("json", *export.FORMATS)
DRAWN = (".png", ".jpg", ".jpeg")
LONGEST = 180  # bytes of a name, so that there is room for numbers and for what is beside it


@dataclass(frozen=True)
class Found:
    """What was found in a picture or a frame.

    Attributes:
        path: of the picture or video.
        drawn: the name of what shows it, None where nothing does.
        size: width and height in pixels.
        boxes: best first, corners in pixels.
        frame: of a video, from 0.
    """

    path: Path
    drawn: str | None
    size: tuple[int, int]
    boxes: Sequence[Box]
    frame: int | None = None


class FoundDir(OutputDir):
    """A picture with boxes for each, detections.json, and the same in another format.

    Attributes:
        names: of the drawn pictures, one an input.
        results: what detections.json holds.
    """

    mark = command = "detect"
    kind, home = "detect", "directory of what detect found"
    config_name = result_name = DETECTIONS
    ours = re.compile(re.escape(DETECTIONS))
    inside: ClassVar[Mapping[str, str]] = {LABELS: "*.txt"}

    def __init__(self, path: Path, form: str = "json", classes: Sequence[str] = ()) -> None:
        """``form``: one of FORMATS; ``classes``: of the detector, in its order.

        Raises:
            InputError: there is no such format.
        """
        super().__init__(path)
        if form not in FORMATS:
            raise InputError(f"form is {form}, {nearest(form, FORMATS)}")
        self.names: list[str] = []
        self.results: list[dict[str, Any]] = []
        self._form = form
        self._categories = [export.Category(i, name) for i, name in enumerate(classes, start=1)]
        self._lines: IO[bytes] | None = None
        self._file: export.ResultFile | None = None
        self._open = ExitStack()

    def begin(
        self, checkpoint: Path, inputs: Sequence[Path], bad: Collection[Path], overwrite: bool
    ) -> None:
        """Take the directory, and name what will be drawn: the inputs, but for the bad ones.

        Raises:
            InputError: it is not empty and was not made by ``detect``, or is not to be replaced.
        """
        self.names = drawn_names(inputs, by_stem=self._form == "yolo")
        more = [export.FILES[self._form]] if self._form in export.FILES else []
        if self._form == "yolo":
            more = ["classes.txt", f"{LABELS}/"]
        names = [*self.names, *more, LINES]
        self.hold(resume=None, overwrite=overwrite, inputs=[checkpoint], kept=inputs, names=names)
        self.clear()
        pictures = [
            name
            for name, path in zip(self.names, inputs, strict=True)
            if path not in bad and not is_video(path)
        ]
        # All at once: a marker that is written anew for each of thousands would take longer than
        # they do.
        self.record(LINES, *pictures)
        self._refuse_link(self.path / LINES)
        self._lines = self._open.enter_context(open(self.path / LINES, "wb"))  # noqa: SIM115 (until close)
        if self._form == "yolo":
            self.write("classes.txt", export.class_lines(self._categories))
            self.record(f"{LABELS}/")
            self._refuse_link(self.path / LABELS)
            (self.path / LABELS).mkdir(exist_ok=True)
        elif self._form != "json":
            path = self.path / export.FILES[self._form]
            self._refuse_link(path)
            self.record(path.name)
            self._file = export.ResultFile(path, self._form, self._categories)
            self._open.enter_context(self._file)

    def put(self, name: str, content: bytes) -> None:
        """Write a file that the marker lists already, whole or not at all."""
        write_whole(self.path / name, content)

    def add(self, found: Found) -> None:
        """Write down what was found in one more picture."""
        entry: dict[str, Any] = {"image": str(found.path)}
        if found.frame is not None:
            entry["frame"] = found.frame
        entry["picture"] = None if found.drawn is None else str(self.path / found.drawn)
        self._say(entry | {"detections": [_json(box) for box in found.boxes]})
        name = os.fsencode(found.path).decode("utf-8", "replace")
        if found.frame is not None:
            name = f"{found.path.stem}_{found.frame:06d}.jpg"
        picture = export.FoundPicture(len(self.results), name, *found.size, found.boxes)
        if self._file is not None:
            self._file.add(picture)
        if self._form == "yolo":
            stem = Path(found.drawn or name).stem
            frame = "" if found.frame is None else f"_{found.frame:06d}"
            lines = export.label_lines(picture, self._categories)
            self.put(f"{LABELS}/{stem}{frame}.txt", lines.encode())

    def leave_out(self, path: Path, why: str) -> None:
        """Write down what could not be read."""
        self._say({"image": str(path), "error": why})

    def _say(self, entry: dict[str, Any]) -> None:
        assert self._lines is not None
        self._lines.write(json_text(entry).encode() + b"\n")
        self._lines.flush()
        self.results.append(entry)

    def close(self) -> None:
        """Write detections.json from what was found by now, and let go of the directory."""
        try:
            if self._lines is not None:
                self._open.close()
                self._lines = None
                self.write(DETECTIONS, json_text(self.results, indent=1))
                (self.path / LINES).unlink(missing_ok=True)
        finally:
            super().close()

    def _is_ours(self, path: Path) -> bool:
        """Pictures of the user's may lie beside a detections.json: nothing tells them apart."""
        return False


def drawn_names(inputs: Sequence[Path], by_stem: bool = False) -> list[str]:
    """A file name for each drawn picture: its own, numbered where two are the same (``by_stem``:
    but for the suffix)."""
    names: list[str] = []
    taken: set[str] = set()
    numbers: Counter[str] = Counter()  # where to go on, of the names that were there before
    for path in inputs:
        suffix = path.suffix.lower() if path.suffix.lower() in DRAWN else ".jpg"
        stem = os.fsdecode(os.fsencode(path.stem)[:LONGEST])
        first = stem if by_stem else f"{stem}{suffix}"
        name, key = f"{stem}{suffix}", first
        while key in taken:
            numbers[first] += 1
            name = f"{stem}-{numbers[first] + 1}{suffix}"
            key = Path(name).stem if by_stem else name
        taken.add(key)
        names.append(name)
    return names


def _json(box: Box) -> dict[str, Any]:
    x1, y1, x2, y2 = box.corners
    return {
        "class": box.name,
        "score": round(box.score or 0.0, 4),
        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
    }
