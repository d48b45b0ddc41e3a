"""Greedy non-maximum suppression in plain torch, as fast as a CPU's cache allows.

It gives what mmcv's CPU operator gives (mmcv/ops/csrc/pytorch/cpu/nms.cpp), to the index and the order:
the same sort, the same float32 arithmetic in the same order, thresholds rounded to float32, and
nothing suppressed by an IoU that is no number. Boxes are (x1, y1, x2, y2) in pixels; with ``offset``
1 a box holds its last pixel too, as in (x2 - x1 + 1).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

# Boxes whose suppression is decided at once, and boxes they are then compared with at once: what a
# CPU's cache holds (with tiles of 4096 twice the time), and on a GPU what keeps it busy.
BLOCK = 256
TILE, TILE_GPU = 512, 2**16


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy suppression: by falling score, a box stays unless one that stayed has an IoU above the
    threshold with it.

    Args:
        boxes: (n, 4), on any device; computed in float32.
        scores: (n,); equal ones in the order of torch's sort, those that are no number first.
        iou_threshold: boxes with a larger IoU go.
        offset: 0 or 1.

    Returns:
        (k,) int64: the boxes that stay, by falling score.

    On a GPU this is torchvision's operator where there is one; its compiler may fuse a
    multiplication with an addition, so that an IoU within one rounding of the threshold can fall on
    the other side.
    """
    if not boxes.numel():
        return boxes.new_empty(0, dtype=torch.long)
    order = scores.sort(0, descending=True)[1]
    boxes, threshold = boxes.detach().float()[order], float32(iou_threshold)
    # torchvision knows no offset, and a box made one pixel wider beforehand is rounded otherwise
    fast = _torchvision_nms(boxes.device.type) if boxes.is_cuda and offset == 0 else None
    if fast is not None:
        return order[_presorted(fast, boxes, threshold)]
    return order[_greedy(boxes, threshold, offset)]


def _presorted(fast: Callable[..., Tensor], boxes: Tensor, threshold: float) -> Tensor:
    """torchvision's nms on sorted boxes. Its own sort must keep their order, so it sees falling
    scores without ties; past 2**24 boxes float32 repeats itself, and torchvision's sort is
    stable."""
    falling = -torch.arange(len(boxes), dtype=boxes.dtype, device=boxes.device)
    return fast(boxes, falling, threshold)


@functools.cache
def _torchvision_nms(device: str) -> Callable[[Tensor, Tensor, float], Tensor] | None:
    """torchvision's nms where it works on such a device: torchvision may be missing, a stand-in, or
    built without CUDA."""
    try:
        from torchvision.ops import nms as fast

        fast(torch.zeros(1, 4, device=device), torch.zeros(1, device=device), 0.5)
    except (ImportError, OSError, RuntimeError):
        return None
    return fast  # type: ignore[no-any-return]


def _greedy(boxes: Tensor, threshold: float, offset: int) -> Tensor:
    """(k,) rising: which of the sorted boxes (n, 4) stay. A block at a time: what stays of it, then
    what that suppresses."""
    rest = torch.arange(len(boxes), device=boxes.device)
    corners = boxes.T.contiguous()  # (4, n): each coordinate lies together
    kept = []
    while len(rest):
        now = corners[:, :BLOCK]
        stay = _block(now, threshold, offset).nonzero().squeeze(1)
        kept.append(rest[:BLOCK][stay])
        rest, corners = rest[BLOCK:], corners[:, BLOCK:]
        if len(rest):
            alive = _untouched(now[:, stay], corners, threshold, offset).nonzero().squeeze(1)
            rest, corners = rest[alive], corners[:, alive]
    return torch.cat(kept)


def _block(corners: Tensor, threshold: float, offset: int) -> Tensor:
    """(m,) bool: which of a few sorted boxes (4, m) stay.

    Not box by box: with "every box stays" to begin with, ask again and again who is suppressed by
    one that stays. After t rounds the first t answers are final, and in pictures a chain of boxes
    that save one another is a few long.
    """
    suppresses = (
        iou(corners, corners, offset).gt_(threshold).triu_(1)
    )  # 1. where row suppresses column
    stay = suppresses.new_ones(suppresses.shape[0])
    while True:
        stay, before = (stay @ suppresses).eq_(0), stay
        if torch.equal(stay, before):
            return stay.bool()


def _untouched(kept: Tensor, corners: Tensor, threshold: float, offset: int) -> Tensor:
    """(n,) bool: which of the boxes (4, n) no kept one (4, k) suppresses."""
    tiles = torch.split(corners, TILE_GPU if corners.is_cuda else TILE, dim=1)
    return torch.cat([iou(kept, tile, offset).gt_(threshold).amax(0) == 0 for tile in tiles])


def iou(a: Tensor, b: Tensor, offset: int) -> Tensor:
    """(k, n) IoU of the boxes (4, k) and (4, n); nan where 0 is divided by 0, or a coordinate is no
    number."""
    width = torch.minimum(a[2, :, None], b[2]).sub_(torch.maximum(a[0, :, None], b[0]))
    height = torch.minimum(a[3, :, None], b[3]).sub_(torch.maximum(a[1, :, None], b[1]))
    if offset:
        width, height = width.add_(offset), height.add_(offset)
    inter = width.clamp_(min=0).mul_(height.clamp_(min=0))
    return inter.div_((_area(a, offset)[:, None] + _area(b, offset)).sub_(inter))


def _area(corners: Tensor, offset: int) -> Tensor:
    return (corners[2] - corners[0] + offset) * (corners[3] - corners[1] + offset)


def float32(number: float) -> float:
    """mmcv's operators take their settings as C floats."""
    return float(np.float32(number))
