"""``--budget-rho`` on the command line, and rho in everything that prints a structure."""

import json

import pytest
import yaml

from lightnas.cli.main import main
from lightnas.network.entropy import effectiveness, largest_rho
from lightnas.network.structure import read_structures
from lightnas.runs import load_run, structures

from ..conftest import TINY

SMALL = ("--space", "mine.yaml", "--input-size", "64x64")
AT_LIMIT = "depth is at the space's limit in every stage; consider --budget-layers or --budget-rho"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TINY))
    return tmp_path


def run(capsys, *arguments):
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr()


def refused(capsys, *arguments):
    assert main([*map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def config(path):
    return yaml.safe_load((path / "config.yaml").read_text())


def test_a_search_within_rho_and_its_config(capsys, folder):
    asked = ("search", *SMALL, "--budget-params", "1M", "--budget-rho", "0.3")
    result = json.loads(run(capsys, *asked, "--json").out)
    path = folder / result["output"]
    assert path.name == "params-1M-rho-0.3"
    structure = read_structures(path / "structure.txt")[0]
    assert result["rhos"] == pytest.approx([float(rho) for rho in effectiveness(structure)])
    assert result["rho"] == pytest.approx(float(largest_rho(structure))) and result["rho"] <= 0.3
    assert json.loads((path / "result.json").read_text())["rho"] == result["rho"]
    assert result["proven_optimal"] and set(result["shadow_prices"]) == {"params", "rho"}
    assert config(path)["budget"]["rho"] == 0.3
    run(capsys, "search", "--config", path / "config.yaml", "--output", "b")
    assert (path / "config.yaml").read_bytes() == (folder / "b/config.yaml").read_bytes()
    assert load_run("b").structure == structure and load_run("b").rho == result["rho"]
    said = refused(capsys, *asked[:-1], "0.4", "--output", path, "--resume")
    assert "budget.rho is 0.3 there and 0.4 here" in said
    out = run(capsys, *asked, "--output", path, "--resume").out
    assert "0.01 of rho" in out and "at C5" in out
    page = (path / "report.html").read_text()
    assert "0.01 of rho" in page and f"{result['rho']:.4g}" in page


def test_runs_without_it_have_the_keys_they_had(capsys, folder):
    printed = json.loads(run(capsys, "search", *SMALL, "--budget-layers", "19", "--json").out)
    path = folder / printed["output"]
    assert "rho" not in config(path)["budget"]
    written = json.loads((path / "result.json").read_text())
    assert not {"rho", "rhos", "warnings"} & {*written}
    assert {*printed} - {*written} == {"rho", "rhos", "output"}
    assert "rho" in (path / "report.html").read_text()


def test_score_has_rho_of_every_structure(capsys):
    (row,) = json.loads(run(capsys, "score", "maedet-s", "--json").out)["structures"]
    (ours,) = structures("maedet-s")
    assert row["rhos"] == pytest.approx([float(rho) for rho in effectiveness(ours)])
    assert row["rho"] == max(row["rhos"]) == pytest.approx(0.1612, abs=5e-5)
    out = run(capsys, "score", "maedet-s").out
    assert "rho" in out and "0.16121" in out


def test_a_front_over_rho(capsys, folder):
    asked = (
        "pareto",
        *SMALL,
        "--budget-rho",
        "0.3:0.6:3",
        "--budget-params",
        "1M",
        "--workers",
        1,
    )
    front = json.loads(run(capsys, *asked, "--compare", "maedet-s", "--json").out)
    assert front["axis"] == "rho"
    assert all(point["rho"] <= point["budget"] for point in front["points"])
    assert all(point["proven_optimal"] for point in front["points"])
    assert front["compare"][0]["rho"] == pytest.approx(0.1612, abs=5e-5)
    out = folder / "outputs/front"
    assert "rho" in (out / "front.csv").read_text().splitlines()[0]
    run(capsys, *asked, "--resume")


def test_the_cheapest_within_rho_and_the_least_rho(capsys, folder):
    asked = ("search", *SMALL, "--budget-params", "20K", "--json", "--within", "5%")
    for limit in (("--budget-rho", "0.5", "--minimise", "flops"), ("--minimise", "rho")):
        result = json.loads(run(capsys, *asked, *limit).out)
        assert result["cheapest"]["proven"] and result["rho"] <= float(
            limit[1] if len(limit) > 2 else 1
        )


def test_what_cannot_be_met_or_read(capsys, folder):
    few = ("search", *SMALL, "--output", "no")
    said = "lightnas: budget rho 0.001 is met by no structure of space tiny, expected a larger one"
    assert refused(capsys, *few, "--budget-rho", "0.001") == said
    assert refused(capsys, *few, "--budget-rho", "0.001", "--budget-flops", "1G") == said
    for word in ("0", "-1", "nan", "inf", "0.3x", "30%", ""):
        said = refused(capsys, *few, "--budget-rho", word)
        assert said.startswith("lightnas: --budget-rho is ") and "such as 0.3" in said
    assert not (folder / "no").exists()


def test_a_warning_where_the_depth_of_the_space_decides(capsys, folder):
    deep = run(capsys, "search", *SMALL, "--budget-params", "1M", "--json")
    assert deep.err.splitlines() == [f"warning: {AT_LIMIT}"]
    assert json.loads(deep.out)["warnings"] == [AT_LIMIT]
    shallow = run(capsys, "search", *SMALL, "--budget-layers", "19", "--output", "few", "--json")
    assert shallow.err == "" and "warnings" not in json.loads(shallow.out)
