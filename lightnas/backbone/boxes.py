"""From what a head of GFL says of every level to boxes: decoding and suppression, whole batches at a
time, as tensors alone.

mmdet does the same picture by picture in Python. What stands here is traced to ONNX, and runs in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .suppression import nms


class Grid(NamedTuple):
    """Where the places of a level lie in the picture, in pixels: how far apart, and the first."""

    stride: tuple[int, int]
    first: tuple[float, float]


class Settings(NamedTuple):
    """Of a suppression, each of shape (1,): the largest number of boxes of a picture (int64), the IoU
    above which the lower of two goes, and the score above which a box counts."""

    max_boxes: Tensor
    iou_threshold: Tensor
    score_threshold: Tensor


class Found(NamedTuple):
    """Boxes of a batch, the best first: corners (M, 4) in pixels, scores (M,), classes (M,) and the
    number of the picture (M,)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    pictures: Tensor


# From scores (N, K, C) and how many places may stay: which (N, k), None for all, and (N, C, k).
Select = Callable[[Tensor, int], tuple[Tensor | None, Tensor]]


def candidates(
    outputs: Sequence[tuple[Tensor, Tensor]],
    grids: Sequence[Grid],
    steps: Tensor,
    sides: Tensor,
    most: int,
    select: Select,
) -> tuple[Tensor, Tensor]:
    """Scores (N, C, K) and corners (N, K, 4) of what may be an object, inside the picture.

    Args:
        outputs: of every level, scores (N, C, H, W) and the logits (N, 4 * bins, H, W) of the four
            distances to the sides of the box.
        grids: of every level.
        steps: what the bins of a distance stand for, (bins,), in strides.
        sides: width and height of the picture, (2,).
        most: places of a level that may stay; all where it is 0 or less.
        select: which stay: ``best_places``, or another of its kind.
    """
    found, corners = [], []
    for (score, logits), grid in zip(outputs, grids, strict=True):
        n, channels, height, width = score.shape
        score = score.permute(0, 2, 3, 1).reshape(n, -1, channels)
        logits = logits.permute(0, 2, 3, 1).reshape(n, -1, 4 * len(steps))
        place, score = select(score, most)
        shares = rows(logits, place).reshape(n, -1, 4, len(steps)).softmax(dim=3)
        # By a matrix of one column: OpenVINO 2026.4 fails to fuse what follows with a vector.
        distances = (shares @ steps[:, None]).squeeze(3) * grid.stride[0]
        centres = _centres(grid, height, width, score.device)
        centre = rows(centres.expand(n, -1, -1), place)
        corners.append(torch.cat([centre - distances[..., :2], centre + distances[..., 2:]], dim=2))
        found.append(score)
    limit = torch.cat([sides, sides])
    inside = torch.minimum(torch.cat(corners, dim=1).clamp(min=0), limit)
    return torch.cat(found, dim=2), inside


def _centres(grid: Grid, height: int, width: int, device: torch.device) -> Tensor:
    """Of every place of a level, in pixels, (1, height * width, 2)."""
    across = torch.arange(width, device=device).float() * grid.stride[0] + grid.first[0]
    down = torch.arange(height, device=device).float() * grid.stride[1] + grid.first[1]
    both = [across[None].expand(height, -1), down[:, None].expand(-1, width)]
    return torch.stack(both, dim=2).reshape(1, -1, 2)


def suppressed(scores: Tensor, boxes: Tensor, settings: Settings, n_classes: int) -> Found:
    """What stays of ``candidates``, class by class.

    Args:
        scores, boxes: (N, C, K) and (N, K, 4), as they come.
        n_classes: channels behind these compete for ``max_boxes`` like classes, but are none: published
            weights have one for the background.
    """
    picked = Suppression.apply(boxes, scores, *settings)  # type: ignore[no-untyped-call]
    picture, label, row = picked[:, 0], picked[:, 1], picked[:, 2]
    n, channels, n_rows = torch._shape_as_tensor(scores).unbind()
    score = scores.reshape(-1)[(picture * channels + label) * n_rows + row]
    box = boxes.reshape(-1, 4)[picture * n_rows + row]
    order = score.sort(descending=True)[1]
    box, score, label, picture = box[order], score[order], label[order], picture[order]
    # How many boxes of its picture come before each: no second sort, which would have to be stable.
    own = (_counted(n, picture.device)[:, None] == picture[None]).to(torch.int64)
    stays = own.cumsum(dim=1).gather(0, picture[None]).squeeze(0) <= settings.max_boxes
    stays = (stays & (label < n_classes)).nonzero().squeeze(1)
    return Found(box[stays], score[stays], label[stays], picture[stays])


class Suppression(torch.autograd.Function):
    """ONNX's NonMaxSuppression."""

    @staticmethod
    def forward(
        ctx: Any, boxes: Tensor, scores: Tensor, most: Tensor, overlap: Tensor, score: Tensor
    ) -> Tensor:
        """Of boxes (N, K, 4) and scores (N, C, K): picture, class and box of what stays, (M, 3)."""
        if (
            torch.onnx.is_in_onnx_export()
        ):  # which would follow every step of what it replaces by a node
            return torch.zeros(1, 3, dtype=torch.int64)
        above = (scores > score).nonzero()
        picture, label, row = above.unbind(1)
        box, of = boxes[picture, row], scores[picture, label, row]
        group = picture * scores.shape[1] + label
        # Each class of each picture lies in a place of its own, so that one suppression does for all.
        apart = box + (group * (box.max() + 1 if len(box) else 0))[:, None]
        stay = nms(apart, of, float(overlap), 0)
        before = (group[stay][:, None] == group[stay]).tril(-1).sum(dim=1)
        return above[stay[before < most]]

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, most: Any, overlap: Any, score: Any) -> Any:
        """The node of the graph."""
        return g.op("NonMaxSuppression", boxes, scores, most, overlap, score)


def best_places(score: Tensor, most: int) -> tuple[Tensor | None, Tensor]:
    """Of scores (N, K, C) the places whose best score is largest, and (N, C, k)."""
    if most <= 0:
        return None, score.transpose(1, 2)
    place = score.max(dim=2)[0].topk(at_most(most, score, 1))[1]
    return place, rows(score, place).transpose(1, 2)


def rows(values: Tensor, place: Tensor | None) -> Tensor:
    """Of (N, K, D) the rows at ``place`` (N, k): (N, k, D)."""
    if place is None:
        return values
    return values.gather(1, place[:, :, None].expand(-1, -1, values.shape[2]))


def at_most(most: int, values: Tensor, axis: int) -> Any:
    """The smaller of ``most`` and a side of ``values``, of any shape: in a trace a part of the graph."""
    return torch.minimum(torch.tensor(most), torch._shape_as_tensor(values)[axis])


def _counted(number: Tensor, device: torch.device) -> Tensor:
    """0, 1, ... (number,), in a trace for any number."""
    return torch.arange(number, device=device)  # type: ignore[call-overload, no-any-return]
