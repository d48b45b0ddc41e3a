"""Runs and configs from when the detection stage was called ``detection``: they resume, test and
detect as before."""

import json
import shutil

import pytest
import torch

from lightnas.detection.checkpoint import read_checkpoint
from lightnas.detection.config import read_config
from lightnas.detection.embedded import config_of_literal
from lightnas.files import data_folder

from .test_train import QUICK, call, refused, train

OLD, NEW = "'imports': ['detection']", "'imports': ['lightnas.detection']"


@pytest.fixture
def old(capfd, structure, digits, tmp_path):
    """A work directory as it was written then: its config, and the one that its checkpoints
    carry."""
    path = tmp_path / "old"
    train(capfd, structure, digits, path)
    config = path / "config.py"
    config.write_text(_aged(config.read_text()))
    for checkpoint in path.glob("epoch_*.pth"):
        content = read_checkpoint(checkpoint, trust=False)
        content["meta"]["lightnas_config"] = _aged(content["meta"]["lightnas_config"])
        torch.save(content, checkpoint)
    return path


def _aged(text):
    assert NEW in text
    return text.replace(NEW, OLD)


def test_an_old_work_directory(capfd, old, structure, digits):
    assert json.loads(call(capfd, "test-det", old, "--json")[0])["images"] == 4
    # As if it had been killed after the first of two epochs.
    (old / "result.json").unlink()
    config = old / "config.py"
    config.write_text(config.read_text().replace("'max_epochs': 1", "'max_epochs': 2"))
    again = ["train-det", structure, "--data", digits, "--work-dir", old, *QUICK, "--resume"]
    assert "max_epochs" in refused(capfd, *again, "--schedule", 3)
    out, _ = call(capfd, *again, "--schedule", 2, "--json")
    assert json.loads(out)["last"].endswith("epoch_2.pth")
    (old / "result.json").unlink()
    assert call(capfd, "train-det", "--resume", "--work-dir", old, "--json")[0] == out
    config = ["--config", old / "config.py", "--work-dir", old.with_name("new")]
    call(capfd, "train-det", *config, "--data", digits, "--schedule", 1)
    assert NEW in (old.with_name("new") / "config.py").read_text()


def test_an_old_checkpoint(capfd, old, digits, tmp_path):
    moved = shutil.copy(old / "epoch_1.pth", tmp_path / "moved.pth")
    picture = next((digits / "val").iterdir())
    found = call(capfd, "detect", moved, picture, "--output", tmp_path / "out", "--json")[0]
    assert json.loads(found)["images"][0]["image"] == str(picture)
    from_checkpoint = json.loads(call(capfd, "test-det", moved, "--json")[0])
    by_config = json.loads(call(capfd, "test-det", old / "config.py", moved, "--json")[0])
    assert from_checkpoint == by_config
    text = read_checkpoint(moved, trust=False)["meta"]["lightnas_config"]
    assert OLD in text
    carried, written = config_of_literal(text, "moved.pth"), read_config(old / "config.py")
    assert carried.custom_imports == written.custom_imports
    assert carried.custom_imports["imports"] == ["lightnas.detection"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("['detection']", ["lightnas.detection"]),
        ("'detection'", ["lightnas.detection"]),
        ("['json', 'detection']", ["json", "lightnas.detection"]),
        ("['lightnas.detection']", ["lightnas.detection"]),
    ],
)
def test_a_config_and_those_that_build_on_it(tmp_path, written, read):
    ours = data_folder("configs") / "detection" / "gfl_maedet_m.py"
    base, child = tmp_path / "base.py", tmp_path / "child.py"
    base.write_text(f"_base_ = '{ours}'\ncustom_imports = dict(imports={written})\n")
    child.write_text("_base_ = './base.py'\nseed = 3\n")
    for path in (base, child):
        assert read_config(path).custom_imports["imports"] == read
