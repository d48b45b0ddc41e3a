"""From a folder to its splits, whatever its layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import InputError, nearest
from ..split import SPLITS
from . import coco, voc, yolo
from .content import content_of
from .found import Found
from .share import SHARE, share_out
from .tree import Near


class Layout(NamedTuple):
    """How to tell a layout, and how to read it.

    Attributes:
        looked_for: what tells it, in words.
        looks: whether a folder looks like it.
        read: the splits of such a folder that are wanted.
    """

    looked_for: str
    looks: Callable[[Near], bool]
    read: Callable[[Near, Sequence[str]], Found]


LAYOUTS = {
    "coco": Layout(coco.LOOKED_FOR, coco.looks, coco.read),
    "yolo": Layout(yolo.LOOKED_FOR, yolo.looks, yolo.read),
    "voc": Layout(voc.LOOKED_FOR, voc.looks, voc.read),
}
# What people have too, and what helps.
HINTS = {
    ".zip": "unpack it first",
    ".tar": "unpack it first",
    ".gz": "unpack it first",
    ".7z": "unpack it first",
    ".tfrecord": "export the set in COCO's format",
    ".parquet": "export the set in COCO's format",
    ".csv": "convert it to COCO's format",
}


def find_data(
    data: Path,
    wanted: Sequence[str] = SPLITS,
    *,
    layout: str | None = None,
    val_share: float | None = None,
    seed: int = 0,
) -> Found:
    """The splits of a folder in COCO's, YOLO's or Pascal VOC's layout, or an export of Roboflow, CVAT
    or Label Studio.

    Where ``train`` and ``val`` are wanted and the folder has no ``val``, a share of the pictures is
    set aside for it.

    Args:
        data: the folder.
        wanted: splits; others are not looked at.
        layout: one of ``LAYOUTS``; None finds out.
        val_share: share of the pictures that are set aside; None where it is not asked for.
        seed: decides which they are.

    Raises:
        InputError: no folder, none or several of the layouts, or what the layout's reader says.
    """
    if val_share is not None and not 0 < val_share < 1:
        raise InputError(
            f"val_share is {val_share:g}, expected a share between 0 and 1, e.g. {SHARE}"
        )
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"layout is '{layout}', {nearest(layout, LAYOUTS)}")
    if not data.is_dir():
        hint = HINTS.get(data.suffix.lower(), "name the folder that it lies in")
        what = f"a file, {hint}" if data.is_file() else "no directory"
        raise InputError(f"data {data} is {what}, expected a folder with annotations and pictures")
    near = _entered(data)
    found = LAYOUTS[layout or _one(near)].read(near, wanted)
    if near.folder != data:
        found.notes.insert(0, f"the set lies in {near.folder}")
    _share(found, wanted, val_share, seed)
    return found


def _share(found: Found, wanted: Sequence[str], val_share: float | None, seed: int) -> None:
    """Set pictures aside for val where there is none; what is of no split is train."""
    if found.unsplit is not None and "val" in found.splits:
        raise InputError(
            f"data {found.folder}: holds a val split and {found.unsplit.annotations.name}, which says "
            "no split, expected a name with the word train: train-det takes it as --train-json"
        )
    whole = found.unsplit or found.splits.get("train")
    if whole is None or "val" in found.splits or "val" not in wanted:
        if val_share is not None:
            raise InputError(
                f"val_share is {val_share:g}, but {found.folder} has a val split, expected none"
                if "val" in found.splits
                else f"val_share is {val_share:g}, but val is given apart, expected one of them"
            )
        if found.unsplit is not None:
            found.splits = {"train": found.unsplit, **found.splits}
        return
    share = SHARE if val_share is None else val_share
    train, val = share_out(whole, content_of(whole), share, seed)
    found.splits = {"train": train, "val": val} | {
        name: split for name, split in found.splits.items() if name == "test"
    }
    sizes = [len(content_of(split)["images"]) for split in (train, val)]
    found.notes.append(
        f"no val split: {sizes[1]:,} of {sum(sizes):,} pictures are set aside for it (val_share={share:g}, "
        f"seed {seed})"
    )


def _entered(data: Path) -> Near:
    """The folder, or the one inside it where it holds nothing else, as unpacking leaves it."""
    near = first = Near(data)
    for _ in range(4):
        if _fitting(near):
            return near
        inside = [path for path in _visible(near.folder) if path.name != "__MACOSX"]
        if len(inside) != 1 or not inside[0].is_dir():
            break
        near = Near(inside[0])
    return first


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _fitting(near: Near) -> list[str]:
    return [name for name, layout in LAYOUTS.items() if layout.looks(near)]


def _one(near: Near) -> str:
    folder, fitting = near.folder, _fitting(near)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        told = " and of ".join(f"{name} ({LAYOUTS[name].looked_for})" for name in fitting)
        raise InputError(
            f"data {folder} has the layout of {told}, expected one: layout='{fitting[0]}' says which"
        )
    looked = "; ".join(layout.looked_for for layout in LAYOUTS.values())
    inner = next(
        (path for path in _visible(folder) if path.is_dir() and _fitting(Near(path))), None
    )
    remedy = f"; {inner} has one" if inner else _hint(folder)
    raise InputError(f"data {folder} holds {_holds(folder)}, expected one of: {looked}{remedy}")


def _hint(folder: Path) -> str:
    """What helps where the files are of a kind that is known."""
    files = [path for path in _visible(folder) if path.is_file()]
    for path in files:
        if path.suffix.lower() in HINTS:
            return f"; {path.name}: {HINTS[path.suffix.lower()]}"
    for path in [*folder.glob("*.xml"), *folder.glob("*.json"), *folder.glob("*/*.json")][:20]:
        try:
            with open(path, "rb") as file:
                head = file.read(2**16)
        except OSError:
            continue
        if b"<annotations>" in head:
            return f"; {path.name} is CVAT's own XML: export the task as COCO 1.0"
        if b'"shapes"' in head and b'"points"' in head:
            return f"; {path.name} is LabelMe's: convert it to COCO's format"
        if b'"result"' in head or b'"from_name"' in head:
            return f"; {path.name} is Label Studio's own JSON: export the project as COCO"
    return ""


def _holds(folder: Path) -> str:
    """What a folder holds, in a few words."""
    there = _visible(folder)
    folders = [path.name + "/" for path in there if path.is_dir()]
    kinds = Counter(path.suffix.lower() or path.name for path in there if path.is_file())
    parts = folders[:5] + (["..."] if len(folders) > 5 else [])
    parts += [f"{n} {'*' if kind[0] == '.' else ''}{kind}" for kind, n in sorted(kinds.items())[:5]]
    return ", ".join(parts) or "nothing"
