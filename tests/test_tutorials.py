"""Every command on the pages for readers is one that the command line takes; what a tutorial says
comes true."""

import json

import click
import pytest

from lightnas import runs
from lightnas.network import modules
from lightnas.network.blocks import BLOCKS

from . import pages

COMMANDS = [
    pytest.param(command, id=f"{page.stem}: {' '.join(command)[:60]}")
    for page in pages.PAGES
    for _, block in pages.blocks(page.read_text())
    for command in pages.commands(block)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_command_is_taken(command, monkeypatch):
    """Its structures and modules are the reader's, and not here."""
    monkeypatch.setattr(runs, "structures", lambda path: [path])
    monkeypatch.setattr(modules, "import_module", lambda name, what: None)
    pages.parsed(command)


def test_what_is_no_command_is_refused():
    for wrong in (["search", "--bugdet-flops", "1G"], ["search", "--seed", "x"], ["serch"]):
        with pytest.raises((click.UsageError, AssertionError)):
            pages.parsed(wrong)


@pytest.fixture
def our_blocks_alone(monkeypatch):
    """Before and after the test."""
    before = dict(BLOCKS)
    monkeypatch.setattr(modules, "_imported", [])
    yield
    BLOCKS.clear()
    BLOCKS.update(before)


@pytest.mark.usefixtures("our_blocks_alone")
def test_research(tmp_path, monkeypatch):
    """The tutorial from top to bottom, without the study, which trains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    block, space, *_ = (
        text for _, text in pages.blocks((pages.ROOT / "docs/blocks.md").read_text())
    )
    (tmp_path / "reskx.py").write_text(block)
    (tmp_path / "reskx.yaml").write_text(space)
    page = pages.ROOT / "docs/tutorials/research.md"
    ran = pages.followed(page, {}, skipped=("validate", "demo-data"))
    assert ran.count("search") == 4 and {"pareto", "score", "report"} <= set(ran)
    assert (tmp_path / "side-by-side.html").is_file()


def test_nets_like_damo_yolo(tmp_path, monkeypatch):
    """What is searched is what the page says, and the txt for DAMO-YOLO is the same structure."""
    monkeypatch.chdir(tmp_path)
    page = pages.ROOT / "docs/damo-yolo.md"
    ran = pages.followed(
        page, {}, skipped=("profile", "pareto", "train-det", "export-det", "detect")
    )
    assert ran == ["search", "score", "search"]  # the one under a latency wants the table
    ours, theirs = (
        runs.structures(name) for name in ("outputs/damo-s/structure.txt", "tinynas_mine.txt")
    )
    assert theirs == ours[:1]
    result = json.loads((tmp_path / "outputs/damo-s/result.json").read_text())
    assert result["proven_optimal"] and f"{result['score']:.3f}" in page.read_text()
    assert "SuperResConvK1KX" in (tmp_path / "tinynas_mine.txt").read_text()
