"""What a page says: how a run was made, each structure, what lies outside, several runs at once."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest

from lightnas.cli.main import main
from lightnas.outputs import MARKER
from lightnas.report import write_report
from lightnas.runs import load_config, search
from lightnas.search.space_file import parse_space

from ..conftest import TINY, refused, run
from ..latency.tables import made_up
from .runs import EVALUATIONS, SIZE, check_alone, front, searched, text_of, training

TEST = {"data": {"test": {"pipeline": [{"type": "MultiScaleFlipAug", "img_scale": (192, 160)}]}}}


def page_of(path):
    page = (path / "report.html").read_text()
    check_alone(page)
    return page


def tips(page):
    return [html.unescape(tip) for tip in re.findall(r'data-tip="([^"]*)"', page)]


def test_a_page_says_how_the_run_was_made(capsys, folder):
    page = text_of(page_of(searched(capsys, "run", "--seed", "3")))
    made = json.loads(Path("run", MARKER).read_text())["begun"]
    assert made["command"].startswith("lightnas search --space tiny.yaml --budget-flops 3M")
    assert made["command"].endswith("--output run --seed 3")
    assert f"command {made['command']} seed 3 begun {made['date']}" in page
    assert f"machine {made['machine']}" in page
    assert all(f"{name} {version}" in page for name, version in made["versions"].items())
    assert {"python", "lightnas", "numpy", "scipy"} <= set(made["versions"])


def test_a_run_that_goes_on_was_begun_once_one_that_is_replaced_anew(capsys, folder):
    begun = []
    for more in ((), ("--resume",), ("--overwrite",)):
        searched(capsys, "run", *more)
        begun.append(json.loads(Path("run", MARKER).read_text())["begun"]["command"])
    assert begun[0] == begun[1] and begun[2].endswith("--overwrite")


def test_a_run_of_python_has_no_command(folder):
    asked = {"space": "tiny.yaml", "budget": {"flops": 3e6}, "input_size": "64x64"}
    search(load_config(None, asked | {"evaluations": 500}), "run", write_report=write_report)
    assert "command called from Python seed 0" in text_of(page_of(Path("run")))


def test_a_run_from_before_runs_wrote_that_down(capsys, folder):
    path = searched(capsys)
    marker = json.loads((path / MARKER).read_text())
    del marker["begun"]
    (path / MARKER).write_text(json.dumps(marker))
    run(capsys, "report", path)
    assert "How it was made seed 0 Budgets" in text_of(page_of(path))
    (path / MARKER).write_text(json.dumps(marker | {"begun": {"command": 3}}))
    assert "begun: command is 3" in refused(capsys, "report", path)


def test_every_point_of_a_front_has_its_architecture(capsys, folder):
    path = front(capsys)
    page = page_of(path)
    for i, point in enumerate(json.loads((path / "front.json").read_text())["points"]):
        table = re.search(rf'<table data-stages="s0-{i}">.*?</table>', page, re.DOTALL)[0]
        widths = [int(row) for row in re.findall(r"</th><td>\d+x\d+</td><td>(\d+)", table)]
        assert widths[-1] == point["structure"][-1]["out"] and len(widths) == 5


def test_what_lies_outside_the_budgets_stands_at_the_edge(capsys, folder):
    """MAE-DET-S, of 312M at this size, beside budgets of 2M to 6M."""
    page = page_of(front(capsys))
    assert "other above the budgets of this front" in text_of(page)
    (tip,) = [tip for tip in tips(page) if tip.startswith("other: score")]
    assert tip.endswith("; outside this chart")
    assert re.search(r'x="100.0%"[^>]*>other</text>', page)
    scale = [float(text) for text in re.findall(r'<text class="middle[^"]*"[^>]*>([\d.]+)<', page)]
    assert max(scale) < 0.01  # G


def test_a_network_within_the_budgets_is_not_marked(capsys, folder):
    Path("within.txt").write_text((front(capsys) / "structures" / "01.txt").read_text())
    row = ("--budget-flops", "2M:6M:2", *SIZE, *EVALUATIONS, "--workers", "1")
    run(capsys, "pareto", "--space", "tiny.yaml", *row, "--output", "b", "--compare", "within.txt")
    page = page_of(Path("b"))
    assert "of this front" not in page and not any("outside" in tip for tip in tips(page))


def test_latency_where_there_is_a_table(capsys, folder):
    Path("table.json").write_text(json.dumps(made_up(parse_space(TINY, "tiny"))))
    timed = ("--space", "tiny.yaml", "--latency-table", "table.json", *EVALUATIONS)
    run(capsys, "search", *timed, "--budget-flops", "3M", "--output", "a")
    result = json.loads(Path("a/result.json").read_text())
    page = text_of(page_of(Path("a")))
    assert "params layers latency" in page and "Latency on made up, 1 thread, fp32, batch 1" in page
    assert f"{1e6 * result['latency']:.4g} us" in page
    row = ("--budget-flops", "2M:6M:3", "--workers", "1")
    other = ("--compare", "a", "--compare", "maedet-s")  # of whose blocks the table knows nothing
    run(capsys, "pareto", *timed, *row, "--output", "b", *other)
    known, unknown = json.loads(Path("b/front.json").read_text())["compare"][::5]
    assert known["latency"] == result["latency"] and "latency" not in unknown
    page = page_of(Path("b"))
    assert "Latency on made up" in page and page.count('data-copy="s0-1"') == 3
    assert "Latency on" not in page_of(searched(capsys))


def test_the_gap_is_drawn_on_a_scale_of_ratios(capsys, folder):
    page = page_of(searched(capsys))
    assert "gap to the bound, %" in page and re.search(r'<text class="end"[^>]*>0<', page)
    assert any(tip.endswith(", 0 % below the bound") for tip in tips(page))
    assert "Score against" in page and re.search(r'<g class="cloud color-0"><circle', page)


@pytest.mark.parametrize("value", [1e308, -1e308, 0.0, None])
def test_any_population_that_can_be_read(capsys, folder, value):
    path = searched(capsys)
    with np.load(path / "population.npz") as file:
        arrays = dict(file)
    for name, array in arrays.items():
        if name != "genes":
            arrays[name] = array[:0] if value is None else array.copy()
        if value is not None and array.dtype.kind == "f":
            arrays[name][::2] = value
    np.savez(path / "population.npz", **arrays)
    run(capsys, "report", path)
    assert ("Population" in text_of(page_of(path))) == (value is not None)
    np.savez(path / "population.npz", **arrays | {"score": np.full(3, np.nan)})
    said = refused(capsys, "report", path)
    assert "population.npz: " in said and "overwrite" not in said


def test_losses_rates_and_the_size_of_a_training(capsys, folder):
    path = training()
    lines = "".join(f"{name} = {value!r}\n" for name, value in (TEST | {"seed": 7}).items())
    (path / "config.py").write_text(lines + "model = dict(a=1)\n")
    log = next(path.glob("*.log.json"))
    more = '"lr": 0.01, "loss_cls": 0.5, "loss_bbox": NaN, "loss_dfl": 0.1, "loss": '
    log.write_text(log.read_text().replace('"loss": ', more))
    run(capsys, "report", path)
    page = page_of(path)
    text = text_of(page)
    assert "output at 160x192" in text and "seed 7" in text and "Learning rate" in text
    assert "loss cls dfl" in text and "epoch 1.50: learning rate 0.01" in tips(page)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "data = 3",
        "import os\nos.remove('structure.txt')",
        "data = {'test': [[{}]]",
        "x = '\\d'",
    ],
)
def test_a_config_of_somebody_elses_is_read_not_run(capsys, folder, config):
    path = training()
    (path / "config.py").write_text(config)
    run(capsys, "report", path)
    assert "output at 800x1280" in text_of(page_of(path))


def test_the_axis_of_ap_fits_what_was_reached(capsys, folder):
    path = training()
    run(capsys, "report", path)
    chart = re.search(r'aria-label="AP against epochs".*?</g>', page_of(path), re.DOTALL)[0]
    ticks = [float(text) for text in re.findall(r'<text class="end"[^>]*>([\d.]+)<', chart)]
    assert (min(ticks), max(ticks)) == (0.1, 0.6)


def test_several_runs_in_one_table_and_one_chart(capsys, folder):
    paths = [searched(capsys), searched(capsys, "two", "--budget-layers", "16"), front(capsys)]
    paths += [training("det"), training("other")]
    run(capsys, "report", *paths, "--output", "all.html")
    page = Path("all.html").read_text()
    check_alone(page)
    table = re.search(r'<section id="overview".*?</table>', page, re.DOTALL)[0]
    assert re.findall(r'<a href="#(s\d)-title">([^<]*)', table) == [
        ("s0", "run"), ("s1", "two"), ("s2", "front"), ("s3", "det"), ("s4", "other"),
    ]  # fmt: skip
    head = re.findall(r'<th scope="col">([^<]*)', table)
    assert (head[1], head[-1]) == ("kind", "begun")
    assert {"kind", "seed", "score", "FLOPs", "AP"} <= set(head) and "from widths" not in head
    overlaid = page[page.index("</table>") : page.index('<section id="s0"')]
    assert re.findall(r"<h2>([^<]*)", overlaid) == [
        "Convergence",
        "Training loss",
        "Average precision on the val split",
    ]
    assert any(tip.startswith("two, ") and "% below the bound" in tip for tip in tips(overlaid))
    assert "</b>run</span>" in overlaid and "</b>two</span>" in overlaid
    for path in (paths[0], paths[3]):
        run(capsys, "report", path)
        assert 'id="overview"' not in page_of(path)


def test_runs_of_one_name_are_told_apart(capsys, folder):
    Path("a").mkdir()
    paths = [searched(capsys), searched(capsys, "a/run")]
    assert main(["report", *map(str, paths), "--output", "all.html"]) == 0
    assert "</b>a/run</span>" in Path("all.html").read_text()


def test_a_long_front_stays_small(capsys, folder):
    row = ("--budget-flops", "2M:6M:70", *SIZE, "--evaluations", "50", "--proof-work", "0")
    run(capsys, "pareto", "--space", "tiny.yaml", *row, "--workers", "1", "--output", "long")
    page = page_of(Path("long"))
    drawn = [int(i) for i in re.findall(r'data-stages="s0-(\d+)"', page)]
    assert len(drawn) <= 33 and (drawn[0], drawn[-1]) == (0, 69)
    assert len(re.findall(r'<pre id="s0-', page)) == 70
