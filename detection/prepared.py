"""What the test pipeline of a config does to a picture, as the metadata of an ONNX file say it."""

from __future__ import annotations

from typing import Any

from mmcv import Config

from lightnas.deploy.metadata import Normalisation
from lightnas.deploy.resize import ResizeRule
from lightnas.errors import InputError, shown

BETWEEN = ("RandomFlip", "ImageToTensor", "DefaultFormatBundle", "Collect")


def prepared(cfg: Config, source: str) -> tuple[ResizeRule, Normalisation]:
    """How pictures are resized, outside of the graph, and normalised and padded, inside.

    Raises:
        InputError: the pipeline does something else.
    """
    first, augmented = _two(cfg.data.test.pipeline, source)
    order = "RGB" if first.get("channel_order", "bgr") == "rgb" else "BGR"
    scales = augmented["img_scale"]
    scales = [scales] if isinstance(scales[0], int) else scales
    if augmented.get("flip") or len(scales) != 1:
        raise _refusal(
            source, "tests at several sizes or mirrored too, expected one look a picture"
        )
    rule: ResizeRule | None = None
    found: dict[str, Any] = {
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "pad_divisor": 1,
        "pad_value": 0.0,
    }
    for step in augmented["transforms"]:
        kind = step["type"]
        if kind == "Resize" and rule is None:
            rule = _rule(step, scales[0], source)
        elif kind == "Normalize" and rule is not None and found["pad_divisor"] == 1:
            found["mean"] = [float(v) for v in step["mean"]]
            found["std"] = [float(v) for v in step["std"]]
            order = order[::-1] if step.get("to_rgb", True) else order
        elif kind == "Pad" and rule is not None:
            found |= _padding(step, source)
        elif kind not in BETWEEN:
            raise _refusal(
                source,
                f"has {shown(kind)} where it stands, expected Resize, Normalize and Pad in turn",
            )
    if rule is None:
        raise _refusal(source, "resizes nothing, expected a Resize")
    return rule, Normalisation(order=order, **found)


def _two(pipeline: Any, source: str) -> tuple[Any, Any]:
    kinds = [step["type"] for step in pipeline]
    if kinds != ["LoadImageFromFile", "MultiScaleFlipAug"] or pipeline[0].get("to_float32"):
        raise _refusal(
            source,
            f"is {shown(kinds)}, expected LoadImageFromFile with pixels of 8 bits, and MultiScaleFlipAug",
        )
    return pipeline[0], pipeline[1]


def _rule(step: Any, scale: Any, source: str) -> ResizeRule:
    how = (step.get("backend", "cv2"), step.get("interpolation", "bilinear"))
    if how != ("cv2", "bilinear"):
        raise _refusal(source, f"resizes with {shown(how)}, expected cv2 and bilinear")
    return ResizeRule(scale=[int(side) for side in scale], keep_ratio=step.get("keep_ratio", True))


def _padding(step: Any, source: str) -> dict[str, Any]:
    value = step.get("pad_val", 0)
    value = value.get("img", 0) if isinstance(value, dict) else value
    if step.get("size_divisor") is None or not isinstance(value, int | float):
        raise _refusal(
            source, f"pads as {shown(dict(step))}, expected a size_divisor and one value"
        )
    return {"pad_divisor": step["size_divisor"], "pad_value": float(value)}


def _refusal(source: str, said: str) -> InputError:
    return InputError(f"{source}: its test pipeline {said}")
