"""RoIAlign against a loop over samples, and its gradient."""

import numpy as np
import pytest
import torch

from lightnas.detection.ops import roi_align

from . import oracle

ROIS = torch.tensor(
    [
        [0, 1, 2, 9, 7],  # inside
        [1, -4, -3, 5, 30],  # over two edges
        [1, 3, 3, 3, 8],  # without width
        [0, 40, 40, 60, 50],  # outside
        [0, 0.3, 0.2, 0.9, 0.6],  # within a pixel
        [1, -2, -2, 24, 20],  # the whole map and more: samples exactly one pixel beyond
    ],
    dtype=torch.float64,
)


@pytest.mark.parametrize("sampling_ratio", [0, 1, 2])
@pytest.mark.parametrize("aligned", [False, True])
def test_forward(plain, sampling_ratio, aligned):
    maps = torch.randn(2, 2, 6, 8, dtype=torch.float64)
    found = plain.roi_align(maps, ROIS, (3, 2), 0.5, sampling_ratio, "avg", aligned)
    expected = oracle.roi_align(maps.numpy(), ROIS.tolist(), (3, 2), 0.5, sampling_ratio, aligned)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    single = plain.roi_align(
        maps.float(), ROIS.float(), (3, 2), 0.5, sampling_ratio, "avg", aligned
    )
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("sampling_ratio", "aligned"), [(0, True), (2, False)])
def test_gradient(plain, sampling_ratio, aligned):
    maps = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda maps: plain.roi_align(maps, ROIS, (2, 2), 0.5, sampling_ratio, "avg", aligned), maps
    )


def test_gradients_add_up():
    """mmcv hands over zeros, but the operator adds."""
    grad = torch.ones(1, 1, 4, 4)
    empty = grad.new_zeros(0)
    rois = torch.tensor([[0.0, 0, 0, 4, 4]] * 2)
    roi_align.roi_align_backward(
        torch.ones(2, 1, 1, 1), rois, empty, empty, grad, 1, 1, 1.0, 0, 1, True
    )
    torch.testing.assert_close(grad, torch.full((1, 1, 4, 4), 1 + 2 / 16))


def test_no_regions(plain):
    maps = torch.randn(1, 2, 4, 4, requires_grad=True)
    pooled = plain.roi_align(maps, torch.zeros(0, 5), (2, 2))
    assert pooled.shape == (0, 2, 2, 2)
    pooled.sum().backward()
    assert not maps.grad.any()


def test_half_precision(plain):
    maps = torch.randn(2, 2, 6, 8)
    pooled = plain.roi_align(maps.half(), ROIS.half(), (2, 2), 0.5)
    assert pooled.dtype == torch.float16
    torch.testing.assert_close(
        pooled.float(), plain.roi_align(maps, ROIS.float(), (2, 2), 0.5), rtol=0.02, atol=0.02
    )


def test_mixed_precision_does_not_reach_into_it(plain):
    """As with compiled operators: the product of matrices would lose all but 8 bits."""
    maps = torch.randn(2, 2, 6, 8)
    expected = plain.roi_align(maps, ROIS.float(), (2, 2), 0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = plain.roi_align(maps, ROIS.float(), (2, 2), 0.5)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "corners", [[5, 5, 4, 6], [5, 5, 6, 4], [0, 0, float("nan"), 5], [0, 0, float("inf"), 5]]
)
def test_regions_that_are_none(plain, corners):
    with pytest.raises(RuntimeError, match="negative size"):
        plain.roi_align(torch.zeros(1, 1, 8, 8), torch.tensor([[0.0, *corners]]), (2, 2))


def test_the_maximum_is_not_there(plain):
    with pytest.raises(NotImplementedError, match=r"pool_mode .* pip install"):
        plain.roi_align(torch.zeros(1, 1, 8, 8), torch.zeros(1, 5), (2, 2), 1.0, 0, "max")
