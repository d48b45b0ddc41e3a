"""Deformable convolution and attention against loops over samples, and their gradients."""

import numpy as np
import pytest
import torch

from . import oracle

# stride, padding, dilation, groups, groups of offsets
SETTINGS = [(1, 1, 1, 1, 1), (2, 1, 1, 2, 1), (1, 2, 2, 1, 2), (2, 0, 1, 2, 2)]


def tensors(stride, padding, dilation, groups, parts, kernel=(3, 2), size=(5, 6)):
    out = [
        (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        for n, k in zip(size, kernel, strict=True)
    ]
    taps = kernel[0] * kernel[1]
    shapes = [
        (2, 4, *size),
        (2, 2 * parts * taps, *out),
        (2, parts * taps, *out),
        (2, 4 // groups, *kernel),
        (2,),
    ]
    x, offset, mask, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    return x, offset * 1.5, mask, weight, bias


@pytest.mark.parametrize("settings", SETTINGS)
def test_convolution(plain, settings):
    x, offset, mask, weight, bias = tensors(*settings)
    plainly = oracle.deform_conv(
        *map(np.asarray, (x, offset, torch.ones_like(mask), weight)), *settings
    )
    np.testing.assert_allclose(
        plain.deform_conv2d(x, offset, weight, *settings), plainly, atol=1e-12
    )
    masked = oracle.deform_conv(*map(np.asarray, (x, offset, mask, weight)), *settings)
    found = plain.modulated_deform_conv2d(x, offset, mask, weight, bias, *settings)
    np.testing.assert_allclose(found, masked + bias.numpy()[:, None, None], atol=1e-12)


@pytest.mark.parametrize("settings", [SETTINGS[0], SETTINGS[3]])
def test_gradients_of_convolution(plain, settings):
    inputs = [tensor.requires_grad_() for tensor in tensors(*settings, kernel=(2, 1), size=(2, 3))]
    x, offset, _, weight, _ = inputs
    assert torch.autograd.gradcheck(
        lambda *three: plain.deform_conv2d(*three, *settings), (x, offset, weight)
    )
    assert torch.autograd.gradcheck(
        lambda *five: plain.modulated_deform_conv2d(*five, *settings), inputs
    )


def test_offsets_of_an_untrained_layer(plain):
    """All zero: an ordinary convolution, whose slope along an offset is that of the cell after the
    pixel."""
    x = torch.randn(1, 1, 4, 5)
    offset = torch.zeros(1, 2, 4, 5, requires_grad=True)
    found = plain.deform_conv2d(x, offset, torch.ones(1, 1, 1, 1))
    torch.testing.assert_close(found, x)
    found.sum().backward()
    beyond = torch.nn.functional.pad(x, (0, 1, 0, 1))
    torch.testing.assert_close(offset.grad[:, :1], beyond[:, :, 1:, :-1] - x)
    torch.testing.assert_close(offset.grad[:, 1:], beyond[:, :, :-1, 1:] - x)


def test_offsets_far_away_and_wrong(plain):
    x, offset, weight = (
        torch.ones(1, 1, 3, 3),
        torch.full((1, 2, 3, 3), torch.inf),
        torch.ones(1, 1, 1, 1),
    )
    assert not plain.deform_conv2d(x, offset, weight).any()
    with pytest.raises(ValueError, match="got 4"):
        plain.deform_conv2d(x, torch.zeros(1, 4, 3, 3), weight)


def test_attention(plain):
    """On CUDA mmcv calls the operator; what it calls on a CPU is mmcv's own Python."""
    from mmcv.ops.multi_scale_deform_attn import (
        MultiScaleDeformableAttnFunction,
        multi_scale_deformable_attn_pytorch,
    )

    shapes = torch.tensor([[3, 4], [2, 2]])
    starts = torch.tensor([0, 12])
    value = torch.randn(2, 16, 2, 3, dtype=torch.float64)
    locations = torch.rand(2, 2, 2, 2, 2, 2, dtype=torch.float64) * 1.4 - 0.2
    weights = torch.rand(2, 2, 2, 2, 2, dtype=torch.float64)
    found = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)
    np.testing.assert_allclose(
        found,
        oracle.attention(value.numpy(), shapes.tolist(), locations.numpy(), weights.numpy()),
        atol=1e-12,
    )
    torch.testing.assert_close(
        found, multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
    )
    inputs = [tensor.requires_grad_() for tensor in (value, locations, weights)]
    assert torch.autograd.gradcheck(
        lambda value, locations, weights: MultiScaleDeformableAttnFunction.apply(
            value, shapes, starts, locations, weights, 64
        ),
        inputs,
        fast_mode=True,
    )
