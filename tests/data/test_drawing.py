"""Pictures with boxes, of any size."""

import pytest

pytest.importorskip("PIL")

import numpy as np
from PIL import Image

from lightnas.data.pictures import Box, draw_boxes, encode, grid


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((100, 50), (400, 200)), ((640, 480), (640, 480)), ((6400, 3200), (640, 320)),
     ((17_000, 60), (640, 2)), ((1, 5000), (1, 640)), ((90_000, 20), (640, 1))],
)  # fmt: skip
def test_sizes(size, drawn):
    boxes = [Box("a", (0, 0, *size), 0.5)]
    picture = draw_boxes(Image.new("RGB", size), boxes, most=640)
    assert picture.size == drawn
    assert encode(grid([picture] * 12, columns=4), ".jpg")


def test_boxes_are_scaled_with_their_picture():
    pixels = np.zeros((2000, 4000, 3), np.uint8)
    drawn = draw_boxes(Image.fromarray(pixels), [Box("a", (1000, 500, 3000, 1500))], most=640)
    lit = np.argwhere(np.asarray(drawn).sum(axis=2))
    (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0)
    assert (right, bottom) == (479, 239)
    assert 158 <= left <= 160 and 55 < top < 80  # the name is above the box
