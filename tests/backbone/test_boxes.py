"""From what a head says to boxes: suppression against a plain loop, and torch against onnxruntime."""

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from lightnas.backbone.boxes import Suppression
from lightnas.backbone.onnx import traced
from lightnas.backbone.whole import MAX_BOXES, SCORE, Boxes, WholeNet
from lightnas.network import Structure
from lightnas.network.detector import Detector

SIZE = (160, 224)
SMALL = [
    {"class": "ConvKXBNRELU", "in": 3, "out": 16, "s": 2, "k": 3},
    *(
        {"class": "SuperResK1KXK1", "in": c, "out": 2 * c, "s": 2, "k": 3, "L": 1, "btn": 16}
        for c in (16, 32, 64, 128)
    ),
]


def overlap(a, b):
    """IoU of two boxes of integers."""
    width, height = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (area - width * height) if area > width * height else 0


def by_a_plain_loop(boxes, scores, most, iou, least):
    """Rows (picture, class, box) that stay."""
    rows = []
    for picture in range(len(boxes)):
        for label, of_class in enumerate(scores[picture]):
            kept = []
            for box in sorted(np.flatnonzero(of_class > least), key=lambda i: -of_class[i]):
                free = all(overlap(boxes[picture][box], boxes[picture][i]) <= iou for i in kept)
                if free and len(kept) < most:
                    kept.append(box)
            rows += [[picture, label, box] for box in kept]
    return rows


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.integers(1, 5))
def test_suppression_equals_a_plain_loop(data, n, classes, places, most):
    corners = data.draw(arrays.arrays(np.int64, (n, places, 4), elements=st.integers(0, 9)))
    corners[..., 2:] += corners[..., :2] + 1
    order = data.draw(st.permutations(range(n * classes * places)))  # no ties
    scores = np.array(order, np.float32).reshape(n, classes, places) / len(order)
    given = (torch.from_numpy(corners).float(), torch.from_numpy(scores))
    limits = (torch.tensor([most]), torch.tensor([0.45]), torch.tensor([0.3]))
    expected = by_a_plain_loop(corners.tolist(), scores, most, 0.45, np.float32(0.3))
    found = Suppression.apply(*given, *limits).tolist()  # over all classes, the best first
    best = [-scores[picture, label, box] for picture, label, box in found]
    assert best == sorted(best) and sorted(found, key=lambda row: row[:2]) == expected


@pytest.fixture(scope="module")
def whole():
    torch.manual_seed(0)
    return WholeNet(Structure.from_dicts(SMALL), Detector(64)).eval()


def test_torch_and_onnxruntime_choose_the_same_boxes(whole):
    onnxruntime = pytest.importorskip("onnxruntime")
    net = Boxes(whole, SIZE, 300).eval()
    pictures = torch.randn(2, 3, *SIZE)
    with torch.inference_mode():
        ours = net(pictures)
    session = onnxruntime.InferenceSession(
        traced(net, [pictures], ["image"], []), providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"image": pictures.numpy()})
    assert len(found[0]) > MAX_BOXES  # of both pictures
    for a, b in zip(ours, found, strict=True):
        torch.testing.assert_close(a, torch.from_numpy(b), rtol=1e-4, atol=1e-3)


def test_so_many_candidates_count_and_no_more(whole):
    pictures = torch.randn(1, 3, *SIZE)
    seen = []
    for candidates in (0, 50):
        with torch.inference_mode():
            found = Boxes(whole, SIZE, candidates).eval()(pictures)
        seen.append(len(found.scores))
        assert (found.scores > SCORE).all() and (found.scores.diff() <= 0).all()
        assert (found.boxes >= 0).all()
        assert (found.boxes <= torch.tensor([SIZE[1], SIZE[0]] * 2)).all()
    assert seen[0] == 0 and 0 < seen[1] <= 50
