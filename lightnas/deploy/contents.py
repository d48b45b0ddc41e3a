"""What an ONNX file may hold before it is run: only what ``export-det`` writes.

onnxruntime opens files that a model names, and runs whatever operators and subgraphs it has. So the
file is read here first: weights in the file itself, the operators of our exports, no subgraph, our
metadata, and nothing changed since.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, shown
from ..files import Kind
from .metadata import (
    ENTRY_KEY,
    ENTRY_VALUE,
    KEY,
    METADATA_PROPS,
    Metadata,
    is_whole,
    parse_metadata,
)
from .wire import fields

OPSET = 17
MAX_BYTES = 2**30
EXPECTED = "expected an ONNX file of lightnas export-det"

# Fields of ONNX's messages (onnx.proto).
GRAPH, OPSET_IMPORT, TRAINING, FUNCTIONS = 7, 8, 20, 25
NODE, INITIALIZER, SPARSE = 1, 5, 15
OP_TYPE, ATTRIBUTE, DOMAIN = 4, 5, 7
TENSOR, SUBGRAPH, TENSORS, SUBGRAPHS, SPARSE_TENSOR, SPARSE_TENSORS = 5, 6, 10, 11, 22, 23
EXTERNAL_DATA, DATA_LOCATION = 13, 14
OPSET_DOMAIN, OPSET_VERSION = 1, 2

OPERATORS = {
    "Add", "And", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant",
    "ConstantOfShape", "Conv", "CumSum", "DequantizeLinear", "Div", "Equal", "Exp", "Expand",
    "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Gemm", "GlobalAveragePool",
    "Greater", "GreaterOrEqual", "HardSigmoid", "Identity", "InstanceNormalization", "Less",
    "LessOrEqual", "MatMul", "Max", "MaxPool", "Min", "Mod", "Mul", "Neg", "NonMaxSuppression",
    "NonZero", "Not", "Or", "Pad", "Pow", "QuantizeLinear", "Range", "ReduceMax", "ReduceMean",
    "ReduceSum", "Relu", "Reshape", "Resize", "ScatterND", "Shape", "Sigmoid", "Slice",
    "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "TopK", "Transpose",
    "Unsqueeze", "Where",
}  # fmt: skip


def read_model(path: Path) -> tuple[bytes, Metadata]:
    """The bytes of an exported detector, and what it says of itself.

    Raises:
        InputError: it cannot be read, is damaged, or holds more than ``export-det`` writes.
    """
    content = _read(path)
    view = memoryview(content)
    try:
        text = _checked(view, path)
        if text is None:
            raise InputError(f"{path}: carries no metadata of lightnas, {EXPECTED}")
        if not is_whole(view):
            raise InputError(
                f"{path}: is cut off, or was changed after lightnas wrote it, expected the file as "
                "export-det wrote it"
            )
        return content, parse_metadata(text, str(path))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{path}: is no ONNX file, or a damaged one ({shown(str(error))[1:-1]}), {EXPECTED}"
        ) from error


def _is_exported(path: Path) -> bool:
    """Whether a file is a detector that ``export-det`` wrote, to the byte."""
    try:
        read_model(path)
    except InputError:
        return False
    return True


EXPORTED = Kind("detector from pixels to boxes", _is_exported)


def _read(path: Path) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # reading from a pipe would wait for ever
            raise InputError(
                f"{path}: is {'a folder' if stat.S_ISDIR(mode) else 'no file'}, {EXPECTED}"
            )
        with open(path, "rb") as file:
            # Memory for as many bytes as are asked for is taken at once.
            content = file.read(min(os.fstat(file.fileno()).st_size, MAX_BYTES) + 1)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}), {EXPECTED}") from error
    except ValueError as error:
        raise InputError(f"{path}: is no name of a file ({error}), {EXPECTED}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: is larger than {MAX_BYTES} bytes, {EXPECTED}")
    return content


def _checked(model: memoryview, path: Path) -> str | None:
    """The text of our metadata, None without it.

    Raises:
        InputError: it holds what no export of ours does.
        ValueError: it is no ONNX model.
    """
    metadata, opset, graphs = None, None, 0
    for number, value in fields(model):
        if number == OPSET_IMPORT:
            domain, version = _opset(_bytes(value))
            opset = version if domain == "" else opset
        elif number == GRAPH:
            graphs += 1
            _check_graph(_bytes(value), path)
        elif number == METADATA_PROPS:
            key, text = _pair(_bytes(value))
            metadata = text if key == KEY else metadata
        elif number in (TRAINING, FUNCTIONS):
            raise InputError(f"{path}: holds functions or a training of its own, {EXPECTED}")
    if graphs != 1 or opset is None:
        raise ValueError("it has no graph" if graphs == 0 else "it has no opset, or several graphs")
    if opset != OPSET:
        raise InputError(f"{path}: is of opset {opset}, expected {OPSET}, which export-det writes")
    return metadata


def _check_graph(graph: memoryview, path: Path) -> None:
    for number, value in fields(graph):
        if number == NODE:
            _check_node(_bytes(value), path)
        elif number == INITIALIZER:
            _check_tensor(_bytes(value), path)
        elif number == SPARSE:
            raise InputError(f"{path}: has sparse weights, {EXPECTED}")


def _check_node(node: memoryview, path: Path) -> None:
    kind, domain = "", ""
    for number, value in fields(node):
        if number == OP_TYPE:
            kind = _text(value)
        elif number == DOMAIN:
            domain = _text(value)
        elif number == ATTRIBUTE:
            for tensor in _tensors(_bytes(value), path):
                _check_tensor(tensor, path)
    if kind not in OPERATORS or domain not in ("", "ai.onnx"):
        named = f"{domain}.{kind}".lstrip(".")
        raise InputError(f"{path}: has the operator {shown(named)}, {EXPECTED}, which has none")


def _tensors(attribute: memoryview, path: Path) -> Iterator[memoryview]:
    for number, value in fields(attribute):
        if number in (SUBGRAPH, SUBGRAPHS, SPARSE_TENSOR, SPARSE_TENSORS):
            raise InputError(f"{path}: has graphs inside its graph, {EXPECTED}, which has none")
        if number in (TENSOR, TENSORS):
            yield _bytes(value)


def _check_tensor(tensor: memoryview, path: Path) -> None:
    for number, value in fields(tensor):
        if number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0):
            raise InputError(f"{path}: keeps weights in another file, expected all in this one")


def _opset(message: memoryview) -> tuple[str, int]:
    domain, version = "", 0
    for number, value in fields(message):
        if number == OPSET_DOMAIN:
            domain = _text(value)
        elif number == OPSET_VERSION and isinstance(value, int):
            version = value
    return "" if domain == "ai.onnx" else domain, version


def _pair(message: memoryview) -> tuple[str, str]:
    key = text = ""
    for number, value in fields(message):
        if number == ENTRY_KEY:
            key = _text(value)
        elif number == ENTRY_VALUE:
            text = _text(value)
    return key, text


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode("utf-8")
