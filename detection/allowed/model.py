"""What an embedded config may say of its model: detectors, their parts, and the keys and ranges of
each, as mmdet 2.28 has them.

It covers GFL and GFLV2, FCOS, RetinaNet, ATSS, Faster R-CNN, Mask R-CNN and YOLOX, on MadNas, ResNet
and YOLOX's own backbone. No key here names a file or an address. Ranges keep the number of layers
small; what the layers take together is bounded by ``size``.
"""

from __future__ import annotations

from .backbones import BACKBONE, NECK
from .heads import HEAD, ROI, RPN
from .parts import (
    PRETRAINED,
)
from .rules import (
    Keys,
    Left,
    Rule,
    Types,
    listed,
    optional,
    whole,
)
from .targets import TEST_CFG, TRAIN_CFG

DETECTOR = Types("a detector")
_DETECTOR: dict[str, Rule | Left] = PRETRAINED | {
    "backbone": BACKBONE.rule(),
    "neck": optional(NECK.rule()),
    "train_cfg": optional(TRAIN_CFG),
    "test_cfg": optional(TEST_CFG),
}
_SINGLE = Keys(_DETECTOR | {"bbox_head": HEAD.rule()}, ("backbone", "bbox_head"))
_TWO = Keys(
    _DETECTOR | {"rpn_head": RPN.rule(), "roi_head": ROI.rule()},
    ("backbone", "rpn_head", "roi_head"),
)
DETECTOR.types |= {
    **dict.fromkeys(("GFL", "FCOS", "RetinaNet", "ATSS", "SingleStageDetector"), _SINGLE),
    "FasterRCNN": _TWO,
    "MaskRCNN": _TWO,
    "YOLOX": Keys(
        {
            **_SINGLE.rules,
            "input_size": listed(whole(32, 2048), 2, 2),
            "size_multiplier": whole(1, 256),
            "random_size_range": listed(whole(1, 64), 2, 2),
            "random_size_interval": whole(1, 1000),
        },
        ("backbone", "neck", "bbox_head"),
    ),
}
