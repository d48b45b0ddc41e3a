"""What the README says is what the project does."""

import json
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from lightnas.network.cost import cost
from lightnas.network.entropy import entropies, score
from lightnas.network.structure import read_structures
from lightnas.search.space_file import load_space

from . import pages
from .latency.tables import made_up
from .test_imports import MAY_IMPORT, TOP

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", [page.relative_to(ROOT) for page in pages.PAGES])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"(?:\]\(|src=\")([^)#\"]+)", path.read_text()):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_the_picture_of_the_house_is_true():
    """Every room stands in it, above all that it may import, and the table beside it is that of the
    import test."""
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(\S+\) \| (.*)\|$", text, re.MULTILINE)
    assert {room: {*cell.replace(",", " ").split()} for room, cell in rows} == MAY_IMPORT
    picture = text[text.index("┌") : text.index("┘")].splitlines()
    floor = {
        room: i
        for i, line in enumerate(reversed(picture))
        for room in re.findall(r"│ (\w+) {2,}", line)
        if room in MAY_IMPORT
    }
    assert floor.keys() == MAY_IMPORT.keys()
    assert all(floor[below] < floor[room] for room, may in MAY_IMPORT.items() for below in may)
    bottom = picture[max(i for i, line in enumerate(picture) if "├" in line) + 1 : -1]
    names = {name for line in bottom for name in line.strip(" │").split()}
    assert names == {name for name in TOP if name[0] != "_"}


@pytest.mark.parametrize("size", "sml")
def test_table_of_results(size):
    """Score and cost of the committed structures as the table gives them."""
    row = next(line for line in README.splitlines() if line.startswith(f"| [maedet_{size}.txt]"))
    expected = [cell.strip() for cell in row.split("|")[3:-1]]
    structure = read_structures(ROOT / f"configs/structures/maedet_{size}.txt")[0]
    flops, params, layers, *_ = cost(structure)
    total = score(entropies(structure))
    assert expected == [
        f"{total:.3f}",
        f"{flops / 1e9:.3f} G",
        f"{params / 1e6:.3f} M",
        f"{layers}",
    ]


def test_the_demo_is_what_the_readme_shows():
    """The commands of `make demo`, word by word."""
    shown = README.split("then runs\n\n")[1].split("\n\n")[0].replace("\\\n", " ").split()
    make = ["make", "--no-print-directory", "-n", "-o", ".venv-det/ready", "demo", "CORES=2"]
    env = {
        key: value for key, value in os.environ.items() if not key.startswith("MAKE")
    }  # this may run under make itself
    recipe = subprocess.run(make, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    lines = (
        recipe.stdout.replace("\\\n", " ")
        .replace(".venv-det/bin/lightnas", "lightnas")
        .splitlines()
    )
    run = [word for line in lines if line.startswith("lightnas ") for word in line.split()]
    assert shown == run


def test_tested_versions_are_the_pinned_ones():
    pinned = dict(
        line.split("==")
        for line in (ROOT / "tests/constraints.txt").read_text().split()
        if "==" in line
    )
    checked = {
        name: tested
        for name, tested in re.findall(r"^\| ([\w-]+) \| ([\d.]+)", README, re.MULTILINE)
        if name in pinned
    }
    assert {"torch", "mmcv", "mmdet", "numpy", "opencv-python-headless"} <= checked.keys()
    for name, tested in checked.items():
        assert tested == pinned[name], name


# Options of pip, torchrun, srun and the scripts of benchmarks that the pages show.
FOREIGN = {
    "--shares",
    "--no-build-isolation",
    "--no-deps",
    "--nproc",
    "--nnodes",
    "--rdzv",
    "--ntasks",
    "--ntasks-per-node",
    "--gpus-per-task",
}


def test_options_of_the_readme_exist():
    from lightnas.cli.main import cli

    known = (
        {"--help"}
        | FOREIGN
        | {
            option
            for command in cli.commands.values()
            for parameter in command.params
            for option in parameter.opts
        }
    )
    for page in pages.PAGES:
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text()):
            assert option in known, f"{page.name}: {option}"


def test_targets_of_make_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for page in pages.PAGES:
        for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert target in targets, f"{page.name}: make {target}"


def test_documented_steps_run(tmp_path, monkeypatch):
    """docs/python.md from top to bottom, as it stands, without the lines that need a cluster
    or a trained detector."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.json").write_text(json.dumps(made_up(load_space("k1kxk1"), (320, 320))))
    blocks = re.findall(
        r"(?:^    .*\n|^\n(?=    ))+", (ROOT / "docs/python.md").read_text(), re.MULTILINE
    )
    code = ["\n".join(line[4:] for line in block.splitlines()) for block in blocks]
    names: dict = {}
    ran = 0
    for text in code:
        if "executor=" in text or "detector.onnx" in text:  # a cluster, a trained detector
            continue
        if "CnnNet" in text and not find_spec("torch"):
            continue
        exec(text, names)
        assert names["result"].proven_optimal
        ran += 1
    assert ran >= 5
    assert names["structure"] == names["read_structures"]("best.txt")[0]
    assert names["load_run"]("outputs/kept").structure == runs_structure("outputs/maedet-m")
    assert (tmp_path / "outputs/maedet-m/report.html").is_file()


def test_the_documented_score_is_searched(tmp_path, monkeypatch):
    """docs/scores.md: its module is under 30 lines, and works from Python and the command line."""
    from lightnas.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = (ROOT / "docs/scores.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    module, use = ("\n".join(line[4:] for line in block.splitlines()) for block in blocks)
    assert len(module.splitlines()) < 30
    (tmp_path / "mine.py").write_text(module)
    exec(use, {})
    command = re.search(r"`lightnas (search .* mine:Width)`", text)[1].split()
    assert main([*command, "--output", "run"]) == 0
    assert json.loads((tmp_path / "run/result.json").read_text())["proven_optimal"]
    assert "score mine:Width" in (tmp_path / "run/report.html").read_text()


def runs_structure(path):
    return read_structures(Path(path) / "structure.txt")[0]
