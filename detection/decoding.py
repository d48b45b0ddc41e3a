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

from lightnas.backbone.boxes import (
    Found,
    Grid,
    Settings,
    at_most,
    best_places,
    candidates,
    suppressed,
)
from lightnas.deploy.metadata import Defaults, Normalisation
from lightnas.errors import InputError, shown
from lightnas.found.boxes import MAX_BOXES

from .gfocal_head import GFocalHead

HEADS = ("GFocalHead", "GFLHead")


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
        anchors = detector.bbox_head.prior_generator
        self.grids = [
            Grid(stride, tuple(((base[0, :2] + base[0, 2:]) / 2).tolist()))
            for stride, base in zip(anchors.strides, anchors.base_anchors, strict=True)
        ]
        self.padding = normalisation
        self.register_buffer("mean", torch.tensor(normalisation.mean).reshape(1, 3, 1, 1))
        std = torch.tensor(normalisation.std, dtype=torch.float64)
        self.register_buffer("factor", (1 / std).float().reshape(1, 3, 1, 1))

    def forward(
        self, image: Tensor, score_threshold: Tensor, iou_threshold: Tensor, max_boxes: Tensor
    ) -> Found:
        """Of pictures (N, 3, H, W), RGB of 8 bits, all that is found, the best first: corners (M, 4)
        in pixels, scores (M,), classes (M,) and the number of the picture (M,). ``score_threshold``,
        ``iou_threshold`` and ``max_boxes`` (of a picture) have shape (1,)."""
        head = self.detector.bbox_head
        sides = torch._shape_as_tensor(image)[2:].flip(0).float()
        outputs = self.detector.forward_dummy(self._prepared(image))
        select = best_places if isinstance(head, GFocalHead) else _best_pairs
        most = head.test_cfg.get("nms_pre", -1)
        scores, boxes = candidates(
            list(zip(*outputs, strict=True)), self.grids, head.integral.project.float(), sides, most,
            select,
        )  # fmt: skip
        settings = Settings(max_boxes, iou_threshold, score_threshold)
        return suppressed(scores, boxes, settings, head.num_classes)

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


def _best_pairs(score: Tensor, most: int) -> tuple[Tensor | None, Tensor]:
    """As ``best_places``, but of the best pairs of place and class, as mmdet's own GFLHead chooses:
    each has its score for its class and 0 for the others. ``score``: (N, K, C), logits."""
    score = score.sigmoid()
    if most <= 0:
        return None, score.transpose(1, 2)
    channels = score.shape[2]
    flat = score.flatten(1)
    value, pair = flat.topk(at_most(most, flat, 1))
    own = (pair % channels)[:, None, :] == torch.arange(channels)[None, :, None]
    place = pair.div(channels, rounding_mode="floor")
    return place, torch.where(own, value[:, None, :], torch.zeros(1))


def check_head(detector: Any, source: str) -> Defaults:
    """The limits of a detector whose boxes ``BoxOutputs`` decodes.

    Raises:
        InputError: its head or its suppression is another one.
    """
    head = getattr(detector, "bbox_head", None)
    kind = type(head).__name__
    if head is None or kind not in HEADS or head.num_base_priors != 1:
        raise InputError(f"{source}: its head is {kind}, expected one of {', '.join(HEADS)}")
    test = head.test_cfg
    suppression = dict(test.nms)
    threshold = suppression.pop("iou_threshold", None)
    kept = {key: value for key, value in suppression.items() if (key, value) != ("type", "nms")}
    if threshold is None or set(kept) - {"split_thr"}:
        raise InputError(
            f"{source}: its test_cfg.nms is {shown(dict(test.nms))}, expected type 'nms' and an "
            "iou_threshold"
        )
    most = test.get("max_per_img", -1)
    return Defaults(
        score_threshold=float(test.score_thr),
        iou_threshold=float(threshold),
        max_boxes=most if most > 0 else MAX_BOXES,
    )
