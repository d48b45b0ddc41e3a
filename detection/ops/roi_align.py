"""RoIAlign (He et al., ICCV 2017, arXiv 1703.06870) with average pooling, and its gradient.

A bin is the mean of bilinear samples on a grid, and a bilinear sample is a weighted sum of rows
times one of columns. So a region of interest is two small matrices, (bins, rows) and (bins,
columns), between which its part of the map is multiplied. Positions are computed as in
mmcv/ops/csrc/pytorch/cpu/roi_align.cpp, rounding included: whether a sample still counts as inside
of the map hangs on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightnas.install.operators import BUILD

AVERAGE = 1  # mmcv's pool_mode; 0 is the maximum


class Region(NamedTuple):
    """A region of interest: its place in the maps (picture, rows, columns), and the weights there.

    ``rows``: (pooled height, h); ``columns``: (pooled width, w).
    """

    place: tuple[int, slice, slice]
    rows: Tensor
    columns: Tensor


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the pooled regions into ``output``.

    Args:
        input: (n, channels, height, width) maps.
        rois: (k, 5): the picture's number, and x1, y1, x2, y2 in pixels of the picture.
        output: (k, channels, aligned_height, aligned_width).
        argmax_y, argmax_x: of maximum pooling; not used.
        aligned_height, aligned_width: bins of a region.
        spatial_scale: pixels of the map by one of the picture.
        sampling_ratio: samples of a bin in each direction; 0: as many as it has pixels, rounded up.
        pool_mode: 1, the average.
        aligned: whether pixel 0 lies at 0.5 (half a pixel is subtracted) rather than at 0; without,
            a region has at least one pixel.

    Raises:
        NotImplementedError: pool_mode 0, the maximum.
        RuntimeError: an aligned region of negative size, or a coordinate that is no finite number.
    """
    maps = _channels_last(input)
    pooled = maps.new_zeros(len(rois), aligned_height, aligned_width, input.shape[1])
    bins = (aligned_height, aligned_width)
    for result, region in zip(
        pooled,
        _regions(maps, rois, bins, spatial_scale, sampling_ratio, pool_mode, aligned),
        strict=True,
    ):
        part = maps[
            region.place
        ]  # (h, w, c); its rows lie apart, which a matrix product does not mind
        high = (region.rows @ part.flatten(1)).view(aligned_height, *part.shape[1:])  # (bins, w, c)
        torch.bmm(region.columns.expand(aligned_height, -1, -1), high, out=result)
    output.copy_(pooled.permute(0, 3, 1, 2))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of the maps to ``grad_input`` (n, channels, height, width); else as
    forward."""
    grad = torch.zeros_like(_channels_last(grad_input))
    bins = (aligned_height, aligned_width)
    for pooled, region in zip(
        _channels_last(grad_output),
        _regions(grad, rois, bins, spatial_scale, sampling_ratio, pool_mode, aligned),
        strict=True,
    ):
        high = torch.bmm(region.columns.T.expand(aligned_height, -1, -1), pooled)  # (bins, w, c)
        grad[region.place].flatten(1).addmm_(region.rows.T, high.flatten(1))
    grad_input += grad.permute(0, 3, 1, 2)


def _channels_last(maps: Tensor) -> Tensor:
    """(n, height, width, channels), one after the other in memory; half precision becomes
    float32."""
    maps = maps.detach().permute(0, 2, 3, 1)
    return maps.to(torch.promote_types(maps.dtype, torch.float32)).contiguous()


def _regions(
    maps: Tensor,
    rois: Tensor,
    bins: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> Iterator[Region]:
    """The regions on the maps (n, height, width, channels), one by one."""
    if pool_mode != AVERAGE:
        raise NotImplementedError(
            f"RoIAlign with pool_mode 'max' has no version in plain torch; get the compiled one with: {BUILD}"
        )
    corners = rois.detach().to(maps.dtype)[:, 1:] * float(np.float32(spatial_scale)) - (
        0.5 if aligned else 0.0
    )
    start, size = corners[:, :2], corners[:, 2:] - corners[:, :2]  # (k, 2): x, y
    if not aligned:
        size = size.clamp(min=1)
    if not ((size >= 0) & start.isfinite() & size.isfinite()).all():
        raise RuntimeError(
            "RoIAlign: a region of negative size, or with a coordinate that is no finite number"
        )
    columns, left, right = _weights(start[:, 0], size[:, 0], bins[1], sampling_ratio, maps.shape[2])
    rows, top, bottom = _weights(start[:, 1], size[:, 1], bins[0], sampling_ratio, maps.shape[1])
    places = torch.stack([rois[:, 0].long(), top, bottom, left, right], dim=1).tolist()
    for i, (picture, y0, y1, x0, x1) in enumerate(places):
        yield Region(
            (picture, slice(y0, y1), slice(x0, x1)), rows[i, :, y0:y1], columns[i, :, x0:x1]
        )


def _weights(
    start: Tensor, size: Tensor, bins: int, sampling_ratio: int, length: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Along one axis of ``length`` pixels: weights (k, bins, length) of the pixels in each bin's
    mean, and the pixels from which (k,), and up to which, they are not zero.

    ``start``, ``size``: (k,) of the regions, in pixels of the map.
    """
    bin_size = size / bins
    grid = (
        torch.full_like(size, sampling_ratio)
        if sampling_ratio > 0
        else bin_size.float().ceil().to(size.dtype)
    )
    k, most = len(size), int(grid.max()) if len(size) else 0
    sample = torch.arange(most, dtype=size.dtype, device=size.device)
    low_edge = (
        start[:, None]
        + torch.arange(bins, dtype=size.dtype, device=size.device) * bin_size[:, None]
    )
    within = (sample + 0.5) * bin_size[:, None] / grid.clamp(min=1)[:, None]
    at = low_edge[:, :, None] + within[:, None]  # (k, bins, samples)
    counts = (at >= -1) & (at <= length) & (sample < grid[:, None, None])
    at = at.clamp(0, length - 1)
    low = at.long()
    high = (low + 1).clamp(max=length - 1)
    share = counts.to(size.dtype) / grid.clamp(min=1)[:, None, None]
    weights = size.new_zeros(k, bins, length)
    weights.scatter_add_(2, low, share * (1 - (at - low)))
    weights.scatter_add_(2, high, share * (at - low))
    first = low.where(counts, length).flatten(1)
    last = high.where(counts, -1).flatten(1)
    if not most:
        return weights, first.new_zeros(k), first.new_zeros(k)
    return weights, first.amin(1).clamp(max=length - 1), last.amax(1) + 1
