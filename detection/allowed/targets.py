"""What an embedded config may say of targets and of the boxes that stay: train_cfg and test_cfg."""

from __future__ import annotations

from .parts import ASSIGNER, SAMPLER, SHARE
from .rules import FLAG, Keys, Left, Rule, choice, either, listed, number, section, whole

NMS = section(
    Keys(
        {
            "type": choice("nms", "soft_nms"),
            "iou_threshold": SHARE,
            "score_threshold": SHARE,
            "max_num": whole(-1, 10_000),
            "split_thr": whole(1, 100_000),
            "class_agnostic": FLAG,
            "offset": choice(0, 1),
            "sigma": number(1e-3, 10),
            "min_score": SHARE,
            "method": choice("naive", "linear", "gaussian"),
        },
        ("type",),
    )
)
_BOXES: dict[str, Rule | Left] = {
    "nms_pre": whole(1, 5000),
    "min_bbox_size": number(0, 10_000),
    "score_thr": SHARE,
    "nms": NMS,
    "max_per_img": whole(1, 1000),
    "mask_thr_binary": SHARE,
}
_PROPOSALS = section(Keys(_BOXES | {"nms_pre": whole(1, 12_000), "max_per_img": whole(1, 2000)}))
TEST_CFG = section(Keys(_BOXES | {"rpn": _PROPOSALS, "rcnn": section(Keys(_BOXES))}))
_TARGETS: dict[str, Rule | Left] = {
    "assigner": ASSIGNER.rule(),
    "sampler": SAMPLER.rule(),
    "allowed_border": number(-1, 10_000),
    "pos_weight": number(-1, 1000),
    "mask_size": either(whole(1, 112), listed(whole(1, 112), 2, 2)),
    "debug": FLAG,
}
_PART = section(Keys(_TARGETS))
TRAIN_CFG = section(Keys(_TARGETS | {"rpn": _PART, "rpn_proposal": _PROPOSALS, "rcnn": _PART}))
