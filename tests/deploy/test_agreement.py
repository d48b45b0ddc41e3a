"""How far another precision is from fp32, in boxes whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.data.split import CocoSplit
from lightnas.deploy.agreement import agreement, found_again
from lightnas.deploy.network import Raw
from lightnas.deploy.sample import some_of, spread_out
from lightnas.deploy.steps import Steps
from lightnas.errors import InputError

from .made_up import metadata

Image = pytest.importorskip("PIL.Image")

BOX, FAR = [0, 0, 10, 10], [30, 30, 40, 40]


def raw(*rows):
    """Of rows of corners, score and label."""
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    n = len(rows)
    return Raw(
        np.array(boxes, np.float32).reshape(n, 4), np.array(scores, np.float32),
        np.array(labels, np.int64), np.zeros(n, np.int64),
    )  # fmt: skip


class Made:
    """Finds the same in every picture."""

    metadata = metadata()

    def __init__(self, *rows):
        self.found = raw(*rows)

    def __call__(self, pictures):
        return self.found


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ([(BOX, 0.9, 1)], [(BOX, 0.8, 1)], [(0, 0)]),
        ([(BOX, 0.9, 1)], [(BOX, 0.8, 0)], []),  # of another class
        ([(BOX, 0.9, 1)], [([0, 0, 10, 5], 0.8, 1)], [(0, 0)]),  # overlaps by half
        ([(BOX, 0.9, 1)], [([0, 0, 10, 4.9], 0.8, 1)], []),
        ([(BOX, 0.9, 1), (BOX, 0.8, 1)], [(BOX, 0.9, 1)], [(0, 0)]),  # only once
        ([(BOX, 0.9, 1)], [([0, 0, 10, 8], 0.9, 1), (BOX, 0.2, 1)], [(0, 1)]),  # the nearest
        ([], [(BOX, 0.8, 0)], []),
        ([(BOX, 0.9, 1)], [], []),
    ],
)
def test_which_boxes_are_the_same(one, other, pairs):
    assert found_again(raw(*one), raw(*other)) == pairs


def test_what_differs():
    told = []
    steps = Steps(lambda *counts: told.append(counts))
    full = Made((BOX, 0.9, 1), (FAR, 0.5, 0))
    other = Made(([0, 0, 10, 12], 0.875, 1), ([50, 0, 60, 10], 0.4, 0), (BOX, 0.3, 2))
    found = agreement(full, other, [np.zeros((32, 64, 3), np.uint8)] * 3, steps)
    assert (found.against, found.pictures, found.boxes) == ("fp32", 3, 3)
    assert (found.missed, found.extra) == (3, 6)
    assert found.pixels == 2 and found.scores == pytest.approx(0.025)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@given(st.integers(1, 300), st.integers(1, 70))
def test_some_of_many(n, most):
    chosen = spread_out(range(n), most)
    assert chosen == sorted({*chosen}) and len(chosen) == min(n, most)
    assert chosen[0] == 0 and (most == 1 or chosen[-1] == n - 1)


def test_pictures_that_are_there_and_can_be_read(tmp_path):
    names = ["gone.png", "bad.png", "good.png"]
    split = CocoSplit(
        tmp_path / "a.json", tmp_path, content={"images": [{"file_name": name} for name in names]}
    )
    with pytest.raises(InputError, match=r"none of its pictures is in .*, expected x"):
        some_of(split, 9, "expected x")
    (tmp_path / "bad.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"bad.png and 0 more cannot be read, expected x"):
        some_of(split, 9, "expected x", skip_bad=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    assert some_of(split, 9, "") == [tmp_path / name for name in names[1:]]
    assert some_of(split, 9, "", skip_bad=True) == [tmp_path / "good.png"]


def test_steps_beyond_what_was_expected():
    told = []
    steps = Steps(lambda *counts: told.append(counts))
    steps.expect(1)
    steps.step()
    steps.step()
    assert told == [(0, 1), (1, 1), (2, 2)]
