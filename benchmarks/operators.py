"""mmcv's compiled operators against those in plain torch, on a CPU: ``python -m
benchmarks.operators``.

Each pair runs in turns on the same inputs; a time is the median. Where mmcv-full is not installed
there are the plain times alone. mmcv's compiled focal loss exists on CUDA only, so on a CPU it is
compared with the one that mmdet has in Python.
"""

from __future__ import annotations

import statistics
import sys
import time
from importlib import import_module

import torch

from lightnas.detection.ops import StandIn, operators

PLAIN = StandIn()
BOXES = (
    (100, 200, "spread"),
    (1000, 1000, "spread"),
    (1000, 60, "in a heap"),
    (5000, 4000, "spread"),
    (5000, 100, "in a heap"),
)
REGIONS = ((256, 50, 80, 500, 7, 20), (256, 50, 80, 500, 7, 6), (256, 100, 160, 200, 14, 25))


def nms(n, side):
    corners = torch.rand(n, 2) * side
    boxes, scores = torch.cat([corners, corners + torch.rand(n, 2) * 40], dim=1), torch.rand(n)
    return lambda ext: ext.nms(boxes, scores, iou_threshold=0.5, offset=0)


def roi_align(channels, height, width, k, bins, side):
    """Forward, and backward."""
    maps, empty = torch.randn(1, channels, height, width), torch.empty(0)
    corners = torch.rand(k, 2) * torch.tensor([width - side, height - side])
    rois = torch.cat([torch.zeros(k, 1), corners, corners + torch.rand(k, 2) * side], dim=1)
    pooled, grad = torch.randn(k, channels, bins, bins), torch.zeros_like(maps)
    settings = {
        "aligned_height": bins, "aligned_width": bins, "spatial_scale": 1.0,
        "sampling_ratio": 0, "pool_mode": 1, "aligned": True,
    }  # fmt: skip
    return (
        lambda ext: ext.roi_align_forward(
            maps, rois, torch.empty_like(pooled), empty, empty, **settings
        ),
        lambda ext: ext.roi_align_backward(pooled, rois, empty, empty, grad, **settings),
    )


def focal_loss(n, classes):
    """Forward and backward, of mmdet's Python and of the plain operator."""
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    logits, target = torch.randn(n, classes), torch.randint(0, classes + 1, (n,))
    empty, output = logits.new_zeros(0), torch.zeros_like(logits)
    one_hot = torch.nn.functional.one_hot(target, classes + 1)[:, :classes]

    def python():
        leaf = logits.clone().requires_grad_()
        py_sigmoid_focal_loss(leaf, one_hot, reduction="sum").backward()

    def plain():
        PLAIN.sigmoid_focal_loss_forward(logits, target, empty, output, gamma=2.0, alpha=0.25)
        PLAIN.sigmoid_focal_loss_backward(logits, target, empty, output, gamma=2.0, alpha=0.25)

    return python, plain


def milliseconds(*calls, turns=15):
    """Median of each, taken in turns."""
    times = [[] for _ in calls]
    for turn in range(turns + 2):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if turn >= 2:  # the first warm up
                taken.append(1000 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def line(name, *times):
    if len(times) == 1:
        print(f"| {name} | - | {times[0]:.2f} | - |", flush=True)
    else:
        print(
            f"| {name} | {times[0]:.2f} | {times[1]:.2f} | {times[1] / times[0]:.2f} |", flush=True
        )


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    extensions = [PLAIN]
    if operators().kind == "compiled":
        extensions.insert(0, import_module("mmcv._ext"))
    else:
        print("no compiled operators are installed: plain times alone", file=sys.stderr)
    print(
        "| operator | compiled, ms | plain, ms | plain / compiled |\n| --- | ---: | ---: | ---: |"
    )
    for n, side, how in BOXES:
        run = nms(n, side)
        line(
            f"nms, {n} boxes {how}",
            *milliseconds(*[lambda ext=ext, run=run: run(ext) for ext in extensions]),
        )
    for channels, height, width, k, bins, side in REGIONS:
        for way, run in zip(
            ("", " backward"), roi_align(channels, height, width, k, bins, side), strict=True
        ):
            times = milliseconds(
                *[lambda ext=ext, run=run: run(ext) for ext in extensions], turns=5
            )
            line(
                f"RoIAlign{way}, {k} regions up to {side} pixels, {bins} x {bins} bins, {channels} channels",
                *times,
            )
    line(
        "focal loss and gradient, 20000 x 80, against mmdet's Python",
        *milliseconds(*focal_loss(20000, 80)),
    )


if __name__ == "__main__":
    main()
