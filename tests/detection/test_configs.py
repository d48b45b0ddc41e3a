"""Every config is built; any mmdet 2.x detector takes the backbone."""

import copy
from pathlib import Path

import mmdet
import pytest
import torch
from mmcv import Config
from mmdet.models import build_detector

from lightnas.detection.config import (
    format_config,
    merge_options,
    plain,
    read_config,
    use_structure,
)
from lightnas.detection.embedded import config_of_literal
from lightnas.errors import InputError
from lightnas.files import data_folder
from lightnas.network.structure import Structure, format_structures

from ..conftest import published

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
    assert {path.stem for path in CONFIGS} == {
        "gfl_maedet_s",
        "gfl_maedet_m",
        "gfl_maedet_l",
        "gfl_r50",
        "gfl_r101",
    }


def test_published_structure_in_one_option(tmp_path):
    (tmp_path / "theirs.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    cfg = read_config(data_folder("configs") / "detection" / "gfl_maedet_s.py")
    theirs = [
        "model.bbox_head.loss_cls.use_sigmoid=False",
        f"model.backbone.structure_txt={tmp_path / 'theirs.txt'}",
    ]
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
    merge_options(
        cfg,
        [
            "data.train.pipeline.3.flip_ratio=0.25",
            "lr_config.step=[60,70]",
            "model.neck.num_outs=5",
        ],
    )
    assert cfg.data.train.pipeline[3].flip_ratio == 0.25
    assert cfg.lr_config.step == [60, 70]


def test_config_text_round_trip(tmp_path):
    """Whatever strings it holds, as a config file and as the literal that a checkpoint carries."""
    cfg = Config(
        {
            "model": {"type": "X'\"\\\n{{ fileDirname }} é", "sizes": [(1, 2), (3, 4)]},
            "data": {"in": None, "class": True},
        }
    )
    (tmp_path / "c.py").write_text(format_config(cfg).replace("{{", "{ {"))
    assert plain(read_config(tmp_path / "c.py"))["model"]["sizes"] == [(1, 2), (3, 4)]
    assert plain(config_of_literal(repr(plain(cfg)), "x")) == plain(cfg)


@pytest.mark.parametrize("text", ["", "[]", "{'model': 1}", "__import__('os')", "{" * 500])
def test_config_of_a_checkpoint_runs_no_code(text):
    with pytest.raises(InputError, match="config cannot be read"):
        config_of_literal(text, "x.pth")


# --- the backbone in mmdet's own detectors: two lines more than their configs ----------------------------------------

THEIRS = Path(mmdet.__file__).parent / ".mim" / "configs"
PAGE = (Path(__file__).parents[2] / "docs" / "detection.md").read_text()


def snippet(name):
    """The lines of the docs that put the backbone into one of mmdet's own configs."""
    lines = PAGE.split(f"    # {name}\n")[1].split("\n\n")[0].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines)


@pytest.mark.parametrize("name", ["FCOS", "RetinaNet", "ATSS", "Faster R-CNN"])
def test_one_training_step_of_other_detectors(name, structure, tmp_path):
    """As the docs show it; the widths of the neck stay those of the docs where the structure is
    ours."""
    text = snippet(name).replace("_base_ = '", f"_base_ = '{THEIRS}/")
    (tmp_path / "theirs.py").write_text(text)
    cfg = read_config(tmp_path / "theirs.py")
    ours = read_config(data_folder("configs") / "detection" / "gfl_maedet_m.py")
    assert cfg.model.neck.in_channels == ours.model.neck.in_channels
    cfg.model.backbone.structure_txt = str(structure)
    use_structure(cfg)
    model = build_detector(cfg.model)
    model.init_weights()
    model.train()
    before = copy.deepcopy(model.backbone.state_dict())
    metas = [
        {
            "img_shape": (128, 128, 3),
            "pad_shape": (128, 128, 3),
            "ori_shape": (128, 128, 3),
            "scale_factor": 1.0,
        }
    ] * 2
    boxes, labels = [torch.tensor([[20.0, 30.0, 90.0, 110.0]])] * 2, [torch.tensor([1])] * 2
    batch = {
        "img": torch.randn(2, 3, 128, 128),
        "img_metas": metas,
        "gt_bboxes": boxes,
        "gt_labels": labels,
    }
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss = model.train_step(batch, optimizer)["loss"]
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    changed = [
        key
        for key, value in model.backbone.state_dict().items()
        if not torch.equal(value, before[key])
    ]
    assert any("block_list.4" in key and "weight" in key for key in changed)


def test_wheel_data_is_beside_the_package():
    assert all(isinstance(path, Path) and path.is_file() for path in CONFIGS)
