"""How a picture is brought to the size that a detector looks at: as in its training, to the bit.

Bilinear, of 8-bit pixels in whole numbers, as OpenCV's ``resize`` computes it (modules/imgproc/src/
resize.cpp: weights in steps of 1/2048, rows first across, then down, the sum cut to 16 bits in
between). The tests hold it to OpenCV's own, byte by byte.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..documents import Document
from ..errors import InputError
from ..units import MIN_SIDE, format_size

BITS = 11  # of a weight
STRIP = 2**20  # numbers that are worked on at once: what a cache holds
MOST_PIXELS, MOST_SIDE = 2**23, 4096  # of a picture that is given to a detector

Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]


def too_large(height: int, width: int) -> bool:
    """Whether a picture is larger than any that a detector is given."""
    return max(height, width) > MOST_SIDE or height * width > MOST_PIXELS


class ResizeRule(Document):
    """Which size a picture gets.

    Attributes:
        scale: two sides in pixels. With ``keep_ratio`` the long side gets at most the larger and the
            short one at most the smaller of them; else they are width and height.
        keep_ratio: whether the shape stays.
    """

    scale: Annotated[list[Side], Field(min_length=2, max_length=2)]
    keep_ratio: bool

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height for a picture of a width and height, each at least 1."""
        if not self.keep_ratio:
            return self.scale[0], self.scale[1]
        factor = min(
            max(self.scale) / max(width, height),
            min(self.scale) / min(width, height),
        )
        return max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))


def check_size(size: tuple[int, int], what: str) -> None:
    """Refuse a height and width that no detector is given; ``what`` opens the error message.

    Raises:
        InputError: a side is out of bounds, or both together are.
    """
    if min(size) < MIN_SIDE or too_large(*size):
        raise InputError(
            f"{what} is {format_size(size)}, expected HxW such as 800x1280, no side below {MIN_SIDE} or "
            f"above {MOST_SIDE}, and at most {MOST_PIXELS} pixels"
        )


def as_given(pixels: NDArray[np.uint8], rule: ResizeRule) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) as a detector takes them: a batch of one, (1, 3, height, width)."""
    size = rule.size(pixels.shape[1], pixels.shape[0])
    return np.ascontiguousarray(resized(pixels, size).transpose(2, 0, 1)[None])


def resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pixels (H, W, C) as a picture of another width and height: (height, width, C)."""
    height, width, channels = pixels.shape
    if (width, height) == size:
        return pixels
    left, right, across = _columns(width, size[0])
    upper, lower, down = _rows(height, size[1])
    flat = pixels.reshape(height, width * channels)
    at = np.arange(channels)
    left, right = (((side[:, None] * channels) + at).ravel() for side in (left, right))
    across = np.repeat(across, channels, axis=1)
    result = np.empty((size[1], size[0] * channels), np.uint8)
    step = max(1, STRIP // result.shape[1])
    for top in range(0, size[1], step):
        part = slice(top, top + step)
        used, back = np.unique(np.concatenate([upper[part], lower[part]]), return_inverse=True)
        source = flat[used]
        rows = source[:, left] * across[0]
        rows += source[:, right] * across[1]
        rows >>= 4
        first, second = np.split(back, 2)
        total = (rows[first] * down[0, part, None]) >> 16
        total += (rows[second] * down[1, part, None]) >> 16
        result[part] = (total + 2) >> 2
    return result.reshape(size[1], size[0], channels)


def _columns(
    before: int, after: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """For every column its two sources, (after,), and their weights (2, after). At the rim one
    source has all the weight."""
    source, share = _sources(before, after)
    rim = (source < 0) | (source >= before - 1)
    share[rim] = 0
    source = source.clip(0, before - 1)
    return source, np.minimum(source + 1, before - 1), _weights(share)


def _rows(
    before: int, after: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """As ``_columns``, (after,) and (2, after); at the rim two equal sources share the weight, which
    rounds otherwise."""
    source, share = _sources(before, after)
    return source.clip(0, before - 1), (source + 1).clip(0, before - 1), _weights(share)


def _sources(before: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Where each pixel's centre lies, in whole pixels and the share of the next one: (after,)."""
    scale = 1.0 / (after / before)
    place = ((np.arange(after) + 0.5) * scale - 0.5).astype(np.float32)
    source = np.floor(place)
    return source.astype(np.int64), place - source


def _weights(share: NDArray[np.float32]) -> NDArray[np.int32]:
    """Of both sources, in steps of 1/2048: (2, N)."""
    one = np.float32(1 << BITS)
    return np.rint(np.stack([(np.float32(1) - share) * one, share * one])).astype(np.int32)
