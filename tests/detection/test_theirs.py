"""The published detection configs run unchanged, from their keys: maedet_*_6x_lr0.02.py over
gfocal_r50_fpn_ms6x.py."""

import json
from pathlib import Path

import mmdet
import pytest
import torch
from mmcv import Config

from lightnas.detection.checkpoint import read_checkpoint
from lightnas.detection.config import read_config
from lightnas.detection.theirs import MAEDET_M_FAULT, in_our_words, known_fault
from lightnas.errors import InputError
from lightnas.network.structure import Structure

from ..conftest import published
from .conftest import SMALL
from .test_train import call

MMDET = Path(mmdet.__file__).parent / ".mim" / "configs"
PIPELINES = """
norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_steps = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', img_scale=[(1333, 480), (1333, 960)], multiscale_mode='range', keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5), dict(type='Normalize', **norm), dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'), dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels'])]
test_steps = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiScaleFlipAug', img_scale=(1333, 800), flip=False, transforms=[
        dict(type='Resize', keep_ratio=True), dict(type='RandomFlip'), dict(type='Normalize', **norm),
        dict(type='Pad', size_divisor=32), dict(type='ImageToTensor', keys=['img']), dict(type='Collect', keys=['img'])])]
""".replace("norm", "img_norm_cfg").replace("_steps", "_pipeline")
BASE = f"""
_base_ = ['../_base_/datasets/coco_detection.py', '../_base_/schedules/schedule_1x.py', '../_base_/default_runtime.py']
model = dict(
    type='GFL',
    neck=dict(
        type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, start_level=1,
        add_extra_convs='on_output', num_outs=5),
    bbox_head=dict(
        type='GFocalHead', num_classes=80, in_channels=256, stacked_convs=4, feat_channels=256,
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], octave_base_scale=8, scales_per_octave=1,
            strides=[8, 16, 32, 64, 128]),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=False, beta=2.0, loss_weight=1.0),
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25),
        reg_max=16, reg_topk=4, reg_channels=64, add_mean=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0)))
train_cfg = dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1, debug=False)
test_cfg = dict(nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100)
{PIPELINES}
dataset_type = 'CocoDataset'
data_root = 'data/coco/'
data = dict(
    samples_per_gpu=2, workers_per_gpu=2,
    train=dict(
        type=dataset_type, ann_file=data_root + 'annotations/instances_train2017.json',
        img_prefix=data_root + 'train2017/', pipeline=train_pipeline),
    val=dict(
        type=dataset_type, ann_file=data_root + 'annotations/instances_val2017.json',
        img_prefix=data_root + 'val2017/', pipeline=test_pipeline),
    test=dict(
        type=dataset_type, ann_file=data_root + 'annotations/instances_val2017.json',
        img_prefix=data_root + 'val2017/', pipeline=test_pipeline))
evaluation = dict(interval=1, metric='bbox')
optimizer = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001)
lr_config = dict(warmup='linear', warmup_iters=7330, warmup_ratio=0.1, step=[65, 71])
runner = dict(type='EpochBasedRunner', max_epochs=73)
"""
CHILD = f"""
_base_ = 'gfocal_r50_fpn_ms6x.py'
model = dict(
    backbone=dict(
        type='MadNas', net_str="configs/gfocal_madnas/maedet_m.txt", out_indices=(1,2,3,4), init_cfg=None),
    neck=dict(
        type='FPN', in_channels=[120, 512, 1632, 2048], out_channels=256, start_level=1,
        add_extra_convs='on_output', num_outs=5))
{PIPELINES}
data = dict(train=dict(pipeline=train_pipeline), val=dict(pipeline=test_pipeline), test=dict(pipeline=test_pipeline))
optimizer = dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001)
lr_config = dict(warmup='linear', warmup_iters=7330, warmup_ratio=0.1, step=[65, 71])
total_epochs = 73
use_syncBN_torch = True
"""


@pytest.fixture(params=[".", ".."], ids=["txt beside", "txt in the folder above"])
def theirs(request, tmp_path):
    """The config in a folder beside mmdet's bases, as LightNAS says to copy it; small blocks for its
    structure."""
    folder = tmp_path / "configs" / "gfocal_maedet"
    folder.mkdir(parents=True)
    (folder.parent / "_base_").symlink_to(MMDET / "_base_")
    (folder / "gfocal_r50_fpn_ms6x.py").write_text(BASE)
    (folder / request.param / "maedet_m.txt").write_text(
        str({"space_arch": "CnnNet", "best_structures": [SMALL]})
    )
    path = folder / "maedet_m_6x_lr0.02.py"
    path.write_text(CHILD)
    return path


@pytest.mark.parametrize("bases", ["there", "mmdet's own"])
def test_their_keys_become_ours(theirs, bases):
    """Also where the folder of bases was not copied along."""
    if bases != "there":
        (theirs.parent.parent / "_base_").unlink()
    cfg = read_config(theirs)
    assert cfg.filename == str(theirs) and cfg.checkpoint_config.interval == 1
    assert cfg.sync_bn is True and cfg.runner.max_epochs == 73
    assert cfg.lr_config.policy == "step" and cfg.lr_config.warmup_iters == 7330
    assert Path(cfg.model.backbone.structure_txt).name == "maedet_m.txt"
    assert Path(cfg.model.backbone.structure_txt).is_file()
    assert not any(
        word in cfg.pretty_text for word in ("use_syncBN_torch", "total_epochs", "net_str")
    )
    assert "ImageToTensor" not in str(cfg.data)
    assert cfg.model.train_cfg.assigner.topk == 9 and cfg.model.test_cfg.nms_pre == 1000


def test_a_published_config_trains_and_is_tested(theirs, digits, tmp_path, capfd):
    quick = ["model.bbox_head.stacked_convs=1", "data.samples_per_gpu=4", "data.workers_per_gpu=0"]
    options = ["--width", "64", "--input-size", "96x96", "--schedule", "1", "--json"]
    out, _ = call(
        capfd, "train-det", "--config", theirs, "--data", digits, "--work-dir", tmp_path / "run",
        *options, "--cfg-options", *quick,
    )  # fmt: skip
    result = json.loads(out)
    checkpoint = tmp_path / "run" / "epoch_1.pth"
    head = read_checkpoint(checkpoint, trust=False)["state_dict"]["bbox_head.gfl_cls.weight"]
    assert len(head) == 10 + 1  # their spelling: a channel for the background
    # With the config unchanged, and from the checkpoint alone, whose config is on the list.
    width = [
        "model.neck.out_channels=64",
        "model.bbox_head.in_channels=64",
        "model.bbox_head.feat_channels=64",
    ]
    classes = "model.bbox_head.num_classes=10"
    size = "data.test.pipeline.1.img_scale=(96,96)"
    out, _ = call(
        capfd, "test-det", theirs, checkpoint, "--data", digits, "--split", "val", "--json",
        "--cfg-options", *quick, *width, classes, size,
    )  # fmt: skip
    assert json.loads(out)["ap"] == pytest.approx(result["ap"], abs=1e-6)
    out, err = call(capfd, "test-det", checkpoint, "--split", "val", "--json")
    assert json.loads(out)["ap"] == pytest.approx(result["ap"], abs=1e-6)
    assert "3.9 AP" not in err


def test_total_epochs_wins_over_a_base_and_needs_none(tmp_path):
    for runner, found in (
        ({"type": "EpochBasedRunner", "max_epochs": 12}, {"type": "EpochBasedRunner", "max_epochs": 73}),
        (None, {"type": "EpochBasedRunner", "max_epochs": 73}),
        ({"type": "IterBasedRunner", "max_iters": 9}, {"type": "IterBasedRunner", "max_iters": 9}),
    ):  # fmt: skip
        content = {"model": {"type": "GFL"}, "data": {}, "total_epochs": 73}
        cfg = Config(
            content | {"lr_config": {"step": [65]}} | ({"runner": runner} if runner else {})
        )
        in_our_words(cfg, tmp_path / "c.py")
        assert dict(cfg.runner) == found and cfg.lr_config.policy == "step"


def test_other_bases_that_there_are_not_are_named(tmp_path):
    (tmp_path / "c.py").write_text("_base_ = '../other/x.py'")
    with pytest.raises(
        InputError, match=r"c.py: is no mmdet config \(FileNotFoundError.*other/x.py"
    ):
        read_config(tmp_path / "c.py")


def test_two_structures_are_refused(tmp_path):
    backbone = {"type": "MadNas", "net_str": "a.txt", "structure_txt": "b.txt"}
    with pytest.raises(InputError, match=r"c.py: model.backbone has net_str 'a.txt' and structure"):
        in_our_words(Config({"model": {"backbone": backbone}, "data": {}}), tmp_path / "c.py")


@pytest.mark.parametrize("size", ["s", "m", "l"])
def test_only_the_published_weights_of_m_are_known_to_be_faulty(size):
    structure = Structure.from_dicts(published(size))
    assert known_fault(structure, {}) == (MAEDET_M_FAULT if size == "m" else None)
    assert known_fault(structure, {"lightnas_config": "{}"}) is None
    assert known_fault(None, {}) is None


def test_weights_of_m_come_with_a_warning(tmp_path, capfd):
    """Loaded for a test: the structure is the published one, and the checkpoint says nothing of us."""
    from lightnas.detection.config import use_structure
    from lightnas.detection.testing import load_detector
    from lightnas.detection.training import build_model
    from lightnas.files import data_file

    (tmp_path / "m.txt").write_text(str({"best_structures": [published("m")]}))
    cfg = read_config(data_file("configs", "detection/gfl_maedet_m.py"))
    cfg.model.backbone.structure_txt = str(tmp_path / "m.txt")
    use_structure(cfg)
    torch.save({"state_dict": build_model(cfg, "x").state_dict(), "meta": {}}, tmp_path / "m.pth")
    load_detector(cfg, tmp_path / "m.pth")
    assert f"m.pth: {MAEDET_M_FAULT}" in capfd.readouterr().err


def test_a_run_begun_in_their_words_goes_on(tmp_path):
    """An older run's config.py holds what the config file said; what it meant is the same."""
    from lightnas.detection.config import as_begun, plain

    content = {"model": {"type": "GFL"}, "data": {"train": {"filter_empty_gt": False}}}
    theirs = {"total_epochs": 3, "use_syncBN_torch": True, "test_cfg": {"nms_pre": 7}}
    runner = {"type": "WholeEpochRunner", "max_epochs": 3}
    begun, cfg = (Config(content | theirs | {"runner": runner}) for _ in range(2))
    in_our_words(cfg, tmp_path / "config.py")
    as_begun(cfg, begun)
    assert plain(cfg) == plain(begun)
