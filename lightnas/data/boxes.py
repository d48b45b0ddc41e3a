"""The objects of a split as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class Objects:
    """Objects of a split, a row each, and the pictures that they are on.

    Attributes:
        names (P,): of the pictures, from the folder of pictures.
        sizes (P, 2): width and height of the pictures as shown, pixels.
        boxes (N, 4): x, y, width, height in pixels of the picture as shown.
        pictures (N,): row of the picture of each object.
        classes (N,): number of its class.
        crowds (N,): whether it is a crowd.
    """

    names: list[str]
    sizes: NDArray[np.int64]
    boxes: NDArray[np.float64]
    pictures: NDArray[np.int64]
    classes: NDArray[np.int64]
    crowds: NDArray[np.bool_]
