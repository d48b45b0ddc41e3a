"""The head against the published one, against its own definition, and without objects."""

import numpy as np
import pytest
import torch
from mmcv import ConfigDict
from mmdet.models import build_head

from lightnas import detection

METAS = [
    {
        "img_shape": (256, 256, 3),
        "pad_shape": (256, 256, 3),
        "scale_factor": np.ones(4, dtype=np.float32),
    }
] * 2


def head(use_sigmoid=True, classes=5, **settings):
    return build_head(
        {
            "type": "GFocalHead",
            "num_classes": classes,
            "in_channels": 32,
            "feat_channels": 32,
            "stacked_convs": 1,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "ratios": [1.0],
                "octave_base_scale": 8,
                "scales_per_octave": 1,
                "strides": [8, 16, 32, 64, 128],
            },
            "loss_cls": {
                "type": "QualityFocalLoss",
                "use_sigmoid": use_sigmoid,
                "beta": 2.0,
                "loss_weight": 1.0,
            },
            "loss_dfl": {"type": "DistributionFocalLoss", "loss_weight": 0.25},
            "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
            "train_cfg": ConfigDict(
                assigner={"type": "ATSSAssigner", "topk": 9}, allowed_border=-1, pos_weight=-1
            ),
            "test_cfg": ConfigDict(
                nms_pre=1000,
                score_thr=0.05,
                nms={"type": "nms", "iou_threshold": 0.6},
                max_per_img=100,
                min_bbox_size=0,
            ),
            **settings,
        }
    )


def features(n=2, side=32):
    return [torch.randn(n, 32, side >> i, side >> i) for i in range(5)]


@pytest.fixture
def published(reference):
    with np.load(reference / "gfocal_small.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def closely(a, b, relative=1e-5):
    return float((a.detach() - b).abs().max()) <= relative * max(float(b.abs().max()), 1e-6)


def test_agrees_with_the_published_head(published):
    net = head(use_sigmoid=False)
    state = {
        key.removeprefix("sd/"): value for key, value in published.items() if key.startswith("sd/")
    }
    net.load_state_dict(state, strict=True)
    scores, boxes = net([published[f"feat{i}"] for i in range(5)])
    for i in range(5):
        assert closely(scores[i], published[f"cls{i}"]) and closely(boxes[i], published[f"box{i}"])
    truth = [[published[f"{key}{i}"] for i in range(2)] for key in ("gt", "lab")]
    losses = net.loss(scores, boxes, *truth, METAS)
    for name, values in losses.items():
        assert closely(torch.stack(values).double(), published[f"loss/{name}"])
    sum(sum(values) for values in losses.values()).backward()
    for name, parameter in net.named_parameters():
        assert float(parameter.grad.norm()) == pytest.approx(
            float(published[f"gradnorm/{name}"]), rel=1e-5
        )
    with torch.no_grad():
        for i, (found, labels) in enumerate(net.get_bboxes(scores, boxes, img_metas=METAS)):
            assert float((found - published[f"det{i}"]).abs().max()) < 1e-3
            assert torch.equal(labels, published[f"detlab{i}"])


@pytest.mark.parametrize(("use_sigmoid", "channels"), [(True, 5), (False, 6)])
def test_both_spellings(use_sigmoid, channels):
    """Published configs say use_sigmoid=False and have a channel for the background."""
    net = head(use_sigmoid)
    assert net.gfl_cls.out_channels == channels
    assert net.loss_cls.use_sigmoid and net.loss_cls.activated


@pytest.mark.parametrize(
    ("topk", "add_mean", "channels"), [(4, True, 20), (4, False, 16), (2, True, 12), (17, True, 72)]
)
def test_score_is_class_times_quality(topk, add_mean, channels):
    """The definition, one location at a time."""
    net = head(reg_topk=topk, add_mean=add_mean)
    torch.nn.init.normal_(net.gfl_reg.weight, std=0.5)
    assert net.reg_conf[0].in_channels == channels
    feat = features(1)
    scores, boxes = net(feat)
    level, y, x = 1, 3, 5
    logits = boxes[level][0, :, y, x].reshape(4, 17)
    rows = []
    for row in logits.softmax(dim=1):
        best = sorted(row.tolist(), reverse=True)[:topk]
        rows += best + ([sum(best) / topk] if add_mean else [])
    quality = net.reg_conf(torch.tensor(rows).reshape(1, -1, 1, 1)).reshape(())
    plain = net.gfl_cls(net.cls_convs[0](feat[level]))[0, :, y, x].sigmoid()
    assert torch.allclose(scores[level][0, :, y, x], plain * quality, atol=1e-6)


def test_initialised_as_published():
    net = head()
    net.init_weights()
    assert float(net.gfl_cls.bias[0].detach()) == pytest.approx(
        -np.log(99), rel=1e-6
    )  # a probability of 0.01
    for conv in (net.gfl_cls, net.gfl_reg, net.reg_conf[0], net.reg_conf[2]):
        assert float(conv.weight.detach().std()) == pytest.approx(0.01, rel=0.5)


@pytest.mark.parametrize("use_sigmoid", [True, False])
@pytest.mark.parametrize("objects", [(0, 0), (1, 0)])
def test_pictures_without_objects(use_sigmoid, objects):
    """They train without an error; where no picture has an object, the box losses are zero."""
    net = head(use_sigmoid)
    net.init_weights()
    boxes = [torch.tensor([[20.0, 30.0, 90.0, 120.0]])[:n] for n in objects]
    labels = [torch.zeros(n, dtype=torch.long) for n in objects]
    losses = net.loss(*net(features()), boxes, labels, METAS)
    total = sum(sum(values) for values in losses.values())
    total.backward()
    assert torch.isfinite(total)
    box_loss = float(sum(losses["loss_bbox"] + losses["loss_dfl"]).detach())
    assert box_loss == 0.0 if objects == (0, 0) else box_loss > 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_box_losses_are_divided_by_the_plain_sum_of_weights():
    """mmdet's GFLHead divides by at least 1; at the first step, where scores are about 0.01, that
    is far from it."""
    net = head()
    net.init_weights()
    truth = [torch.tensor([[60.0, 60.0, 160.0, 150.0]])] * 2, [torch.tensor([1])] * 2
    scores, boxes = net(features())
    losses = net.loss(scores, boxes, *truth, METAS)
    assert (
        float(sum(losses["loss_bbox"]).detach()) > 0.5
    )  # GIoU loss times 2, averaged: no clamp made it small


def test_keeps_the_best_locations_of_each_level():
    net = head(classes=3)
    scores = [torch.zeros(1, 3, 32 >> i, 32 >> i) for i in range(5)]
    boxes = [torch.randn(1, 68, 32 >> i, 32 >> i) for i in range(5)]
    scores[0][0, :, 4, 4] = torch.tensor([0.9, 0.8, 0.7])
    scores[0][0, 1, 20, 20] = 0.6
    scores[0][0, 2, 9, 9] = 0.5
    cfg = ConfigDict(
        nms_pre=2, score_thr=0.05, nms={"type": "nms", "iou_threshold": 0.6}, max_per_img=100
    )
    ((_, labels),) = net.get_bboxes(scores, boxes, img_metas=METAS[:1], cfg=cfg)
    assert sorted(labels.tolist()) == [
        0,
        1,
        1,
        2,
    ]  # all classes of two locations; the third location is dropped


def test_registered():
    assert detection.GFocalHead.__name__ == "GFocalHead" and isinstance(
        head(), detection.GFocalHead
    )
