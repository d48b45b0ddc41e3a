"""What an embedded config takes, bounded before any of it is taken.

The model is built on torch's meta device, where tensors have shapes and no memory, and one picture
of the test size is sent through it there: numbers of weights and the largest map are exact, whatever
the config combines.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmcv import ConfigDict
from mmdet.models import build_detector
from torch import Tensor, nn

from lightnas.documents import dicts_in

from .rules import OutsideError

# Of weights, and of numbers in the output of one layer: a GiB of float32.
MOST = 2**28
# Scores of (location, class) pairs that the box selection of a level may look at.
MOST_SCORES = 2**21
# Classes times detections a picture, each with a mask of 28 x 28.
MOST_MASKS = 2**18
# Pixels of a batch: 31 pictures of 800 x 1344.
MOST_PIXELS = 2**25


def check_sizes(content: dict[str, Any]) -> None:
    """Refuse a config whose parts are each allowed and are too much together.

    Raises:
        OutsideError: the first thing that is too large, or a model whose parts do not fit.
    """
    _check_batch(content["data"])
    _check_selection(content)
    height, width = _largest_picture(content["data"]["test"]["pipeline"])
    try:
        with torch.device("meta"), torch.no_grad():
            detector = build_detector(
                ConfigDict(content["model"]),
                content.get("train_cfg") and ConfigDict(content["train_cfg"]),
                content.get("test_cfg") and ConfigDict(content["test_cfg"]),
            ).eval()
            _check_model(detector, height, width)
    except OutsideError:
        raise
    except Exception as error:  # mmdet and torch raise whatever comes first
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise OutsideError(
            "model", f"cannot be built ({said}), expected parts that fit together"
        ) from error


def _check_model(detector: Any, height: int, width: int) -> None:
    """Count weights, then the numbers that every layer gives for one picture."""
    weights = sum(value.numel() for value in detector.state_dict().values())
    if weights > MOST:
        raise OutsideError("model", f"has {weights:,} weights, expected at most {MOST:,}")

    def check(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.numel() > MOST:
            raise OutsideError(
                "model",
                f"gives in its {type(module).__name__}, for a picture of {height} x {width}, {output.numel():,} numbers, "
                f"expected at most {MOST:,}",
            )

    for module in detector.modules():
        module.register_forward_hook(check)
    picture = torch.empty(1, 3, height, width, device="meta")
    features = detector.extract_feat(picture)
    (detector.rpn_head if hasattr(detector, "rpn_head") else detector.bbox_head)(features)


def _largest_picture(pipeline: Any) -> tuple[int, int]:
    """Height and width that the steps of a test pipeline can give a picture, padding included."""
    step = next(step for step in pipeline if step["type"] == "MultiScaleFlipAug")
    scales = step["img_scale"]
    scales = [scales] if isinstance(scales[0], int) else scales
    divisor, square = 1, False
    for inner in step["transforms"]:
        if inner["type"] == "Pad":
            divisor = max(divisor, inner.get("size_divisor") or 1)
            square = square or inner.get("pad_to_square", False)
            scales = [*scales, *([inner["size"]] if inner.get("size") else [])]
    long, short = max(map(max, scales)), max(map(min, scales))
    if square:
        short = long
    return (
        math.ceil(short / max(divisor, 32)) * max(divisor, 32),
        math.ceil(long / max(divisor, 32)) * max(divisor, 32),
    )


def _check_selection(content: dict[str, Any]) -> None:
    model = content["model"]
    tests = [node for node in (model.get("test_cfg"), content.get("test_cfg")) if node]
    classes = max(
        (node["num_classes"] for node in dicts_in(model) if "num_classes" in node), default=1
    )
    for test in tests:
        n_pre, regions = test.get("nms_pre", 0), test.get("rcnn", {})
        if n_pre * classes > MOST_SCORES:
            raise OutsideError(
                "model.test_cfg.nms_pre",
                f"is {n_pre} with {classes} classes, expected at most {MOST_SCORES // classes}",
            )
        if regions:
            _check_regions(model, test)
        n_boxes = regions.get("max_per_img", 0)
        if model.get("roi_head", {}).get("mask_head") and n_boxes * classes > MOST_MASKS:
            raise OutsideError(
                "model.test_cfg.rcnn.max_per_img",
                f"is {n_boxes} with masks of {classes} classes, "
                f"expected at most {MOST_MASKS // classes}",
            )


def _check_regions(model: dict[str, Any], test: dict[str, Any]) -> None:
    """Maps that are cut out of the pyramid, one for each proposal, or for each box with a mask."""
    head = model.get("roi_head", {})
    mask = head.get("mask_head") or {}
    counts = (test.get("rpn", {}).get("max_per_img", 0), test["rcnn"].get("max_per_img", 0))
    # A mask head doubles the sides of its maps.
    widest = (0, 4 * mask.get("conv_out_channels", 256))
    extractors = (head.get("bbox_roi_extractor"), head.get("mask_roi_extractor"))
    for extractor, count, channels in zip(extractors, counts, widest, strict=True):
        if extractor:
            size = extractor["roi_layer"]["output_size"]
            area = size * size if isinstance(size, int) else size[0] * size[1]
            numbers = count * area * max(channels, extractor["out_channels"])
            if numbers > MOST:
                raise OutsideError(
                    "model.roi_head",
                    f"cuts out regions of {numbers:,} numbers for a picture, expected at most {MOST:,}",
                )


def _check_batch(data: dict[str, Any]) -> None:
    """The largest pictures of a batch, of any pipeline."""
    areas = [32 * 32]
    for node in dicts_in(data):
        scales = node.get("img_scale") or ()
        scales = [scales] if scales and isinstance(scales[0], int) else scales
        areas += [scale[0] * scale[1] for scale in scales]
    for node in dicts_in(data):
        batch = node.get("samples_per_gpu", 1)
        if batch * max(areas) > MOST_PIXELS:
            raise OutsideError(
                "data.samples_per_gpu",
                f"is {batch} with pictures of {max(areas):,} pixels, expected at most {MOST_PIXELS // max(areas)}",
            )
