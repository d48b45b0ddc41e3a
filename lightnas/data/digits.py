"""Handwritten digits on textured canvases: scikit-learn's 1,797 real ones.

They are those of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSES = tuple("0123456789")
SHARES = (0.7, 0.1, 0.2)  # of the source digits, for train, val and test
SIDE = 192
SIZES = (14, 56)
MOST = 6


def sources(rng: np.random.Generator) -> list[list[tuple[NDArray[np.uint8], int]]]:
    """Of each split its digits, cut to their ink (h, w), with their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    order = rng.permutation(len(images))
    ends = np.round(np.cumsum((0, *SHARES)) * len(images)).astype(int)
    return [[(_ink(images[i]), int(labels[i])) for i in order[a:b]] for a, b in pairwise(ends)]


def _ink(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = (np.flatnonzero((digit > 64).any(axis=axis)) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def compose(
    digits: list[tuple[NDArray[np.uint8], int]], rng: np.random.Generator
) -> tuple[Image.Image, list[tuple[int, tuple[int, int, int, int]]]]:
    """One picture, and its objects: label and box (x, y, width, height) in pixels. Objects do not
    overlap."""
    canvas = _texture(rng)
    taken: list[tuple[int, tuple[int, int, int, int]]] = []
    for _ in range(int(rng.integers(1, MOST + 1))):
        ink, label = digits[int(rng.integers(len(digits)))]
        size = int(rng.integers(SIZES[0], SIZES[1] + 1))
        scale = size / max(ink.shape)
        h, w = (max(3, round(side * scale)) for side in ink.shape)
        for _ in range(50):
            x, y = int(rng.integers(0, SIDE - w + 1)), int(rng.integers(0, SIDE - h + 1))
            if all(
                x + w <= a or a + c <= x or y + h <= b or b + d <= y for _, (a, b, c, d) in taken
            ):
                _paint(canvas, ink, (x, y, w, h), rng)
                taken.append((label, (x, y, w, h)))
                break
    return Image.fromarray(np.clip(np.round(canvas), 0, 255).astype(np.uint8)), taken


def _texture(rng: np.random.Generator) -> NDArray[np.float64]:
    """A canvas (SIDE, SIDE, 3): a base colour, and noise of three grains."""
    canvas = np.full((SIDE, SIDE, 3), rng.uniform(60, 195, 3))
    for grain, strength in ((3, 35), (12, 18), (SIDE, 8)):
        noise = rng.uniform(-1, 1, (grain, grain, 3)) * rng.uniform(0.2, 1) * strength
        layers = [
            Image.fromarray(noise[..., c].astype(np.float32)).resize(
                (SIDE, SIDE), Image.Resampling.BICUBIC
            )
            for c in range(3)
        ]
        canvas += np.stack([np.asarray(layer) for layer in layers], axis=2)
    return canvas


def _paint(
    canvas: NDArray[np.float64],
    ink: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    rng: np.random.Generator,
) -> None:
    """Blend a digit into its box, darker or brighter than what lies below by a random contrast."""
    x, y, w, h = box
    alpha = (
        np.asarray(Image.fromarray(ink).resize((w, h), Image.Resampling.BICUBIC), dtype=float)[
            ..., None
        ]
        / 255
    )
    below = canvas[y : y + h, x : x + w]
    ground = below.mean(axis=(0, 1))
    contrast = rng.uniform(50, 160) * (1 if rng.random() < 0.5 else -1)
    if not 0 <= ground.mean() + contrast <= 255:
        contrast = -contrast
    colour = ground + contrast + rng.uniform(-30, 30, 3)
    canvas[y : y + h, x : x + w] = below * (1 - alpha) + colour * alpha
