"""A whole detector in torch: backbone, FPN, the head of GFLV2, and the boxes that follow.

For measuring, without mmdet: what ``network.detector`` counts, and the choice of boxes behind it, run
here on plain torch. Training and detecting are mmdet's (the room ``detection``). Names of neck and head
are those of mmdet.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..network.detector import (
    BINS,
    CLASSES,
    GROUPS,
    LATERALS,
    LEVELS,
    STACKED,
    TOPK,
    Detector,
    HeadConv,
)
from ..network.stages import downsample
from ..network.structure import Structure
from .boxes import Found, Grid, Settings, best_places, candidates, suppressed
from .net import CnnNet

# As configs/detection/_base_/gflv2.py has them: places of a level that are decoded, and of a
# suppression the boxes of a picture, the IoU and the score.
PLACES = 1000
MAX_BOXES, IOU, SCORE = 100, 0.6, 0.05


def _conv(described: HeadConv, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    c_in, k = cast(int, described.c_in), described.k
    return nn.Conv2d(c_in, described.c_out, k, stride, padding=k // 2, bias=bias)


class _Named(nn.Module):
    """A convolution that mmdet keeps as ``conv``; with GN and ReLU behind it in the head."""

    def __init__(self, described: HeadConv, stride: int = 1, norm: bool = False) -> None:
        super().__init__()
        self.conv = _conv(described, stride, bias=not norm)
        self.gn = nn.GroupNorm(GROUPS, described.c_out) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) to (N, c_out, H/s, W/s), rounded up."""
        x = self.conv(x)
        return x if self.gn is None else functional.relu(self.gn(x), inplace=True)


class Neck(nn.Module):
    """An FPN: C3, C4 and C5 of these channels to P3 ... P7 of the detector's width."""

    def __init__(self, detector: Detector, channels: list[int]) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(_Named(detector.lateral(c)) for c in channels)
        strides = [1 if level in LATERALS else 2 for level in LEVELS]
        self.fpn_convs = nn.ModuleList(_Named(detector.fpn, stride) for stride in strides)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Each level (N, width, H/2^level, W/2^level), rounded up."""
        merged = [conv(x) for conv, x in zip(self.lateral_convs, features, strict=True)]
        for above in range(len(merged) - 1, 0, -1):
            size = merged[above - 1].shape[2:]
            merged[above - 1] += functional.interpolate(merged[above], size=size)
        levels = [conv(x) for conv, x in zip(self.fpn_convs[: len(merged)], merged, strict=True)]
        for conv in self.fpn_convs[len(merged) :]:
            levels.append(conv(levels[-1]))
        return levels


class Head(nn.Module):
    """The head of GFLV2: of every level, scores and the logits of the box distributions."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        *stacks, cls, reg, hidden, quality = detector.head
        self.cls_convs = nn.ModuleList(_Named(conv, norm=True) for conv in stacks[:STACKED])
        self.reg_convs = nn.ModuleList(_Named(conv, norm=True) for conv in stacks[STACKED:])
        self.gfl_cls, self.gfl_reg = _conv(cls), _conv(reg)
        self.reg_conf = nn.Sequential(_conv(hidden), nn.ReLU(), _conv(quality), nn.Sigmoid())
        self.scales = nn.Parameter(torch.ones(len(LEVELS)))

    def forward(self, levels: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """(N, classes, H, W) in 0 ... 1, and (N, 4 * bins, H, W), of each level."""
        return [self._of_level(x, scale) for x, scale in zip(levels, self.scales, strict=True)]

    def _of_level(self, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        of_class = of_box = x
        for conv in self.cls_convs:
            of_class = conv(of_class)
        for conv in self.reg_convs:
            of_box = conv(of_box)
        boxes = scale * self.gfl_reg(of_box)
        n, bins, height, width = boxes.shape
        shape = boxes.reshape(n, 4, bins // 4, height, width).softmax(dim=2).topk(TOPK, dim=2)[0]
        shape = torch.cat([shape, shape.mean(dim=2, keepdim=True)], dim=2)
        quality = self.reg_conf(shape.reshape(n, -1, height, width))
        return self.gfl_cls(of_class).sigmoid() * quality, boxes


class WholeNet(nn.Module):
    """A structure with a detector's neck and head; takes what ``CnnNet`` takes."""

    def __init__(self, structure: Structure, detector: Detector) -> None:
        super().__init__()
        self.backbone = CnnNet(structure, out_indices=[stage - 1 for stage in LATERALS])
        self.neck = Neck(detector, self.backbone.out_channels)
        self.bbox_head = Head(detector)

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What the head says of every level."""
        found: list[tuple[Tensor, Tensor]] = self.bbox_head(self.neck(self.backbone(x)))
        return found


class Boxes(nn.Module):
    """Boxes from what a network says of every level; where it is not trained, of so many candidates.

    Args:
        net: gives what ``Head`` gives, of pictures of ``size`` (height, width).
        candidates: pairs of place and class of a picture whose score counts; others are 0.
    """

    steps: Tensor
    sides: Tensor

    def __init__(self, net: nn.Module, size: tuple[int, int], candidates: int) -> None:
        super().__init__()
        self.net = net
        self.grids = [Grid((2**level, 2**level), (0.0, 0.0)) for level in LEVELS]
        self.register_buffer("steps", torch.arange(BINS).float())
        self.register_buffer("sides", torch.tensor([float(size[1]), float(size[0])]))
        for level, mask in zip(LEVELS, _masks(size, candidates), strict=True):
            self.register_buffer(f"mask{level}", mask)

    def forward(self, *given: Tensor) -> Found:
        """What is found in a batch."""
        outputs = [
            (score.float() * self.get_buffer(f"mask{level}").float(), logits.float())
            for level, (score, logits) in zip(LEVELS, self.net(*given), strict=True)
        ]
        steps, sides = self.steps.float(), self.sides.float()
        scores, boxes = candidates(outputs, self.grids, steps, sides, PLACES, best_places)
        iou, score = (scores.new_tensor([value]) for value in (IOU, SCORE))
        most = torch.tensor([MAX_BOXES], device=scores.device)
        return suppressed(scores, boxes, Settings(most, iou, score), CLASSES)


def _masks(size: tuple[int, int], candidates: int) -> list[Tensor]:
    """Of every level (1, classes, H, W), 1 at so many places and classes of all levels, always the same,
    and 0 elsewhere."""
    shapes = [(1, CLASSES, *downsample(size, 2**level)) for level in LEVELS]
    numbers = [math.prod(shape) for shape in shapes]
    chosen = torch.randperm(sum(numbers), generator=torch.Generator().manual_seed(0))
    flat = torch.zeros(sum(numbers))
    flat[chosen[:candidates]] = 1
    return [part.reshape(s) for part, s in zip(torch.split(flat, numbers), shapes, strict=True)]
