"""A trained detector as an ONNX file up to the raw outputs of its head, of whatever head it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lightnas.backbone.onnx import export_onnx
from lightnas.outputs import NETWORK

from .config import test_size
from .onnx import check_asked, loaded
from .testing import checkpoint_in


class RawOutputs(nn.Module):
    """A detector's head on its picture, level by level: all scores, then all boxes (for GFLV2 their
    distributions)."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps (N, ..., h, w) of a picture (N, 3, H, W), in the order said above."""
        return [level for kind in self.detector.forward_dummy(image) for level in kind]


def export_raw(
    checkpoint: Path,
    path: Path,
    input_size: tuple[int, int] | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> float:
    """Write the detector of a checkpoint; pictures come in normalised as its config says, and no
    box is decoded.

    Outputs are ``cls_0`` ... (n, classes, h, w), scores in 0 ... 1 with our GFocalHead, and
    ``box_0`` ... (n, 4 * (reg_max + 1), h, w), one a level, strides rising.

    Args:
        checkpoint, input_size, overwrite: as for ``export_detector``.

    Returns:
        the largest relative difference from torch, as ``lightnas.backbone.onnx.export_onnx``.

    Raises:
        InputError: the checkpoint cannot be read or does not fit, or the size or
            the path is none for it.
        WorkError: onnxruntime and torch differ.
    """
    check_asked(path, input_size)
    cfg, detector = loaded(checkpoint_in(checkpoint), path, NETWORK, trust, overwrite)
    levels = len(detector.bbox_head.prior_generator.strides)
    names = [f"{kind}_{i}" for kind in ("cls", "box") for i in range(levels)]
    return export_onnx(RawOutputs(detector), path, input_size or test_size(cfg), names)
