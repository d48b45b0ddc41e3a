"""The weights of any trained backbone, carried to any other structure.

What is carried where:

    depth     layers answer to each other stage by stage, blocks do not count (``aligning``); a layer
              too many is dropped, the weakest first; a new one is a residual layer whose last BN
              has the scale 0, so that it begins as its shortcut (Net2DeeperNet of Chen et al. 2016,
              arXiv 1511.05641, in the residual form of Goyal et al. 2017)
    shortcut  where a projection takes the place of an identity shortcut, it is one that changes
              nothing
    width     a narrower network keeps the most important channels, in their order; in a wider one
              the first channels are the old ones, and read nothing of the new ones, which keep the
              weights they were drawn with: the function of the old network stays as it was
    kernel    3 to 5: zeros around; 5 to 3: the centre (FNA, Fang et al. 2020, arXiv 2001.02525)
    kind      convolutions answer to each other by where they read and write in a layer; a depthwise
              one is the diagonal of a dense one; one that has no counterpart begins as the identity
    BN        with its channel: scale, shift, mean and variance

Net2Net widens with copies of channels that share what their readers read. Copies that are alike get
the same step from Adam, whatever their shares, and stay alike; and they would count as carried. New
channels that nothing reads yet keep the function as exactly and are free from the first step on.

Widening, larger kernels, and deepening with blocks whose activation is ReLU keep the function of the
network in evaluation exactly: its outputs are the first channels of the new one's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.blocks import DEPTHWISE
from ..network.stages import FOCUS, STAGES, has_focus
from ..network.structure import Structure
from .aligning import aligned, counterparts
from .net import Focus
from .source_weights import NORM, Moments, Norm, SourceWeights, parameters, spaces
from .wiring import INSIDE, PICTURE, SQUEEZED, Op, WiredLayer, wired


@dataclass(frozen=True)
class Carried:
    """Weights that were carried to another structure.

    Attributes:
        weights: the state dict of the new network, every name of it.
        share: the share of its parameters that came from the old network, 0 to 1.
        used: the share of the old network's parameters that came along.
        channels: of C1 ... C5, which old channel each of the first channels is, shape (C,); None
            where the old network has no such stage.
    """

    weights: dict[str, Tensor]
    share: float
    used: float
    channels: tuple[Tensor | None, ...]


@torch.no_grad()
def carry(
    source: Structure,
    weights: Mapping[str, Tensor],
    target: Structure,
    initial: Mapping[str, Tensor],
) -> Carried:
    """The weights of one backbone, as far as they go, in another.

    Args:
        weights: of ``CnnNet(source)``, or of its first layers; any shapes, BNs may be folded.
        initial: the state dict of ``CnnNet(target)`` as it begins without them, any shapes: what is
            not carried stays as it is here, where ``CnnNet`` draws it.

    Raises:
        InputError: the weights are not those of ``source``: the first that does not fit.
    """
    old = SourceWeights(source, weights)
    layers = [
        layer
        for layer in wired(target)
        if all(f"{op.key}conv1.weight" in initial for op in layer.ops)
    ]
    carrier = _Carrier(old, layers, initial, has_focus(source.strides), has_focus(target.strides))
    channels = [carrier.stage(stage) for stage in range(1, STAGES + 1)]
    total = sum(parameters(op) for layer in layers for op in layer.ops)
    return Carried(
        carrier.result, carrier.count / total, carrier.count / old.params, tuple(channels)
    )


class _Carrier:
    """``result`` begins as the initial weights and is filled; ``count`` parameters were carried."""

    def __init__(
        self,
        old: SourceWeights,
        layers: Sequence[WiredLayer],
        initial: Mapping[str, Tensor],
        from_focus: bool,
        to_focus: bool,
    ) -> None:
        self.old, self.layers = old, layers
        self.result = {key: value.clone() for key, value in initial.items()}
        self.count = 0
        self.from_focus, self.to_focus = from_focus, to_focus
        self._sizes = spaces([op for layer in layers for op in layer.ops])
        self._channels: dict[tuple[int, int], Tensor] = {}

    def stage(self, stage: int) -> Tensor | None:
        """Carry the layers of a stage; returns its ``Carried.channels``."""
        numbers = [i for i, layer in enumerate(self.old.layers) if layer.stage == stage]
        targets = [layer for layer in self.layers if layer.stage == stage]
        if not numbers or not targets:
            return None
        strength = [self.old.strength(i) for i in numbers]
        most = 1.1 * max([*strength, 1e-30])
        sources = [self.old.layers[i] for i in numbers]
        at = numbers[0]
        for target, found in zip(
            targets, aligned(sources, targets, [s / most for s in strength]), strict=True
        ):
            if found is not None:
                at = numbers[found]
                self._layer(at, target)
            else:
                self._passing(target, self.old.layers[at].writes, self.old.given(at))
        return self._kept(targets[-1].writes, sources[-1].writes)

    def _layer(self, number: int, target: WiredLayer) -> None:
        source = self.old.layers[number]
        found = counterparts(source, target)
        if not found and source.shortcut == "identity" and number:
            self._passing(target, source.reads, self.old.given(number - 1))
            return
        behind: dict[int, Op] = {}  # by space of the target: which old convolution wrote it
        for op in target.ops:
            if op.key in found:
                self._op(found[op.key], op)
                behind[op.writes] = found[op.key]
            elif op.role == (INSIDE, INSIDE) and op.reads in behind:
                before = behind[op.writes] = behind[op.reads]
                self._identity(op, before.writes, self.old.inside(before))
        shortcut = target.projection
        if shortcut is None or shortcut.key in found:
            return
        if source.shortcut == "identity" and number:
            self._identity(shortcut, source.reads, self.old.given(number - 1))
        else:  # nothing stood beside the main path
            self.result[f"{shortcut.key}bn1.weight"].zero_()

    def _passing(self, target: WiredLayer, space: int, moments: Moments) -> None:
        """Make a layer pass on the channels of a space. One whose shortcut is the identity does."""
        if target.projection is not None:
            self._identity(target.projection, space, moments)
        elif not target.joined:
            for op in target.main:
                if SQUEEZED not in op.role:
                    self._identity(op, space, moments)

    def _op(self, source: Op, target: Op) -> None:
        weight, norm = self.old.weight(source), self.old.norm(source)
        writes = self._kept(target.writes, source.writes)
        groups = source.conv.groups, target.conv.groups
        if {*groups} - {DEPTHWISE, 1} and (source.shape != target.shape or groups[0] != groups[1]):
            return  # of a block of someone else's
        reads = self._kept(target.reads, source.reads)
        stem = source.reads == target.reads == PICTURE
        if stem and self.from_focus != self.to_focus and not source.depthwise:
            weight, mask = (
                (_from_pixels(one) if self.to_focus else _to_pixels(one))
                for one in (weight.float(), torch.ones_like(weight, dtype=torch.float32))
            )
            reads = torch.arange(min(weight.shape[1], target.shape[1]))
            kernel = _centred(mask[writes][:, reads], target.shape[-1])
            # Zeros between the pixels are nobody's parameters.
            self.count += int(kernel.sum()) - len(writes) * len(reads) * kernel.shape[-1] ** 2
        filled, count = self._place(target, weight, source.depthwise, reads, writes)
        self.count += count + 2 * filled
        self._norm(target, norm, writes[:filled])
        batches, key = self.old.batches(source), f"{target.key}bn1.num_batches_tracked"
        if batches is not None and key in self.result:
            self.result[key].fill_(int(batches))

    def _identity(self, target: Op, space: int, moments: Moments) -> None:
        """A convolution and a BN that change nothing in the channels of a space."""
        weight = torch.ones(self.old.sizes[space], 1, 1, 1)
        writes = self._kept(target.writes, space)
        filled, _ = self._place(target, weight, True, self._kept(target.reads, space), writes)
        self._norm(target, moments.kept(), writes[:filled])

    def _place(
        self, target: Op, weight: Tensor, diagonal: bool, reads: Tensor, writes: Tensor
    ) -> tuple[int, int]:
        """Write a weight into the convolution of the target.

        Args:
            weight: (out, in, k, k), or of a depthwise one, ``diagonal``, (out, 1, k, k).
            reads, writes: which channels of it are read and written, shape (C,).

        Returns:
            how many output channels were written, and how many numbers of the weight.
        """
        own = self.result[f"{target.key}conv1.weight"]
        filled = min(len(writes), len(reads)) if target.depthwise else len(writes)
        if target.depthwise:
            same = writes[:filled] == reads[:filled]
            picked = (
                weight[writes[:filled], 0] * same[:, None, None]
                if diagonal
                else weight[writes[:filled], reads[:filled]]
            )[:, None]
        else:
            same = writes[:, None] == reads[None, :]
            picked = (
                weight[writes] * same[:, :, None, None]
                if diagonal
                else weight[writes][:, reads[: own.shape[1]]]
            )
        k = own.shape[-1]
        picked = _centred(picked, k)
        edge = (k - picked.shape[-1]) // 2
        own[:filled] = 0
        own[:filled, : picked.shape[1], edge : k - edge, edge : k - edge] = picked.to(own.dtype)
        numbers = int(same.sum()) if diagonal else picked.shape[0] * picked.shape[1]
        return filled, numbers * picked.shape[-1] ** 2

    def _norm(self, target: Op, norm: Norm, writes: Tensor) -> None:
        for name, values in zip(NORM, norm, strict=True):
            own = self.result[f"{target.key}bn1.{name}"]
            own[: len(writes)] = values[writes].to(own.dtype)

    def _kept(self, target: int, source: int) -> Tensor:
        """Which channel of an old space each of the first channels of a new one is, shape (C,)."""
        if (target, source) not in self._channels:
            have, want = self.old.sizes[source], self._sizes[target]
            if have <= want or source == PICTURE:
                kept = torch.arange(min(have, want))
            else:
                best = self.old.importance(source).argsort(descending=True, stable=True)
                kept = best[:want].sort().values
            self._channels[target, source] = kept
        return self._channels[target, source]


def _centred(weight: Tensor, k: int) -> Tensor:
    """The centre of kernels (..., k, k), where they are larger than ``k``."""
    edge = max(0, (weight.shape[-1] - k) // 2)
    return weight[..., edge : weight.shape[-1] - edge, edge : weight.shape[-1] - edge]


def _from_pixels(weight: Tensor) -> Tensor:
    """The kernel behind a Focus stem, (out, 4 in, K, K), that does what one of stride 2 does to
    pixels: (out, in, k, k)."""
    out, c_in, k, _ = weight.shape
    half = -(-(k // 2) // FOCUS)
    wide = weight.new_zeros(out, c_in, *(2 * [FOCUS * (2 * half + 1)]))
    low = FOCUS * half - k // 2
    wide[..., low : low + k, low : low + k] = weight
    laid: Tensor = Focus()(wide)
    return laid


def _to_pixels(weight: Tensor) -> Tensor:
    """The kernel of stride 2 on pixels, (out, in, k, k), that does what one behind a Focus stem
    does: (out, 4 in, K, K)."""
    out, channels, size, _ = weight.shape
    c_in, k = channels // FOCUS**2, FOCUS * size + 1
    wide = weight.new_zeros(out, c_in, k, k)
    for number in range(FOCUS**2):
        column, row = divmod(number, FOCUS)
        part = weight[:, number * c_in : (number + 1) * c_in]
        wide[..., 1 + row :: FOCUS, 1 + column :: FOCUS] = part
    return wide
