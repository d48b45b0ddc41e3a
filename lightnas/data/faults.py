"""Pictures and boxes that cannot be trained on: named, counted, refused or left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, shown
from .geometry import leaves
from .headers import Headers
from .placing import numbers
from .split import CocoSplit, DataOptions
from .table import Table

# Bad boxes without any area hide no object; a picture with one of the others has an object whose
# place is not known, and would teach it as background.
EMPTY = "size"
A_SLIP = 2  # so many boxes say nothing of the others


def sized_otherwise(
    table: Table, headers: Headers, names: Sequence[str], options: DataOptions
) -> dict[int, str]:
    """Why pictures are not what is listed, by row: they are of another size.

    Raises:
        InputError: width and height are swapped all through the file.
    """
    listed = table.pictures.sizes
    fits = (listed == headers.stored).all(axis=1) | (listed == headers.shown).all(axis=1)
    swapped = (listed == headers.stored[:, ::-1]).all(axis=1) & ~fits
    if options.boxes is not None:
        fits |= swapped
    wrong = ~fits & (listed > 0).all(axis=1)
    wrong[list(headers.bad)] = False
    oblong = (headers.stored[:, 0] != headers.stored[:, 1]) & (listed > 0).all(axis=1)
    if (n := int((wrong & swapped).sum())) and n >= oblong.sum() / 2:
        row = int(np.flatnonzero(wrong & swapped)[0])
        raise InputError(
            f"{table.source.path}: width and height of {n} of {len(names)} pictures are swapped "
            f"({names[row]} {_other_size(headers, listed, row)}), expected width before height, or "
            "boxes='shown', which takes sizes from the pictures"
        )
    return {int(row): _other_size(headers, listed, row) for row in np.flatnonzero(wrong)}


def _other_size(headers: Headers, listed: NDArray[np.int64], row: int | np.int64) -> str:
    (width, height), (listed_width, listed_height) = headers.stored[row], listed[row]
    return f"is {width} x {height}, listed as {listed_width} x {listed_height}"


def find_bad_boxes(
    boxes: NDArray[np.float64],
    sizes: NDArray[np.int64],
    table: Table,
    bad_pictures: Mapping[int, str],
) -> dict[int, tuple[str, str]]:
    """What is wrong with boxes that cannot be trained on, its kind and its words, by row.

    Args:
        boxes (N, 4), sizes (P, 2): of the pictures as shown.
    """
    x, y, w, h = (boxes[:, i] for i in range(4))
    good = _good(bad_pictures, len(sizes))
    width, height = sizes[table.rows, 0], sizes[table.rows, 1]
    no_box = np.asarray(~np.isfinite(boxes).all(axis=1))
    empty = ~no_box & ((w <= 0) | (h <= 0))
    outside = ~no_box & ~empty & good[table.rows]
    outside &= (x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0)
    found = {}
    for row in np.flatnonzero(no_box | empty | outside).tolist():
        if no_box[row]:
            odd = table.annotations.odd
            box = shown(odd[row]) if row in odd else numbers(table.boxes[row])
            found[row] = "box", f"has the box {box}"
        elif empty[row]:
            kind = EMPTY if w[row] >= 0 and h[row] >= 0 else "negative"
            found[row] = kind, f"is {w[row]:g} x {h[row]:g} large"
        else:
            found[row] = (
                "outside",
                f"{numbers(boxes[row])} lies outside its picture of {width[row]} x {height[row]}",
            )
    return found


def refuse_other_scale(
    boxes: NDArray[np.float64],
    sizes: NDArray[np.int64],
    table: Table,
    bad_pictures: Mapping[int, str],
    options: DataOptions,
) -> None:
    """Refuse boxes (N, 4) of which most reach out of their pictures, of sizes (P, 2), as those of
    larger pictures do.

    Raises:
        InputError: so it is, and ``box_format`` does not say that they are right.
    """
    frames = sizes[table.rows]
    known = np.isfinite(boxes).all(axis=1) & _good(bad_pictures, len(sizes))[table.rows]
    out = known & leaves(boxes, frames)
    partly = out & (boxes[:, :2] < frames).all(axis=1)
    if options.box_format is None and partly.any() and out.sum() > max(A_SLIP, len(boxes) / 2):
        row = int(np.flatnonzero(partly)[0])
        width, height = frames[row]
        raise InputError(
            f"{table.source.path}: {int(out.sum())} of {len(boxes)} boxes reach out of their pictures (e.g. "
            f"{numbers(boxes[row])} of {width} x {height}), as those of larger pictures would, expected boxes inside "
            "them, or box_format='xywh' where they are right"
        )


def refuse_or_skip(
    split: CocoSplit,
    table: Table,
    names: Sequence[str],
    bad_pictures: Mapping[int, str],
    bad_boxes: Mapping[int, tuple[str, str]],
    boxes: NDArray[np.float64],
    options: DataOptions,
) -> set[int]:
    """Rows of the pictures to leave out.

    Args:
        boxes (N, 4): as ``find_bad_boxes`` took them.

    Raises:
        InputError: nothing is to be left out, or what is bad is bad all through.
    """
    name = split.annotations.name
    if bad_pictures:
        examples = "; ".join(f"{names[row]} {why}" for row, why in list(bad_pictures.items())[:3])
        split.skipped.append(
            f"{len(bad_pictures)} of {len(names)} pictures of {name} are bad ({examples})"
        )
    if bad_boxes:
        examples = "; ".join(
            f"annotation {shown(table.annotations.ids[row])} {why}"
            for row, (_, why) in list(bad_boxes.items())[:3]
        )
        split.skipped.append(
            f"{len(bad_boxes)} of {len(boxes)} boxes of {name} are bad ({examples})"
        )
    unplaced = {int(table.rows[row]) for row, (kind, _) in bad_boxes.items() if kind != EMPTY}
    unplaced -= set(bad_pictures)
    alike = _all_alike(bad_pictures, len(names)) or _mostly_alike(bad_boxes, len(boxes))
    if split.skipped and alike:
        raise InputError(
            f"{'; '.join(split.skipped)}; {alike}, expected whole pictures and boxes inside them"
        )
    if split.skipped and not options.skip_bad_images:
        raise InputError(
            f"{'; '.join(split.skipped)}; expected whole pictures and boxes inside them, or skip_bad_images=True"
        )
    if unplaced:
        split.skipped.append(
            f"{len(unplaced)} of {len(names)} pictures of {name} are left out for their bad boxes: an object whose "
            "place is not known would be taken for background"
        )
    left_out = set(bad_pictures) | unplaced
    if len(left_out) == len(names):
        raise InputError(
            f"{split.annotations}: holds no usable picture, expected at least one"
            + (f" ({split.skipped[0]})" if split.skipped else "")
        )
    return left_out


def _good(bad: Mapping[int, str], n: int) -> NDArray[np.bool_]:
    good = np.ones(n, dtype=bool)
    good[list(bad)] = False
    return good


def _all_alike(bad: Mapping[int, str], n: int) -> str:
    kinds = {re.sub(r"[\d.]+", "#", why) for why in bad.values()}
    return "all fail alike" if len(bad) == n and len(kinds) == 1 else ""


def _mostly_alike(bad: Mapping[int, tuple[str, str]], n: int) -> str:
    kinds = Counter(kind for kind, _ in bad.values())
    return "most fail alike" if max(kinds.values(), default=0) > n / 2 else ""
