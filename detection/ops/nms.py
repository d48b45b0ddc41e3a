"""Non-maximum suppression: greedy, soft (Bodla et al., ICCV 2017, arXiv 1704.04503), and with the
suppressed ones listed.

Each gives what mmcv's CPU operator gives (mmcv/ops/csrc/pytorch/cpu/nms.cpp), to the index and the
order: the same sort, the same float32 arithmetic in the same order, thresholds rounded to float32,
and nothing suppressed by an IoU that is no number. Boxes are (x1, y1, x2, y2) in pixels; with
``offset`` 1 a box holds its last pixel too, as in (x2 - x1 + 1).
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

NAIVE, LINEAR, GAUSSIAN = 0, 1, 2


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
    boxes, threshold = boxes.detach().float()[order], _float32(iou_threshold)
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
        _iou(corners, corners, offset).gt_(threshold).triu_(1)
    )  # 1. where row suppresses column
    stay = suppresses.new_ones(suppresses.shape[0])
    while True:
        stay, before = (stay @ suppresses).eq_(0), stay
        if torch.equal(stay, before):
            return stay.bool()


def _untouched(kept: Tensor, corners: Tensor, threshold: float, offset: int) -> Tensor:
    """(n,) bool: which of the boxes (4, n) no kept one (4, k) suppresses."""
    tiles = corners.split(TILE_GPU if corners.is_cuda else TILE, dim=1)
    return torch.cat([_iou(kept, tile, offset).gt_(threshold).amax(0) == 0 for tile in tiles])


def _iou(a: Tensor, b: Tensor, offset: int) -> Tensor:
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


def _float32(number: float) -> float:
    """mmcv's operators take their settings as C floats."""
    return float(np.float32(number))


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft suppression: the best box of those left is taken, and the scores of the others fall with
    their IoU to it.

    Args:
        boxes: (n, 4).
        scores: (n,).
        dets: (n, 5) float32, written to: of the k boxes that stay (x1, y1, x2, y2, score at its
            turn); later rows are left.
        iou_threshold: from which IoU on scores fall (methods 0 and 1).
        sigma: of the Gaussian.
        min_score: boxes whose score falls below it go.
        method: 0 naive (the score becomes 0), 1 linear (times 1 - IoU), 2 Gaussian (times
            exp(-IoU**2 / sigma)).
        offset: 0 or 1.

    Returns:
        (k,) int64: which boxes those rows are.
    """
    threshold, min_score, sigma = _float32(iou_threshold), _float32(min_score), _float32(sigma)
    corners, scores = boxes.detach().float().T.contiguous(), scores.detach().float().clone()
    left = torch.arange(scores.numel())
    order: list[int] = []
    while len(left):
        # the first of the best; of those that are no number only one that stands in front is ever
        # taken
        best = (
            0
            if scores[0].isnan()
            else int(torch.where(scores.isnan(), -torch.inf, scores).argmax())
        )
        dets[len(order), :4], dets[len(order), 4] = corners[:, best], scores[best]
        order.append(int(left[best]))
        one = corners[:, best : best + 1].clone()
        for row in (left, scores, *corners):
            row[best] = row[0]
        left, scores, corners = left[1:], scores[1:], corners[:, 1:]
        scores *= _decay(_iou(one, corners, offset)[0], threshold, sigma, method)
        stay = _refilled(~(scores < min_score))
        left, scores, corners = left[stay], scores[stay], corners[:, stay]
    return torch.tensor(order, dtype=torch.long)


def _decay(iou: Tensor, threshold: float, sigma: float, method: int) -> Tensor:
    if method == GAUSSIAN:
        # C's expf is exact to the last bit nearly always, torch's is not; so in double
        return (-(iou * iou) / sigma).double().exp().float()
    return torch.where(
        iou >= threshold, 1 - iou if method == LINEAR else torch.zeros_like(iou), 1.0
    )


def _refilled(stay: Tensor) -> Tensor:
    """Places of those that stay, in mmcv's order: each gap, from the front, is filled with the last
    one that is there."""
    places = stay.nonzero().squeeze(1)
    k = len(places)
    result = torch.arange(k)
    inside = places < k
    gaps = ~stay[:k]
    result[gaps] = places[~inside].flip(0)
    return result


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Greedy suppression of ``dets`` (n, 5), boxes and scores; per box that stays, by falling
    score: its index, then the indices of those it suppresses (IoU at or above the threshold), by
    falling score."""
    order = dets[:, 4].sort(0, descending=True)[1]
    corners, threshold = dets.detach().float()[order, :4].T.contiguous(), _float32(iou_threshold)
    matched = []
    while len(order):
        near = _iou(corners[:, :1], corners[:, 1:], 0)[0] >= threshold
        matched.append([int(order[0]), *order[1:][near].tolist()])
        order, corners = order[1:][~near], corners[:, 1:][:, ~near]
    return matched
