"""Checkpoints and work directories of strangers, from the command line: one line each, and nothing
runs."""

import json
import os
import shutil
import tempfile
from ast import literal_eval

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lightnas.detection.checkpoint import read_checkpoint
from lightnas.detection.config import plain
from lightnas.detection.embedded import config_as_written, config_of_literal
from lightnas.errors import InputError

from .hostile import replaced
from .test_train import QUICK, call, one_epoch, refused


@pytest.fixture(scope="module")
def run(structure, digits, tmp_path_factory):
    """A work directory of one epoch."""
    return one_epoch(structure, digits, tmp_path_factory.mktemp("stranger") / "run")


@pytest.fixture
def theirs(run, tmp_path):
    """A copy of the work directory that may be changed."""
    return shutil.copytree(run, tmp_path / "theirs", symlinks=True)


@pytest.fixture
def content(run):
    return read_checkpoint(run / "epoch_1.pth", trust=False)


@pytest.fixture
def picture(digits):
    return next((digits / "val").iterdir())


def detect(capfd, checkpoint, picture, folder, *more):
    return refused(capfd, "detect", checkpoint, picture, "--output", folder / "out", *more)


def saved(path, content):
    torch.save(content, path)
    return path


# --- meta -----------------------------------------------------------------------------------------------------------

METAS = [
    (None, "carries no config"),
    ("text", "its meta is 'text', expected a dict"),
    ([1, 2], r"its meta is [1, 2], expected a dict"),
    (5, "its meta is 5, expected a dict"),
    ({}, "carries no config"),
    ({3: 4}, "carries no config"),
    ({"lightnas_config": 7}, "carries no config"),
    ({"lightnas_config": "{'model': 5}"}, "its config cannot be read"),
    ({"lightnas_config": "{'model': {}}"}, "model.type is None"),
    ({"lightnas_config": "{'model': {'type': 'GFL'}, 'data': {}}"}, "model.backbone is missing"),
    ({"lightnas_config": "{'model': {}, 3: 4}"}, "model.type is None"),
    ({"lightnas_config": "-" * 200_000 + "1"}, "its config cannot be read"),
    ({"lightnas_config": "{'model': {}, 'pop': " + "9" * 5000 + "}"}, "its config cannot be read"),
    ({"CLASSES": None}, "its meta has no CLASSES"),
    ({"CLASSES": 5}, "its meta.CLASSES is 5, expected a list of names"),
    ({"CLASSES": "digits"}, "its meta.CLASSES is 'digits', expected a list of names"),
    ({"CLASSES": [1, 2]}, "its meta.CLASSES is [1, 2], expected a list of names"),
    ({"CLASSES": ["a", "b"]}, "its meta.CLASSES has 2 names, expected 10"),
]


@pytest.mark.parametrize(("meta", "message"), METAS, ids=range(len(METAS)))
def test_meta(capfd, content, picture, tmp_path, meta, message):
    if isinstance(meta, dict) and "CLASSES" in meta:
        meta = {**content["meta"], **meta}
    line = detect(capfd, saved(tmp_path / "c.pth", {**content, "meta": meta}), picture, tmp_path)
    assert line.startswith(f"lightnas: {tmp_path / 'c.pth'}: ") and message in line


@settings(max_examples=50, deadline=None)
@given(st.text(st.sampled_from("cGR()\n. osyte_m=[]{}'\"#")))
@example("custom_imports = dict(imports=['x'])\n")
def test_a_text_is_no_checkpoint(text):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        with pytest.raises(
            InputError, match=r"is no checkpoint, or a damaged one, expected a file"
        ):
            read_checkpoint(file.name, trust=False)


def test_trusted_meta_without_a_backbone(capfd, content, picture, tmp_path):
    meta = {"lightnas_config": "{'model': {'type': 'GFL'}, 'data': {}}", "CLASSES": ("a",)}
    path = saved(tmp_path / "c.pth", {**content, "meta": meta})
    assert "model cannot be built" in detect(capfd, path, picture, tmp_path, "--trust-checkpoint")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: {**weights, 3: torch.ones(1)}, "its state_dict has the key 3"),
        (lambda weights: {**weights, None: torch.ones(1)}, "its state_dict has the key None"),
        (lambda weights: {key: value.to_sparse() for key, value in weights.items()}, "sparse"),
        (lambda weights: {key: value.to("meta") for key, value in weights.items()}, "tensor"),
    ],
)
def test_weights_of_other_kinds(capfd, content, picture, tmp_path, change, message):
    path = saved(tmp_path / "c.pth", {**content, "state_dict": change(content["state_dict"])})
    assert message in detect(capfd, path, picture, tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(capfd, theirs, content, picture, tmp_path, value):
    """In every command that loads weights."""
    content["state_dict"]["bbox_head.gfl_cls.bias"][3] = value
    path = saved(theirs / "epoch_1.pth", content)
    for best in theirs.glob("best_*.pth"):
        best.unlink()
    named = "1 of its weights hold NaN or infinity (bbox_head.gfl_cls.bias), expected numbers"
    assert named in detect(capfd, path, picture, tmp_path)
    assert named in refused(capfd, "test-det", theirs)
    assert named in refused(capfd, "train-det", "--resume", "--work-dir", theirs)
    again = ["--config", theirs / "config.py", "--work-dir", tmp_path / "new", "--load-from", path]
    assert named in refused(capfd, "train-det", *again)


@pytest.mark.parametrize(
    ("step", "other"),
    [
        (1, {"type": "Mosaic", "img_scale": (64, 64)}),
        (2, {"type": "Normalize", "mean": [1.0, 2.0], "std": [1.0]}),
        (4, {"type": "PhotoMetricDistortion"}),
    ],
)
def test_a_detector_that_cannot_be_run(capfd, content, picture, tmp_path, step, other):
    """Every part is on the list, and together they do not work."""
    config = literal_eval(content["meta"]["lightnas_config"])
    config = replaced(config, ("data", "test", "pipeline", 1, "transforms", step), other)
    content["meta"]["lightnas_config"] = repr(config)
    path = saved(tmp_path / "c.pth", content)
    assert "its detector cannot be run" in detect(capfd, path, picture, tmp_path)


# --- what runs ------------------------------------------------------------------------------------------------------


def test_a_config_py_with_code_in_it_never_runs(capfd, theirs, structure, digits, tmp_path):
    mark = tmp_path / "RAN"
    with open(theirs / "config.py", "a") as file:
        file.write(f"open({str(mark)!r}, 'w').close()\n")
    (theirs / "result.json").unlink()
    again = [structure, "--data", digits, "--schedule", 1, *QUICK]
    for command in (
        ["test-det", theirs],
        ["train-det", "--resume", "--work-dir", theirs],
        ["train-det", *again, "--resume", "--work-dir", theirs],
    ):
        assert "is no list of settings such as train-det writes" in refused(capfd, *command)
        assert not mark.exists()
    assert (
        json.loads(call(capfd, "test-det", theirs, "--trust-checkpoint", "--json")[0])["images"]
        == 4
    )
    assert mark.exists()  # the trap works


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("model", "backbone"), "x", "model.backbone is 'x', expected a dict"),
        (("model", "backbone", "type"), ["MadNas"], "model.backbone is "),
        (("model", "backbone", "structure_txt"), "PIPE", "structure_txt is "),
        (("model", "backbone", "structure_txt"), "x" * 5000, "structure_txt is "),
        (("data",), {}, "a run of another schedule"),
        (("data",), [1], "has no 'data'"),
        (("data", "train"), "x", "data.train is 'x', expected a dict"),
        (("recipe",), {"set": {"box": "x"}, "chosen": {}}, "recipe is damaged"),
    ],
    ids=range(8),
)
def test_a_config_py_that_a_run_with_options_is_compared_with(
    capfd, theirs, structure, digits, tmp_path, place, value, message
):
    """It is read as it stands: whatever does, no path in it is opened."""
    os.mkfifo(tmp_path / "pipe")
    config = plain(config_as_written(theirs, trust=False)) | {"recipe": None}
    config["runner"]["max_epochs"] = 9
    value = str(tmp_path / "pipe") if value == "PIPE" else value
    config = replaced(config, place, value)
    (theirs / "config.py").write_text("".join(f"{k} = {v!r}\n" for k, v in config.items()))
    again = ["train-det", structure, "--data", digits, *QUICK, "--work-dir", theirs, "--resume"]
    assert message in refused(capfd, *again)


def test_resuming_runs_no_code_and_deletes_nothing(capfd, theirs, content, tmp_path):
    """mmcv runs the config in a checkpoint's meta, and removes the best checkpoint it names."""
    mark, photo = tmp_path / "RAN", tmp_path / "best_of_my_photos.pth"
    photo.write_text("mine")
    content["meta"]["config"] = f"open({str(mark)!r}, 'w').close()"
    content["meta"]["hook_msgs"] = {"best_score": -1.0, "best_ckpt": str(photo)}
    content["meta"]["seed"] = "7" * 5000
    saved(theirs / "epoch_1.pth", content)
    (theirs / "result.json").unlink()
    config = theirs / "config.py"
    config.write_text(config.read_text().replace("'max_epochs': 1", "'max_epochs': 2"))
    call(capfd, "train-det", "--resume", "--work-dir", theirs)
    assert not mark.exists() and photo.read_text() == "mine"
    assert "config" not in read_checkpoint(theirs / "epoch_2.pth", trust=False)["meta"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": "1"}, "its meta.epoch is '1', expected a whole number"),
        ({"iter": None}, "its meta.iter is None"),
        ({"epoch": -1}, "its meta.epoch is -1"),
        ({"epoch": 10**400}, "its meta.epoch is"),
        ({"hook_msgs": 3}, "its meta.hook_msgs is 3"),
        ({"hook_msgs": {"best_ckpt": "/home/me/thesis.txt"}}, "hook_msgs.best_ckpt is"),
        ({"hook_msgs": {"best_score": float("nan")}}, "hook_msgs.best_score is nan"),
        ({"hook_msgs": {"new_data_after": "1"}}, "meta.hook_msgs.new_data_after is '1'"),
        ({"fp16": {"loss_scaler": {"scale": "x"}}}, "its meta.fp16 is"),
        ({"optimizer": None}, "its optimizer is None"),
        ({"optimizer": {}}, "its optimizer does not fit"),
        ({"optimizer": {"state": {}, "param_groups": []}}, "its optimizer does not fit"),
    ],
    ids=str,
)
def test_a_checkpoint_that_no_training_goes_on_from(capfd, theirs, content, change, message):
    for key, value in change.items():
        (content if key == "optimizer" else content["meta"])[key] = value
    saved(theirs / "epoch_1.pth", content)
    (theirs / "result.json").unlink()
    config = theirs / "config.py"
    config.write_text(config.read_text().replace("'max_epochs': 1", "'max_epochs': 2"))
    assert message in refused(capfd, "train-det", "--resume", "--work-dir", theirs)


def test_an_optimizer_of_other_shapes(capfd, theirs, content):
    for state in content["optimizer"]["state"].values():
        state["momentum_buffer"] = torch.ones(3, 3, 3)
    saved(theirs / "epoch_1.pth", content)
    (theirs / "result.json").unlink()
    config = theirs / "config.py"
    config.write_text(config.read_text().replace("'max_epochs': 1", "'max_epochs': 2"))
    assert "momentum_buffer" in refused(capfd, "train-det", "--resume", "--work-dir", theirs)


# --- runs of a config of one's own ----------------------------------------------------------------------------------


def test_a_run_of_other_types(capfd, structure, digits, tmp_path):
    """A hook that is not on the list: resumed by its config again, or on trust; tested on trust."""
    own, work_dir = tmp_path / "own.py", tmp_path / "w"
    base = ["train-det", structure, "--data", digits, "--work-dir", work_dir, *QUICK]
    (tmp_path / "own.py").write_text(
        f"_base_ = {str(config_file())!r}\ncustom_hooks = [dict(type='CheckInvalidLossHook'), dict(type='EmptyCacheHook')]\n"
    )
    call(capfd, *base, "--config", own, "--schedule", 1)
    (work_dir / "result.json").unlink()
    alone = ["train-det", "--resume", "--work-dir", work_dir]
    named = "custom_hooks.1.type is 'EmptyCacheHook'"
    assert named in refused(capfd, *alone)
    assert named in refused(capfd, "test-det", work_dir)
    assert named in refused(capfd, "test-det", work_dir / "epoch_1.pth")
    expected, _ = call(capfd, *base, "--config", own, "--schedule", 1, "--resume", "--json")
    (work_dir / "result.json").unlink()
    assert call(capfd, *alone, "--trust-checkpoint", "--json")[0] == expected
    tested, _ = call(capfd, "test-det", work_dir, "--trust-checkpoint", "--json")
    assert json.loads(tested)["images"] == 4
    with_config = ["test-det", work_dir / "config.py", work_dir / "epoch_1.pth", "--json"]
    assert json.loads(call(capfd, *with_config)[0])["ap"] == json.loads(tested)["ap"]


def config_file():
    from lightnas.files import data_file

    return data_file("configs", "detection/gfl_maedet_m.py")


# --- cfg-options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "model=5", "model=None", "data=5", "model.backbone=5", "model.backbone.type=Nothing", "model.neck=5",
        "model.bbox_head=x", "model.bbox_head.bbox_coder=x", "model.bbox_head.loss_bbox.type=Nothing",
        "model.bbox_head.stacked_convs=x", "model.train_cfg.assigner.type=Nothing",
        "data.train=5", "data.train.type=Nothing", "data.train.pipeline=5", "data.train.pipeline.2.type=Nothing",
        "data.test.pipeline.1.transforms.0.type=Nothing", "data.samples_per_gpu=x", "data.workers_per_gpu=x",
        "data.samples_per_gpu=0",
        "optimizer=5", "optimizer.type=Nothing", "optimizer.lr=x", "runner=5", "runner.type=Nothing",
        "runner.max_epochs=x", "lr_config=5", "lr_config.policy=Nothing", "log_config=5", "log_config.interval=x",
        "log_config.hooks.0.type=Nothing", "custom_hooks=5", "custom_hooks.0=5", "custom_hooks.0.type=Nothing",
        "evaluation=5",
        "evaluation.interval=x", "evaluation.metric=Nothing", "checkpoint_config=5", "auto_scale_lr=5",
        "optimizer_config=5", "workflow=5", "log_level=Nothing",
    ],
)  # fmt: skip
def test_options_that_do_not_fit(capfd, structure, digits, tmp_path, option):
    """One line each, and the exit status of bad input."""
    base = ["train-det", structure, "--data", digits, "--schedule", 1, "--work-dir", tmp_path / "w"]
    refused(capfd, *base, *QUICK, option)


def test_carried_and_written_configs_agree(run, content):
    from lightnas.detection.config import plain
    from lightnas.detection.embedded import config_of_run

    carried = plain(config_of_literal(content["meta"]["lightnas_config"], "c.pth"))
    assert plain(config_of_run(run, trust=False))["model"] == carried["model"]
