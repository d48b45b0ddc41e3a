"""Early pictures: drawn after every epoch, and without a trace in the training."""

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lightnas.detection import hooks, samples
from lightnas.detection.overfitting import StopEarly
from lightnas.detection.pictures import threshold_of_the_best
from lightnas.detection.progress import NEW_DATA
from lightnas.detection.samples import Sample

from .test_train import same, train, weights


def found(*scores):
    """What mmdet says of one picture with one class: (n, 5), corners and score."""
    return [np.array([[0.0, 0.0, 5.0, 5.0, score] for score in scores]).reshape(-1, 5)]


@pytest.mark.parametrize(
    ("detections", "threshold"),
    [
        ([found(0.9, 0.1), found(0.8, 0.2)], 0.3),  # two boxes above 0.3 in two pictures
        ([found(0.1, 0.08), found(0.05, 0.04)], 0.08),  # the second best of four
        ([found(0.1, 0.2, 0.15), found()], 0.15),  # both in the first picture
        ([found(0.1), found(), found()], 0.1),  # fewer boxes than pictures: all of them
        ([found(), found()], 0.3),
    ],
)
def test_threshold_of_the_best(detections, threshold):
    assert threshold_of_the_best(detections) == pytest.approx(threshold)


def test_pictures_after_every_epoch(capfd, structure, digits, tmp_path, monkeypatch):
    """Written after the first epoch, replaced after the second; weights are those of a run that
    draws nothing."""
    drawn, draw = [], hooks.draw_split

    def spied(data, detections, path, threshold):
        draw(data, detections, path, threshold)
        drawn.append((len(detections), path, path.stat().st_mtime_ns))

    with monkeypatch.context() as patch:
        patch.setattr(hooks, "draw_split", spied)
        train(capfd, structure, digits, tmp_path / "with", epochs=2)
    picture = tmp_path / "with" / "detections.jpg"
    assert [(count, path) for count, path, _ in drawn] == [(6, picture)] * 2  # all of val
    assert (
        drawn[0][2] < drawn[1][2] < picture.stat().st_mtime_ns
    )  # the last one is of the best epoch
    log = "".join(path.read_text() for path in picture.parent.glob("*.log"))
    for epoch in (1, 2):
        assert f"{picture}: what it finds after epoch {epoch}" in log

    with monkeypatch.context() as patch:
        patch.setattr(hooks.DrawDetections, "after_train_epoch", lambda self, runner: None)
        train(capfd, structure, digits, tmp_path / "without", epochs=2)
    assert same(weights(tmp_path / "with/epoch_2.pth"), weights(tmp_path / "without/epoch_2.pth"))


@given(
    best=st.none() | st.integers(1, 30),
    replaced=st.none() | st.integers(0, 30),
    done=st.integers(0, 30),
    patience=st.integers(1, 9),
)
def test_patience_counts_from_the_best_or_from_other_data(best, replaced, done, patience):
    """Whichever is later; a run without a best checkpoint has nothing to wait for."""
    messages = {} if best is None else {"best_ckpt": f"/w/best_bbox_mAP_epoch_{best}.pth"}
    messages |= {} if replaced is None else {NEW_DATA: replaced}
    runner = SimpleNamespace(
        meta={"hook_msgs": messages}, epoch=done, max_epochs=31, _max_epochs=31, logger=Mock()
    )
    StopEarly(patience).before_run(runner)
    over = best is not None and done - max(best, replaced or 0) >= patience
    assert runner._max_epochs == (done if over else 31)


class Mean(nn.Module):
    """Finds one box of every picture, whose score is its mean value."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, img, **_):
        return [[np.array([[0.0, 0.0, 5.0, 5.0, float(picture.mean())]])] for picture in img]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_a_sample_is_shared_out(monkeypatch, processes):
    """Each process looks at its part, and all know what one alone would find, in its order."""
    sample = Sample(None, 5)
    sample._dataset = [{"img": torch.full((3, 4, 4), float(i))} for i in range(5)]
    alone = sample.found_by(Mean())
    assert [boxes[0, 4] for (boxes,) in alone] == [0, 1, 2, 3, 4]
    parts = []

    def gather(gathered, own):
        parts.append(own)
        gathered[: len(parts)] = parts

    monkeypatch.setattr(samples.dist, "all_gather_object", gather)
    for rank in range(processes):
        monkeypatch.setattr(samples, "get_dist_info", lambda rank=rank: (rank, processes))
        try:
            together = sample.found_by(Mean(), together=True)
        except (IndexError, TypeError):  # the others have not looked yet
            assert rank < processes - 1
    assert [one[0].tolist() for one in together] == [one[0].tolist() for one in alone]
    shares = [len(range(rank, 5, processes)) for rank in range(processes)]
    assert [len(part) for part in parts] == (shares if processes > 1 else [])
