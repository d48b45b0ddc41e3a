"""Boxes and the frames that they may be in: pictures that a camera marked as turned, and what looks
like another format of box.

Coordinates are pixels from the upper left corner of a picture, boxes (x, y, width, height). A
picture has two frames: as its pixels are stored, and as it is shown once the camera's mark (EXIF
2.32, tag 0x0112, 1 to 8) is obeyed. The network sees it as shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A box drawn by hand may leave its picture by this many pixels, or this share of the side.
SLACK_PIXELS, SLACK_SHARE = 2.0, 0.02
# What a whole file does: nearly all of its boxes, and enough of them to be no slip of the hand.
NEARLY_ALL, A_FEW = 0.99, 0.05
MANY = 0.2  # against what the sizes say
TRANSPOSED = 5  # this mark and those above it swap width and height


def turn(
    boxes: NDArray[np.float64], marks: NDArray[np.int64], stored: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Boxes (N, 4) of pictures as stored, in the pictures as shown.

    Args:
        marks (N,): of the camera, 1 to 8.
        stored (N, 2): width and height of the pictures as stored.
    """
    x, y, w, h = boxes.T
    right, below = stored[:, 0] - x - w, stored[:, 1] - y - h
    # The new x and y of each mark. 1 upright, 2 mirrored, 3 upside down, 4 both; 5 to 8 the same
    # after swapping x and y.
    xs, ys = (x, right, right, x, y, below, below, y), (y, y, below, below, x, x, right, right)
    swap = marks >= TRANSPOSED
    return np.stack(
        [
            np.choose(marks - 1, xs),
            np.choose(marks - 1, ys),
            np.where(swap, h, w),
            np.where(swap, w, h),
        ],
        axis=1,
    )


def leaves(boxes: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether boxes (N, 4) reach out of frames of sizes (N, 2) by more than a slip of the hand."""
    slack = np.maximum(SLACK_PIXELS, SLACK_SHARE * sizes)
    ends = boxes[:, :2] + boxes[:, 2:]
    return np.asarray(((ends > sizes + slack) | (boxes[:, :2] < -slack)).any(axis=1))


def from_corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (N, 4) from two corners (N, 4): x1, y1, x2, y2."""
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def from_fractions(boxes: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Boxes (N, 4) from fractions of the width and height (N, 2) of their pictures."""
    return boxes * np.hstack([sizes, sizes])


def looks_normalised(boxes: NDArray[np.float64], sizes: NDArray[np.int64]) -> bool:
    """Whether all boxes (N, 4) lie within the first pixel of pictures (N, 2) that are larger."""
    within = (np.abs(boxes) <= 1.001).all(axis=1)
    return len(boxes) > 0 and bool(within.all()) and int(sizes.max()) > 1


def looks_like_corners(
    boxes: NDArray[np.float64], sizes: NDArray[np.int64], areas: NDArray[np.float64]
) -> bool:
    """Whether boxes (N, 4) make sense as two corners in pictures (N, 2), and not as they stand.

    So it is where nearly all are corners inside their pictures, and either several reach out of
    them as x, y, width, height, or the areas (N,) given, 0 where there is none, are those of the
    corners.
    """
    if not len(boxes):
        return False
    corners = from_corners(boxes)
    sound = (corners[:, 2:] > 0).all(axis=1) & ~leaves(corners, sizes)
    if sound.mean() < NEARLY_ALL:
        return False
    known = areas > 0
    theirs = np.isclose(corners[:, 2] * corners[:, 3], areas, rtol=1e-3)
    ours = np.isclose(boxes[:, 2] * boxes[:, 3], areas, rtol=1e-3)
    if known.any() and (theirs & ~ours)[known].mean() >= NEARLY_ALL:
        return True
    if known.any() and (ours & ~theirs)[known].mean() >= NEARLY_ALL:
        return False
    return bool(leaves(boxes, sizes).mean() >= A_FEW)


@dataclass
class Frames:
    """What is known of the pictures of a file, rows (P, ...), and of its boxes.

    Attributes:
        stored, shown (P, 2): sizes in both frames.
        listed (P, 2): sizes that the file lists, 0 where it does not.
        marks (P,): of the camera.
        boxes (N, 4): in either frame, NaN where there is none.
        pictures (N,): row of the picture of each box.
    """

    stored: NDArray[np.int64]
    shown: NDArray[np.int64]
    listed: NDArray[np.int64]
    marks: NDArray[np.int64]
    boxes: NDArray[np.float64]
    pictures: NDArray[np.int64]

    def in_stored(self) -> NDArray[np.bool_] | None:
        """Whether the boxes of each picture (P,) are in the frame of its stored pixels; None where
        neither the sizes nor the boxes say it.

        Sizes listed as a turned picture is stored, or as it is shown, say it, unless boxes
        contradict: those that leave the one frame and fit the other belong to the other. Where a
        picture says nothing (mirrored, upside down, square), the rest of the file does.
        """
        turned = self.marks > 1
        with_boxes = np.zeros(len(self.marks), dtype=bool)
        with_boxes[self.pictures] = True
        oblong = (self.stored != self.shown).any(axis=1)
        as_stored = (self.listed == self.stored).all(axis=1)
        as_shown = (self.listed == self.shown).all(axis=1)
        found = np.zeros(len(self.marks), dtype=bool)
        said: set[bool] = set()
        for group, listed in (
            (oblong & as_stored, True),
            (oblong & as_shown, False),
            (oblong & ~as_stored & ~as_shown, None),
        ):
            if not (group & with_boxes).any():
                continue
            frame = self._frame(group, listed)
            if frame is None and listed is not None:
                return None  # they contradict each other
            if frame is not None:
                found[group] = frame
                said.add(frame)
            elif listed is None:
                oblong = oblong & ~group
        silent = turned & ~oblong & with_boxes
        if not silent.any():
            return found
        if len(said) != 1:
            return None
        found[silent] = said == {True}
        return found

    def _frame(self, group: NDArray[np.bool_], listed: bool | None) -> bool | None:
        """Whether a group of pictures (P,) has its boxes as stored; None where that is open."""
        of_group = group[self.pictures] & np.isfinite(self.boxes).all(axis=1)
        boxes, rows = self.boxes[of_group], self.pictures[of_group]
        if not len(boxes):
            return listed
        leave_stored = leaves(boxes, self.stored[rows])
        leave_shown = leaves(boxes, self.shown[rows])
        only = {
            True: float((leave_shown & ~leave_stored).mean()),  # evidence for stored
            False: float((leave_stored & ~leave_shown).mean()),
        }
        if listed is None:
            strong = [frame for frame in (True, False) if only[frame] >= A_FEW]
            return strong[0] if len(strong) == 1 and only[not strong[0]] == 0 else None
        if only[not listed] < A_FEW:
            return listed
        return (not listed) if only[not listed] >= MANY and only[listed] == 0 else None
