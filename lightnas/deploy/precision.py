"""An exported detector in fewer bits: int8 by onnxruntime's static quantisation, or fp16.

Backbone, neck and the towers of the head are lowered; the layers that give scores and boxes, decoding
and suppression stay as they are, since a box is a sum over a distribution and a score decides alone.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.reading import read_picture
from ..errors import InputError, nearest
from .metadata import Metadata
from .network import IMAGE
from .resize import as_given
from .sample import spread_out
from .steps import Steps

PRECISIONS = ("fp32", "fp16", "int8")
CALIBRATION = 64  # pictures whose activations are looked at
# Parts of the network by the names that they are exported under, and what stays in them.
LOWERED = ("/backbone/", "/neck/", "/bbox_head/")
SUMS = ("/backbone/", "/neck/")
KEPT = ("/gfl_cls/", "/gfl_reg/", "/reg_conf/")
QUANTISED = ["Conv", "Add", "Relu", "AveragePool"]


def lowered(
    model: bytes,
    metadata: Metadata,
    precision: str,
    pictures: Sequence[Path],
    steps: Steps | None = None,
) -> bytes:
    """A model of ``export-det`` in another precision.

    Args:
        model: in fp32, without our metadata.
        pictures: of the training data; some of them are looked at for int8, none for fp16.
        steps: told of each that is looked at.

    Raises:
        InputError: there is no such precision, or a picture cannot be read.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision}, {nearest(precision, PRECISIONS)}")
    if precision == "fp32":
        return model
    with tempfile.TemporaryDirectory() as folder, _quiet():
        plain = _folded(model, Path(folder))
        if precision == "fp16":
            return _halved(plain)
        given = _given(pictures, metadata, steps or Steps())
        return _quantised(plain, _Calibration(given), Path(folder))


def _folded(model: bytes, folder: Path) -> Path:
    """The model with its constants computed: weights that levels share are initialisers again."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    path = folder / "plain.onnx"
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return path


def _quantised(path: Path, pictures: _Calibration, folder: Path) -> bytes:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    names = [
        node.name
        for node in onnx.load(path).graph.node
        if not any(part in node.name for part in KEPT)
        and (
            (node.op_type == "Conv" and node.name.startswith(LOWERED))
            or (node.op_type in QUANTISED and node.name.startswith(SUMS))
        )
    ]
    # Weights of 7 bits: on CPUs without VNNI sums of two products of 8 bits would not fit.
    quantize_static(
        path, folder / "int8.onnx", pictures,
        quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=QUANTISED, nodes_to_quantize=names,
    )  # fmt: skip
    return _bytes(onnx.load(folder / "int8.onnx"))


def _halved(path: Path) -> bytes:
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    content = onnx.load(path)
    kept = [
        node.name
        for node in content.graph.node
        if not node.name.startswith(LOWERED) or any(part in node.name for part in KEPT)
    ]
    halved = convert_float_to_float16(
        content, keep_io_types=True, op_block_list=DEFAULT_OP_BLOCK_LIST, node_block_list=kept
    )
    return _bytes(halved)


def _bytes(model: Any) -> bytes:
    """Without what tools note down in a model, the same bytes each time."""
    del model.metadata_props[:]
    kept = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model.SerializeToString(deterministic=True)  # type: ignore[no-any-return]


def _given(
    pictures: Sequence[Path], metadata: Metadata, steps: Steps
) -> Iterator[NDArray[np.uint8]]:
    """Some of the pictures as the graph takes them, (1, 3, H, W)."""
    chosen = spread_out(pictures, CALIBRATION)
    steps.expect(len(chosen))
    for path in chosen:
        yield as_given(read_picture(path), metadata.resize)
        steps.step()


class _Calibration:
    """What onnxruntime's quantisation asks for pictures."""

    def __init__(self, pictures: Iterator[NDArray[np.uint8]]) -> None:
        self._pictures = pictures

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """One picture after the other, None at the end."""
        picture = next(self._pictures, None)
        return None if picture is None else {IMAGE: picture}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what onnxruntime's tools log: a pre-processing that is done here, shapes that are not
    known."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        onnxruntime.set_default_logger_severity(2)
