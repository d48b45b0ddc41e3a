"""Every config is built; any mmdet 2.x detector takes the backbone."""

import copy
from pathlib import Path

import pytest
import torch
from mmcv import Config
from mmdet.models import build_detector

from detection.settings import config_of_literal, format_config, merge_options, plain, read_config, use_structure
from lightnas.errors import InputError
from lightnas.files import data_folder

from ..conftest import published
from ..lightnas.test_structure import format_structures, parse_structure

CONFIGS = sorted((data_folder("configs") / "detection").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_is_built(path):
    cfg = read_config(path)
    opening = path.read_text().split("_base_")[0]
    assert "# Paper: " in opening and "# Command: " in opening and "# Cost: " in opening
    model = build_detector(cfg.model)
    widths = model.backbone.out_channels if "maedet" in path.stem else [256, 512, 1024, 2048]
    assert list(cfg.model.neck.in_channels) == widths
    assert cfg.runner.max_epochs == 73 and cfg.lr_config.step == [65, 71]
    assert model.bbox_head.feat_channels == (192 if path.stem.endswith("_s") else 256)


def test_there_are_five():
    assert {path.stem for path in CONFIGS} == {"gfl_maedet_s", "gfl_maedet_m", "gfl_maedet_l", "gfl_r50", "gfl_r101"}


def test_published_structure_in_one_option(tmp_path):
    (tmp_path / "theirs.txt").write_text(format_structures([parse_structure(published("s"))]))
    cfg = read_config(data_folder("configs") / "detection" / "gfl_maedet_s.py")
    theirs = ["model.bbox_head.loss_cls.use_sigmoid=False", f"model.backbone.structure_txt={tmp_path / 'theirs.txt'}"]
    merge_options(cfg, theirs)
    use_structure(cfg)
    assert cfg.model.neck.in_channels == [48, 272, 1024, 2048]
    assert build_detector(cfg.model).bbox_head.gfl_cls.out_channels == 81


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("model.backone.x=1", "did you mean 'backbone'"),
        ("optimiser=1", "did you mean 'optimizer'"),
        ("optimizer.lr", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("model.test_cfg.nms.foo.bar=1", "no 'foo'"),
        ("data.train.pipeline.99.type=x", "no '99'"),
    ],
)
def test_bad_cfg_option(option, message):
    cfg = read_config(CONFIGS[0])
    with pytest.raises(InputError, match=message):
        merge_options(cfg, [option])


def test_cfg_option_in_a_list():
    cfg = read_config(CONFIGS[0])
    merge_options(cfg, ["data.train.pipeline.3.flip_ratio=0.25", "lr_config.step=[60,70]", "model.neck.num_outs=5"])
    assert cfg.data.train.pipeline[3].flip_ratio == 0.25
    assert cfg.lr_config.step == [60, 70]


def test_config_text_round_trip(tmp_path):
    """Whatever strings it holds, as a config file and as the literal that a checkpoint carries."""
    cfg = Config(
        {"model": {"type": "X'\"\\\n{{ fileDirname }} é", "sizes": [(1, 2), (3, 4)]}, "data": {"in": None, "class": True}}
    )
    (tmp_path / "c.py").write_text(format_config(cfg).replace("{{", "{ {"))
    assert plain(read_config(tmp_path / "c.py"))["model"]["sizes"] == [(1, 2), (3, 4)]
    assert plain(config_of_literal(repr(plain(cfg)), "x")) == plain(cfg)


@pytest.mark.parametrize("text", ["", "[]", "{'model': 1}", "__import__('os')", "{" * 500])
def test_config_of_a_checkpoint_runs_no_code(text):
    with pytest.raises(InputError, match="config cannot be read"):
        config_of_literal(text, "x.pth")


# --- the backbone in mmdet's own detectors: two lines more than their configs ----------------------------------------

STRIDES = [8, 16, 32, 64, 128]
FOCAL = {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0}
DELTAS = {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": [1.0] * 4}
MAX_IOU = {"type": "MaxIoUAssigner", "pos_iou_thr": 0.5, "neg_iou_thr": 0.4, "min_pos_iou": 0, "ignore_iof_thr": -1}
FPN = {
    "type": "FPN",
    "in_channels": [16, 24, 32, 40],
    "out_channels": 64,
    "start_level": 1,
    "add_extra_convs": "on_output",
    "num_outs": 5,
}
DENSE = {"num_classes": 4, "in_channels": 64, "feat_channels": 64, "stacked_convs": 1}
ONE_STAGE = {"allowed_border": -1, "pos_weight": -1, "debug": False}

DETECTORS = {
    "FCOS": {
        "type": "FCOS",
        "neck": FPN,
        "bbox_head": {"type": "FCOSHead", **DENSE, "strides": STRIDES, "loss_cls": FOCAL},
        "train_cfg": None,
    },
    "RetinaNet": {
        "type": "RetinaNet",
        "neck": FPN,
        "bbox_head": {
            "type": "RetinaHead",
            **DENSE,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "octave_base_scale": 4,
                "scales_per_octave": 3,
                "ratios": [0.5, 1.0, 2.0],
                "strides": STRIDES,
            },
            "bbox_coder": DELTAS,
            "loss_cls": FOCAL,
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
        "train_cfg": {"assigner": MAX_IOU, **ONE_STAGE},
    },
    "ATSS": {
        "type": "ATSS",
        "neck": FPN,
        "bbox_head": {
            "type": "ATSSHead",
            **DENSE,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "ratios": [1.0],
                "octave_base_scale": 8,
                "scales_per_octave": 1,
                "strides": STRIDES,
            },
            "bbox_coder": DELTAS,
            "loss_cls": FOCAL,
            "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
            "loss_centerness": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
        },
        "train_cfg": {"assigner": {"type": "ATSSAssigner", "topk": 9}, **ONE_STAGE},
    },
    "FasterRCNN": {
        "type": "FasterRCNN",
        "neck": {"type": "FPN", "in_channels": [16, 24, 32, 40], "out_channels": 64, "num_outs": 5},
        "rpn_head": {
            "type": "RPNHead",
            "in_channels": 64,
            "feat_channels": 64,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "scales": [8],
                "ratios": [0.5, 1.0, 2.0],
                "strides": [4, 8, 16, 32, 64],
            },
            "bbox_coder": DELTAS,
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
        "roi_head": {
            "type": "StandardRoIHead",
            "bbox_roi_extractor": {
                "type": "SingleRoIExtractor",
                "roi_layer": {"type": "RoIAlign", "output_size": 7, "sampling_ratio": 0},
                "out_channels": 64,
                "featmap_strides": [4, 8, 16, 32],
            },
            "bbox_head": {
                "type": "Shared2FCBBoxHead",
                "in_channels": 64,
                "fc_out_channels": 64,
                "roi_feat_size": 7,
                "num_classes": 4,
                "bbox_coder": DELTAS,
                "reg_class_agnostic": False,
                "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
                "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
            },
        },
        "train_cfg": {
            "rpn": {
                "assigner": {**MAX_IOU, "pos_iou_thr": 0.7, "neg_iou_thr": 0.3, "min_pos_iou": 0.3},
                "sampler": {
                    "type": "RandomSampler",
                    "num": 32,
                    "pos_fraction": 0.5,
                    "neg_pos_ub": -1,
                    "add_gt_as_proposals": False,
                },
                **ONE_STAGE,
            },
            "rpn_proposal": {
                "nms_pre": 100,
                "max_per_img": 50,
                "nms": {"type": "nms", "iou_threshold": 0.7},
                "min_bbox_size": 0,
            },
            "rcnn": {
                "assigner": {**MAX_IOU, "neg_iou_thr": 0.5, "min_pos_iou": 0.5},
                "sampler": {
                    "type": "RandomSampler",
                    "num": 32,
                    "pos_fraction": 0.25,
                    "neg_pos_ub": -1,
                    "add_gt_as_proposals": True,
                },
                "pos_weight": -1,
                "debug": False,
            },
        },
        "test_cfg": {
            "rpn": {"nms_pre": 100, "max_per_img": 50, "nms": {"type": "nms", "iou_threshold": 0.7}, "min_bbox_size": 0},
            "rcnn": {"score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 100},
        },
    },
}


@pytest.mark.parametrize("name", DETECTORS)
def test_one_training_step_of_other_detectors(name, structure):
    backbone = {"type": "MadNas", "structure_txt": str(structure)}
    model = build_detector(Config({"model": {**copy.deepcopy(DETECTORS[name]), "backbone": backbone}}).model)
    model.init_weights()
    model.train()
    before = copy.deepcopy(model.backbone.state_dict())
    metas = [{"img_shape": (128, 128, 3), "pad_shape": (128, 128, 3), "ori_shape": (128, 128, 3), "scale_factor": 1.0}] * 2
    boxes, labels = [torch.tensor([[20.0, 30.0, 90.0, 110.0]])] * 2, [torch.tensor([1])] * 2
    batch = {"img": torch.randn(2, 3, 128, 128), "img_metas": metas, "gt_bboxes": boxes, "gt_labels": labels}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss = model.train_step(batch, optimizer)["loss"]
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    changed = [key for key, value in model.backbone.state_dict().items() if not torch.equal(value, before[key])]
    assert any("block_list.4" in key and "weight" in key for key in changed)


def test_wheel_data_is_beside_the_package():
    assert all(isinstance(path, Path) and path.is_file() for path in CONFIGS)
