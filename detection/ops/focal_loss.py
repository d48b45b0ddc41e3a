"""The sigmoid focal loss (Lin et al., ICCV 2017, arXiv 1708.02002) and its gradient, as in mmcv's
csrc/common/cuda/sigmoid_focal_loss_cuda_kernel.cuh, but with logarithms that do not cancel.

With p = sigmoid(x) and q = 1 - p = sigmoid(-x), an element of the target's class costs -alpha * q**gamma * log(p), any other
-(1 - alpha) * p**gamma * log(q). mmcv's compiled operator exists on CUDA only; this one works on every device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

# mmcv takes the logarithm of no less than the smallest normal float32, which bounds the loss of one element.
LOG_TINY = math.log(torch.finfo(torch.float32).tiny)


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the loss of every element into ``output``.

    Args:
        input: (n, classes) logits.
        target: (n,) int64, the class of each row; any other number, as the background's, is no class.
        weight: (classes,) a factor for the rows of each class, those without one keeping theirs; or empty.
        output: (n, classes).
        gamma: how much easy elements count less.
        alpha: the weight of elements of the target's class; all others weigh 1 - alpha.
    """
    hit, log_p, log_q = _logs(input, target)
    of_class = torch.sigmoid(-input).pow(gamma).mul(log_p).mul(-alpha)
    others = torch.sigmoid(input).pow(gamma).mul(log_q).mul(alpha - 1)
    output.copy_(torch.where(hit, of_class, others).mul(_row_weights(target, weight)))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of every element's loss by its logit into ``grad_input`` (n, classes); else as forward."""
    hit, log_p, log_q = _logs(input, target)
    p, q = torch.sigmoid(input), torch.sigmoid(-input)
    of_class = q.pow(gamma).mul(q - gamma * p * log_p).mul(-alpha)
    others = p.pow(gamma).mul(gamma * q * log_q - p).mul(alpha - 1)
    grad_input.copy_(torch.where(hit, of_class, others).mul(_row_weights(target, weight)))


def _logs(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(n, classes): whether it is the target's class; log(p); log(q)."""
    hit = target[:, None] == torch.arange(input.shape[1], device=input.device)
    return hit, logsigmoid(input).clamp(min=LOG_TINY), logsigmoid(-input).clamp(min=LOG_TINY)


def _row_weights(target: Tensor, weight: Tensor) -> Tensor | float:
    """(n, 1). mmcv reads beyond the end of ``weight`` for the background; here it weighs 1."""
    if not weight.numel():
        return 1.0
    known = (target >= 0) & (target < len(weight))
    return torch.where(known, weight[target.clamp(0, len(weight) - 1)], 1.0)[:, None]
