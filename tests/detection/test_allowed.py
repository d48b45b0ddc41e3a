"""Configs of strangers: nothing in them runs, calls or reads; what is outside the list is named."""

import pickle
from pathlib import Path

import mmdet
import pytest
import torch
from mmcv import Config
from mmdet.models import build_detector

from lightnas.detection import allowed
from lightnas.detection.allowed import rebuild
from lightnas.detection.building import detector_of
from lightnas.detection.config import plain, read_config, use_structure
from lightnas.detection.embedded import config_as_written, config_of_checkpoint, config_of_run
from lightnas.errors import InputError
from lightnas.files import data_folder

from . import hostile
from .hostile import good_config, places, replaced, save

THEIRS = Path(mmdet.__file__).parent / ".mim" / "configs"
OURS = sorted((data_folder("configs") / "detection").glob("*.py"))


@pytest.fixture(scope="module")
def good(structure):
    return good_config(structure)


@pytest.fixture
def no_build(monkeypatch):
    """Rebuilding without the model on the meta device: for enumerations."""
    monkeypatch.setattr(allowed, "check_sizes", lambda content: None)


# --- what is good stays as it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_configs_come_through_unchanged(path):
    cfg = read_config(path)
    use_structure(cfg)
    detector_of(cfg, "x")  # mmdet writes into the config while it builds
    for name in ("img_norm_cfg", "train_pipeline", "test_pipeline", "data_root", "width"):
        cfg.pop(name, None)
    assert rebuild(plain(cfg), "x") == plain(cfg)


STOCK = [
    "fcos/fcos_r50_caffe_fpn_gn-head_1x_coco.py",
    "fcos/fcos_center-normbbox-centeronreg-giou_r50_caffe_fpn_gn-head_1x_coco.py",
    "retinanet/retinanet_r50_fpn_1x_coco.py",
    "atss/atss_r50_fpn_1x_coco.py",
    "faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py",
    "faster_rcnn/faster_rcnn_r50_caffe_c4_1x_coco.py",
    "mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py",
    "mask_rcnn/mask_rcnn_x101_32x8d_fpn_1x_coco.py",
    "yolox/yolox_s_8x8_300e_coco.py",
    "yolox/yolox_nano_8x8_300e_coco.py",
]


@pytest.mark.skipif(not THEIRS.is_dir(), reason="mmdet without its configs")
@pytest.mark.parametrize("name", STOCK)
def test_detectors_as_mmdet_has_them(name):
    """The whole config of a run of theirs; only names of the model zoo are left out of the model."""
    cfg = Config.fromfile(str(THEIRS / name))
    with torch.device("meta"):
        detector_of(cfg, name)
    built = Config(rebuild(plain(cfg), name))
    with torch.device("meta"):
        expected, found = build_detector(cfg.model), build_detector(built.model)
    shapes = [
        {key: value.shape for key, value in model.state_dict().items()}
        for model in (expected, found)
    ]
    assert shapes[0] == shapes[1]
    assert built.data == cfg.data and built.optimizer == cfg.optimizer
    assert "init_cfg" not in built.model.backbone


def test_detectors_by_their_parts(good):
    """One-stage and two-stage models from the keys alone, as written by hand."""
    coder = {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": [0.1] * 4}
    cross = {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0}
    smooth = {"type": "L1Loss", "loss_weight": 1.0}
    anchors = {"type": "AnchorGenerator", "scales": [8], "ratios": [1.0], "strides": [4, 8, 16, 32]}
    region = {"type": "RoIAlign", "output_size": 7, "sampling_ratio": 0}
    model = {
        "type": "FasterRCNN",
        "backbone": {"type": "ResNet", "depth": 18, "style": "pytorch"},
        "neck": {"type": "FPN", "in_channels": [64, 128, 256, 512], "out_channels": 64, "num_outs": 4},
        "rpn_head": {
            "type": "RPNHead", "in_channels": 64, "feat_channels": 64, "anchor_generator": anchors,
            "bbox_coder": coder, "loss_cls": cross, "loss_bbox": smooth,
        },
        "roi_head": {
            "type": "StandardRoIHead",
            "bbox_roi_extractor": {
                "type": "SingleRoIExtractor", "roi_layer": region, "out_channels": 64, "featmap_strides": [4, 8, 16, 32],
            },
            "bbox_head": {
                "type": "Shared2FCBBoxHead", "in_channels": 64, "fc_out_channels": 64, "roi_feat_size": 7,
                "num_classes": 10, "bbox_coder": coder, "reg_class_agnostic": False, "loss_cls": cross,
                "loss_bbox": smooth,
            },
        },
        "train_cfg": None,
        "test_cfg": {
            "rpn": {"nms_pre": 1000, "max_per_img": 1000, "nms": {"type": "nms", "iou_threshold": 0.7}, "min_bbox_size": 0},
            "rcnn": {"score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 100},
        },
    }  # fmt: skip
    assert rebuild({**good, "model": model}, "x")["model"] == model


# --- nothing runs ---------------------------------------------------------------------------------------------------


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def teacher(address, folder):
    """mmdet's own: a detector that loads its teacher when it is built."""
    return {
        "type": "KnowledgeDistillationSingleStageDetector",
        "teacher_config": str(folder / "code.py"),
        "teacher_ckpt": address,
    }


def attacks(address, folder):
    """Places of a config, and what is put there."""
    mine = str(folder / "code.pkl")
    program = str(folder / "code.py")
    zoo = {"type": "Pretrained", "checkpoint": address}
    return [
        (("model", "teacher_ckpt"), address),
        (("model", "teacher_config"), program),
        (("model", "bbox_head", "teacher_ckpt"), address),
        (("model", "pretrained"), address),
        (("model", "init_cfg"), zoo),
        (("model", "backbone", "init_cfg"), zoo),
        (("model", "backbone", "init_cfg"), {**zoo, "checkpoint": mine}),
        (("model", "backbone", "pretrained"), mine),
        (("model", "neck", "init_cfg"), zoo),
        (("model", "bbox_head", "loss_cls", "class_weight"), mine),
        (("model", "backbone", "structure_txt"), str(folder / "structure.txt")),
        (("data", "test", "proposal_file"), mine),
        (("data", "val", "proposal_file"), mine),
        (("data", "test", "ann_file"), address),
        (("data", "test", "img_prefix"), address),
        (("data", "test", "classes"), program),
        (("data", "test", "file_client_args"), {"backend": "http"}),
        (("data", "test", "pipeline", 0, "file_client_args"), {"backend": "http"}),
        (("data", "test", "pipeline", 1, "img_scale"), (60000, 60000)),
        (("data", "test", "pipeline", 1, "scale_factor"), 100.0),
        (("data", "test", "dataset"), {"type": "CocoDataset", "proposal_file": mine}),
        (("custom_imports",), {"imports": ["code"]}),
        (("custom_imports", "imports"), ["lightnas.detection", "os"]),
        (("custom_hooks",), [{"type": "WandbLoggerHook"}]),
        (("custom_hooks",), [{"type": "ExpMomentumEMAHook", "resume_from": mine}]),
        (("log_config", "hooks"), [{"type": "MMDetWandbHook", "init_kwargs": {"project": "x"}}]),
        (("checkpoint_config", "out_dir"), str(folder / "elsewhere")),
        (("evaluation", "out_dir"), str(folder / "elsewhere")),
        (("optimizer", "constructor"), "os.system"),
        (("load_from",), address),
        (("resume_from",), mine),
        (("auto_resume",), True),
        (("runner", "type"), "os.system"),
        (("data", "workers_per_gpu"), 10**6),
    ]


def planted(config, place, value):
    """The config with a value at a place, whether or not there is one by now."""
    node = config
    for key in place[:-1]:
        node = node[key]
    if isinstance(node, dict) and place[-1] not in node:
        return (
            replaced(config, place[:-1], {**node, place[-1]: value})
            if place[:-1]
            else {**config, place[-1]: value}
        )
    return replaced(config, place, value)


@pytest.fixture
def trap(tmp_path):
    """A folder of files that leave a mark when they run, an address, and what says that nothing
    did."""
    mark = tmp_path / "RAN"
    (tmp_path / "code.py").write_text(f"open({str(mark)!r}, 'w')\nmodel = dict(type='GFL')\n")
    (tmp_path / "code.pkl").write_bytes(pickle.dumps(Touch(mark)))
    with hostile.Listener(pickle.dumps(Touch(mark))) as listener:
        yield listener.address, tmp_path
        assert not mark.exists() and not listener.calls


def test_every_attack_is_refused_by_name(good, trap):
    for place, value in attacks(*trap):
        path = save(trap[1] / "c.pth", planted(good, place, value))
        with pytest.raises(
            InputError, match="trust_checkpoint=True takes the config as it is"
        ) as error:
            config_of_checkpoint(path, trust=False)
        line = str(error.value)
        named = ".".join(map(str, place))
        assert f"{path}: {named}" in line and "\n" not in line and len(line) < 700, line


def test_a_detector_that_loads_its_teacher(good, trap):
    config = {**good, "model": {**good["model"], **teacher(*trap)}}
    with pytest.raises(
        InputError, match=r"c.pth: model.type is 'KnowledgeDistillation.*did you mean"
    ):
        config_of_checkpoint(save(trap[1] / "c.pth", config), trust=False)


@pytest.mark.parametrize(
    "line",
    [
        "import pathlib; pathlib.Path({mark!r}).touch()",
        "seed = __import__('pathlib').Path({mark!r}).touch()",
        "model['x'] = [open({mark!r}, 'w') for _ in range(1)]",
        "_base_ = {code!r}",
        "seed: (open({mark!r}, 'w')) = 3",
        "def model(x=open({mark!r}, 'w')): pass",
        "seed = f'{{open({mark!r}, chr(119))}}'",
        "a = b = 3",
        "seed = " + "-" * 3000 + "1",
        "seed = " + "[" * 150 + "]" * 150,
    ],
)
def test_a_config_py_never_runs(good, trap, line):
    folder = trap[1]
    run = folder / "run"
    run.mkdir()
    code = line.format(mark=str(folder / "RAN"), code=str(folder / "code.py"))
    text = "".join(f"{key} = {value!r}\n" for key, value in good.items())
    (run / "config.py").write_text(text)
    assert plain(config_of_run(run, trust=False)) == good
    (run / "config.py").write_text(text + code + "\n")
    with pytest.raises(InputError, match=r"config\.py: "):
        config_of_run(run, trust=False)


def test_trust_takes_what_there_is(good, tmp_path):
    """A literal as it is; a program runs."""
    (tmp_path / "config.py").write_text(
        "".join(f"{key} = {value!r}\n" for key, value in good.items()) + "mine = {'type': 'Mine'}\n"
    )
    with pytest.raises(
        InputError, match=r"config.py: mine is \{'type': 'Mine'\}, no key that a config"
    ):
        config_of_run(tmp_path, trust=False)
    assert config_of_run(tmp_path, trust=True).mine.type == "Mine"
    assert config_as_written(tmp_path, trust=False).mine.type == "Mine"  # only to compare with
    with open(tmp_path / "config.py", "a") as file:
        file.write("seed = 1 + 2 * 3\n")
    assert config_of_run(tmp_path, trust=True).seed == 7
    path = save(tmp_path / "c.pth", {**good, "mine": 3})
    assert config_of_checkpoint(path, trust=True).mine == 3


# --- every value of a real config, replaced ------------------------------------------------------------------------

HOSTILE = [
    "http://127.0.0.1:9/x.pth", "/etc/passwd", "x" * 100_000, "", "\0", b"x", 10**400, -1, -(10**400), 0, 1.5, 1e308,
    float("inf"), float("nan"), 3 + 2j, True, None, ..., [], {}, (), {1, 2}, {"type": "Nothing"}, {"type": ["x"]},
    {"type": "KnowledgeDistillationSingleStageDetector", "teacher_ckpt": "http://127.0.0.1:9/x"}, {3: 4}, {None: 1},
    [1] * 100_000, [[[[[[1]]]]]], ["http://127.0.0.1:9/x"], [{"type": "Touch"}],
]  # fmt: skip


def same_kinds(found, expected):
    """Whether two values are alike but for numbers, texts and counts."""
    if isinstance(expected, dict):
        return found is None or (
            isinstance(found, dict)
            and all(
                key in expected and same_kinds(value, expected[key]) for key, value in found.items()
            )
        )
    return True


def addresses(node):
    if isinstance(node, str):
        return "://" in node or node == "/etc/passwd"
    if isinstance(node, dict | list | tuple):
        return any(map(addresses, node.values() if isinstance(node, dict) else node))
    return False


def test_every_value_replaced(good, no_build):
    """Refused in one line, or rebuilt as a config of the same keys."""
    found = list(places(good))
    assert len(found) > 200
    paths = {
        ("data", name, key)
        for name in ("train", "val", "test")
        for key in ("ann_file", "img_prefix")
    }
    accepted = 0
    for place in found:
        for value in HOSTILE:
            try:
                built = rebuild(replaced(good, place, value), "c.pth")
            except InputError as error:
                line = str(error)
                assert line.startswith("c.pth: ") and "\n" not in line and len(line) < 900, line
                continue
            accepted += 1
            assert same_kinds(built, good), (place, value)
            assert not addresses(built) or (place in paths and value == "/etc/passwd"), place
    assert accepted < len(found) * len(HOSTILE) / 8


def test_every_key_replaced(good, no_build):
    """A key of every dict under another name, and one more key in every dict."""
    dicts = [(), *(place for place in places(good) if isinstance(_at(good, place), dict))]
    for place in dicts:
        node = _at(good, place)
        more = {"teacher_ckpt": "http://127.0.0.1:9/x"}
        others = [{**node, **more}, {**node, 3: 4}, {**node, None: 1}, {**node, "": 1}]
        for other in others:
            try:
                rebuild(replaced(good, place, other) if place else other, "c.pth")
            except InputError:
                continue
            raise AssertionError(f"{place} takes {other}")


def _at(node, place):
    for key in place:
        node = node[key]
    return node


@pytest.mark.parametrize("key", ["model", "data"])
def test_sections_that_are_missing(good, key):
    with pytest.raises(InputError, match=f"c.pth: {key} is missing"):
        rebuild({name: value for name, value in good.items() if name != key}, "c.pth")


def test_albumentations_are_not_on_the_list(good):
    """mmdet calls whatever the package has under a name."""
    step = {"type": "Albu", "transforms": [{"type": "load", "filepath": "/etc/passwd"}]}
    config = replaced(good, ("data", "train", "pipeline", 2), step)
    with pytest.raises(InputError, match=r"data\.train\.pipeline\.2\.type is 'Albu'.*trust_checkp"):
        rebuild(config, "c.pth")


# --- optimizers -----------------------------------------------------------------------------------------------------

MUON = {
    "type": "MuonAdamW",
    "lr": 0.001,
    "momentum": 0.9,
    "betas": (0.9, 0.99),
    "eps": 1e-7,
    "weight_decay": 0.05,
    "paramwise_cfg": {
        "norm_decay_mult": 0.0,
        "bias_decay_mult": 0.0,
        "custom_keys": {"backbone": {"lr_mult": 0.1}, "body.block_list.0": {"decay_mult": 0}},
    },
}


def with_optimizer(good, *place, **change):
    """The good config with Muon, in a part of which something else stands."""
    part = _at(MUON, place)
    changed = replaced(MUON, place, {**part, **change}) if place else {**MUON, **change}
    return {**good, "optimizer": changed}


def test_every_setting_of_muon(good):
    config = with_optimizer(good)
    assert rebuild(config, "c.pth")["optimizer"] == MUON
    allowed.check_settings(config, "config")


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        ((), {"amsgrad": True}, r"optimizer\.amsgrad is True, no key that MuonAdamW may have"),
        ((), {"nesterov": True}, r"optimizer\.nesterov is True, no key"),
        ((), {"momentum": 2}, r"optimizer\.momentum is 2"),
        ((), {"betas": (0.9,)}, r"optimizer\.betas is \(0\.9,\)"),
        ((), {"lr": float("nan")}, r"optimizer\.lr is nan"),
        (("paramwise_cfg",), {"custom_keys": 3}, r"custom_keys is 3, expected a dict of at most"),
        (("paramwise_cfg",), {"norm_decay_mul": 0}, r"norm_decay_mul is 0, no key .*did you mean"),
        (("paramwise_cfg", "custom_keys"), {"neck": 3}, r"custom_keys\.neck is 3, expected a dict"),
        (("paramwise_cfg", "custom_keys"), {3: {}}, "custom_keys, a key is 3"),
        (("paramwise_cfg", "custom_keys"), {"a b": {}}, "custom_keys, a key is 'a b'"),
        (("paramwise_cfg", "custom_keys", "backbone"), {"lr": 1}, r"backbone\.lr is 1, no key"),
        (("paramwise_cfg", "custom_keys", "backbone"), {"lr_mult": -1}, r"lr_mult is -1"),
    ],
)
def test_settings_that_no_optimizer_has(good, place, change, message):
    """Refused when a training begins by the same list as when it goes on."""
    config = with_optimizer(good, *place, **{k: v for k, v in change.items() if isinstance(k, str)})
    if place and 3 in change:
        config["optimizer"]["paramwise_cfg"]["custom_keys"][3] = {}
    for check in (rebuild, allowed.check_settings):
        with pytest.raises(InputError, match=message):
            check(config, "c.pth")


# --- sizes ----------------------------------------------------------------------------------------------------------


def deep_structure(good, **changes):
    from ast import literal_eval

    from lightnas.detection.config import one_line
    from lightnas.network.structure import Structure

    text = good["model"]["backbone"]["structure_txt"]
    blocks = literal_eval(text)["best_structures"][0]
    blocks[-1] = {**blocks[-1], **changes}
    return one_line(Structure.from_dicts(blocks))


def test_sizes_are_bounded_together(good):
    """Each number is in its range; the model on the meta device says what they take."""
    wide = deep_structure(good, out=65_536, btn=65_536)
    deep = deep_structure(good, L=2000)
    cases = [
        ({("model", "backbone", "structure_txt"): wide}, "weights, expected at most|numbers, expected at most"),
        ({("model", "backbone", "structure_txt"): deep}, "inner layers, expected at most"),
        (
            {
                ("model", "neck", "out_channels"): 2048,
                ("model", "bbox_head", "in_channels"): 2048,
                ("model", "bbox_head", "feat_channels"): 2048,
                ("model", "bbox_head", "stacked_convs"): 16,
            },
            "weights, expected at most",
        ),
        (
            {
                ("model", "bbox_head", "num_classes"): 2000,
                ("model", "test_cfg", "nms_pre"): 5000,
            },
            "model.test_cfg.nms_pre is 5000 with 2000 classes",
        ),
        (
            {
                ("data", "samples_per_gpu"): 512,
                ("data", "test", "pipeline", 1, "img_scale"): (1333, 800),
            },
            "data.samples_per_gpu is 512 with pictures",
        ),
        ({("model", "neck", "in_channels"): [1, 2, 3, 4]}, "model cannot be built"),
    ]  # fmt: skip
    for changes, message in cases:
        config = good
        for place, value in changes.items():
            config = replaced(config, place, value)
        with pytest.raises(InputError, match=message):
            rebuild(config, "c.pth")


@pytest.mark.skipif(not THEIRS.is_dir(), reason="mmdet without its configs")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"roi_head.bbox_roi_extractor.roi_layer.output_size": 28, "test_cfg.rpn.max_per_img": 2000}, "cuts out regions"),
        ({"roi_head.mask_head.conv_out_channels": 2048, "test_cfg.rcnn.max_per_img": 1000}, "cuts out regions"),
        ({"roi_head.mask_head.num_classes": 2000, "test_cfg.rcnn.max_per_img": 200}, "masks of 2000 classes"),
        ({"rpn_head.bbox_coder.clip_border": False}, "clip_border is False, expected True"),
    ],
)  # fmt: skip
def test_regions_are_bounded(changes, message):
    cfg = Config.fromfile(str(THEIRS / "mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py"))
    cfg.merge_from_dict({f"model.{key}": value for key, value in changes.items()})
    with pytest.raises(InputError, match=message):
        rebuild(plain(cfg), "c.pth")


def test_maps_are_bounded(good):
    """Few weights, wide maps: a stem of 65536 channels at half of 2048 x 2048."""
    from ast import literal_eval

    from lightnas.detection.config import one_line
    from lightnas.network.structure import Structure

    blocks = literal_eval(good["model"]["backbone"]["structure_txt"])["best_structures"][0]
    blocks[0]["out"] = blocks[1]["in"] = 4096
    config = replaced(
        good, ("model", "backbone", "structure_txt"), one_line(Structure.from_dicts(blocks))
    )
    config = replaced(config, ("data", "test", "pipeline", 1, "img_scale"), (2048, 2048))
    with pytest.raises(InputError, match=r"model gives in its .* numbers, expected at most"):
        rebuild(config, "c.pth")
