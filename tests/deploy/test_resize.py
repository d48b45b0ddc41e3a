"""Pictures are resized as OpenCV does, to the bit."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lightnas.deploy.resize import ResizeRule, resized
from lightnas.errors import InputError

SIDE = st.integers(1, 90)


@settings(max_examples=150)
@given(SIDE, SIDE, SIDE, SIDE, st.integers(0, 99))
@example(1, 1, 90, 90, 0)
@example(80, 60, 40, 30, 1)  # half of both sides: OpenCV's way of its own
@example(90, 1, 1, 90, 2)
def test_every_pixel_is_opencvs(height, width, new_height, new_width, seed):
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resized(pixels, (new_width, new_height)), expected)


def test_strips_make_no_seam(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(0).integers(0, 256, (97, 53, 3), dtype=np.uint8)
    monkeypatch.setattr("lightnas.deploy.resize.STRIP", 700)
    expected = cv2.resize(pixels, (211, 41), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resized(pixels, (211, 41)), expected)


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 4096), st.integers(1, 2048))
def test_the_shape_stays_inside_both_sides(width, height, long, short):
    rule = ResizeRule(scale=[long, short], keep_ratio=True)
    size = rule.size(width, height)
    assert max(size) <= max(long, short) and min(size) <= min(long, short) and min(size) >= 1
    assert ResizeRule(scale=[long, short], keep_ratio=False).size(width, height) == (long, short)


@pytest.mark.parametrize("scale", [[0, 5], [5000, 5], [5], [5.0, 5], [True, 5]])
def test_rules_of_a_file_are_bounded(scale):
    from lightnas.documents import check

    with pytest.raises(InputError, match="scale"):
        check(ResizeRule, {"scale": scale, "keep_ratio": True}, "x")
