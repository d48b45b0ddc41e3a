"""Deformable convolution (Dai et al., ICCV 2017, arXiv 1703.06211; with masks Zhu et al., CVPR
2019, arXiv 1811.11168) and the attention of Deformable DETR (Zhu et al., ICLR 2021, arXiv
2010.04159).

Both read a map between its pixels, bilinearly, with zeros outside, as mmcv's kernels do
(mmcv/ops/csrc/pytorch/cpu/deform_conv.cpp and modulated_deform_conv.cpp,
common/cuda/ms_deform_attn_cuda_kernel.cuh). Gradients come from autograd, by computing again.
Offsets are in pixels, (y, x) of each kernel position in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


class Window(NamedTuple):
    """How the kernel moves: (y, x) of each, in pixels; and how many groups of channels there are,
    of weights and of offsets."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    offset_groups: int


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **settings: int,
) -> None:
    """Write the convolution of ``input`` (n, c, h, w) into ``output`` (n, c_out, h_out, w_out).

    Args:
        weight: (c_out, c / group, kH, kW).
        offset: (n, 2 * deformable_group * kH * kW, h_out, w_out).
        columns, ones: memory of the compiled operator; not used.
        settings: kH, kW (kernel), dH, dW (stride), padH, padW, dilationH, dilationW, group,
            deformable_group; and im2col_step, which is not used.

    Raises:
        ValueError: the offsets' channels are not as many.
    """
    output.copy_(_convolve(input, offset, None, weight, _window(settings)).view_as(output))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **settings: int,
) -> None:
    """Add to ``grad_input`` and ``grad_offset``, shaped as ``input`` and ``offset``; else as
    forward."""
    window = _window(settings)
    _add_gradients(
        lambda x, at: _convolve(x, at, None, weight, window),
        grad_output,
        [input, offset],
        [grad_input, grad_offset],
    )


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **settings: int,
) -> None:
    """Add ``scale`` times the gradient to ``grad_weight``, shaped as ``weight``; else as
    forward."""
    window = _window(settings)
    # the gradient of a linear function does not hang on where it is taken, so any weights will do
    _add_gradients(
        lambda weight: _convolve(input, offset, None, weight, window),
        grad_output * scale,
        [grad_weight],
        [grad_weight],
    )


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """As ``deform_conv_forward``, every sample times its ``mask``, plus ``bias`` (c_out,) where
    ``with_bias``.

    ``mask`` is (n, deformable_group * kernel_h * kernel_w, h_out, w_out); ``settings`` are called
    kernel_h, stride_h, pad_h, dilation_h and so on.
    """
    result = _convolve(input, offset, mask, weight, _window(settings))
    output.copy_((result + bias[:, None, None] if with_bias else result).view_as(output))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Add to the five gradients, each shaped as what it is of; else as forward."""
    window = _window(settings)
    _add_gradients(
        lambda x, at, factor, kernel: _convolve(x, at, factor, kernel, window),
        grad_output,
        [input, offset, mask, weight],
        [grad_input, grad_offset, grad_mask, grad_weight],
    )
    if with_bias:
        grad_bias += grad_output.sum((0, 2, 3))


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Attention to a few points of every level: (n, queries, heads * channels).

    Args:
        value: (n, pixels of all levels, heads, channels).
        value_spatial_shapes: (levels, 2), height and width of each; the levels follow one another.
        value_level_start_index, im2col_step: not used.
        sampling_locations: (n, queries, heads, levels, points, 2), (x, y) in 0 ... 1.
        attention_weights: (n, queries, heads, levels, points).
    """
    return _attend(value, sampling_locations, attention_weights, value_spatial_shapes.tolist())


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Add to the three gradients, each shaped as what it is of; else as forward."""
    shapes = value_spatial_shapes.tolist()
    _add_gradients(
        lambda maps, at, weights: _attend(maps, at, weights, shapes),
        grad_output,
        [value, sampling_locations, attention_weights],
        [grad_value, grad_sampling_loc, grad_attn_weight],
    )


def _window(settings: Mapping[str, int]) -> Window:
    """Of the arguments of either kind of convolution."""

    def pair(y: str, x: str) -> tuple[int, int]:
        return settings[y], settings[x]

    if "kernel_h" in settings:
        kernel, stride, padding, dilation = (
            pair(f"{a}_h", f"{a}_w") for a in ("kernel", "stride", "pad", "dilation")
        )
    else:
        kernel, stride, padding, dilation = (
            pair(f"{a}H", f"{a}W") for a in ("k", "d", "pad", "dilation")
        )
    return Window(
        kernel, stride, padding, dilation, settings["group"], settings["deformable_group"]
    )


def _convolve(
    input: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, window: Window
) -> Tensor:
    """(n, c_out, h_out, w_out)."""
    n, c = input.shape[:2]
    taps, parts = window.kernel[0] * window.kernel[1], window.offset_groups
    if offset.shape[1] != 2 * parts * taps:
        raise ValueError(
            f"offsets have 2 * {parts} * {taps} channels, of groups and kernel positions; got {offset.shape[1]}"
        )
    size = offset.shape[2:]  # (h_out, w_out)
    at = offset.reshape(n, parts, taps, 2, *size) + _regular(offset, window)
    maps = input.reshape(n * parts, c // parts, *input.shape[2:])
    samples = _sample(
        maps, at.permute(0, 1, 2, 4, 5, 3).reshape(n * parts, -1, 2)
    )  # (n * parts, c / parts, taps * out)
    if mask is not None:
        samples = samples * mask.reshape(n * parts, 1, -1)
    columns = samples.reshape(n, window.groups, c // window.groups * taps, size[0] * size[1])
    kernels = weight.reshape(window.groups, weight.shape[0] // window.groups, -1)
    return (kernels @ columns).reshape(n, weight.shape[0], *size)


def _regular(offset: Tensor, window: Window) -> Tensor:
    """(taps, 2, h_out, w_out): where the kernel would read without offsets, in pixels of the
    map."""

    def axis(i: int) -> Tensor:
        taps = (
            torch.arange(window.kernel[i], dtype=offset.dtype, device=offset.device)
            * window.dilation[i]
        )
        steps = (
            torch.arange(offset.shape[2 + i], dtype=offset.dtype, device=offset.device)
            * window.stride[i]
        )
        return taps[:, None] + steps - window.padding[i]

    y, x = axis(0)[:, None, :, None], axis(1)[None, :, None, :]
    return torch.stack(torch.broadcast_tensors(y, x), dim=2).flatten(0, 1)


def _sample(maps: Tensor, at: Tensor) -> Tensor:
    """(m, c, points): the maps (m, c, h, w) read at ``at`` (m, points, 2), (y, x) in pixels,
    bilinearly, zeros outside.

    Not by grid_sample: at a pixel, where every untrained offset points, the slope is that of the
    next cell, and grid_sample's rounding to and from -1 ... 1 would take now that one, now the one
    before.
    """
    height, width = maps.shape[2:]
    pixels = maps.flatten(2)
    low = at.detach().floor()
    part = at - low
    inside = ((at > -1) & (at < at.new_tensor([height, width]))).all(-1)
    result = maps.new_zeros(*maps.shape[:2], at.shape[1])
    for corner in at.new_tensor([[0, 0], [0, 1], [1, 0], [1, 1]]):
        pixel = low + corner
        y, x = pixel.long().unbind(-1)
        there = inside & (y >= 0) & (y < height) & (x >= 0) & (x < width)
        share = torch.where(corner == 1, part, 1 - part).prod(-1).where(there, 0)
        index = (y * width + x).where(there, 0)
        result = (
            result + pixels.gather(2, index[:, None].expand(-1, maps.shape[1], -1)) * share[:, None]
        )
    return result


def _attend(
    value: Tensor, locations: Tensor, weights: Tensor, shapes: Sequence[tuple[int, int]]
) -> Tensor:
    n, _, heads, channels = value.shape
    queries, points = locations.shape[1], locations.shape[4]
    maps = value.permute(0, 2, 3, 1).flatten(0, 1)  # (n * heads, channels, pixels of all levels)
    grids = (
        (2 * locations - 1).permute(3, 0, 2, 1, 4, 5).flatten(1, 2)
    )  # (levels, n * heads, queries, points, 2)
    shares = weights.permute(3, 0, 2, 1, 4).reshape(len(shapes), n * heads, 1, queries, points)
    result = value.new_zeros(n * heads, channels, queries)
    levels = maps.split([height * width for height, width in shapes], dim=2)
    for level, (height, width), grid, share in zip(levels, shapes, grids, shares, strict=True):
        samples = grid_sample(
            level.unflatten(2, (height, width)),
            grid,
            mode="bilinear",
            padding_mode="zeros",
            align_corners=False,
        )
        result = result + (samples * share).sum(-1)
    return result.view(n, heads * channels, queries).transpose(1, 2).contiguous()


def _add_gradients(
    function: Callable[..., Tensor],
    grad_output: Tensor,
    inputs: Sequence[Tensor],
    grads: Sequence[Tensor],
) -> None:
    """Add the gradients of ``function(*inputs)`` to ``grads``. Within mmcv's backward autograd is
    off."""
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        output = function(*leaves)
        found = torch.autograd.grad(output, leaves, grad_output.view_as(output))
    for grad, one in zip(grads, found, strict=True):
        grad += one
