"""What an embedded config may say of data and pictures: COCO data sets of this machine, and the
steps of pipelines with their numbers.

No proposal file, no file client, no address: a data set is a file of annotations, a folder and its
classes.
"""

from __future__ import annotations

from typing import Any

from lightnas.errors import shown

from .parts import MAX_CLASSES, SHARE
from .rules import (
    FLAG,
    Keys,
    Left,
    OutsideError,
    Rule,
    Types,
    choice,
    either,
    listed,
    number,
    optional,
    section,
    text,
    whole,
)

# Of one picture, in pixels: 2896 x 2896, or twice as long and half as high.
MAX_PIXELS, MAX_SIDE = 2**23, 4096

PATH = text(r"(?!.*://)[^\0]*", "a path", longest=4096)
CLASSES = listed(text(r"[^\0]*", "a name", longest=1000), 1, MAX_CLASSES)
COLOR = listed(number(-1000, 1000), 1, 3)


def _size(value: Any, where: str) -> Any:
    """Two sides in pixels that are no more pixels than a test needs."""
    sides = listed(whole(1, MAX_SIDE), 2, 2)(value, where)
    if sides[0] * sides[1] > MAX_PIXELS:
        raise OutsideError(where, f"is {value}, expected at most {MAX_PIXELS} pixels")
    return sides


SIZE = Rule(f"two sides of at most {MAX_SIDE} pixels", _size)
SIZES = either(SIZE, listed(SIZE, 1, 32))

STEP = Types("a step of a pipeline")
TEST_STEP = Types("a step of a test pipeline")
DATASET = Types("a data set")

_KEYS = listed(
    choice("img", "gt_bboxes", "gt_labels", "gt_masks", "gt_bboxes_ignore", "proposals"), 1, 6
)
_META = listed(
    choice(
        "filename", "ori_filename", "ori_shape", "img_shape", "pad_shape", "scale_factor", "flip",
        "flip_direction", "img_norm_cfg",
    ),
    1,
    9,
)  # fmt: skip
_PAD_VALUE = number(0, 255)
_RANGE = listed(number(0.01, 10), 2, 2)
STEP.types |= {
    "LoadImageFromFile": Keys(
        {
            "to_float32": FLAG,
            "color_type": choice("color", "unchanged"),
            "channel_order": choice("bgr", "rgb"),
        }
    ),
    "LoadAnnotations": Keys(
        {"with_bbox": FLAG, "with_label": FLAG, "with_mask": FLAG, "poly2mask": FLAG}
    ),
    "Resize": Keys(
        {
            "img_scale": optional(SIZES),
            "multiscale_mode": choice("range", "value"),
            "ratio_range": optional(listed(number(0.05, 4), 2, 2)),
            "keep_ratio": FLAG,
            "bbox_clip_border": FLAG,
            "backend": choice("cv2", "pillow"),
            "interpolation": choice("nearest", "bilinear", "bicubic", "area", "lanczos"),
        }
    ),
    "RandomFlip": Keys(
        {
            "flip_ratio": optional(either(SHARE, listed(SHARE, 1, 3))),
            "direction": either(
                choice("horizontal", "vertical", "diagonal"),
                listed(choice("horizontal", "vertical", "diagonal"), 1, 3),
            ),
        }
    ),
    "Normalize": Keys(
        {"mean": COLOR, "std": listed(number(1e-6, 1000), 1, 3), "to_rgb": FLAG}, ("mean", "std")
    ),
    "Pad": Keys(
        {
            "size": optional(SIZE),
            "size_divisor": optional(whole(1, 256)),
            "pad_to_square": FLAG,
            "pad_val": either(
                _PAD_VALUE,
                section(
                    Keys(
                        {
                            "img": either(_PAD_VALUE, listed(_PAD_VALUE, 1, 3)),
                            "masks": _PAD_VALUE,
                            "seg": _PAD_VALUE,
                        }
                    )
                ),
            ),
        }
    ),
    "DefaultFormatBundle": Keys({"img_to_float": FLAG}),
    "ImageToTensor": Keys({"keys": listed(choice("img"), 1, 1)}, ("keys",)),
    "Collect": Keys({"keys": _KEYS, "meta_keys": _META}, ("keys",)),
    "FilterAnnotations": Keys(
        {
            "min_gt_bbox_wh": listed(number(0, 10_000), 2, 2),
            "min_gt_mask_area": number(0, 1e8),
            "by_box": FLAG,
            "by_mask": FLAG,
            "keep_empty": FLAG,
        }
    ),
    "Mosaic": Keys(
        {
            "img_scale": SIZE,
            "center_ratio_range": _RANGE,
            "min_bbox_size": number(0, 10_000),
            "bbox_clip_border": FLAG,
            "skip_filter": FLAG,
            "pad_val": _PAD_VALUE,
            "prob": SHARE,
        }
    ),
    "MixUp": Keys(
        {
            "img_scale": SIZE,
            "ratio_range": _RANGE,
            "flip_ratio": SHARE,
            "pad_val": _PAD_VALUE,
            "max_iters": whole(1, 100),
            "min_bbox_size": number(0, 10_000),
            "min_area_ratio": SHARE,
            "max_aspect_ratio": number(1, 1000),
            "bbox_clip_border": FLAG,
            "skip_filter": FLAG,
        }
    ),
    "RandomAffine": Keys(
        {
            "max_rotate_degree": number(0, 360),
            "max_translate_ratio": SHARE,
            "scaling_ratio_range": _RANGE,
            "max_shear_degree": number(0, 89),
            "border": listed(whole(-MAX_SIDE, 0), 2, 2),
            "border_val": listed(_PAD_VALUE, 3, 3),
            "min_bbox_size": number(0, 10_000),
            "min_area_ratio": SHARE,
            "max_aspect_ratio": number(1, 1000),
            "bbox_clip_border": FLAG,
            "skip_filter": FLAG,
        }
    ),
    "YOLOXHSVRandomAug": Keys(
        {name: number(0, 255) for name in ("hue_delta", "saturation_delta", "value_delta")}
    ),
    "PhotoMetricDistortion": Keys(
        {
            "brightness_delta": number(0, 255),
            "contrast_range": _RANGE,
            "saturation_range": _RANGE,
            "hue_delta": number(0, 180),
        }
    ),
    "MosaicCrop": Keys({"size": SIZE, "prob": SHARE}, ("size",)),
}
STEP.types["SometimesMixUp"] = Keys({**STEP.types["MixUp"].rules, "prob": SHARE})
_TRANSFORMS = listed(STEP.rule(), 1, 32)
TEST_STEP.types |= {
    "LoadImageFromFile": STEP.types["LoadImageFromFile"],
    "MultiScaleFlipAug": Keys(
        {
            "transforms": _TRANSFORMS,
            "img_scale": either(SIZE, listed(SIZE, 1, 8)),
            "flip": FLAG,
            "flip_direction": choice("horizontal", "vertical", "diagonal"),
        },
        ("transforms", "img_scale"),
    ),
}

_COCO = {
    "ann_file": PATH,
    "img_prefix": PATH,
    "data_root": optional(PATH),
    "classes": optional(CLASSES),
    "filter_empty_gt": FLAG,
    "test_mode": FLAG,
}
DATASET.types |= {"CocoDataset": Keys(_COCO | {"pipeline": _TRANSFORMS})}
DATASET.types["ClassBalancedDataset"] = Keys(
    {
        "dataset": Types("a data set", dict(DATASET.types)).rule(),
        "oversample_thr": SHARE,
        "filter_empty_gt": FLAG,
    },
    ("dataset", "oversample_thr"),
)
_WRAPPED = Types("a data set", dict(DATASET.types)).rule()
DATASET.types |= {
    "RepeatDataset": Keys({"dataset": _WRAPPED, "times": whole(1, 1000)}, ("dataset", "times")),
    "MultiImageMixDataset": Keys(
        {
            "dataset": _WRAPPED,
            "pipeline": _TRANSFORMS,
            "dynamic_scale": optional(SIZE),
            "skip_type_keys": optional(listed(text(r"\w+", "the name of a step"), 0, 16)),
            "max_refetch": whole(1, 100),
        },
        ("dataset", "pipeline"),
    ),
}
DATASET.types["Rounds"] = Keys(
    {
        "dataset": Types("a data set", dict(DATASET.types)).rule(),
        "steps": whole(1, 10**8),
        "batch": whole(1, 512),
    },
    ("dataset", "steps", "batch"),
)


def _test_pipeline(value: Any, where: str) -> Any:
    """A picture is loaded, then brought to the test size: in that order, ending in what the
    detector takes."""
    steps = listed(TEST_STEP.rule(), 2, 2)(value, where)
    if [step["type"] for step in steps] != [*TEST_STEP.types]:
        raise OutsideError(where, f"is {shown(value)}, expected {' and '.join(TEST_STEP.types)}")
    last = steps[1]["transforms"][-1]
    if last["type"] != "Collect" or [*last["keys"]] != ["img"]:
        raise OutsideError(
            f"{where}.1.transforms", f"ends in {shown(last)}, expected Collect of img"
        )
    return steps


TEST_PIPELINE = Rule(" and ".join(TEST_STEP.types), _test_pipeline)
TEST_DATASET = Types(
    "a data set",
    {
        "CocoDataset": Keys(
            _COCO | {"pipeline": TEST_PIPELINE, "samples_per_gpu": whole(1, 512)},
            ("pipeline",),
        )
    },
)

LOADER: dict[str, Rule | Left] = {
    "samples_per_gpu": whole(1, 512),
    "workers_per_gpu": whole(0, 64),
    "persistent_workers": FLAG,
    "shuffle": FLAG,
    "pin_memory": FLAG,
}
_LOADER = section(Keys(LOADER))
DATA = section(
    Keys(
        LOADER
        | {
            "train": DATASET.rule(),
            "val": TEST_DATASET.rule(),
            "test": TEST_DATASET.rule(),
            "train_dataloader": _LOADER,
            "val_dataloader": _LOADER,
            "test_dataloader": _LOADER,
        },
        ("test",),
    )
)
# Names that mmdet's own configs are put together with; nothing reads them afterwards.
SCAFFOLDING = {
    name: Left(Rule("anything", lambda value, where: value))
    for name in (
        "width", "norm_cfg", "img_norm_cfg", "train_pipeline", "test_pipeline", "data_root", "dataset_type",
        "train_dataset", "classes", "checkpoint", "img_scale", "max_epochs", "num_last_epochs", "interval",
    )
}  # fmt: skip
