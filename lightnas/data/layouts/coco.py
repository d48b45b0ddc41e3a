"""COCO's own layout, and the exports of Roboflow, CVAT and Label Studio in COCO's format.

    COCO            annotations/instances_train2017.json, train2017/ or images/train2017/
    Roboflow        train/_annotations.coco.json beside its pictures, valid/, test/
    CVAT            annotations/instances_default.json (or one for each subset), images/
    Label Studio    result.json, images/

A file that can be used as it is stays unread here: only the names of its pictures are looked at.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError, printable
from ..split import CocoSplit
from .content import read_content
from .found import Found, told
from .tree import Located, Near, holding, locate
from .words import WORDS, split_of, words

LOOKED_FOR = "annotations/*.json, */_annotations.coco.json or result.json (COCO)"
ROBOFLOW = "_annotations.coco"
# COCO's own folder has these beside the instances; none of them holds boxes for every object.
COMPANIONS = ({"captions"}, {"keypoints"}, {"panoptic"}, {"stuff"}, {"image", "info"})
FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')


def looks(near: Near) -> bool:
    """Whether there are annotation files of COCO's format where such sets have them."""
    return bool(_files(near))


def read(near: Near, wanted: Sequence[str]) -> Found:
    """The splits that are wanted, and the files of no split.

    Raises:
        InputError: several files may be the one of a split, or the pictures are nowhere.
    """
    data, files = near.folder, _files(near)
    main = [path for path in files if not _is_companion(path)]
    found = Found(_layout(data, files), data)
    sorted_in = {split: [p for p in main if _split_of(p, data) == split] for split in WORDS}
    for split in wanted:
        if sorted_in[split]:
            path = _only(sorted_in[split], split, data)
            found.splits[split] = with_pictures(path, split, data, found.notes)
    rest = [path for path in main if _split_of(path, data) is None]
    if "train" not in wanted or sorted_in["train"]:
        found.notes += [f"left alone: {_below(path, data)} names no single split" for path in rest]
    elif rest:
        found.unsplit = with_pictures(_only(rest, "train", data), None, data, found.notes)
    return found


def _files(near: Near) -> list[Path]:
    """The annotation files: those in annotations/, else those in the folder, and one below it where
    the file or its folder says a split: other folders are sets of their own."""
    files = near.of(".json", depth=2)
    inside = [path for path in files if path.parent.name.lower() == "annotations"]
    near_by = [path for path in files if path.parent == near.folder or _says_split(path)]
    return inside or [path for path in near_by if _is_coco(path)]


def _says_split(path: Path) -> bool:
    return split_of(path.stem) is not None or split_of(path.parent.name) is not None


def _is_coco(path: Path) -> bool:
    """Whether a JSON file speaks of COCO's three lists."""
    keys = (b'"images"', b'"annotations"', b'"categories"')
    return bool(_scanned(path, lambda text: all(text.find(key) >= 0 for key in keys)))


def _scanned(path: Path, scan: Callable[[Any], Any]) -> Any:
    """What a function makes of the bytes of a file, none of which are copied; None of an empty one."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            encoding = json.detect_encoding(text[:4])
            if encoding not in ("utf-8", "utf-8-sig"):  # keys are spelled otherwise there
                return scan(text[:].decode(encoding, "replace").encode())
            return scan(text)
    except (OSError, ValueError):
        return None


def _is_companion(path: Path) -> bool:
    return any(kind <= set(words(path.stem)) for kind in COMPANIONS)


def _split_of(path: Path, data: Path) -> str | None:
    """By the name of the file; by that of its folder where the file's says nothing."""
    said = split_of(path.stem)
    if (
        said
        or path.parent == data
        or any({*forms} & {*words(path.stem)} for forms in WORDS.values())
    ):
        return said
    return split_of(path.parent.name)


def _only(paths: Sequence[Path], split: str, data: Path) -> Path:
    if len(paths) > 1:
        names = " and ".join(_below(path, data) for path in paths[:3])
        raise InputError(
            f"data {data}: {names} may all be the annotations of {split}, expected one of them: "
            f"train-det takes it as --{split}-json"
        )
    return paths[0]


def _below(path: Path, data: Path) -> str:
    return path.relative_to(data).as_posix() if data in path.parents else str(path)


def _layout(data: Path, files: Sequence[Path]) -> str:
    stems = {path.stem for path in files}
    if ROBOFLOW in stems:
        return "Roboflow's COCO export"
    if "instances_default" in stems:
        return "CVAT's COCO export"
    if stems == {"result"}:
        return "Label Studio's COCO export"
    return "COCO"


# --- pictures -------------------------------------------------------------------------------------------------------


def with_pictures(path: Path, split: str | None, data: Path, notes: list[str]) -> CocoSplit:
    """An annotation file with the folder of its pictures; with its content where names of pictures
    are written in another way than their files, which is added to the notes.

    Args:
        split: that it is of, None where it says none.
        data: the folder that it was found in.

    Raises:
        InputError: as for ``locate`` and ``read_content``.
    """
    folders = _folders(path, split, data)
    written = _scanned(path, _names)  # without the whole JSON in memory
    folder = holding(written, folders) if written else None
    if folder is not None:
        return CocoSplit(path, folder)
    content = read_content(path)
    names = _names_of(content)
    if not names:  # the check says what the file lacks
        return CocoSplit(path, data)
    located = locate(names, folders, str(path), split)
    result = CocoSplit(path, located.folder)
    if located.renamed:
        result.content = _rename(content, located)
        examples = [f"{name} is {file}" for name, file in located.renamed.items()]
        notes.append(
            f"{_below(path, data)}: "
            + told(len(examples), "picture was", "pictures were", [])
            + f" found by name: {printable(examples[0])}"
        )
    return result


def _names(text: Any) -> list[str]:
    """The names of pictures in a JSON text, as they stand behind ``file_name``."""
    return [str(json.loads(name)) for name in FILE_NAME.findall(text)]


def _names_of(content: dict[str, Any]) -> list[str]:
    images = [image for image in content["images"] if isinstance(image, dict)]
    return [name for image in images if isinstance(name := image.get("file_name"), str) and name]


def _rename(content: dict[str, Any], located: Located) -> dict[str, Any]:
    for image in content["images"]:
        if isinstance(image, dict) and isinstance(image.get("file_name"), str):
            image["file_name"] = located.renamed.get(image["file_name"], image["file_name"])
    return content


def _folders(path: Path, split: str | None, data: Path) -> list[Path]:
    """Where the pictures of an annotation file may be, the likeliest first."""
    beside = path.parent
    folders = []
    if beside != data and beside.name.lower() != "annotations":
        folders += [beside, beside / "images"]
    names = [path.stem.removeprefix("instances_"), *(WORDS[split] if split else ())]
    for name in names:
        folders += [*_subfolders(data, name), *_subfolders(data / "images", name)]
    return [*folders, data / "images", data / "data", data]


def _subfolders(folder: Path, name: str) -> list[Path]:
    """The folder of that name, or the one whose name differs in case alone."""
    if (folder / name).is_dir() or not folder.is_dir():
        return [folder / name]
    return [path for path in folder.iterdir() if path.name.lower() == name.lower()] or [
        folder / name
    ]
