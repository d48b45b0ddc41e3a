"""What a data set holds and what may be wrong with it: the same for ``lightnas data``, the beginning of a
training, and its report."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import printable
from .boxes import Objects
from .split import CocoSplit

# Areas of objects in pixels, as COCO's evaluation has them.
SMALL, LARGE = 32**2, 96**2
WHOLE = 0.99  # of both sides of the picture
HEAD = 2**16  # bytes that are compared before whole files are
EXAMPLES = 3

Summary = dict[str, Any]


def summarise(
    splits: Mapping[str, CocoSplit], layout: str = "", notes: Sequence[str] = ()
) -> Summary:
    """What checked splits hold, in plain values.

    Args:
        layout: what the folder is laid out as.
        notes: what was understood when it was found.

    Returns:
        ``layout``, ``notes``, ``classes``; ``splits``, by name; ``mistakes``, what may be wrong, in
        words.
    """
    own = {name: split for name, split in splits.items() if _first(splits, name) == name}
    parts = {name: _of_split(split) for name, split in own.items()}
    first = next(iter(own.values()), None)
    mistakes = [line for name, split in own.items() for line in _mistakes(name, split)]
    return {
        "layout": layout,
        "notes": list(notes),
        "classes": list(first.classes) if first else [],
        "splits": parts | {name: {"same_as": _first(splits, name)} for name in splits if name not in own},
        "mistakes": mistakes + _shared_pictures(own),
    }  # fmt: skip


def _first(splits: Mapping[str, CocoSplit], name: str) -> str:
    """The first name of a split: val may stand for test too."""
    return next(other for other, split in splits.items() if split is splits[name])


def _objects(split: CocoSplit) -> Objects:
    assert split.objects is not None, "a split is checked first"
    return split.objects


def _of_split(split: CocoSplit) -> dict[str, Any]:
    objects = _objects(split)
    areas = objects.boxes[:, 2] * objects.boxes[:, 3]
    a_picture = np.bincount(objects.pictures, minlength=len(objects.names))
    counts = np.bincount(objects.classes, minlength=len(split.classes))
    return {
        "annotations": str(split.annotations),
        "images": str(split.images),
        "pictures": len(objects.names),
        "without_objects": int((a_picture == 0).sum()),
        "objects": len(areas),
        "crowds": int(objects.crowds.sum()),
        "classes": dict(zip(split.classes, counts.tolist(), strict=True)),
        "sizes": {
            "small": int((areas < SMALL).sum()),
            "medium": int(((areas >= SMALL) & (areas < LARGE)).sum()),
            "large": int((areas >= LARGE).sum()),
        },
        "objects_a_picture": {
            "mean": float(a_picture.mean()) if len(a_picture) else 0.0,
            "median": float(np.median(a_picture)) if len(a_picture) else 0.0,
            "most": int(a_picture.max(initial=0)),
        },
        "picture_sizes": _picture_sizes(objects.sizes),
        "left_out": list(split.skipped),
        "notes": list(split.notes),
    }


def _picture_sizes(sizes: NDArray[np.int64]) -> dict[str, list[int]]:
    """The smallest, the middle and the largest picture by pixels, each width and height."""
    if not len(sizes):
        return {}
    order = np.argsort(sizes[:, 0] * sizes[:, 1], kind="stable")
    places = {"smallest": 0, "median": len(order) // 2, "largest": len(order) - 1}
    return {name: sizes[order[place]].tolist() for name, place in places.items()}


# --- likely mistakes ------------------------------------------------------------------------------------------------


def _mistakes(name: str, split: CocoSplit) -> list[str]:
    objects = _objects(split)
    counts = np.bincount(objects.classes, minlength=len(split.classes))
    a_picture = np.bincount(objects.pictures, minlength=len(objects.names))
    sides = objects.sizes[objects.pictures]
    whole = np.asarray((objects.boxes[:, 2:] >= WHOLE * sides).all(axis=1))
    again = _repeated(objects)
    found = [
        (int((counts == 0).sum()), f"class has no object in {name}", f"classes have no object in {name}",
         [label for label, count in zip(split.classes, counts, strict=True) if count == 0]),
        (int((a_picture == 0).sum()), f"picture of {name} has no object", f"pictures of {name} have no object",
         [objects.names[row] for row in np.flatnonzero(a_picture == 0)[: EXAMPLES + 1]]),
        (int(whole.sum()), f"box of {name} covers its whole picture", f"boxes of {name} cover their whole pictures",
         _names(objects, whole)),
        (int(again.sum()), f"box of {name} stands twice", f"boxes of {name} stand twice", _names(objects, again)),
    ]  # fmt: skip
    return [_line(*line) for line in found if line[0]]


def _names(objects: Objects, rows: NDArray[np.bool_]) -> list[str]:
    return [objects.names[row] for row in dict.fromkeys(objects.pictures[rows].tolist())]


def _repeated(objects: Objects) -> NDArray[np.bool_]:
    """Objects (N,) that another one before has the picture, class and box of."""
    rows = np.column_stack([objects.pictures, objects.classes, objects.boxes])
    # Sorting whole rows of a large set takes seconds: only those whose sums are alike are compared.
    sums = (rows * np.sqrt([2, 3, 5, 7, 11, 13])).sum(axis=1)
    _, place, times = np.unique(sums, return_inverse=True, return_counts=True)
    alike = np.flatnonzero(times[place] > 1)
    again = np.zeros(len(rows), dtype=bool)
    again[alike] = True
    again[alike[np.unique(rows[alike], axis=0, return_index=True)[1]]] = False
    return again


def _line(count: int, one: str, many: str, examples: Sequence[str]) -> str:
    few = ", ".join(map(printable, examples[:EXAMPLES])) + (
        ", ..." if len(examples) > EXAMPLES else ""
    )
    return f"{count:,} {one if count == 1 else many}: {few}"


def _shared_pictures(splits: Mapping[str, CocoSplit]) -> list[str]:
    """Pictures that stand in two splits, by their bytes whatever they are called.

    Only files of one size are opened, and of those whose beginnings are alike the rest.
    """
    files = [
        (name, row, os.path.join(split.images, picture))
        for name, split in splits.items()
        for row, picture in enumerate(_objects(split).names)
    ]
    groups = [files]
    for key in (_file_size, _head_hash, _hash):
        groups = [part for group in groups for part in _apart(group, key)]
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    names = list(splits)
    for group in groups:
        firsts = {name: path for name, _, path in reversed(group)}
        pair = [name for name in names if name in firsts]
        for other in pair[1:]:
            found[pair[0], other].append(
                f"{os.path.basename(firsts[pair[0]])} is {os.path.basename(firsts[other])}"
            )
    return [
        _line(len(examples), f"picture of {other} is in {first} too", f"pictures of {other} are in {first} too", examples)
        for (first, other), examples in found.items()
    ]  # fmt: skip


File = tuple[str, int, str]


def _apart(group: Sequence[File], key: Any) -> list[list[File]]:
    """Parts of a group that a key does not tell apart and that are of several splits."""
    parts: dict[Any, list[File]] = defaultdict(list)
    for file in group:
        try:
            parts[key(file[2])].append(file)
        except OSError:  # gone since the check, which will say so next time
            continue
    return [part for part in parts.values() if len({name for name, _, _ in part}) > 1]


def _file_size(path: str) -> int:
    return os.stat(path).st_size


def _head_hash(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read(HEAD)).digest()


def _hash(path: str) -> bytes:
    digest = hashlib.blake2b()
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.digest()


# --- in words -------------------------------------------------------------------------------------------------------


def lines_of(summary: Summary) -> list[str]:
    """A summary in a few lines, as they open a training."""
    lines: list[str] = [f"data: {summary['layout']}"] if summary["layout"] else []
    lines += summary["notes"]
    for name, part in summary["splits"].items():
        if "same_as" in part:
            lines.append(f"{name}: the same as {part['same_as']}")
            continue
        sizes = ", ".join(f"{n:,} {size}" for size, n in part["sizes"].items() if n)
        counts = [
            _many(part["pictures"], "picture"),
            f"{_many(part['objects'], 'object')} of {_many(len(part['classes']), 'class', 'classes')}",
        ]
        lines.append(f"{name}: {', '.join(counts)} ({sizes})")
    lines += [f"likely mistake: {line}" for line in summary["mistakes"]]
    return lines


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
