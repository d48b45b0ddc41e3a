"""Where a command asks for a structure, a preset's name or a run directory serves as well."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from lightnas import runs
from lightnas.files import data_folder
from lightnas.network.structure import format_structures, read_structures
from lightnas.runs import structure_path

from ..conftest import refused, run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ours():
    """The txt of maedet-m."""
    return data_folder("configs") / "structures" / "maedet_m.txt"


@pytest.fixture
def directory(folder, ours):
    """A run directory with the structures of S and M."""
    structures = [*runs.structures("maedet-s"), *read_structures(ours)]
    (folder / "outputs/both").mkdir(parents=True)
    (folder / "outputs/both/structure.txt").write_text(format_structures(structures))
    return "outputs/both"


def test_score(capsys, ours, directory):
    def rows(name):
        return json.loads(run(capsys, "score", name, "--json"))["structures"]

    assert rows("maedet-m") == rows(ours)
    assert rows(directory) == [*rows("maedet-s"), *rows("maedet-m")]
    keys = ["score", "flops", "params", "layers", "entropies", "rho", "rhos"]
    assert list(rows("maedet-m")[0]) == keys
    assert "maedet-m at 800x1280, alpha 0,0,1,1,6" in run(capsys, "score", "maedet-m")


def test_export(capsys, ours, directory):
    assert run(capsys, "export-structure", "maedet-m") == ours.read_text()
    assert run(capsys, "export-structure", directory, "--rank", "1") == ours.read_text()
    assert run(capsys, "export-structure", ours) == ours.read_text()


def test_compare(capsys, directory):
    content = json.loads(
        run(
            capsys, "pareto", "--budget-flops", "0.3G:0.4G:2", "--input-size", "192x192", "--evaluations", "2000",
            "--workers", "1", "--compare", "maedet-m", "--compare", directory, "--json",
        )
    )  # fmt: skip
    assert [row["name"] for row in content["compare"]] == ["maedet-m", "both", "both 1"]
    assert content["compare"][0]["score"] == content["compare"][2]["score"]


@pytest.mark.parametrize("command", [["score"], ["export-structure"]])
def test_a_typo(capsys, command):
    assert "did you mean 'maedet-m'" in refused(capsys, *command, "maedetm")


@pytest.mark.skipif(find_spec("mmcv") is None, reason="the detection stage is not installed")
@pytest.mark.parametrize(
    ("name", "work_dir"),
    [
        ("maedet-m", "outputs/maedet-m-det"),
        ("outputs/both", "outputs/both-det"),
        ("outputs/both/structure.txt", "outputs/structure-det"),
    ],
)
def test_train_det(capsys, folder, directory, monkeypatch, name, work_dir):
    from lightnas import detection

    asked = []
    monkeypatch.setattr(detection, "train", lambda *request: asked.append(request) or {})
    (folder / "d/annotations").mkdir(parents=True)
    (folder / "d/images").mkdir()
    (folder / "d/images/a.jpg").write_bytes(b"")
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
        "annotations": [],
        "categories": [],
    }
    for split in ("train", "val"):
        (folder / f"d/annotations/instances_{split}.json").write_text(json.dumps(coco))
    assert run(capsys, "train-det", name, "--data", "d", "--input-size", "96x96") == ""
    options, _, start = asked[0]
    assert options.structure == structure_path(name) and options.input_size == (96, 96)
    assert read_structures(options.structure) == runs.structures(name)
    assert start.work_dir == Path(work_dir)


@pytest.mark.skipif(find_spec("mmcv") is None, reason="the detection stage is not installed")
def test_train_det_of_a_typo(capsys):
    assert "did you mean 'maedet-m'" in refused(capsys, "train-det", "maedetm", "--data", "d")


def test_a_run_is_scored_at_its_own_input_size(capsys, folder):
    words = ("--budget-flops", "0.5G", "--input-size", "192x192", "--evaluations", "300")
    found = json.loads(
        run(capsys, "search", *words, "--proof-work", "0", "--output", "r", "--json")
    )
    (best, *_) = json.loads(run(capsys, "score", "r", "--json"))["structures"]
    assert (best["flops"], best["score"]) == (found["flops"], found["score"])
    assert "at 192x192" in run(capsys, "score", "r")
    assert "at 64x64" in run(capsys, "score", "r", "--input-size", "64x64")
