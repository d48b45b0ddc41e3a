"""``lightnas latency`` of a training: the detector of its best checkpoint, not the backbone alone."""

import json

import pytest
import torch
from mmcv import Config

from lightnas.deploy import latency
from lightnas.detection.config import format_config
from lightnas.latency.speed import Speed
from lightnas.network.structure import format_structures, read_structures

from ..conftest import refused, run


@pytest.fixture
def work_dir(checkpoint, structure, tmp_path):
    """As a training leaves it: the best checkpoint, and a later one that cannot be read."""
    path = tmp_path / "w"
    path.mkdir()
    content = torch.load(checkpoint, weights_only=False)
    config = Config(eval(content["meta"]["lightnas_config"]))
    (path / "config.py").write_text(format_config(config))
    (path / "structure.txt").write_text(structure.read_text())
    (path / "best_bbox_mAP_epoch_2.pth").write_bytes(checkpoint.read_bytes())
    (path / "epoch_3.pth").write_bytes(b"damaged")
    return path


@pytest.fixture(autouse=True)
def steady(monkeypatch):
    """What is measured runs once; the seconds are made up."""

    def once(runs):
        for call in runs.values():
            call()
        return dict.fromkeys(runs, Speed(0.5, 0.5, 0.5))

    monkeypatch.setattr(latency, "side_by_side", once)


def measured(capsys, *arguments):
    return json.loads(run(capsys, "latency", *arguments, "--device", "cpu", "--json"))


def test_a_work_directory_is_its_best_checkpoint(capsys, work_dir):
    best = work_dir / "best_bbox_mAP_epoch_2.pth"
    found = measured(capsys, work_dir)
    assert found == measured(capsys, best) and "structures" not in found
    (row,) = found["detectors"]
    assert row["name"] == str(best) and row["flops"] > 0
    alone = read_structures(work_dir / "structure.txt")[0].cost((96, 96)).flops
    assert row["flops"] > 1.1 * alone  # neck and head too
    table = run(capsys, "latency", work_dir, best, "--device", "cpu")
    assert "from the pixels of a picture to boxes" in table
    assert table.count(best.name) == 2


def test_of_two_trainings_the_table_says_which(capsys, work_dir, tmp_path):
    other = tmp_path / "v"
    other.mkdir()
    for name in ("config.py", "structure.txt", "best_bbox_mAP_epoch_2.pth"):
        (other / name).write_bytes((work_dir / name).read_bytes())
    table = run(capsys, "latency", work_dir, other, "--device", "cpu")
    assert "w/best_bbox_mAP_epoch_2.pth" in table and "v/best_bbox_mAP_epoch_2.pth" in table


def test_its_structure_is_measured_by_its_name(capsys, work_dir, tmp_path):
    """So is a directory that no training made."""
    search = tmp_path / "search"
    search.mkdir()
    (search / "structure.txt").write_text(
        format_structures(read_structures(work_dir / "structure.txt"))
    )
    for structure in (work_dir / "structure.txt", search):
        table = run(capsys, "latency", structure, "--input-size", "64x64", "--device", "cpu")
        assert "at 64x64, backbones alone" in table
    said = refused(capsys, "latency", search, work_dir)
    assert f"{search} is a structure beside the detector {work_dir}" in said


@pytest.mark.parametrize(
    "option", [("--detector", "gflv2"), ("--random", "2"), ("--precision", "fp32"), ("--latency-table", "t.json")]
)  # fmt: skip
def test_options_of_structures_name_what_takes_them(capsys, work_dir, option):
    said = refused(capsys, "latency", work_dir, *option)
    assert said.startswith(f"lightnas: {option[0]} goes with structures, expected none beside")
    assert f"{work_dir}/structure.txt" in said


def test_a_training_without_a_checkpoint(capsys, work_dir):
    for path in work_dir.glob("*.pth"):
        path.unlink()
    said = refused(capsys, "latency", work_dir)
    assert f"{work_dir} holds no checkpoint yet" in said


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_pictures_that_are_too_large_are_refused_before_the_detector_is_built(
    capsys, work_dir, monkeypatch, runtime
):
    monkeypatch.setattr("lightnas.detection.latency.load_detector", None)
    for size in ("5000x96", "65536x65536"):
        said = refused(capsys, "latency", work_dir, "--input-size", size, "--runtime", runtime)
        assert said.startswith(f"lightnas: --input-size is {size}, expected HxW")


@pytest.mark.parametrize("option", [("--input-size", "64x64"), ("--batch", "2")])
def test_what_torch_cannot_be_asked_for_is_named(capsys, work_dir, option):
    line = refused(capsys, "latency", work_dir, *option)
    assert f"lightnas: {option[0]} is given for {work_dir}" in line
    assert "--batch and" not in line and "input_size" not in line
