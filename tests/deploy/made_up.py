"""An ONNX file as export-det writes it, made by hand: one box a picture, the whole picture."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lightnas.deploy.metadata import (
    Compared,
    Defaults,
    Flops,
    Metadata,
    Normalisation,
    with_metadata,
)
from lightnas.deploy.resize import ResizeRule

CLASSES = ["cat", "dog"]


def metadata(**changed):
    given = {
        "format": 1, "precision": "fp32", "classes": CLASSES,
        "normalisation": Normalisation(order="RGB", mean=[0.0] * 3, std=[1.0] * 3, pad_divisor=1, pad_value=0.0),
        "resize": ResizeRule(scale=[64, 32], keep_ratio=True),
        "defaults": Defaults(score_threshold=0.05, iou_threshold=0.5, max_boxes=10),
        "flops": Flops(input_size=[32, 64]), "structure": None, "max_batch": 4,
        "compared": Compared(pictures=1, boxes=1, pixels=0.0, scores=0.0), "versions": {},
    }  # fmt: skip
    return Metadata(**(given | changed))


def model(opset=17):
    """A dog on the whole of the first picture, with the score that is the first pixel's red / 255, and
    nothing below ``score_threshold``."""
    floats, whole = TensorProto.FLOAT, TensorProto.INT64
    numbers = {
        "two": np.array([2]), "three": np.array([3]), "zero": np.array([0]), "one": np.array([1]),
        "top": np.array(255, np.float32), "nought": np.zeros(2, np.float32),
        "dog": np.array([1]), "ends": np.array([4]), "corner": np.array([0, 0, 0, 0]),
        "corner_end": np.array([1, 1, 1, 1]), "flat": np.array([1]),
    }  # fmt: skip
    defaults = {
        "score_threshold": np.array([0.05], np.float32),
        "iou_threshold": np.array([0.5], np.float32),
        "max_boxes": np.array([10]),
    }
    node = helper.make_node
    nodes = [
        node("Shape", ["image"], ["shape"]),
        node("Slice", ["shape", "two", "three"], ["height"]),
        node("Slice", ["shape", "three", "ends"], ["width"]),
        node("Concat", ["width", "height"], ["sides"], axis=0),
        node("Cast", ["sides"], ["far"], to=floats),
        node("Concat", ["nought", "far"], ["box"], axis=0),
        node("Slice", ["image", "corner", "corner_end"], ["pixel"]),
        node("Cast", ["pixel"], ["red"], to=floats),
        node("Div", ["red", "top"], ["share"]),
        node("Reshape", ["share", "flat"], ["score"]),
        node("Greater", ["score", "score_threshold"], ["kept"]),
        node("NonZero", ["kept"], ["rows"]),
        node("Squeeze", ["rows", "zero"], ["row"]),
        node("Unsqueeze", ["box", "zero"], ["row_box"]),
        node("Gather", ["row_box", "row"], ["boxes"], axis=0),
        node("Gather", ["score", "row"], ["scores"], axis=0),
        node("Gather", ["dog", "row"], ["labels"], axis=0),
        node("Gather", ["zero", "row"], ["pictures"], axis=0),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "made up",
        [value("image", TensorProto.UINT8, ["n", 3, "height", "width"]), value("score_threshold", floats, [1]),
         value("iou_threshold", floats, [1]), value("max_boxes", whole, [1])],
        [value("boxes", floats, ["m", 4]), value("scores", floats, ["m"]), value("labels", whole, ["m"]),
         value("pictures", whole, ["m"])],
        [numpy_helper.from_array(array, name) for name, array in (numbers | defaults).items()],
    )  # fmt: skip
    return helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)], producer_name="a test"
    )


def write(path, proto=None, **changed):
    content = (proto or model()).SerializeToString()
    path.write_bytes(with_metadata(content, metadata(**changed)))
    return path


__all__ = ["CLASSES", "metadata", "model", "onnx", "write"]
