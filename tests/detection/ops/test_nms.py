"""Suppression against plain loops: ties, blocks, no numbers, thresholds met exactly; and the way
through torchvision."""

import builtins
import math
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from lightnas.backbone import suppression
from lightnas.detection.ops import PLAIN, nms

from . import oracle

CORNERS = st.integers(0, 12).map(lambda n: n / 2)
THRESHOLDS = st.sampled_from([0.0, 0.1, 0.3, 1 / 3, 0.5, 0.6, 0.7, 1.0])
FEW = settings(max_examples=60)


@st.composite
def boxes_and_scores(draw, coordinates=CORNERS, largest=14):
    """Boxes on a coarse grid, some of them empty or inside out, with few different scores."""
    n = draw(st.integers(1, largest))
    boxes = draw(st.lists(st.tuples(*[coordinates] * 4), min_size=n, max_size=n))
    scores = draw(st.lists(st.integers(0, 4).map(lambda k: k / 4), min_size=n, max_size=n))
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor(scores, dtype=torch.float32)


def falling(scores):
    return scores.sort(0, descending=True)[1].tolist()


@FEW
@given(boxes_and_scores(), THRESHOLDS, st.sampled_from([0, 1]), st.sampled_from([1, 3, 256]))
def test_nms(case, threshold, offset, block):
    boxes, scores = case
    with patch.object(suppression, "BLOCK", block), patch.object(suppression, "TILE", block):
        kept = suppression.nms(boxes, scores, iou_threshold=threshold, offset=offset)
    assert kept.tolist() == oracle.nms(boxes.numpy(), falling(scores), threshold, offset)


@FEW
@given(
    boxes_and_scores(st.sampled_from([0, 1, 2, 3, math.nan, math.inf, -math.inf])),
    THRESHOLDS,
    st.sampled_from([2, 256]),
)
def test_coordinates_that_are_no_numbers_suppress_nothing(case, threshold, block):
    boxes, scores = case
    scores[0] = math.nan
    with patch.object(suppression, "BLOCK", block):
        kept = suppression.nms(boxes, scores, threshold, 0).tolist()
    assert kept == oracle.nms(boxes.numpy(), falling(scores), threshold, 0)
    assert set(boxes.isnan().any(1).nonzero().squeeze(1).tolist()) <= set(kept)
    assert kept[0] == 0  # a score that is no number is the largest


def test_many_boxes_in_blocks():
    generator = torch.Generator().manual_seed(1)
    boxes = torch.randint(0, 60, (450, 4), generator=generator).float()
    boxes[:, 2:] = boxes[:, :2] + torch.randint(1, 30, (450, 2), generator=generator)
    scores = torch.randint(0, 50, (450,), generator=generator) / 50
    with patch.object(suppression, "TILE", 100):
        kept = suppression.nms(boxes, scores, 0.5, 0)
    assert kept.tolist() == oracle.nms(boxes.numpy(), falling(scores), 0.5, 0)


def test_a_chain_of_boxes_that_save_one_another():
    """Every box suppresses the next, so every other one stays: as many rounds within a block as
    there can be."""
    x = torch.arange(300.0)
    boxes = torch.stack([x, x * 0, x + 3, x * 0 + 1], dim=1)  # IoU with the next: 2 / 4
    assert suppression.nms(boxes, -x, 0.4, 0).tolist() == list(range(0, 300, 2))


def test_the_threshold_is_a_float32(plain):
    """IoU 1 / 10 in float32 is above 0.1 in float64: boxes whose IoU is the threshold stay."""
    boxes = torch.tensor([[0.0, 0, 10, 1], [0, 0, 1, 1]])
    assert plain.nms(boxes, torch.tensor([1.0, 0.5]), 0.1)[1].tolist() == [0, 1]


def test_nothing_in_nothing_out(plain):
    dets, kept = plain.nms(torch.empty(0, 4), torch.empty(0), 0.5)
    assert dets.shape == (0, 5) and kept.dtype == torch.long and not len(kept)
    assert plain.soft_nms(torch.empty(0, 4), torch.empty(0))[0].shape == (0, 5)
    assert plain.nms_match(torch.empty(0, 5), 0.5) == []


def test_wrappers_of_mmcv(plain):
    """Numpy, a score threshold, the largest number, and classes that do not suppress one
    another."""
    boxes = np.array(
        [[0, 0, 4, 4], [0, 0, 4, 4.5], [0, 0, 4, 4.25], [9, 9, 12, 12]], dtype=np.float32
    )
    scores = np.array([0.5, 0.9, 0.01, 0.7], dtype=np.float32)
    dets, kept = plain.nms(boxes, scores, 0.5, score_threshold=0.1, max_num=2)
    assert kept.tolist() == [1, 3] and dets[0].tolist() == pytest.approx([0, 0, 4, 4.5, 0.9])
    classes = torch.tensor([0, 1, 1, 0])
    kept = plain.batched_nms(
        torch.from_numpy(boxes),
        torch.from_numpy(scores),
        classes,
        {"type": "nms", "iou_threshold": 0.5},
    )[1]
    assert kept.tolist() == [1, 3, 0]


@FEW
@given(
    boxes_and_scores(), THRESHOLDS, st.sampled_from([0, 1]), st.sampled_from([0, 1, 2]),
    st.sampled_from([0.1, 0.5]), st.sampled_from([0.0, 0.001, 0.3]),
)  # fmt: skip
def test_softnms(case, threshold, offset, method, sigma, min_score):
    boxes, scores = case
    dets = torch.full((len(boxes), 5), -1.0)
    kept = nms.softnms(boxes, scores, dets, threshold, sigma, min_score, method, offset)
    expected, expected_scores = oracle.softnms(
        boxes.numpy(), scores.numpy(), threshold, sigma, min_score, method, offset
    )
    assert kept.tolist() == expected
    np.testing.assert_allclose(dets[: len(kept), 4], expected_scores, rtol=1e-6)
    assert torch.equal(dets[: len(kept), :4], boxes[kept])
    assert (dets[len(kept) :] == -1).all()


@FEW
@given(boxes_and_scores(), THRESHOLDS)
def test_nms_match(case, threshold):
    boxes, scores = case
    matched = nms.nms_match(torch.cat([boxes, scores[:, None]], dim=1), threshold)
    assert matched == oracle.nms_match(boxes.numpy(), falling(scores), threshold)


def torchvisions(boxes, scores, iou_threshold):
    """What torchvision documents: its own sort, IoU above the threshold, no offset; indices by
    falling score."""
    order = scores.sort(stable=True, descending=True)[1].tolist()
    kept, boxes = [], boxes.numpy()
    for i in order:
        if not any(float(oracle.iou(boxes[j], boxes[i], 0)) > iou_threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept)


@FEW
@given(boxes_and_scores(), THRESHOLDS)
def test_through_torchvision(case, threshold):
    """Sorted before, and with the threshold in float32, torchvision's operator gives what mmcv's
    gives."""
    boxes, scores = case
    order = scores.sort(0, descending=True)[1]
    kept = order[suppression._presorted(torchvisions, boxes[order], suppression.float32(threshold))]
    assert torch.equal(kept, PLAIN["nms"](boxes, scores, threshold, 0))


@pytest.mark.parametrize("error", [ImportError, RuntimeError, OSError])
def test_a_torchvision_that_does_not_work_is_not_asked(monkeypatch, error):
    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name.startswith("torchvision"):
            raise error("operator torchvision::nms does not exist")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    assert suppression._torchvision_nms.__wrapped__("cpu") is None
