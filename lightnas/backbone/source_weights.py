"""The weights of a trained backbone, as its layers say: checked, and asked for by convolution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from ..network.structure import Structure
from .wiring import PICTURE, Op, wired

EPS = 1e-5  # of torch's BN, which lightnas does not change
# The least variance that a BN is begun with: of a channel that is silent, the estimate is nothing.
LEAST = 1e-3
NORM = ("weight", "bias", "running_mean", "running_var")


class Norm(NamedTuple):
    """A BN: scale, shift, mean and variance, each (C,), in the order of ``NORM``."""

    scale: Tensor
    shift: Tensor
    mean: Tensor
    variance: Tensor


class Moments(NamedTuple):
    """Mean and variance of channels, each (C,)."""

    mean: Tensor
    variance: Tensor

    def kept(self) -> Norm:
        """The BN that gives channels of these moments as it takes them: exactly in evaluation, and
        about so in training, where it would else bring each to mean 0 and variance 1."""
        return Norm((self.variance + EPS).sqrt(), self.mean, self.mean, self.variance)


class SourceWeights:
    """The weights of a backbone; layers behind the last that is there whole do not count.

    Attributes:
        layers: those that are there, as ``wired``.
        sizes: channels of each space.
        params: their parameters, as costs count them.
    """

    def __init__(self, structure: Structure, weights: Mapping[str, Tensor]) -> None:
        """``weights``: by the names of ``CnnNet``, of any shapes.

        Raises:
            InputError: the first layer is not there, or one is of another shape than the structure
                says.
        """
        self._weights = weights
        self.layers = list(
            takewhile(
                lambda layer: all(f"{op.key}conv1.weight" in weights for op in layer.ops),
                wired(structure),
            )
        )
        if not self.layers:
            raise InputError("holds no weights of a backbone, expected block_list.0 and so on")
        self._ops = [op for layer in self.layers for op in layer.ops]
        for op in self._ops:
            self._check(op)
        self.sizes = spaces(self._ops)
        self.params = sum(parameters(op) for op in self._ops)
        self._moments: list[Moments] = []

    def weight(self, op: Op) -> Tensor:
        """The weight of a convolution, shape (out, in of a group, k, k)."""
        return self._weights[f"{op.key}conv1.weight"]

    def norm(self, op: Op) -> Norm:
        """The BN of a convolution, four of shape (C,). Of one that was folded into its convolution,
        the BN that changes nothing but adds the bias."""
        if f"{op.key}bn1.weight" in self._weights:
            return Norm(*(self._weights[f"{op.key}bn1.{name}"].float() for name in NORM))
        zero = torch.zeros(int(op.conv.c_out))
        bias = self._weights.get(f"{op.key}conv1.bias", zero)
        return Norm(torch.full_like(zero, math.sqrt(1 + EPS)), bias.float(), zero, zero + 1)

    def batches(self, op: Op) -> Tensor | None:
        """How many batches its BN has seen, a scalar, None where that is not said."""
        seen = self._weights.get(f"{op.key}bn1.num_batches_tracked")
        return seen if seen is not None and seen.shape == () and seen.dtype == torch.long else None

    def importance(self, space: int) -> Tensor:
        """How much each channel of a space does, shape (C,): how far it moves, which the scales of
        the BNs that write it say (Liu et al. 2017, arXiv 1708.06519), times how much is made of it,
        the norm of the weights that read it (Li et al. 2017, arXiv 1608.08710)."""
        written = [self.norm(op).scale.square() for op in self._ops if op.writes == space]
        read = [
            self.weight(op).float().square().sum((0, 2, 3))
            for op in self._ops
            if op.reads == space and op.conv.groups == 1
        ]
        moves = torch.stack(written).sum(0).sqrt() if written else torch.ones(self.sizes[space])
        return moves * torch.stack(read).sum(0).sqrt() if read else moves

    def strength(self, number: int) -> float:
        """How far the main path of a layer moves its output: the mean scale of its last BN."""
        return float(self.norm(self.layers[number].last).scale.abs().mean())

    def inside(self, op: Op) -> Moments:
        """Moments, each (C,), of what a convolution of a main path gives, behind its activation."""
        norm = self.norm(op)
        return _rectified(norm.shift, norm.scale.square())

    def given(self, number: int) -> Moments:
        """Moments, each (C,), of what a layer gives: an estimate from the BNs alone, which say the
        moments of what they give; of a sum of such, as if they had nothing to do with each other."""
        while len(self._moments) <= number:
            layer = self.layers[len(self._moments)]
            norm = self.norm(layer.last)
            mean, variance = norm.shift, norm.scale.square()
            if layer.projection is not None:
                beside = self.norm(layer.projection)
                mean, variance = mean + beside.shift, variance + beside.scale.square()
            elif layer.joined and self._moments:
                before = self._moments[-1]
                mean, variance = mean + before.mean, variance + before.variance
            self._moments.append(_rectified(mean, variance))
        return self._moments[number]

    def _check(self, op: Op) -> None:
        out = (int(op.conv.c_out),)
        expected: dict[str, tuple[int, ...]] = {f"{op.key}conv1.weight": op.shape}
        if f"{op.key}bn1.weight" in self._weights:
            expected |= {f"{op.key}bn1.{name}": out for name in NORM}
        elif f"{op.key}conv1.bias" in self._weights:
            expected[f"{op.key}conv1.bias"] = out
        for key, shape in expected.items():
            value = self._weights.get(key)
            if value is None:
                raise InputError(f"{key} is missing, expected all weights of the structure")
            if value.shape != shape or not value.is_floating_point():
                raise InputError(
                    f"{key} is {tuple(value.shape)} ({value.dtype}), expected {shape} of floating "
                    "point, as the structure says"
                )
            if value.untyped_storage().nbytes() < value.numel() * value.element_size():
                raise InputError(f"{key} claims more numbers than it holds, expected all of them")


def spaces(ops: list[Op]) -> dict[int, int]:
    """Channels of every space that convolutions read or write."""
    return {PICTURE: int(ops[0].conv.c_in)} | {op.writes: int(op.conv.c_out) for op in ops}


def parameters(op: Op) -> int:
    """Weights of a convolution, and two of each channel of its BN."""
    return math.prod(op.shape) + 2 * int(op.conv.c_out)


def _rectified(mean: Tensor, variance: Tensor) -> Moments:
    """Moments of max(0, x) where x is Gaussian, each (C,)."""
    deviation = variance.clamp_min(LEAST).sqrt()
    z = mean / deviation
    below = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    first = mean * below + deviation * density
    second = (mean.square() + deviation.square()) * below + mean * deviation * density
    return Moments(first, (second - first.square()).clamp_min(LEAST))
