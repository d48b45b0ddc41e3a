"""MadNas: a searched backbone as mmdet wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.runner import BaseModule
from mmdet.models.builder import BACKBONES
from torch import Tensor, nn

from lightnas.backbone.net import CnnNet, Focus
from lightnas.errors import InputError
from lightnas.network.structure import Structure, parse_structures, read_structures


def load_structure(structure_txt: str) -> Structure:
    """The first structure of a txt, given as its path or as its text (which begins with a brace).

    Raises:
        InputError: the file or the text is no structure txt.
    """
    is_text = structure_txt.lstrip().startswith("{")
    return (
        parse_structures(structure_txt, "structure_txt")
        if is_text
        else read_structures(structure_txt)
    )[0]


@BACKBONES.register_module()
class MadNas(BaseModule):
    """``CnnNet`` under the key ``body``, so that published detector weights (``backbone.body.*``)
    fit.

    Args:
        structure_txt: path of a structure txt, or its text: work directories and checkpoints then
            need no second file.
        out_indices: stages to return, 0 for C1 up to 4 for C5.
        frozen_stages: stages 0 ... frozen_stages do not train, and their BN keeps its statistics
            (-1: all train).
        norm_eval: BN keeps its statistics everywhere.
        with_cp: activation checkpointing: less memory, one more forward pass.
        init_cfg: as in mmdet; ``dict(type='Pretrained', checkpoint=...)`` loads weights.

    ``forward`` takes pictures (N, 3, H, W), both sides at least 32, and gives a tuple of feature
    maps. Behind a Focus stem it lays the pixels into channels first.

    Attributes:
        out_channels, strides: of each returned stage. ``out_channels`` are the ``in_channels`` of a
            neck.

    Raises:
        InputError: the structure is not well-formed, there is no such stage, or pretrained weights
            do not fit.
    """

    def __init__(
        self,
        structure_txt: str,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(structure_txt, str):
            raise InputError(
                f"structure_txt is {structure_txt!r}, expected the path or the text of a structure txt"
            )
        structure = load_structure(structure_txt)
        self.body = CnnNet(structure, tuple(out_indices), frozen_stages, norm_eval, with_cp)
        self.focus = Focus() if self.body.focus else nn.Identity()
        self.out_channels = self.body.out_channels
        self.strides = self.body.strides

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps (N, C_i, H / 2^i, W / 2^i) of pictures (N, 3, H, W), sides rounded up."""
        return tuple(self.body(self.focus(x)))

    def init_weights(self) -> None:
        """Load what ``init_cfg`` names. Without it CnnNet's own initialisation stands, and so do
        weights loaded since."""
        if isinstance(self.init_cfg, dict) and self.init_cfg.get("type") == "Pretrained":
            from .checkpoint import load_weights, read_checkpoint

            path = str(self.init_cfg["checkpoint"])
            prefix = self.init_cfg.get("prefix")
            weights = read_checkpoint(path, trust=False)["state_dict"]
            if prefix:
                head = prefix.rstrip(".") + "."
                weights = {
                    key.removeprefix(head): value
                    for key, value in weights.items()
                    if key.startswith(head)
                }
            load_weights(self, weights, path)
        self._is_init = True
