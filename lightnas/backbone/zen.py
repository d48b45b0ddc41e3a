"""The Zen-score, measured by running the network (Zen-NAS, ICCV 2021, arXiv 2102.01063).

It has no closed form: a search by it has no bound, and is capped at ``most_evaluations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..arrays import Floats
from ..network.blocks import Block, layers


@dataclass(frozen=True)
class Zen:
    """log E |f(x) - f(x + gamma e)| + sum over BN of log(standard deviation), f to the last stage.

    f is the chain of convolutions, BN and ReLU with Gaussian weights, without shortcuts (section
    3.2 of the paper); x and e are Gaussian. The same seed gives the same score on one machine.

    Attributes:
        side: of the picture, in pixels; ``batch``: pictures.
        gamma: size of the disturbance.
        seed: of weights and pictures.
        most_evaluations: structures that one search measures at most.
    """

    side: int = 64
    batch: int = 2
    gamma: float = 0.01
    seed: int = 0
    most_evaluations: int = 500

    def evaluate(self, blocks: Sequence[Block]) -> Floats:
        """The scores, (N,), of N structures, one after the other."""
        n = max(np.size(size) for b in blocks for size in (b.c_in, b.c_out, b.k, b.depth, b.btn))
        return np.array([self._measure([_row(block, i) for block in blocks]) for i in range(n)])

    @torch.no_grad()
    def _measure(self, chain: Sequence[Block[int]]) -> float:
        generator = torch.Generator().manual_seed(self.seed)
        shape = self.batch, int(chain[0].c_in), self.side, self.side
        x = torch.randn(shape, generator=generator)
        # Both halves share every BN, whose statistics are those of the undisturbed one.
        both = torch.cat([x, x + self.gamma * torch.randn(shape, generator=generator)])
        total = 0.0
        for block in chain:
            for layer, times in layers(block):
                for _ in range(int(times)):
                    for conv in layer.main:
                        sizes = int(conv.c_out), int(conv.c_in), int(conv.k), int(conv.k)
                        weight = torch.randn(sizes, generator=generator)
                        both = functional.conv2d(
                            both, weight, stride=conv.stride, padding=int(conv.k) // 2
                        )
                        both, deviation = self._normal(both)
                        total += deviation
                        both = both.relu_() if conv.relu else both
        clean, disturbed = both[: self.batch], both[self.batch :]
        apart = (clean - disturbed).flatten(1).norm(dim=1).mean()
        return float(apart.clamp_min(1e-30).log()) + total

    def _normal(self, both: Tensor) -> tuple[Tensor, float]:
        """Both halves over the channels' standard deviations of the first, and the log of their
        root mean square."""
        clean = both[: self.batch]
        mean = clean.mean(dim=(0, 2, 3), keepdim=True)
        variance = clean.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
        deviation = float(variance.mean().clamp_min(1e-30).sqrt().log())
        return (both - mean) / (variance + 1e-5).sqrt(), deviation


def _row(block: Block, i: int) -> Block[int]:
    """The block of structure i of a population."""

    def size(value: object) -> int:
        values = np.asarray(value).reshape(-1)
        return int(values[i] if len(values) > 1 else values[0])

    sizes = {key: size(getattr(block, key)) for key in ("c_in", "c_out", "k", "depth", "btn")}
    return replace(block, **sizes)  # type: ignore[arg-type]
