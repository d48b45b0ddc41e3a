"""Networks as ONNX files, checked against torch before they are written."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import WorkError
from ..files import write_output
from ..network.structure import Structure
from .net import CnnNet, Focus

OPSET = 17
TOLERANCE = 1e-4


def export_backbone(
    structure: Structure, path: Path, input_size: tuple[int, int], seed: int = 0
) -> float:
    """Write the backbone of a structure, with the weights that a training from scratch starts from.

    The input ``image`` is (n, 3, height, width), any n and any sides from 32; the outputs are
    ``c2`` ... ``c5``.

    Returns:
        as ``export_onnx``.
    """
    torch.manual_seed(seed)
    net = CnnNet(structure)
    return export_onnx(
        nn.Sequential(Focus(), net) if net.focus else net,
        path,
        input_size,
        ["c2", "c3", "c4", "c5"],
    )


def export_onnx(
    net: nn.Module, path: Path, input_size: tuple[int, int], outputs: Sequence[str]
) -> float:
    """Write a network of one picture input, and compare it with torch on two sizes of picture.

    Args:
        net: takes ``image`` (n, 3, height, width) and gives a list of tensors.
        input_size: height and width that it is traced at.
        outputs: names of the tensors.

    Returns:
        the largest difference between onnxruntime's outputs and torch's, relative to the largest
        value of each output.

    Raises:
        WorkError: the two differ by more than 1e-4; nothing is written.
        InputError: the file cannot be written.
    """
    net = net.eval()
    axes = {name: {0: "n", 2: "height", 3: "width"} for name in ("image", *outputs)}
    content = traced(net, [torch.zeros(1, 3, *input_size)], ["image"], outputs, axes)
    height, width = input_size
    difference = max(
        _difference(net, content, size) for size in (input_size, (height + 32, max(32, width - 32)))
    )
    if difference > TOLERANCE:
        raise WorkError(
            f"onnxruntime and torch differ by {difference:.2g}, expected at most {TOLERANCE:g}; nothing was written"
        )
    write_output(path, content, "output")
    return difference


def traced(
    net: nn.Module,
    given: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]] | None = None,
) -> bytes:
    """The ONNX model of a network.

    Args:
        net: in evaluation.
        given: what it is traced with, of any shape (N, ...), as many as ``inputs``, their names.
        outputs: names of what it gives.
        axes: of inputs and outputs by name those axes that may have any length, and what to call
            them.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # torch recommends its newer exporter, which wants onnxscript, and warns of every shape that
        # it follows.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, tuple(given), buffer, dynamo=False,  # type: ignore[arg-type]
            opset_version=OPSET, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=axes,
        )  # fmt: skip
    return buffer.getvalue()


def _difference(net: nn.Module, content: bytes, size: tuple[int, int]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    picture = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected: list[Tensor] = list(net(picture))
    found = session.run(None, {"image": picture.numpy()})
    pairs = zip(found, (tensor.numpy() for tensor in expected), strict=True)
    return max(float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-12)) for a, b in pairs)
