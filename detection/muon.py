"""Muon: momentum made orthogonal, for kernels and matrices, and AdamW for all other weights.

Keller Jordan et al. 2024 (kellerjordan.github.io/posts/muon), as Liu et al. scale its steps to the size
of AdamW's (arXiv 2502.16982): one learning rate and one decay of weights serve both. torch's own
``torch.optim.Muon`` takes matrices alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from mmcv.runner import OPTIMIZERS
from torch import Tensor, nn
from torch.optim import AdamW

# Of the quintic that carries singular values towards 1, and how often it is applied.
QUINTIC, TIMES = (3.4445, -4.7750, 2.0315), 5
# Root mean square of a step of AdamW, which Muon's are scaled to.
ROOT_MEAN_SQUARE = 0.2
# A kernel of fewer rows or columns has no directions to speak of.
LEAST = 16
# What a weight is marked with that AdamW moves whatever its shape is.
LEFT = "left_to_adamw"

Weight = tuple[Tensor, dict[str, Any]]  # and the group that it is in


@OPTIMIZERS.register_module()
class MuonAdamW(AdamW):
    """Muon for weights of at least ``LEAST`` rows and columns, AdamW for biases, norms and the like.

    A kernel (c_out, c_in, k, k) is a matrix (c_out, c_in k k) to it. Depthwise ones are AdamW's, and
    so is what ``leave_to_adamw`` marks; a weight that a state has otherwise goes on as it was.

    Args:
        params: as torch's optimizers take them; groups of the same settings become one.
        lr, weight_decay: of both.
        momentum: of Muon.
        betas, eps: of AdamW.

    Raises:
        ValueError: one of them is out of its range.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        if isinstance(momentum, str) or not 0 <= momentum < 1:
            raise ValueError(f"momentum is {momentum!r}, expected a number from 0 to less than 1")
        super().__init__(params, lr, betas, eps, weight_decay, foreach=True)
        self.momentum = momentum
        self._merge()

    def _merge(self) -> None:
        """Make one of the groups of the same settings: mmcv makes one of each parameter, and AdamW
        moves those of a group together."""
        merged: dict[str, dict[str, Any]] = {}
        for group in self.param_groups:
            settings = {key: value for key, value in group.items() if key != "params"}
            one = merged.setdefault(repr(sorted(settings.items())), {**settings, "params": []})
            one["params"] += group["params"]
        self.param_groups = list(merged.values())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            ValueError: it is of another optimizer.
        """
        super().load_state_dict(state_dict)
        for weight, state in self.state.items():
            keys = state.keys() - {"step"}
            by_muon = keys == {"momentum_buffer"} and weight.ndim > 1
            by_adamw = keys == {"exp_avg", "exp_avg_sq"} and not is_matrix(weight)
            if state and ("step" not in state or not (by_muon or by_adamw)):
                raise ValueError(f"it has {sorted(state)}, expected those of Muon and AdamW")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; weights without a gradient stay."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Matrices of one shape are made orthogonal together.
        matrices: dict[torch.Size, list[Weight]] = defaultdict(list)
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and self._is_muons(weight):
                    matrices[weight.flatten(1).shape].append((weight, group))
        for some in matrices.values():
            self._muon(some)
        gradients = [(weight, weight.grad) for some in matrices.values() for weight, _ in some]
        for weight, _ in gradients:
            weight.grad = None  # which AdamW passes over
        super().step()
        for weight, gradient in gradients:
            weight.grad = gradient
        return loss

    def _is_muons(self, weight: Tensor) -> bool:
        state = self.state.get(weight)
        return "momentum_buffer" in state if state else is_matrix(weight)

    def _muon(self, some: Sequence[Weight]) -> None:
        directions = []
        for weight, _ in some:
            state = self.state[weight]
            if not state:
                state["step"] = torch.zeros(())  # which AdamW expects of a state that it reads
                state["momentum_buffer"] = torch.zeros_like(weight)
            gradient: Any = weight.grad
            state["step"] += 1
            mean = state["momentum_buffer"].lerp_(gradient, 1 - self.momentum)
            directions.append(gradient.lerp(mean, self.momentum).flatten(1))  # Nesterov's
        for (weight, group), step in zip(some, orthogonal(torch.stack(directions)), strict=True):
            size = ROOT_MEAN_SQUARE * max(step.shape) ** 0.5
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(step.view_as(weight), alpha=-group["lr"] * size)


def is_matrix(weight: Tensor) -> bool:
    """Whether Muon takes a weight of shape (c_out, c_in, ...): as a matrix it has ``LEAST`` rows and
    columns at least.

    The rows of a depthwise kernel (c, 1, k, k) read a channel each: no input has its columns in
    common, and whether there were enough of them would hang on k.
    """
    if weight.ndim < 2 or weight.shape[1] == 1 or getattr(weight, LEFT, False):
        return False
    return min(weight.flatten(1).shape) >= LEAST


def leave_to_adamw(model: nn.Module, names: Collection[str]) -> None:
    """Mark weights of a model that Muon leaves to AdamW: those of the classes, as its author advises,
    since a class that no picture shows has no direction to go in. Else it would hang on their number."""
    for name, weight in model.named_parameters():
        if name in names:
            setattr(weight, LEFT, True)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (n, rows, columns) with their singular values carried near 1, by a Newton-Schulz
    iteration.

    A polynomial of the Gram matrix multiplies what it is of, and all of them commute: the iteration
    goes on in the smaller square alone, which for a kernel of 3 x 3 is a third of the work.
    """
    found = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    found = found if found.shape[1] <= found.shape[2] else found.mT
    gram = found @ found.mT
    whole = factor = _polynomial(gram)
    for _ in range(TIMES - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        whole = factor @ whole
    found = whole @ found
    return found if found.shape == matrices.shape else found.mT


def _polynomial(gram: Tensor) -> Tensor:
    """What a matrix is multiplied by, of its Gram matrix; shape (n, rows, rows)."""
    a, b, c = QUINTIC
    found = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    found.diagonal(dim1=1, dim2=2).add_(a)
    return found
