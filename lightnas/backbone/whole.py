"""A whole detector in torch, as far as its convolutions go: backbone, FPN and the head of GFLV2.

For measuring, without mmdet: what ``network.detector`` counts runs here, on plain torch. Training
and detecting are mmdet's (the room ``detection``). Names of neck and head are those of mmdet.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..network.detector import GROUPS, LATERALS, LEVELS, STACKED, TOPK, Detector, HeadConv
from ..network.structure import Structure
from .net import CnnNet


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
