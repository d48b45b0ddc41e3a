"""``--score`` and ``--all`` as a user types them."""

import json
from pathlib import Path

import pytest

from lightnas.cli.main import main

SMALL = ["--budget-flops", "0.2G", "--budget-layers", "25", "--max-channels", "64", "--input-size", "96x96",
         "--evaluations", "2000"]  # fmt: skip
MODULE = """
class Depth:
    def evaluate(self, blocks):
        return sum((1.0 * block.depth for block in blocks), 0.0)

import pathlib

pathlib.Path("imported").touch()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments, status=0):
    capsys.readouterr()
    assert main([*map(str, arguments)]) == status
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out if status == 0 else err


def test_a_score_without_terms_has_no_bound_and_goes_on_alone(capsys):
    first = json.loads(
        said(capsys, "search", *SMALL, "--score", "deepmad", "--output", "r", "--json")
    )
    assert not {"upper_bound", "gap", "proven_optimal", "score_parts"} & set(first)
    again = json.loads(said(capsys, "search", "--resume", "--output", "r", "--json"))
    assert again == first
    assert "score deepmad" in Path("r/report.html").read_text()


def test_a_score_with_terms_is_proven(capsys):
    found = json.loads(
        said(capsys, "search", *SMALL, "--score", "layers", "--output", "r", "--json")
    )
    assert (found["score"], found["proven_optimal"]) == (25.0, True)


def test_a_module_that_a_file_names_is_not_imported(capsys, folder):
    (folder / "depth_score.py").write_text(MODULE)
    asked = ["--score", "depth_score:Depth"]
    found = json.loads(said(capsys, "search", *SMALL, *asked, "--output", "r", "--json"))
    assert found["score"] == 1 + sum(block.get("L", 0) for block in found["structure"])
    (folder / "imported").unlink(missing_ok=True)
    error = said(capsys, "search", "--config", "r/config.yaml", "--output", "other", status=2)
    assert "depth_score:Depth" in error and "--score" in error
    assert not (folder / "other").exists() and not (folder / "imported").exists()
    said(capsys, "report", "r")
    said(capsys, "export-structure", "r")
    assert not (folder / "imported").exists()


def test_a_front_of_another_score(capsys):
    said(capsys, "pareto", "--budget-flops", "0.1G:0.2G:2", "--budget-layers", "25", *SMALL[4:],
         "--score", "params", "--output", "f", "--workers", "1")  # fmt: skip
    content = json.loads(Path("f/front.json").read_text())
    assert content["score"] == "params"
    assert all(point["score"] == point["params"] for point in content["points"])


def test_every_score_of_a_structure(capsys):
    (row,) = json.loads(said(capsys, "score", "maedet-s", "--all", "--json"))["structures"]
    by = row["scores"]
    assert by["entropy"] == row["score"]
    assert {name: by[name] for name in ("flops", "params", "layers")} == {
        name: row[name] for name in ("flops", "params", "layers")
    }
    assert by["deepmad"] > 0


@pytest.mark.parametrize("name", ["entropi", "nowhere:Score", "json:dumps", ":", "a b"])
def test_scores_that_are_none_are_refused(capsys, name, folder):
    error = said(capsys, "search", *SMALL, "--score", name, "--output", "r", status=2)
    assert "--score is" in error and error.count("\n") == 1
    assert not (folder / "r").exists()


def test_the_cheapest_needs_a_bound(capsys):
    asked = ["--score", "deepmad", "--within", "1%", "--minimise", "params"]
    assert "no bound" in said(capsys, "search", *SMALL, *asked, "--output", "r", status=2)
