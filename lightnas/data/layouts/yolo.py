"""YOLO's layout: pictures, a text file of the same name for each, and a file that names the classes.

    data.yaml                   path, train, val, test, names (Ultralytics, Roboflow)
    images/train/a.jpg          a picture; its objects in labels/train/a.txt, or in a.txt beside it
    classes.txt                 the classes, a line each, where there is no data.yaml
    obj.data, obj.names         the same as darknet and CVAT write it

A line is ``class x y w h``, centre and size, or ``class x1 y1 x2 y2 x3 y3 ...``, a polygon, whose box
is taken; both in fractions of the picture as shown, upright by its EXIF mark, as Ultralytics reads
them. A picture without a text file has no objects.

Read here and not by a converter: supervision takes fractions of the picture as stored, globox knows
no polygons, and neither follows data.yaml or says which text files belong to no picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError
from ..split import CocoSplit
from .found import Found, Picture, as_split, told
from .tree import Near, Tree
from .words import folder_split
from .yolo_labels import Labels
from .yolo_set import describing, one_of, read_set

LOOKED_FOR = "data.yaml, or labels/*.txt and classes.txt (YOLO)"


def looks(near: Near) -> bool:
    """Whether a file describes a set of YOLO's, or there are folders of its text files."""
    files = describing(near)
    if any(path.suffix.lower() in (".yaml", ".yml", ".data") for path in files):
        return True
    texts = [path for path in near.of(".txt") if path not in files]
    return bool(texts) if files else any("labels" in path.parts[-3:-1] for path in texts)


def read(near: Near, wanted: Sequence[str]) -> Found:
    """The splits that are wanted, and the pictures of no split.

    Raises:
        InputError: what is damaged, missing or of another kind than boxes and polygons.
    """
    data, files = near.folder, describing(near)
    if not files:
        raise InputError(
            f"data {data}: holds labels/*.txt but nothing that names the classes, expected a data.yaml "
            "or a classes.txt with a name a line"
        )
    known = read_set(one_of(files, data))
    labels = Labels(known, data)
    found = Found("YOLO", data, notes=known.notes)
    if known.sources:
        for split in wanted:
            if pictures := known.pictures(split):
                found.splits[split] = _split(pictures, labels, known.source(split))
    else:
        _by_folder(data, wanted, labels, found)
    labels.finish(found)
    return found


def _split(pictures: Sequence[Path], labels: Labels, source: Path) -> CocoSplit:
    read = [Picture(path, labels.of(path)) for path in pictures]
    return as_split(read, labels.names, source, fractions=True)


def _by_folder(data: Path, wanted: Sequence[str], labels: Labels, found: Found) -> None:
    """Splits by the words of folders, where no file says which pictures are of which."""
    sorted_in: dict[str | None, list[Path]] = {}
    paths = [data / name for name in Tree(data).files]
    labelled = {path.parent for path in paths if labels.file_of(path) is not None}
    for path in paths:
        if path.parent in labelled:
            sorted_in.setdefault(folder_split(path.relative_to(data)), []).append(path)
    rest = sorted_in.pop(None, [])
    for split in wanted:
        if split in sorted_in:
            found.splits[split] = _split(sorted_in[split], labels, data / split)
    if rest and "train" in wanted and "train" not in sorted_in:
        found.unsplit = _split(rest, labels, data)
    elif rest:
        names = [path.relative_to(data).as_posix() for path in rest]
        found.notes.append(
            "left alone: " + told(len(names), "picture is", "pictures are", names)
            + " in no folder of a split"
        )  # fmt: skip
