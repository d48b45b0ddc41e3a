"""A sheet of pictures with their boxes, to look at before a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from .boxes import Objects
from .pictures import Box, draw_boxes, grid
from .reading import read_picture
from .split import CocoSplit

COLUMNS, ROWS = 4, 4
SIDE = 384  # pixels of a picture on the sheet, at most


def draw_sheet(splits: Mapping[str, CocoSplit]) -> Image.Image:
    """Pictures of checked splits with their boxes: of every class one where they fit, then others
    from all over the set; train before val before test.

    Raises:
        PictureError: a picture has gone since the check.
    """
    own = list({id(split): split for split in splits.values()}.values())
    most = COLUMNS * ROWS
    shares = [most // len(own) + (i < most % len(own)) for i in range(len(own))]
    drawn = [
        _drawn(split, row)
        for split, share in zip(own, shares, strict=True)
        for row in _chosen(split, share)
    ]
    return grid(drawn, COLUMNS)


def _objects(split: CocoSplit) -> Objects:
    assert split.objects is not None, "a split is checked first"
    return split.objects


def _chosen(split: CocoSplit, most: int) -> list[int]:
    """Rows of pictures: the first one of each class, the rarest class first, then evenly spread ones."""
    objects = _objects(split)
    counts = np.bincount(objects.classes, minlength=len(split.classes))
    rows: dict[int, None] = {}
    for label in np.argsort(counts, kind="stable").tolist():
        of_class = objects.pictures[objects.classes == label]
        if len(of_class) and not rows.keys() & set(of_class.tolist()):
            rows[int(of_class[0])] = None
    spread = np.linspace(0, len(objects.names) - 1, most).round().astype(int).tolist()
    with_objects = np.unique(objects.pictures).tolist() or spread
    spread = [with_objects[round(i)] for i in np.linspace(0, len(with_objects) - 1, most)]
    rows |= dict.fromkeys(spread)
    rows |= dict.fromkeys(range(min(most, len(objects.names))))
    return sorted(list(rows)[:most])


def _drawn(split: CocoSplit, row: int) -> Image.Image:
    objects = _objects(split)
    picture = Image.fromarray(read_picture(Path(split.images) / objects.names[row]))
    zoom = min(1.0, SIDE / max(picture.size))
    size = [max(1, round(side * zoom)) for side in picture.size]
    small = picture.resize((size[0], size[1]), Image.Resampling.BOX) if zoom < 1 else picture
    boxes = []
    for i in np.flatnonzero(objects.pictures == row).tolist():
        x, y, w, h = (float(value) * zoom for value in objects.boxes[i])
        boxes.append(Box(split.classes[int(objects.classes[i])], (x, y, x + w, y + h)))
    return draw_boxes(small, boxes)
