"""The backbone in torch, built from the same block description that cost and entropy read.

Names of parameters are the published ones (``block_list.1.block_list.0.conv1.conv1.weight``), so
that published weights load with ``strict=True``. Sides that 32 does not divide are rounded up at
each stride 2, by the convolutions and by the pool of the shortcut alike; where 32 divides them,
that makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.checkpoint import checkpoint

from ..errors import InputError
from ..network.blocks import Block, Conv, Layer, layers
from ..network.stages import FOCUS, STAGES, chosen_stages, has_focus
from ..network.structure import Structure


def activated(x: Tensor, silu: bool) -> Tensor:
    """SiLU or ReLU of x, of any shape, in place."""
    return functional.silu(x, inplace=True) if silu else functional.relu(x, inplace=True)


class ConvBN(nn.Module):
    """One convolution of the description, its BN, and an activation if it has one.

    (N, c_in, H, W) to (N, c_out, H/s, W/s), rounded up.
    """

    def __init__(self, conv: Conv[int], silu: bool = False) -> None:
        super().__init__()
        c_in, c_out = int(conv.c_in), int(conv.c_out)
        self.conv1 = nn.Conv2d(
            c_in,
            c_out,
            conv.k,
            conv.stride,
            padding=conv.k // 2,
            groups=conv.groups or c_in,
            bias=False,
        )
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu, self.silu = conv.relu, silu

    def forward(self, x: Tensor) -> Tensor:
        """Convolution, BN and activation of x."""
        x = self.bn1(self.conv1(x))
        return activated(x, self.silu) if self.relu else x

    def fuse(self) -> ConvBN:
        """Fold the BN into the convolution: the same function in evaluation, in fewer steps."""
        if isinstance(self.bn1, nn.BatchNorm2d):
            self.conv1 = fuse_conv_bn_eval(self.conv1.eval(), self.bn1.eval())
            self.bn1 = nn.Identity()  # type: ignore[assignment]
        return self


class Excitation(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018): scales channels by what their means say."""

    def __init__(self, conv: Conv[int], silu: bool) -> None:
        super().__init__()
        first, second = conv.excitation
        self.conv1, self.conv2 = ConvBN(first, silu), ConvBN(second)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        means = x.mean((2, 3), keepdim=True)
        scale: Tensor = self.conv2(self.conv1(means)).sigmoid()
        return x * scale


class ResidualLayer(nn.Module):
    """One residual layer of the description: main path, shortcut, sum, activation."""

    def __init__(self, layer: Layer[int]) -> None:
        super().__init__()
        self.names = []
        for conv in layer.main:
            self.add_module(conv.name, ConvBN(conv, layer.silu))
            self.names.append(conv.name)
            if conv.squeeze is not None:
                name = conv.name.replace("conv", "se")
                self.add_module(name, Excitation(conv, layer.silu))
                self.names.append(name)
        self.joined, self.silu = bool(layer.joined), layer.silu
        self.pool = layer.pool
        projection = layer.projection if layer.projected else None
        self.residual_proj = None if projection is None else ConvBN(projection)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) to (N, c_out, H/s, W/s), rounded up."""
        shortcut = self._shortcut(x) if self.joined else None
        for name in self.names:
            x = getattr(self, name)(x)
        if shortcut is not None:
            x += shortcut  # in place: the main path's last output is needed nowhere else
        return activated(x, self.silu)

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.pool > 1:
            x = functional.avg_pool2d(
                x, self.pool, self.pool, ceil_mode=True, count_include_pad=False
            )
        return x if self.residual_proj is None else self.residual_proj(x)


class LayerChain(nn.Module):
    """A block of several layers.

    ``with_cp``: recompute each layer in the backward pass instead of keeping its insides.
    """

    def __init__(self, block: Block[int], with_cp: bool) -> None:
        super().__init__()
        chain = [ResidualLayer(layer) for layer, times in layers(block) for _ in range(times)]
        self.block_list = nn.ModuleList(chain)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """The layers one after the other."""
        for layer in self.block_list:
            x = (
                checkpoint(layer, x, use_reentrant=False)
                if self.with_cp and x.requires_grad
                else layer(x)
            )
        return x


class Focus(nn.Module):
    """Every 2 x 2 patch of pixels becomes channels: (N, C, H, W) to (N, 4 C, H/2, W/2), rounded up.

    In the order of YOLOX and DAMO-YOLO: top left, bottom left, top right, bottom right. Odd sides
    are filled with zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then lay pixels into channels."""
        x = functional.pad(x, (0, x.shape[-1] % FOCUS, 0, x.shape[-2] % FOCUS))
        return torch.cat(
            [x[..., row::FOCUS, column::FOCUS] for column in range(FOCUS) for row in range(FOCUS)],
            dim=1,
        )


class CnnNet(nn.Module):
    """A backbone; ``forward`` takes pictures (N, 3, H, W) and gives a list of feature maps.

    Both sides are at least 32. Behind a Focus stem (``focus`` is true) it takes what ``Focus``
    makes of the pictures: (N, 12, H/2, W/2).

    Args:
        structure: a ``Structure`` such as ``result.structure``, or the list of block dicts that a
            structure txt holds.
        out_indices: stages to return, 0 for C1 up to 4 for C5. Their strides are 2, 4, 8, 16, 32.
        frozen_stages: stages 0 ... frozen_stages do not train, and their BN keeps its statistics
            (-1: all train).
        norm_eval: BN keeps its statistics everywhere.
        with_cp: activation checkpointing: less memory, one more forward pass.

    Attributes:
        out_channels, strides: of each returned stage; strides are in pixels of the picture.
        focus: the structure has a Focus stem.

    Weights are initialised for training from scratch: He et al. 2015 (normal, fan out), and 0 for
    the scale of the last BN on every residual path, so that layers begin as their shortcuts (Goyal
    et al. 2017). Loading weights replaces them all.

    Raises:
        InputError: the structure is not well-formed, or there is no such stage.
    """

    def __init__(
        self,
        structure: Structure | Sequence[dict[str, Any]],
        out_indices: Sequence[int] = (1, 2, 3, 4),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(structure, Structure):
            structure = Structure.from_dicts(list(structure))
        self.out_indices = chosen_stages(out_indices)
        if not -1 <= frozen_stages < STAGES:
            raise InputError(
                f"frozen_stages is {frozen_stages}, expected -1 (none) to {STAGES - 1}"
            )
        ends = structure.ends
        self.focus = has_focus(structure.strides)
        self.out_channels = [structure.widths[i] for i in self.out_indices]
        self.strides = [2 ** (i + 1) for i in self.out_indices]
        self.norm_eval = norm_eval
        self.block_list = nn.ModuleList(
            _block_module(block, with_cp) for block in structure[: ends[self.out_indices[-1]] + 1]
        )
        self._ends = {ends[i] for i in self.out_indices}
        self._frozen = ends[frozen_stages] + 1 if frozen_stages >= 0 else 0
        self._initialise()
        self.train()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of the stages ``out_indices``, each (N, out_channels, H/stride, W/stride)."""
        outputs = []
        for i, block in enumerate(self.block_list):
            x = block(x)
            if i in self._ends:
                outputs.append(x)
        return outputs

    def train(self, mode: bool = True) -> CnnNet:
        """As in torch, but frozen stages and, with ``norm_eval``, every BN stay in evaluation."""
        super().train(mode)
        for block in self.block_list[: self._frozen]:
            block.eval()
            block.requires_grad_(False)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def fuse(self) -> CnnNet:
        """Fold every BN into the convolution before it; for inference only."""
        for module in self.modules():
            if isinstance(module, ConvBN):
                module.fuse()
        return self

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, ResidualLayer) and module.joined:
                nn.init.zeros_(getattr(module, module.names[-1]).bn1.weight)


def _block_module(block: Block[int], with_cp: bool) -> nn.Module:
    (first, _), *others = layers(block)
    return LayerChain(block, with_cp) if first.residual or others else ConvBN(first.main[0])
