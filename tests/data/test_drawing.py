"""Pictures with boxes, of any size."""

import pytest

pytest.importorskip("PIL")

import numpy as np
from PIL import Image

from lightnas.data.pictures import Box, draw_boxes, encode, grid, save_picture, titled


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


def test_letters_are_as_large_as_they_are_asked_for():
    def lit(lines):
        drawn = draw_boxes(
            Image.new("RGB", (600, 600)), [Box("a", (99, 300, 101, 302))], lines=lines
        )
        return np.asarray(drawn).any(axis=2).sum()

    assert lit(60) < lit(40) < lit(20)


def test_titles_stand_above_their_columns():
    sheet = titled(grid([Image.new("RGB", (300, 200))] * 2, columns=2), ["left", "right"])
    pixels = np.asarray(sheet)[: sheet.height - 200]
    assert sheet.width == 600 and not np.asarray(sheet)[-200:].any()
    for half in (pixels[:, :300], pixels[:, 300:]):
        assert (half == 255).any() and (half < 100).any()


@pytest.mark.parametrize("most", [2_000, 10_000, 30_000, None])
def test_a_jpeg_is_as_good_as_its_bytes_allow(tmp_path, most):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    save_picture(Image.fromarray(noise), tmp_path / "a.jpg", most)
    size = (tmp_path / "a.jpg").stat().st_size
    best = len(encode(Image.fromarray(noise), ".jpg"))
    assert size == best if most is None else 0.3 * most < size <= most < best
