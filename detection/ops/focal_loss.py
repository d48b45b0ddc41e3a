"""The sigmoid focal loss (Lin et al., ICCV 2017, arXiv 1708.02002) and its gradient, as in mmcv's
csrc/common/cuda/sigmoid_focal_loss_cuda_kernel.cuh, but with a logarithm that does not cancel.

With p = sigmoid(x), an element of the target's class costs -alpha * (1 - p)**gamma * log(p), any
other -(1 - alpha) * p**gamma * log(1 - p). As 1 - p = sigmoid(-x), one formula is enough, with z =
x for the class, -x for others:

    loss = -weight * sigmoid(-z)**gamma * log(sigmoid(z))

mmcv's compiled operator exists on CUDA only; this one works on every device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

# mmcv takes the logarithm of no less than the smallest normal float32, which bounds the loss of one
# element.
LOG_TINY = math.log(torch.finfo(torch.float32).tiny)


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the loss of every element into ``output``.

    Args:
        input: (n, classes) logits.
        target: (n,) int64, the class of each row; any other number, as the background's, is no
            class.
        weight: (classes,) a factor for the rows of each class, those without one keeping theirs; or
            empty.
        output: (n, classes).
        gamma: how much easy elements count less.
        alpha: the weight of elements of the target's class; all others weigh 1 - alpha.
    """
    _, z, log_p, factor = _terms(input, target, weight, alpha)
    output.copy_(torch.sigmoid(-z).pow(gamma).mul(log_p).mul(factor))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of every element's loss by its logit into ``grad_input`` (n, classes);
    else as forward."""
    hit, z, log_p, factor = _terms(input, target, weight, alpha)
    q = torch.sigmoid(-z)
    by_z = q.pow(gamma).mul(q - torch.sigmoid(z).mul(log_p).mul(gamma)).mul(factor)
    grad_input.copy_(torch.where(hit, by_z, -by_z))


def _terms(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(n, classes): whether it is the target's class; z; log(sigmoid(z)); the weight, negative."""
    hit = target[:, None] == torch.arange(input.shape[1], device=input.device)
    z = torch.where(hit, input, -input)
    factor = torch.where(hit, -alpha, alpha - 1).to(input.dtype)
    return hit, z, logsigmoid(z).clamp(min=LOG_TINY), factor * _row_weights(target, weight)


def _row_weights(target: Tensor, weight: Tensor) -> Tensor | float:
    """(n, 1). mmcv reads beyond the end of ``weight`` for the background; here it weighs 1."""
    if not weight.numel():
        return 1.0
    known = (target >= 0) & (target < len(weight))
    return torch.where(known, weight[target.clamp(0, len(weight) - 1)], 1.0)[:, None]
