"""FLOPs of a whole detector of mmdet, whatever its parts are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightnas.deploy.metadata import Flops


def count_flops(detector: Any, size: tuple[int, int], backbone: float | None) -> Flops:
    """FLOPs of a detector at a size (height, width), counted as ``network.detector`` counts: of its
    backbone as given (of ours, from its structure), of the rest while a picture runs through."""
    total = 0.0

    def conv(module: nn.Conv2d, inputs: Any, output: Tensor) -> None:
        nonlocal total
        weights = module.weight[0].numel() + (module.bias is not None)
        total += output.numel() * weights

    def norm(module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += 2.0 * output.numel()

    own = set() if backbone is None else set(detector.backbone.modules())
    hooks = [
        module.register_forward_hook(conv if isinstance(module, nn.Conv2d) else norm)
        for module in detector.modules()
        if module not in own and isinstance(module, nn.Conv2d | nn.GroupNorm | nn.BatchNorm2d)
    ]
    with torch.no_grad():
        detector.forward_dummy(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    return Flops(input_size=list(size), backbone=backbone, detector=total + (backbone or 0.0))
