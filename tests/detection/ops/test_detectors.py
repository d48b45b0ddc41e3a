"""mmdet's own detectors on the plain operators: losses and gradients that are numbers, and
boxes."""

import numpy as np
import pytest
import torch
from mmcv import Config

from lightnas.detection.ops import operators

from . import cases

SIDE = 64
STRIDES = [8, 16, 32]
NO_LIMIT = {"pos_weight": -1, "debug": False}
NMS = {"type": "nms", "iou_threshold": 0.6}
SOFT_NMS = {"type": "soft_nms", "iou_threshold": 0.5}
ONE_STAGE_TEST = {
    "nms_pre": 100,
    "min_bbox_size": 0,
    "score_thr": 0.0,
    "nms": NMS,
    "max_per_img": 20,
}
SMALLEST = {
    "type": "ResNet",
    "depth": 18,
    "base_channels": 4,
    "num_stages": 4,
    "out_indices": (1, 2, 3),
}
FPN = {"type": "FPN", "in_channels": [8, 16, 32], "out_channels": 16, "num_outs": 3}
FOCAL = {"type": "FocalLoss", "use_sigmoid": True}
MAX_IOU = {
    "type": "MaxIoUAssigner",
    "pos_iou_thr": 0.5,
    "neg_iou_thr": 0.4,
    "min_pos_iou": 0,
    "ignore_iof_thr": -1,
}


def anchors(**settings):
    return {"type": "AnchorGenerator", "strides": STRIDES, "ratios": [1.0], **settings}


def coder(**settings):
    return {
        "type": "DeltaXYWHBBoxCoder",
        "target_means": [0.0] * 4,
        "target_stds": [1.0] * 4,
        **settings,
    }


def one_stage(kind, train_cfg=None, **head):
    shared = {
        "num_classes": 3,
        "in_channels": 16,
        "feat_channels": 16,
        "stacked_convs": 1,
        "loss_cls": FOCAL,
    }
    return {
        "type": kind, "backbone": SMALLEST, "neck": FPN, "bbox_head": shared | head,
        "train_cfg": train_cfg, "test_cfg": ONE_STAGE_TEST,
    }  # fmt: skip


def fcos():
    ranges = ((-1, 16), (16, 32), (32, 1e8))
    norm = {"type": "GN", "num_groups": 4}
    return one_stage("FCOS", type="FCOSHead", strides=STRIDES, regress_ranges=ranges, norm_cfg=norm)


def retinanet():
    generator = anchors(octave_base_scale=2, scales_per_octave=2)
    train = {"assigner": MAX_IOU, "allowed_border": -1, **NO_LIMIT}
    return one_stage(
        "RetinaNet", train, type="RetinaHead", anchor_generator=generator, bbox_coder=coder()
    )


def atss():
    generator = anchors(octave_base_scale=2, scales_per_octave=1)
    train = {"assigner": {"type": "ATSSAssigner", "topk": 9}, "allowed_border": -1, **NO_LIMIT}
    head = {
        "norm_cfg": {"type": "GN", "num_groups": 4},
        "anchor_generator": generator,
        "bbox_coder": coder(),
    }
    box, center = {"type": "GIoULoss"}, {"type": "CrossEntropyLoss", "use_sigmoid": True}
    return one_stage("ATSS", train, type="ATSSHead", loss_bbox=box, loss_centerness=center, **head)


def faster_rcnn(mask=False):
    box = {
        "type": "Shared2FCBBoxHead",
        "in_channels": 16,
        "fc_out_channels": 16,
        "roi_feat_size": 7,
        "num_classes": 3,
    }
    regions = {
        "type": "RandomSampler",
        "num": 16,
        "pos_fraction": 0.5,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": True,
    }
    assign = {"assigner": MAX_IOU, "sampler": regions, "mask_size": 14, **NO_LIMIT}
    proposals = {"nms_pre": 100, "max_per_img": 30, "nms": NMS, "min_bbox_size": 0}
    roi_head = {
        "type": "StandardRoIHead",
        "bbox_roi_extractor": extractor(7),
        "bbox_head": box | {"bbox_coder": coder()},
    }
    if mask:
        head = {
            "type": "FCNMaskHead",
            "num_convs": 1,
            "in_channels": 16,
            "conv_out_channels": 8,
            "num_classes": 3,
        }
        loss = {"type": "CrossEntropyLoss", "use_mask": True, "loss_weight": 1.0}
        roi_head |= {"mask_roi_extractor": extractor(7), "mask_head": head | {"loss_mask": loss}}
    rpn = {
        "type": "RPNHead", "in_channels": 16, "feat_channels": 16, "bbox_coder": coder(),
        "anchor_generator": anchors(scales=[2]),
        "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True},
    }  # fmt: skip
    return {
        "type": "MaskRCNN" if mask else "FasterRCNN", "backbone": SMALLEST, "neck": FPN, "rpn_head": rpn,
        "roi_head": roi_head,
        "train_cfg": {
            "rpn": assign | {"sampler": regions | {"add_gt_as_proposals": False}, "allowed_border": -1},
            "rpn_proposal": proposals,
            "rcnn": assign,
        },
        "test_cfg": {
            "rpn": proposals,
            "rcnn": {"score_thr": 0.0, "nms": SOFT_NMS, "max_per_img": 20, "mask_thr_binary": 0.5},
        },
    }  # fmt: skip


def extractor(side):
    layer = {"type": "RoIAlign", "output_size": side, "sampling_ratio": 0}
    return {
        "type": "SingleRoIExtractor",
        "roi_layer": layer,
        "out_channels": 16,
        "featmap_strides": STRIDES,
    }


def yolox():
    return {
        "type": "YOLOX", "input_size": (SIDE, SIDE), "random_size_range": (2, 2),
        "backbone": {"type": "CSPDarknet", "deepen_factor": 0.33, "widen_factor": 0.125},
        "neck": {"type": "YOLOXPAFPN", "in_channels": [32, 64, 128], "out_channels": 16, "num_csp_blocks": 1},
        "bbox_head": {"type": "YOLOXHead", "num_classes": 3, "in_channels": 16, "feat_channels": 16, "stacked_convs": 1},
        "train_cfg": {"assigner": {"type": "SimOTAAssigner", "center_radius": 2.5}},
        "test_cfg": {"score_thr": 0.0, "nms": NMS},
    }  # fmt: skip


DETECTORS = {
    "FCOS": fcos,
    "RetinaNet": retinanet,
    "ATSS": atss,
    "Faster R-CNN": faster_rcnn,
    "Mask R-CNN": lambda: faster_rcnn(mask=True),
    "YOLOX": yolox,
}


def batch(masks):
    from mmdet.core import BitmapMasks

    shape = (SIDE, SIDE, 3)
    meta = {
        "img_shape": shape,
        "pad_shape": shape,
        "ori_shape": shape,
        "batch_input_shape": shape[:2],
        "flip": False,
    }
    metas = [
        meta | {"scale_factor": np.ones(4, dtype=np.float32), "filename": f"{i}.jpg"}
        for i in range(2)
    ]
    boxes = [torch.tensor([[4.0, 6, 40, 50], [30, 10, 60, 34]]), torch.tensor([[8.0, 8, 30, 28]])]
    data = {
        "img_metas": metas,
        "gt_bboxes": boxes,
        "gt_labels": [torch.tensor([0, 2]), torch.tensor([1])],
    }
    if masks:
        data["gt_masks"] = [
            BitmapMasks(np.ones((len(one), SIDE, SIDE), dtype=np.uint8), SIDE, SIDE)
            for one in boxes
        ]
    return cases.sixteenths((2, 3, SIDE, SIDE), 1), data


def one_step(name):
    """Losses by name, all gradients in a row, and the boxes of a picture, of a detector with the
    same weights each time."""
    from mmdet.models import build_detector

    torch.manual_seed(0)
    np.random.seed(0)  # mmdet's samplers
    model = build_detector(Config({"model": DETECTORS[name]()}).model)
    pictures, data = batch(masks=name == "Mask R-CNN")
    loss, losses = model._parse_losses(model.train().forward_train(pictures, **data))
    loss.backward()
    gradients = [
        parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None
    ]
    with torch.no_grad():
        found = model.eval().simple_test(pictures[:1], data["img_metas"][:1])[0]
    return (
        losses,
        torch.cat(gradients),
        np.concatenate(found[0] if isinstance(found, tuple) else found),
    )


@pytest.mark.parametrize("name", DETECTORS)
def test_trains_and_detects(plain, name):
    losses, gradients, boxes = one_step(name)
    assert all(np.isfinite(value) for value in losses.values()) and losses["loss"] > 0
    assert gradients.isfinite().all() and gradients.any()
    assert len(boxes) > 0 and np.isfinite(boxes).all()


@pytest.mark.skipif(operators().kind != "compiled", reason="no compiled operators are installed")
@pytest.mark.parametrize("name", DETECTORS)
def test_as_on_compiled_operators(request, name):
    losses, gradients, boxes = one_step(name)
    request.getfixturevalue("plain")
    plain_losses, plain_gradients, plain_boxes = one_step(name)
    assert plain_losses == pytest.approx(losses, rel=1e-5)
    assert (plain_gradients - gradients).norm() <= 1e-4 * gradients.norm()
    np.testing.assert_allclose(plain_boxes, boxes, rtol=1e-4, atol=1e-4)
