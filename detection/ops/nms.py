"""mmcv's further suppressions: soft (Bodla et al., ICCV 2017, arXiv 1704.04503), and greedy with the
suppressed ones listed.

Greedy suppression itself is ``backbone.suppression``, and what is said there holds here too: each
gives what mmcv's CPU operator gives, to the index and the order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightnas.backbone.suppression import float32, iou, nms

__all__ = ["nms", "nms_match", "softnms"]

NAIVE, LINEAR, GAUSSIAN = 0, 1, 2


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
    threshold, min_score, sigma = float32(iou_threshold), float32(min_score), float32(sigma)
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
        scores *= _decay(iou(one, corners, offset)[0], threshold, sigma, method)
        stay = _refilled(~(scores < min_score))
        left, scores, corners = left[stay], scores[stay], corners[:, stay]
    return torch.tensor(order, dtype=torch.long)


def _decay(overlap: Tensor, threshold: float, sigma: float, method: int) -> Tensor:
    if method == GAUSSIAN:
        # C's expf is exact to the last bit nearly always, torch's is not; so in double
        return (-(overlap * overlap) / sigma).double().exp().float()
    return torch.where(
        overlap >= threshold, 1 - overlap if method == LINEAR else torch.zeros_like(overlap), 1.0
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
    corners, threshold = dets.detach().float()[order, :4].T.contiguous(), float32(iou_threshold)
    matched = []
    while len(order):
        near = iou(corners[:, :1], corners[:, 1:], 0)[0] >= threshold
        matched.append([int(order[0]), *order[1:][near].tolist()])
        order, corners = order[1:][~near], corners[:, 1:][:, ~near]
    return matched
