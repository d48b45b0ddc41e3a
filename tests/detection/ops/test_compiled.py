"""Against mmcv's compiled operators on a CPU: recorded answers everywhere, and many more cases
where they are installed."""

import json
import random

import pytest
import torch

from lightnas.detection.ops import StandIn, operators

from . import cases

if operators().kind == "compiled":
    import mmcv._ext as compiled
else:
    compiled = None

installed = pytest.mark.skipif(compiled is None, reason="no compiled operators are installed")
STAND_IN = StandIn()
THRESHOLDS = (0.0, 0.1, 0.3, 0.5, 0.6, 0.7, 1.0)


@pytest.fixture(scope="module")
def recorded():
    return json.loads(cases.RECORDED.read_text())


@pytest.fixture
def random_numbers():
    return random.Random(3)


def closely(found, expected):
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


def test_suppression_as_recorded(recorded):
    answers = cases.suppression(STAND_IN)
    for name, answer in answers.items():
        assert answer == (
            pytest.approx(recorded[name], rel=1e-6) if name.endswith("scores") else recorded[name]
        ), name


def test_numbers_as_recorded(recorded, plain):
    answers = cases.numbers(STAND_IN)
    for name, answer in answers.items():
        closely(answer.flatten(), torch.tensor(recorded[name]))
    assert recorded.keys() == answers.keys() | cases.suppression(STAND_IN).keys()


def spoiled(boxes, scores):
    """With some coordinates and scores that are no numbers, or infinite."""
    for number, every in ((torch.nan, 31), (torch.inf, 57), (-torch.inf, 83)):
        boxes.view(-1)[::every] = number
    scores[::17] = torch.nan


def some(generator, sizes):
    """Boxes and scores: with and without ties, spread and in a heap, one in four with what is no
    number."""
    n = generator.choice(sizes)
    boxes, scores = cases.boxes_and_scores(
        n, generator.randrange(10**6), ties=generator.random() < 0.5
    )
    boxes[:, :2] *= (factor := generator.choice([0.2, 1, 20]))
    boxes[:, 2:] += boxes[:, :2] * (1 - 1 / factor)
    if generator.random() < 0.25:
        spoiled(boxes, scores)
    return boxes, scores


@installed
def test_nms(random_numbers):
    for _ in range(3000):
        boxes, scores = some(random_numbers, [0, 1, 2, 5, 30, 100, 300, 600])
        settings = {
            "iou_threshold": random_numbers.choice(THRESHOLDS),
            "offset": random_numbers.choice([0, 1]),
        }
        assert torch.equal(
            STAND_IN.nms(boxes, scores, **settings), compiled.nms(boxes, scores, **settings)
        )


@installed
def test_nms_match_and_softnms(random_numbers):
    for _ in range(300):
        boxes, scores = some(random_numbers, [1, 2, 5, 30, 60])
        threshold = random_numbers.choice(THRESHOLDS)
        dets = torch.cat([boxes, scores[:, None]], dim=1)
        assert STAND_IN.nms_match(dets, threshold) == compiled.nms_match(dets, threshold)
        sigma, least = (
            random_numbers.choice([0.1, 0.5, 1.0]),
            random_numbers.choice([0.0, 0.001, 0.3]),
        )
        settings = (
            threshold,
            sigma,
            least,
            random_numbers.choice([0, 1, 2]),
            random_numbers.choice([0, 1]),
        )
        found, expected = torch.zeros(2, len(boxes), 5)
        kept = STAND_IN.softnms(boxes, scores, found, *settings)
        assert torch.equal(
            kept, compiled.softnms(boxes.clone(), scores.clone(), expected, *settings)
        )
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7, equal_nan=True)


@installed
def test_roi_align(random_numbers):
    for seed in range(200):
        height, width = random_numbers.choice([(1, 1), (5, 7), (20, 30)])
        rois = cases.regions(random_numbers.choice([0, 1, 5, 20]), seed)
        bins, scale = (
            random_numbers.choice([(1, 1), (7, 7), (3, 5)]),
            random_numbers.choice([1, 0.25, 0.3]),
        )
        settings = (
            cases.sixteenths((2, 3, height, width), seed),
            rois,
            bins,
            scale,
            seed % 3,
            seed % 2 == 0,
        )
        for found, expected in zip(
            cases.align(STAND_IN, *settings), cases.align(compiled, *settings), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@installed
@pytest.mark.parametrize("settings", [(1, 1, 1, 1, 1), (2, 2, 1, 2, 1), (1, 0, 2, 1, 2)])
@pytest.mark.parametrize("whole_pixels", [False, True])
def test_deform_conv(plain, settings, whole_pixels):
    """``plain`` puts mmcv's modules back as they were."""
    stride, padding, dilation, groups, parts = settings
    out = [(n + 2 * padding - dilation * 2 - 1) // stride + 1 for n in (9, 8)]
    shapes = [
        (2, 4, 9, 8),
        (2, 18 * parts, *out),
        (2, 9 * parts, *out),
        (6, 4 // groups, 3, 3),
        (6,),
    ]
    x, offset, mask, weight, bias = (torch.randn(shape) for shape in shapes)
    tensors = (x, offset.round() if whole_pixels else offset, mask, weight, bias, *settings)
    for found, expected in zip(
        cases.convolve(STAND_IN, *tensors), cases.convolve(compiled, *tensors), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
