"""What an embedded config may say of the parts that heads and backbones share: losses, box coders,
anchors, assigners, samplers, norms. As mmdet 2.28 has them."""

from __future__ import annotations

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
    text,
    whole,
)

MAX_CLASSES = 2000
CHANNELS = whole(1, 16_384)
WIDTH = whole(1, 2048)
COUNT = whole(0, 16)
SHARE = number(0, 1)
WEIGHT = number(0, 1000)
SMALL = number(0, 1)
STRIDES = listed(either(whole(1, 256), listed(whole(1, 256), 2, 2)), 1, 8)


# Weights that mmcv knows by name; whoever has a checkpoint needs none of them.
ZOO = text(r"(torchvision|open-mmlab)://[\w./-]+", "a name such as torchvision://resnet50")
ZOO_INIT = section(
    Keys(
        {"type": choice("Pretrained"), "checkpoint": ZOO, "prefix": text(r"[\w.]+", "a prefix")},
        ("type", "checkpoint"),
    ),
    "init_cfg",
)
PRETRAINED = {"init_cfg": Left(optional(ZOO_INIT)), "pretrained": Left(optional(ZOO))}

NORM = section(
    Keys(
        {
            "type": choice("BN", "SyncBN", "GN"),
            "requires_grad": FLAG,
            "num_groups": whole(1, 1024),
            "momentum": SHARE,
            "eps": SMALL,
        },
        ("type",),
    )
)
ACT = section(
    Keys(
        {
            "type": choice("ReLU", "LeakyReLU", "Swish", "SiLU", "Sigmoid"),
            "inplace": FLAG,
            "negative_slope": SMALL,
        },
        ("type",),
    )
)
LAYERS = {"conv_cfg": NONE, "norm_cfg": optional(NORM), "act_cfg": optional(ACT)}
UPSAMPLE = section(
    Keys(
        {
            "type": optional(choice("nearest", "bilinear", "deconv")),
            "mode": choice("nearest", "bilinear"),
            "scale_factor": whole(1, 4),
        }
    )
)

# --- losses, coders, priors, assigners, samplers -----------------------------------------------------------------

LOSS = Types("a loss")
CODER = Types("a box coder")
PRIORS = Types("an anchor generator")
ASSIGNER = Types("an assigner")
SAMPLER = Types("a sampler")

_LOSS: dict[str, Rule | Left] = {
    "loss_weight": WEIGHT,
    "reduction": choice("none", "mean", "sum"),
}
_IOU = _LOSS | {"eps": SMALL}
LOSS.types |= {
    "QualityFocalLoss": Keys(
        _LOSS | {"use_sigmoid": FLAG, "beta": number(0, 10), "activated": FLAG}
    ),
    "DistributionFocalLoss": Keys(_LOSS),
    "FocalLoss": Keys(
        _LOSS
        | {"use_sigmoid": FLAG, "gamma": number(0, 10), "alpha": number(0, 1), "activated": FLAG}
    ),
    "CrossEntropyLoss": Keys(
        _LOSS
        | {
            "use_sigmoid": FLAG,
            "use_mask": FLAG,
            "class_weight": optional(listed(WEIGHT, 1, MAX_CLASSES + 1)),
            "ignore_index": optional(whole(-1000, 1000)),
            "avg_non_ignore": FLAG,
        }
    ),
    "IoULoss": Keys(_IOU | {"linear": FLAG, "mode": choice("linear", "square", "log")}),
    **{name: Keys(_IOU) for name in ("GIoULoss", "DIoULoss", "CIoULoss")},
    "BoundedIoULoss": Keys(_IOU | {"beta": number(0, 10)}),
    "L1Loss": Keys(_LOSS),
    "SmoothL1Loss": Keys(_LOSS | {"beta": number(0, 10)}),
}
# A box that is not clipped could be of any size, and a region of it with it.
CODER.types |= {
    "DeltaXYWHBBoxCoder": Keys(
        {
            "target_means": listed(number(-10, 10), 4, 4),
            "target_stds": listed(number(1e-6, 10), 4, 4),
            "clip_border": choice(True),
            "add_ctr_clamp": FLAG,
            "ctr_clamp": whole(0, 1000),
        }
    ),
    "DistancePointBBoxCoder": Keys({"clip_border": choice(True)}),
}
PRIORS.types |= {
    "AnchorGenerator": Keys(
        {
            "strides": STRIDES,
            "ratios": listed(number(0.01, 100), 1, 8),
            "scales": optional(listed(number(0.01, 1000), 1, 16)),
            "base_sizes": optional(listed(number(1, 10_000), 1, 8)),
            "scale_major": FLAG,
            "octave_base_scale": optional(number(0.01, 1000)),
            "scales_per_octave": optional(whole(1, 8)),
            "center_offset": SHARE,
        },
        ("strides", "ratios"),
    )
}
ASSIGNER.types |= {
    "ATSSAssigner": Keys(
        {"topk": whole(1, 100), "alpha": optional(SHARE), "ignore_iof_thr": number(-1, 1)},
        ("topk",),
    ),
    "MaxIoUAssigner": Keys(
        {
            "pos_iou_thr": SHARE,
            "neg_iou_thr": either(SHARE, listed(SHARE, 2, 2)),
            "min_pos_iou": SHARE,
            "gt_max_assign_all": FLAG,
            "ignore_iof_thr": number(-1, 1),
            "ignore_wrt_candidates": FLAG,
            "match_low_quality": FLAG,
            "gpu_assign_thr": whole(-1, 100_000),
        },
        ("pos_iou_thr", "neg_iou_thr"),
    ),
    "SimOTAAssigner": Keys(
        {
            "center_radius": number(0, 100),
            "candidate_topk": whole(1, 100),
            "iou_weight": WEIGHT,
            "cls_weight": WEIGHT,
        }
    ),
}
_SAMPLER = Keys(
    {
        "num": whole(1, 4096),
        "pos_fraction": SHARE,
        "neg_pos_ub": number(-1, 1000),
        "add_gt_as_proposals": FLAG,
    },
    ("num", "pos_fraction"),
)
SAMPLER.types |= {"RandomSampler": _SAMPLER, "OHEMSampler": _SAMPLER, "PseudoSampler": Keys({})}
