"""A detector as one network: pictures as they are in, boxes out.

Normalisation, backbone, neck, head, decoding and suppression in one torch module that is traced to
ONNX. What mmdet does picture by picture in Python stands here once more for whole batches, as tensors
alone; nothing is written before both are compared (``compared``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightnas.deploy.metadata import MAX_BOXES, Defaults, Normalisation
from lightnas.errors import InputError, shown

from .gfocal_head import GFocalHead
from .prepared import REMEDY

HEADS = ("GFocalHead", "GFLHead")


class Suppression(torch.autograd.Function):
    """ONNX's NonMaxSuppression. It runs in onnxruntime alone; tracing needs the shape of a result."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, *settings: Tensor) -> Tensor:
        """Of boxes (N, K, 4) and scores (N, C, K): picture, class and box of what stays, (M, 3)."""
        return torch.zeros(1, 3, dtype=torch.int64)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, most: Any, overlap: Any, score: Any) -> Any:
        """The node of the graph."""
        return g.op("NonMaxSuppression", boxes, scores, most, overlap, score)


class BoxOutputs(nn.Module):
    """A detector from pictures to boxes.

    Args:
        detector: as ``testing.load_detector`` gives it; its head is one of GFL.
        normalisation: as ``prepared`` gives it.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, detector: Any, normalisation: Normalisation) -> None:
        super().__init__()
        self.detector = detector
        self.padding = normalisation
        self.register_buffer("mean", torch.tensor(normalisation.mean).reshape(1, 3, 1, 1))
        std = torch.tensor(normalisation.std, dtype=torch.float64)
        self.register_buffer("factor", (1 / std).float().reshape(1, 3, 1, 1))

    def forward(
        self, image: Tensor, score_threshold: Tensor, iou_threshold: Tensor, max_boxes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of pictures (N, 3, H, W), RGB of 8 bits, all that is found, the best first: corners (M, 4)
        in pixels, scores (M,), classes (M,) and the number of the picture (M,). ``score_threshold``,
        ``iou_threshold`` and ``max_boxes`` (of a picture) have shape (1,)."""
        sides = torch._shape_as_tensor(image)
        scores, boxes = self._candidates(self._prepared(image), sides[2:].flip(0).float())
        picked = Suppression.apply(boxes, scores, max_boxes, iou_threshold, score_threshold)
        picture, label, row = picked[:, 0], picked[:, 1], picked[:, 2]
        n_classes, n_rows = torch._shape_as_tensor(scores)[1], torch._shape_as_tensor(scores)[2]
        score = scores.reshape(-1)[(picture * n_classes + label) * n_rows + row]
        box = boxes.reshape(-1, 4)[picture * n_rows + row]
        order = score.sort(descending=True)[1]
        box, score, label, picture = box[order], score[order], label[order], picture[order]
        # How many boxes of its picture come before each: no second sort, which would have to be stable.
        own = (_counted(sides[0])[:, None] == picture[None]).to(torch.int64)
        stays = own.cumsum(dim=1).gather(0, picture[None]).squeeze(0) <= max_boxes
        # Published weights have a channel for the background, which competes like a class.
        stays = (stays & (label < self.detector.bbox_head.num_classes)).nonzero().squeeze(1)
        return box[stays], score[stays], label[stays], picture[stays]

    def _prepared(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) as the backbone takes them, padded at the right and at the bottom."""
        x = image.float()
        if self.padding.order == "BGR":
            x = x.flip(1)
        x = (x - self.mean) * self.factor
        divisor = self.padding.pad_divisor
        if divisor == 1:
            return x
        height, width = x.shape[2], x.shape[3]
        below, beside = -height % divisor, -width % divisor
        return functional.pad(x, (0, beside, 0, below), value=self.padding.pad_value)

    def _candidates(self, x: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, C, K) and corners (N, K, 4) of what may be an object, inside a picture of those
        ``sides`` (2,), width and height."""
        head = self.detector.bbox_head
        outputs = self.detector.forward_dummy(x)
        select = _best_places if isinstance(head, GFocalHead) else _best_pairs
        scores, boxes = [], []
        anchors = head.prior_generator
        for score, logits, stride, base in zip(
            *outputs, anchors.strides, anchors.base_anchors, strict=True
        ):
            n, _, height, width = score.shape
            channels = head.cls_out_channels
            score = score.permute(0, 2, 3, 1).reshape(n, -1, channels)
            logits = logits.permute(0, 2, 3, 1).reshape(n, -1, 4 * (head.reg_max + 1))
            place, score = select(score, head.test_cfg.get("nms_pre", -1))
            logits = _rows(logits, place)
            step = head.integral.project.float()
            shares = logits.reshape(n, -1, 4, head.reg_max + 1).softmax(dim=3)
            # By a matrix of one column: OpenVINO 2026.4 fails to fuse what follows with a vector.
            distances = (shares @ step[:, None]).squeeze(3)
            x0, y0 = ((base[0, :2] + base[0, 2:]) / 2).tolist()
            across = torch.arange(width).float() * stride[0] + x0
            down = torch.arange(height).float() * stride[1] + y0
            centre = torch.stack(
                [across[None].expand(height, -1), down[:, None].expand(-1, width)], dim=2
            )
            centre = _rows(centre.reshape(1, -1, 2).expand(n, -1, -1), place)
            distances = distances * stride[0]
            corners = torch.cat([centre - distances[..., :2], centre + distances[..., 2:]], dim=2)
            boxes.append(corners)
            scores.append(score)
        limit = torch.cat([sides, sides])
        inside = torch.minimum(torch.cat(boxes, dim=1).clamp(min=0), limit)
        return torch.cat(scores, dim=2), inside


def _counted(number: Tensor) -> Tensor:
    """0, 1, ... (number,), in a trace for any number."""
    return torch.arange(number)  # type: ignore[call-overload, no-any-return]


def _rows(values: Tensor, place: Tensor | None) -> Tensor:
    """Of (N, K, D) the rows at ``place`` (N, k): (N, k, D)."""
    if place is None:
        return values
    return values.gather(1, place[:, :, None].expand(-1, -1, values.shape[2]))


def _best_places(score: Tensor, most: int) -> tuple[Tensor | None, Tensor]:
    """Of scores (N, K, C) the places whose best score is largest, and (N, C, k)."""
    if most <= 0:
        return None, score.transpose(1, 2)
    place = score.max(dim=2)[0].topk(_at_most(most, score, 1))[1]
    return place, _rows(score, place).transpose(1, 2)


def _best_pairs(score: Tensor, most: int) -> tuple[Tensor | None, Tensor]:
    """As ``_best_places``, but of the best pairs of place and class, as mmdet's own GFLHead chooses:
    each has its score for its class and 0 for the others. ``score``: (N, K, C), logits."""
    score = score.sigmoid()
    if most <= 0:
        return None, score.transpose(1, 2)
    channels = score.shape[2]
    flat = score.flatten(1)
    value, pair = flat.topk(_at_most(most, flat, 1))
    own = (pair % channels)[:, None, :] == torch.arange(channels)[None, :, None]
    place = pair.div(channels, rounding_mode="floor")
    return place, torch.where(own, value[:, None, :], torch.zeros(1))


def _at_most(most: int, values: Tensor, axis: int) -> Any:
    """The smaller of ``most`` and a side of ``values``: in a trace a part of the graph."""
    return torch.minimum(torch.tensor(most), torch._shape_as_tensor(values)[axis])


def check_head(detector: Any, source: str) -> Defaults:
    """The limits of a detector whose boxes ``BoxOutputs`` decodes.

    Raises:
        InputError: its head or its suppression is another one.
    """
    head = getattr(detector, "bbox_head", None)
    kind = type(head).__name__
    if head is None or kind not in HEADS or head.num_base_priors != 1:
        raise InputError(
            f"{source}: its head is {kind}, expected one of {', '.join(HEADS)}{REMEDY}"
        )
    test = head.test_cfg
    suppression = dict(test.nms)
    threshold = suppression.pop("iou_threshold", None)
    kept = {key: value for key, value in suppression.items() if (key, value) != ("type", "nms")}
    if threshold is None or set(kept) - {"split_thr"}:
        raise InputError(
            f"{source}: its test_cfg.nms is {shown(dict(test.nms))}, expected type 'nms' and an "
            f"iou_threshold{REMEDY}"
        )
    most = test.get("max_per_img", -1)
    return Defaults(
        score_threshold=float(test.score_thr),
        iou_threshold=float(threshold),
        max_boxes=most if most > 0 else MAX_BOXES,
    )
