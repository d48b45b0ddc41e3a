"""A trained detector as an ONNX file: from pictures to boxes, or up to the raw outputs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv import Config
from torch import Tensor, nn

from lightnas import __version__
from lightnas.backbone.onnx import OPSET, export_onnx
from lightnas.deploy.metadata import (
    FORMAT,
    MAX_BATCH,
    Compared,
    Defaults,
    Flops,
    Metadata,
    with_metadata,
)
from lightnas.deploy.network import IMAGE, OUTPUTS, Network
from lightnas.deploy.precision import PRECISIONS, lowered
from lightnas.deploy.testing import Measured, side_by_side_with
from lightnas.errors import InputError, WorkError, nearest
from lightnas.files import write_output
from lightnas.outputs import NETWORK, check_file

from .compared import compare, pictures_for, pictures_of, splits_for
from .config import structure_of, test_size
from .decoding import BoxOutputs, check_head
from .embedded import config_of_checkpoint
from .prepared import prepared
from .testing import checkpoint_in, load_detector

VERSIONS = ("torch", "mmdet", "onnx", "onnxruntime")
NONE = Compared(pictures=0, boxes=0, pixels=0.0, scores=0.0)


@dataclass(frozen=True)
class Exported:
    """What was found of a file that was written.

    Attributes:
        compared: with mmdet, in fp32.
        measured: AP and seconds by precision; empty for fp32 alone.
    """

    compared: Compared
    measured: dict[str, Measured]


class RawOutputs(nn.Module):
    """A detector's head on its picture, level by level: all scores, then all boxes (for GFLV2 their
    distributions)."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps (N, ..., h, w) of a picture (N, 3, H, W), in the order said above."""
        return [level for kind in self.detector.forward_dummy(image) for level in kind]


def export_detector(
    checkpoint: Path,
    path: Path,
    *,
    pictures: Sequence[str | Path] = (),
    precision: str = "fp32",
    max_ap_loss: float = 0.01,
    data: Path | None = None,
    input_size: tuple[int, int] | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the detector of a checkpoint as one ONNX file from pictures to boxes, with everything in
    its metadata that ``lightnas.deploy`` needs to run it.

    The input ``image`` is uint8, RGB (n, 3, height, width), resized as the metadata say, any n and
    any sides. Outputs are ``boxes`` (m, 4), corners in pixels of that picture, ``scores`` (m,),
    ``labels`` (m,) and ``pictures`` (m,), the number of the picture in the batch. ``score_threshold``,
    ``iou_threshold`` and ``max_boxes``, of shape (1,), are inputs with the checkpoint's own values as
    defaults.

    Args:
        checkpoint: of ``train-det``, or its work directory: then the best one.
        pictures: what it is compared on, as ``data.inputs.find_inputs`` takes them; by default some
            of its val split.
        precision: ``fp32``; or ``fp16`` or ``int8``, calibrated on the train split and measured on
            val, beside fp32.
        max_ap_loss: by which AP may fall with another precision.
        data: a folder with those splits; by default the run's own.
        input_size: height and width that it is traced at; by default those that the detector is
            tested at.
        overwrite: replace a file that is there.

    Returns:
        the largest differences from what mmdet finds in those pictures, and the measurements.

    Raises:
        InputError: the checkpoint cannot be read or does not fit, it is no detector whose boxes are
            decoded here, there are no pictures, or the path is taken.
        WorkError: onnxruntime and mmdet find something else, or AP falls by more.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision}, {nearest(precision, PRECISIONS)}")
    cfg, detector = _loaded(checkpoint := checkpoint_in(checkpoint), path, trust, overwrite)
    check_decoded(detector, checkpoint)
    prepared(cfg, str(checkpoint))
    looked_at = pictures_for(pictures, cfg, checkpoint, path)
    model, metadata = exported(cfg, detector, checkpoint, input_size or test_size(cfg))
    network = Network(model, metadata, str(path), "cpu")
    metadata.compared = compare(network, detector, looked_at)
    measured: dict[str, Measured] = {}
    if precision != "fp32":
        splits = splits_for(data, cfg, checkpoint)
        model = lowered(model, metadata, precision, pictures_of(splits["train"], checkpoint))
        measured = side_by_side_with(
            network, Network(model, metadata, str(path), "cpu"), precision, splits["val"]
        )
        metadata.precision = precision
        metadata.ap = {name: row.ap for name, row in measured.items()}
        _refuse_loss(measured, precision, max_ap_loss)
    write_output(path, with_metadata(model, metadata), "output")
    return Exported(metadata.compared, measured)


def exported(
    cfg: Config, detector: Any, checkpoint: Path, size: tuple[int, int]
) -> tuple[bytes, Metadata]:
    """The ONNX model of a detector, not yet compared, and what it says of itself.

    Args:
        cfg, detector: of the checkpoint.
        size: height and width that it is traced at.

    Raises:
        InputError: it does not say its classes, or is no detector whose boxes are decoded here.
    """
    defaults = check_decoded(detector, checkpoint)
    rule, normalisation = prepared(cfg, str(checkpoint))
    structure = structure_of(cfg)
    backbone = None if structure is None else float(structure.cost(size).flops)  # type: ignore[arg-type]
    metadata = Metadata(
        format=FORMAT,
        precision="fp32",
        classes=list(detector.CLASSES),
        normalisation=normalisation,
        resize=rule,
        defaults=defaults,
        flops=count_flops(detector, size, backbone),
        structure=None if structure is None else structure.to_dicts(),
        max_batch=MAX_BATCH,
        compared=NONE,
        versions={"lightnas": __version__} | {name: version(name) for name in VERSIONS},
    )
    return traced(BoxOutputs(detector, normalisation), size, defaults), metadata


def check_decoded(detector: Any, checkpoint: Path) -> Defaults:
    """Refuse a detector whose boxes are not decoded here; its own limits.

    Raises:
        InputError: it has another head, or says no classes.
    """
    if not detector.CLASSES:
        raise InputError(
            f"{checkpoint}: its meta has no CLASSES, expected the names of the classes that it finds"
        )
    return check_head(detector, str(checkpoint))


def _refuse_loss(measured: dict[str, Measured], precision: str, most: float) -> None:
    before, after = measured["fp32"].ap, measured[precision].ap
    if before is not None and after is not None and before - after > most:
        raise WorkError(
            f"precision {precision}: AP falls from {before:.4f} to {after:.4f}, expected at most "
            f"{most:g} less (max_ap_loss); nothing was written"
        )


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
        InputError: the checkpoint cannot be read or does not fit, or the path is taken.
        WorkError: onnxruntime and torch differ.
    """
    cfg, detector = _loaded(checkpoint_in(checkpoint), path, trust, overwrite)
    levels = len(detector.bbox_head.prior_generator.strides)
    names = [f"{kind}_{i}" for kind in ("cls", "box") for i in range(levels)]
    return export_onnx(RawOutputs(detector), path, input_size or test_size(cfg), names)


def _loaded(checkpoint: Path, path: Path, trust: bool, overwrite: bool) -> tuple[Config, Any]:
    """Config and detector of a checkpoint, once the path is known to be free."""
    check_file(path, NETWORK, [checkpoint], overwrite=overwrite)
    cfg = config_of_checkpoint(checkpoint, trust)
    return cfg, load_detector(cfg, checkpoint, trust)


def traced(net: BoxOutputs, size: tuple[int, int], defaults: Defaults) -> bytes:
    """The ONNX model of a detector, for any number and size of pictures."""
    settings = {
        "score_threshold": torch.tensor([defaults.score_threshold]),
        "iou_threshold": torch.tensor([defaults.iou_threshold]),
        "max_boxes": torch.tensor([defaults.max_boxes]),
    }
    axes = {IMAGE: {0: "n", 2: "height", 3: "width"}} | {name: {0: "found"} for name in OUTPUTS}
    picture = torch.zeros(1, 3, *size, dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # As in lightnas.backbone.onnx: of the newer exporter, and of every shape that it follows.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(), (picture, *settings.values()), buffer, dynamo=False,  # type: ignore[arg-type]
            opset_version=OPSET, input_names=[IMAGE, *settings], output_names=list(OUTPUTS),
            dynamic_axes=axes,
        )  # fmt: skip
    return _with_defaults(buffer.getvalue(), settings)


def _with_defaults(model: bytes, settings: dict[str, Tensor]) -> bytes:
    """The model with values of inputs that need not be given: an initialiser of the same name."""
    import onnx

    content = onnx.load_from_string(model)
    for name, value in settings.items():
        content.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    return content.SerializeToString(deterministic=True)  # type: ignore[no-any-return]


def count_flops(detector: Any, size: tuple[int, int], backbone: float | None) -> Flops:
    """FLOPs of a detector at a size (height, width), counted as ``network.detector`` counts: of its
    backbone as given (of ours, from its structure), of the rest while a picture runs through."""
    total = 0.0

    def conv(module: nn.Conv2d, inputs: Any, output: Tensor) -> None:
        nonlocal total
        weights = module.weight[0].numel() + (module.bias is not None)
        total += output.numel() * weights

    def norm(module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += 2.0 * output.numel()

    own = set() if backbone is None else set(detector.backbone.modules())
    hooks = [
        module.register_forward_hook(conv if isinstance(module, nn.Conv2d) else norm)
        for module in detector.modules()
        if module not in own and isinstance(module, nn.Conv2d | nn.GroupNorm | nn.BatchNorm2d)
    ]
    with torch.no_grad():
        detector.forward_dummy(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    return Flops(input_size=list(size), backbone=backbone, detector=total + (backbone or 0.0))
