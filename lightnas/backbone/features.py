"""The backbone for other people's detectors: stages in turn, each under a name, as torchvision and
timm expect them. No mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..network.stages import STAGES, chosen_stages
from ..network.structure import Structure
from .net import CnnNet, Focus


@dataclass(frozen=True)
class FeatureInfo:
    """What a backbone gives, in the words of timm's ``feature_info``: of each feature map
    ``num_chs``, ``reduction`` (pixels of the picture a step) and ``module``."""

    info: tuple[dict[str, Any], ...]

    def channels(self) -> list[int]:
        """Of each feature map."""
        return [one["num_chs"] for one in self.info]

    def reduction(self) -> list[int]:
        """Of each feature map, 2 to 32."""
        return [one["reduction"] for one in self.info]

    def module_name(self) -> list[str]:
        """The stage that each feature map comes from: c1 to c5."""
        return [one["module"] for one in self.info]

    def get_dicts(self) -> list[dict[str, Any]]:
        """All of it, a dict a feature map."""
        return [dict(one) for one in self.info]

    def __len__(self) -> int:
        return len(self.info)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.info[index]


class Features(nn.Module):
    """A backbone as a chain of stages ``c1`` to ``c5``, each a child; takes pictures (N, 3, H, W) of
    sides from 32, a Focus stem included.

    torchvision's ``IntermediateLayerGetter`` and ``BackboneWithFPN`` pick stages by those names;
    ``forward`` gives the chosen ones as a list, as timm's ``features_only`` models do.

    Attributes:
        feature_info: channels and reduction of each.
        out_channels: the same channels, as a list.
    """

    def __init__(self, net: CnnNet, ends: Sequence[int], out_indices: Sequence[int]) -> None:
        """``net`` has all stages, ``ends`` the last block of each of them; its weights are shared."""
        super().__init__()
        stages = chosen_stages(out_indices)
        begin = 0
        for number, end in enumerate(ends[: stages[-1] + 1]):
            blocks = [*net.block_list[begin : end + 1]]
            self.add_module(
                _name(number),
                nn.Sequential(*([Focus()] if net.focus and number == 0 else []), *blocks),
            )
            begin = end + 1
        self.feature_info = FeatureInfo(
            tuple(
                {"num_chs": net.out_channels[i], "reduction": net.strides[i], "module": _name(i)}
                for i in stages
            )
        )
        self.out_channels = self.feature_info.channels()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of the chosen stages, each (N, channels, H/reduction, W/reduction), rounded up."""
        chosen = set(self.feature_info.module_name())
        outputs = []
        for name, stage in self.named_children():
            x = stage(x)
            if name in chosen:
                outputs.append(x)
        return outputs


def features_only(
    structure: Structure | Sequence[dict[str, Any]],
    out_indices: Sequence[int] = (1, 2, 3, 4),
    weights: dict[str, Tensor] | None = None,
    with_cp: bool = False,
) -> Features:
    """A structure as a backbone for torchvision, timm-like code, or a detector of your own: pictures
    (N, 3, H, W) to a list of (N, channels, H/reduction, W/reduction).

    Args:
        structure: as for ``CnnNet``.
        out_indices: stages to return, 0 for C1 up to 4 for C5.
        weights: a state dict of ``CnnNet``, as published or trained (without ``backbone.body.``).
        with_cp: activation checkpointing.

    Raises:
        InputError: the structure is not well-formed, or there is no such stage.
    """
    if not isinstance(structure, Structure):
        structure = Structure.from_dicts(list(structure))
    net = CnnNet(structure, out_indices=range(STAGES), with_cp=with_cp)
    if weights is not None:
        net.load_state_dict(weights)
    return Features(net, structure.ends, out_indices)


def _name(stage: int) -> str:
    return f"c{stage + 1}"
