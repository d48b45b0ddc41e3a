"""A trained detector as an ONNX file: from pictures to boxes, or up to the raw outputs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv import Config
from torch import Tensor

from lightnas import __version__
from lightnas.backbone.onnx import OPSET
from lightnas.data.coco import DataOptions
from lightnas.deploy.agreement import agreement
from lightnas.deploy.contents import EXPORTED
from lightnas.deploy.metadata import (
    FORMAT,
    MAX_BATCH,
    Compared,
    Defaults,
    Metadata,
    with_metadata,
)
from lightnas.deploy.network import IMAGE, OUTPUTS, Network
from lightnas.deploy.precision import PRECISIONS, lowered
from lightnas.deploy.resize import check_size
from lightnas.deploy.steps import Progress, Steps
from lightnas.deploy.testing import Measured, side_by_side_with
from lightnas.errors import InputError, WorkError, advised, nearest, shown
from lightnas.files import Kind, is_stream, write_output
from lightnas.outputs import NETWORK_SUFFIX, check_file, is_network

from .compared import compare
from .config import structure_of, test_size
from .decoding import BoxOutputs, check_head
from .embedded import config_of_checkpoint
from .export_data import Source, calibration, measured_split, pictures_for
from .flops import count_flops
from .output import stdout_to_stderr
from .prepared import prepared
from .testing import checkpoint_in, load_detector

VERSIONS = ("torch", "mmdet", "onnx", "onnxruntime")
NONE = Compared(pictures=0, boxes=0, pixels=0.0, scores=0.0)
MAX_AP_LOSS = 0.01
# Of a detector that is not decoded here.
RAW = "raw=True writes the raw outputs of any detector"


@dataclass(frozen=True)
class Exported:
    """What was found of a file that was written.

    Attributes:
        compared: the file itself, in fp32 with mmdet, in another precision with fp32.
        measured: AP and seconds by precision; empty for fp32 alone.
        split: where AP was measured, ``val`` or ``test``; None for fp32 alone.
        bytes: of the file.
    """

    compared: Compared
    measured: dict[str, Measured]
    split: str | None
    bytes: int


def export_detector(
    checkpoint: Path,
    path: Path,
    *,
    pictures: Sequence[str | Path] = (),
    precision: str = "fp32",
    max_ap_loss: float | None = None,
    data: Path | None = None,
    layout: str | None = None,
    reading: DataOptions | None = None,
    input_size: tuple[int, int] | None = None,
    trust: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
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
            of the split that AP is measured on.
        precision: ``fp32``; or ``fp16`` or ``int8``, which is calibrated on the train split. Either is
            compared with fp32, once that is as mmdet is, and AP and seconds of both are measured on
            val, or on test where there is no val.
        max_ap_loss: by which AP may fall with another precision; None: 0.01.
        data, layout: a folder with those splits, as for ``data.layouts.find_data``; by default the
            run's own. Others are not looked at.
        reading: how the split that AP is measured on is to be read.
        input_size: height and width that it is traced at; by default those that the detector is
            tested at.
        overwrite: replace a file that lightnas did not write.
        progress: told how many steps of how many are done.

    Returns:
        the largest differences from what mmdet, or the detector in fp32, finds in those pictures, and
        the measurements.

    Raises:
        InputError: the checkpoint cannot be read or does not fit, it is no detector whose boxes are
            decoded here, there are no pictures, an argument means nothing here, or the path is taken
            or ends in something else than ``.onnx``.
        WorkError: onnxruntime and mmdet find something else, or AP falls by more.
    """
    check_asked(path, input_size)
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision}, {nearest(precision, PRECISIONS)}")
    if max_ap_loss is not None and not 0 <= max_ap_loss <= 1:
        raise InputError(f"max_ap_loss is {shown(max_ap_loss)}, expected a number from 0 to 1")
    if precision == "fp32":
        _check_full(pictures, data, {"max_ap_loss": max_ap_loss} | asdict(reading or DataOptions()))
    if layout is not None and data is None:
        raise InputError("layout is given without a folder that has it, expected data='DIR' too")
    checkpoint = checkpoint_in(checkpoint)
    cfg, detector = loaded(checkpoint, path, EXPORTED, trust, overwrite)
    with advised(RAW):
        check_decoded(detector, checkpoint)
        prepared(cfg, str(checkpoint))
    steps = Steps(progress)
    skip_bad = reading is not None and reading.skip_bad_images
    source = Source(cfg, checkpoint, data, layout, skip_bad)
    looked_at = pictures_for(pictures, source, path)
    name, split = (None, None) if precision == "fp32" else measured_split(source)
    to_calibrate = calibration(source) if precision == "int8" else []
    model, metadata = exported(cfg, detector, checkpoint, input_size or test_size(cfg))
    full = Network(model, metadata, str(path), "cpu")
    metadata.compared = compare(full, detector, looked_at, steps)
    measured: dict[str, Measured] = {}
    if name is not None and split is not None:
        model = lowered(model, metadata, precision, to_calibrate, steps)
        other = Network(model, metadata, str(path), "cpu")
        measured = side_by_side_with(full, other, precision, split, name, reading, steps)
        _refuse_loss(measured, precision, MAX_AP_LOSS if max_ap_loss is None else max_ap_loss)
        metadata.precision, metadata.ap_split = precision, name
        metadata.ap = {key: row.ap for key, row in measured.items()}
        metadata.compared = agreement(full, other, [pixels for _, pixels in looked_at], steps)
    content = with_metadata(model, metadata)
    write_output(path, content, "output")
    return Exported(metadata.compared, measured, name, len(content))


def check_asked(path: Path, input_size: tuple[int, int] | None) -> None:
    """Refuse, before any work, a file that nothing would run by its name, and a size that no picture has.

    Raises:
        InputError: one of both.
    """
    if not is_network(path) and not is_stream(path):
        raise InputError(
            f"output {path} has another name than an ONNX file, expected one that ends in {NETWORK_SUFFIX}"
        )
    if input_size is not None:
        check_size(input_size, "input_size")


def _check_full(
    pictures: Sequence[str | Path], data: Path | None, useless: Mapping[str, object]
) -> None:
    """Refuse what means nothing in fp32, where no AP is measured."""
    expected = "expected precision='int8' or precision='fp16' with it"
    for name, value in useless.items():
        if value is not None and value is not False:
            raise InputError(
                f"{name} is given with precision='fp32', of which no AP is measured, {expected}"
            )
    if data is not None and pictures:
        raise InputError(
            f"data is given beside pictures='{pictures[0]}', on which fp32 is compared, {expected}, or "
            "one of both"
        )


def exported(
    cfg: Config, detector: Any, checkpoint: Path, size: tuple[int, int]
) -> tuple[bytes, Metadata]:
    """The ONNX model of a detector, not yet compared, and what it says of itself.

    Args:
        cfg, detector: of the checkpoint.
        size: height and width that it is traced at, and of the picture that FLOPs are counted for,
            padded as it is in the graph.

    Raises:
        InputError: it does not say its classes, or is no detector whose boxes are decoded here.
    """
    defaults = check_decoded(detector, checkpoint)
    rule, normalisation = prepared(cfg, str(checkpoint))
    structure = structure_of(cfg)
    padded = [-(-side // normalisation.pad_divisor) * normalisation.pad_divisor for side in size]
    inside = (padded[0], padded[1])
    backbone = None if structure is None else float(structure.cost(inside).flops)  # type: ignore[arg-type]
    flops = count_flops(detector, inside, backbone)
    flops.input_size = list(size)
    metadata = Metadata(
        format=FORMAT,
        precision="fp32",
        classes=list(detector.CLASSES),
        normalisation=normalisation,
        resize=rule,
        defaults=defaults,
        flops=flops,
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
            f"{most:g} less (max_ap_loss={most:g}); nothing was written"
        )


def loaded(
    checkpoint: Path, path: Path, kind: Kind, trust: bool, overwrite: bool
) -> tuple[Config, Any]:
    """Config and detector of a checkpoint, once the path is known to be free for a file of a kind.

    Raises:
        InputError: it is not, or the checkpoint cannot be read or does not fit.
    """
    check_file(path, kind, [checkpoint], overwrite=overwrite)
    with stdout_to_stderr():
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
