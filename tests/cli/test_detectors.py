"""--detector, --budget-activations and shadow prices, as users meet them."""

import json

import pytest
import yaml

from lightnas.cli.main import main
from lightnas.network.detector import Detector
from lightnas.network.structure import read_structures
from lightnas.runs import load_run, structures

from ..conftest import TINY, refused, run
from ..latency.tables import made_up
from ..search.spaces import SIZE

RESNET50 = 83.6e9 + Detector().on((512, 1024, 2048)).flops
RESNET101 = 159.5e9 + Detector().on((512, 1024, 2048)).flops
QUICK = ("--evaluations", "2000", "--proof-work", "0")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(path):
    return yaml.safe_load((path / "config.yaml").read_text())


def test_resnet50_is_its_whole_detector(capsys, folder):
    asked = ("search", "--budget-flops", "resnet50", "--budget-layers", "60", *QUICK)
    result = json.loads(run(capsys, *asked, "--detector", "gflv2", "--json"))
    assert result["output"] == "outputs/resnet50-layers-60-gflv2"
    path = folder / result["output"]
    assert config(path)["budget"]["flops"] == RESNET50 and config(path)["detector"] == "gflv2:256"
    assert result["detector"] == "gflv2:256"
    (structure, *_) = read_structures(path / "structure.txt")
    assert result["flops"] == structure.cost(detector=Detector()).flops <= RESNET50
    # What is scored by the name of a run is counted as the run did.
    (row, *_) = json.loads(run(capsys, "score", path, "--json"))["structures"]
    assert (row["flops"], row["params"]) == (result["flops"], result["params"])
    (row, *_) = json.loads(run(capsys, "score", path, "--detector", "none", "--json"))["structures"]
    assert row["flops"] == structure.cost().flops
    assert load_run(path).detector == "gflv2:256"
    assert "gflv2:256" in (path / "report.html").read_text()


def test_the_config_of_a_run_gives_the_run_again(capsys, folder):
    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY))
    limits = ("--budget-flops", "50M", "--budget-activations", "90K", "--input-size", "64x64")
    asked = ("search", "--space", "mine.yaml", *limits, "--detector", "gflv2:32")
    run(capsys, *asked, "--output", "a")
    run(capsys, "search", "--config", "a/config.yaml", "--output", "b")
    assert (folder / "a/config.yaml").read_bytes() == (folder / "b/config.yaml").read_bytes()
    assert load_run("a").structure == load_run("b").structure
    assert 0 < load_run("a").activations <= 90e3
    run(capsys, *asked, "--output", "a", "--resume")
    assert "detector is 'gflv2:32' there and none here" in refused(
        capsys,
        "search",
        "--config",
        "a/config.yaml",
        "--detector",
        "none",
        "--output",
        "a",
        "--resume",
    )
    assert "budget.activations is 90K there" in refused(
        capsys, *asked, "--budget-activations", "1M", "--output", "a", "--resume"
    )
    (row, *_) = json.loads(run(capsys, "score", "a", "--json"))["structures"]
    assert row["activations"] == load_run("a").activations
    assert "activations" in (folder / "a/report.html").read_text()


def test_runs_without_either_have_the_keys_they_had(capsys, folder):
    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY))
    run(capsys, "search", "--space", "mine.yaml", "--budget-params", "12K", "--output", "a")
    assert list(config(folder / "a")["budget"]) == ["flops", "params", "layers", "latency"]
    assert not {"detector", "activations"} & {*config(folder / "a")}
    result = json.loads((folder / "a/result.json").read_text())
    assert not {"detector", "activations"} & {*result}
    # The result of an older version, which knew no shadow prices.
    older = {k: v for k, v in result.items() if k not in ("shadow_prices", "score_parts")}
    (folder / "a/result.json").write_text(json.dumps(older))
    (folder / "a/report.html").unlink()
    out = run(
        capsys,
        "search",
        "--space",
        "mine.yaml",
        "--budget-params",
        "12K",
        "--output",
        "a",
        "--resume",
    )
    assert "one more adds" not in out and (folder / "a/report.html").is_file()


def test_a_row_from_one_whole_detector_to_the_other(capsys, folder):
    asked = ("pareto", "--budget-flops", "resnet50:resnet101:2", "--budget-layers", "40", *QUICK)
    front = json.loads(run(capsys, *asked, "--detector", "gflv2", "--workers", "1", "--json"))
    assert [point["budget"] for point in front["points"]] == [RESNET50, RESNET101]
    assert front["detector"] == "gflv2:256" == config(folder / "outputs/front")["detector"]
    for point in front["points"]:
        assert point["detector"] == "gflv2:256" and set(point["shadow_prices"]) == {
            "flops",
            "layers",
        }
    run(capsys, *asked, "--detector", "gflv2:256", "--workers", "1", "--resume")
    page = (folder / "outputs/front/report.html").read_text()
    assert f"{RESNET50 / 1e9:.4g}G" in page  # ResNet-50 beside them, with neck and head


def test_a_front_over_activations(capsys, folder):
    asked = ("pareto", "--budget-activations", "100M:300M:3", "--budget-layers", "40", *QUICK)
    front = json.loads(run(capsys, *asked, "--workers", "1", "--compare", "maedet-s", "--json"))
    assert front["axis"] == "activations"
    assert all(point["activations"] <= point["budget"] for point in front["points"])
    (ours,) = structures("maedet-s")
    assert front["compare"][0]["activations"] == ours.cost(activations=True).activations
    assert "activations" in (folder / "outputs/front/front.csv").read_text().splitlines()[0]


def test_score_with_a_detector(capsys):
    rows = json.loads(run(capsys, "score", "maedet-m", "--detector", "gflv2:192", "--json"))
    (ours,) = structures("maedet-m")
    assert rows["detector"] == "gflv2:192"
    assert rows["structures"][0]["flops"] == ours.cost(detector=Detector(192)).flops
    out = run(capsys, "score", "maedet-m", "--activations", "--detector", "GFLV2")
    assert "gflv2:256" in out and "339.69M" in out


@pytest.mark.parametrize("command", ["search", "pareto"])
def test_no_latency_budget_with_a_detector(capsys, folder, command):
    from lightnas.search.space_file import parse_space

    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "table.json").write_text(json.dumps(made_up(parse_space(TINY, "tiny"), SIZE)))
    table = ("--space", "mine.yaml", "--latency-table", "table.json", "--detector", "gflv2")
    row = ":60ms:3" if command == "pareto" else ""
    line = refused(capsys, command, *table, "--budget-latency", "30ms" + row)
    assert line.startswith("lightnas: --budget-latency is given with detector gflv2:256, expected")
    row = ":2G:3" if command == "pareto" else ""
    line = refused(capsys, command, *table, "--budget-flops", "1G" + row)
    assert line.startswith("lightnas: --latency-table is given with detector gflv2:256, expected")
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize(
    "command",
    [("search", "--budget-flops", "90G"), ("pareto", "--budget-flops", "90G:95G:2"),
     ("score", "maedet-m"), ("latency", "maedet-m")],
)  # fmt: skip
@pytest.mark.parametrize("word", ["gfl", "gflv2:100", "", "resnet50"])
def test_what_is_no_detector(capsys, command, word):
    line = refused(capsys, *command, "--detector", word)
    assert line.startswith("lightnas: --detector is ") and "expected none, gflv2" in line


def test_a_config_with_a_detector_that_is_none(capsys, folder):
    (folder / "c.yaml").write_text("budget: {flops: resnet50}\ndetector: yolo\n")
    assert "c.yaml: detector is 'yolo', expected none" in refused(
        capsys, "search", "--config", "c.yaml"
    )
    (folder / "c.yaml").write_text("budget: {flops: resnet50}\ndetector: gflv2\n")
    run(capsys, "search", "--config", "c.yaml", *QUICK, "--output", "a")
    assert config(folder / "a")["budget"]["flops"] == RESNET50
    run(capsys, "search", "--config", "c.yaml", "--detector", "none", *QUICK, "--output", "b")
    assert config(folder / "b")["budget"]["flops"] == 83.6e9


def test_a_budget_that_the_detector_alone_exceeds(capsys):
    line = refused(capsys, "search", "--budget-flops", "83.6G", "--detector", "gflv2")
    assert "budget flops is 83.6G, expected at least 12" in line


def test_prices_and_parts_are_told(capsys, folder):
    out = run(capsys, "search", "--preset", "maedet-s", *QUICK, "--output", "a")
    result = json.loads((folder / "a/result.json").read_text())
    page = (folder / "a/report.html").read_text()
    assert set(result["shadow_prices"]) == {"flops", "params", "layers"}
    for text in ("a G of FLOPs", "a M of params", "a layer"):
        assert text in out and text in page
    assert sum(result["score_parts"].values()) == pytest.approx(result["score"], rel=1e-12)
    assert list(result["score_parts"]) == ["widths", "kernels", "depth"]
    for part in result["score_parts"]:
        assert f"from {part}" in out and f"from {part}" in page


# --- the cheapest that is nearly as good ----------------------------------------------------------------------------


def test_the_cheapest_within_a_share(capsys, folder):
    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY))
    asked = ("search", "--space", "mine.yaml", "--budget-params", "12K", "--input-size", "64x64")
    best = json.loads(run(capsys, *asked, "--json", "--output", "best"))
    cheap = (*asked, "--within", "5%", "--minimise", "flops", "--output", "cheap")
    found = json.loads(run(capsys, *cheap, "--json"))
    assert found["cheapest"] == {
        "within": 0.05, "minimise": "flops", "best_score": best["score"], "proven": True, "at_least": found["flops"],
    }  # fmt: skip
    assert 0.95 * best["score"] <= found["score"] and found["flops"] < best["flops"]
    assert found["upper_bound"] == best["upper_bound"]
    assert read_structures(folder / "cheap/structure.txt")[0].to_dicts() == found["structure"]
    assert "fewest FLOPs within 5 %" in (folder / "cheap/report.html").read_text()
    assert {"within": 0.05, "minimise": "flops"}.items() <= config(folder / "cheap").items()
    assert not {"within", "minimise"} & {*config(folder / "best")}
    assert "fewest FLOPs within 5 %" in run(capsys, *cheap, "--resume")
    again = json.loads(
        run(capsys, "search", "--config", "cheap/config.yaml", "--json", "--output", "again")
    )
    assert again["cheapest"] == found["cheapest"] and again["structure"] == found["structure"]
    assert load_run("cheap").cheapest == found["cheapest"]


def test_stopped_while_it_looks_for_the_cheapest(capsys, folder, monkeypatch):
    from lightnas.runs import search_run

    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY))
    asked = (
        "search", "--space", "mine.yaml", "--budget-params", "12K", "--within", "0.05", "--minimise", "params",
        "--output", "a",
    )  # fmt: skip

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(search_run, "cheapest", stop)
        assert main([*asked]) == 130
    assert (folder / "a/checkpoint.npz").is_file() and read_structures(folder / "a/structure.txt")
    run(capsys, *asked, "--resume")
    assert load_run("a").cheapest["proven"] and not (folder / "a/checkpoint.npz").is_file()


def test_what_cannot_be_minimised(capsys, folder):
    asked = ("search", "--budget-flops", "50G")
    line = refused(capsys, *asked, "--within", "1%")
    assert line.startswith("lightnas: --within is given without --minimise")
    line = refused(capsys, *asked, "--within", "200%", "--minimise", "params")
    assert line.startswith("lightnas: --within is '200%', expected a share")
    line = refused(capsys, *asked, "--within", "1%", "--minimise", "latency")
    assert line.startswith("lightnas: --minimise is latency without a latency table")
    (folder / "c.yaml").write_text("within: 1%\nminimise: params\nbudget: {layers: 40}\n")
    line = refused(capsys, "pareto", "--config", "c.yaml", "--budget-flops", "1G:2G:2")
    assert "within and minimise are given, expected neither" in line
