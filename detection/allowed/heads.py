"""What an embedded config may say of heads: of one-stage detectors, of region proposals, of regions."""

from __future__ import annotations

from .parts import (
    CHANNELS,
    CODER,
    COUNT,
    LAYERS,
    LOSS,
    MAX_CLASSES,
    NORM,
    PRETRAINED,
    PRIORS,
    STRIDES,
    UPSAMPLE,
    WIDTH,
)
from .rules import (
    FLAG,
    NONE,
    Keys,
    Left,
    Rule,
    Types,
    choice,
    either,
    listed,
    number,
    optional,
    section,
    whole,
)
from .targets import TEST_CFG, TRAIN_CFG

HEAD = Types("a head of a one-stage detector")
RPN = Types("a head that proposes regions")
ROI = Types("a head for regions")
BOX_HEAD = Types("a box head for regions")
MASK_HEAD = Types("a mask head for regions")
EXTRACTOR = Types("a RoI extractor")
SHARED = Types("a shared head")

# mmdet writes those of the model into its heads while it builds them, and so into configs.
WRITTEN = {"train_cfg": optional(TRAIN_CFG), "test_cfg": optional(TEST_CFG)}
NUM_CLASSES = whole(1, MAX_CLASSES)
_ANY_HEAD: dict[str, Rule | Left] = {
    **LAYERS,
    "in_channels": CHANNELS,
    "feat_channels": WIDTH,
    "loss_cls": LOSS.rule(),
    "loss_bbox": LOSS.rule(),
    "bbox_coder": CODER.rule(),
    **WRITTEN,
}
_ONE_STAGE = _ANY_HEAD | {"num_classes": NUM_CLASSES, "stacked_convs": COUNT}
_ANCHORS = {"anchor_generator": PRIORS.rule(), "reg_decoded_bbox": FLAG}
_POINTS = {
    "strides": STRIDES,
    "dcn_on_last_conv": choice(False),
    "conv_bias": either(FLAG, choice("auto")),
}
_HEAD_NEEDS = ("num_classes", "in_channels")
_GFL = _ONE_STAGE | _ANCHORS | {"loss_dfl": LOSS.rule(), "reg_max": whole(1, 64)}
HEAD.types |= {
    "GFLHead": Keys(_GFL, _HEAD_NEEDS),
    "GFocalHead": Keys(
        _GFL | {"reg_topk": whole(1, 64), "reg_channels": whole(1, 1024), "add_mean": FLAG},
        _HEAD_NEEDS,
    ),
    "RetinaHead": Keys(_ONE_STAGE | _ANCHORS, _HEAD_NEEDS),
    "ATSSHead": Keys(
        _ONE_STAGE
        | _ANCHORS
        | {"loss_centerness": LOSS.rule(), "pred_kernel_size": choice(1, 3, 5)},
        _HEAD_NEEDS,
    ),
    "FCOSHead": Keys(
        _ONE_STAGE
        | _POINTS
        | {
            "regress_ranges": listed(listed(number(-1, 1e8), 2, 2), 1, 8),
            "center_sampling": FLAG,
            "center_sample_radius": number(0, 100),
            "norm_on_bbox": FLAG,
            "centerness_on_reg": FLAG,
            "loss_centerness": LOSS.rule(),
        },
        _HEAD_NEEDS,
    ),
    "YOLOXHead": Keys(
        _ONE_STAGE
        | _POINTS
        | {"use_depthwise": FLAG, "loss_obj": LOSS.rule(), "loss_l1": LOSS.rule()},
        _HEAD_NEEDS,
    ),
}
RPN.types |= {
    "RPNHead": Keys(_ANY_HEAD | _ANCHORS | {"num_convs": whole(1, 8)}, ("in_channels",)),
}
_BOX = _ANY_HEAD | {
    "num_classes": NUM_CLASSES,
    "fc_out_channels": WIDTH,
    "conv_out_channels": WIDTH,
    "roi_feat_size": whole(1, 28),
    "reg_class_agnostic": FLAG,
    "reg_decoded_bbox": FLAG,
    "with_avg_pool": FLAG,
}
BOX_HEAD.types |= {
    name: Keys(_BOX, _HEAD_NEEDS)
    for name in ("Shared2FCBBoxHead", "Shared4Conv1FCBBoxHead", "BBoxHead")
}
MASK_HEAD.types |= {
    "FCNMaskHead": Keys(
        LAYERS
        | {
            "num_convs": COUNT,
            "roi_feat_size": whole(1, 28),
            "in_channels": CHANNELS,
            "conv_kernel_size": choice(1, 3, 5),
            "conv_out_channels": WIDTH,
            "num_classes": NUM_CLASSES,
            "class_agnostic": FLAG,
            "upsample_cfg": UPSAMPLE,
            "loss_mask": LOSS.rule(),
            **WRITTEN,
        },
        ("num_classes", "in_channels"),
    )
}
_ROI_LAYER = section(
    Keys(
        {
            "type": choice("RoIAlign"),
            "output_size": either(whole(1, 28), listed(whole(1, 28), 2, 2)),
            "sampling_ratio": whole(0, 8),
            "aligned": FLAG,
            "pool_mode": choice("avg"),
        },
        ("type", "output_size"),
    )
)
EXTRACTOR.types |= {
    "SingleRoIExtractor": Keys(
        {
            "roi_layer": _ROI_LAYER,
            "out_channels": WIDTH,
            "featmap_strides": listed(whole(1, 256), 1, 8),
            "finest_scale": whole(1, 1000),
        },
        ("roi_layer", "out_channels", "featmap_strides"),
    )
}
SHARED.types |= {
    "ResLayer": Keys(
        {
            "depth": choice(50, 101, 152),
            "stage": whole(0, 3),
            "stride": whole(1, 2),
            "dilation": whole(1, 4),
            "style": choice("pytorch", "caffe"),
            "norm_cfg": NORM,
            "norm_eval": FLAG,
            **PRETRAINED,
        },
        ("depth",),
    )
}
ROI.types |= {
    "StandardRoIHead": Keys(
        {
            "bbox_roi_extractor": EXTRACTOR.rule(),
            "bbox_head": BOX_HEAD.rule(),
            "mask_roi_extractor": optional(EXTRACTOR.rule()),
            "mask_head": optional(MASK_HEAD.rule()),
            "shared_head": optional(SHARED.rule()),
            "init_cfg": NONE,
            "pretrained": PRETRAINED["pretrained"],
            **WRITTEN,
        },
        ("bbox_roi_extractor", "bbox_head"),
    )
}
