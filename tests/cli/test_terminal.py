"""What commands show on a terminal of 120, 80 and 60 columns: nothing is cut."""

import json
import re
import string
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import lightnas
from lightnas.cli.layout import Grid, _total, terminal_width

from . import terminal
from .terminal import MARK, functions, on_terminal

HOUSE = Path(lightnas.__file__).parent


def figures(text):
    """The words with a digit in them, and those of verdicts."""
    return {word for word in text.split() if re.search(r"\d", word) or word in ("fits", "mend")}


def check(shown, plain, columns):
    """Nothing of what is said elsewhere is cut, and only lines that are no tables may be longer
    than the terminal is wide: it folds them."""
    assert "…" not in shown
    assert figures(plain) <= figures(shown)
    letters = [re.sub(r"[\s─]", "", text) for text in (plain, shown)]
    assert not set(letters[0]) - set(letters[1])
    whole = set(plain.splitlines())
    assert not [line for line in shown.splitlines() if len(line) > columns and line not in whole]


@pytest.fixture(scope="module", params=[120, 80, 60])
def screen(request, tmp_path_factory):
    """Columns, what every sample shows there, and what it says without a terminal."""
    folder = tmp_path_factory.mktemp("terminal")
    status, said = on_terminal(request.param, terminal.__file__, folder, folder=folder)
    assert status == 0, said
    parts = [part.partition("\n") for part in said.split(MARK)[1:]]
    plain = json.loads((folder / "plain.json").read_text())
    return request.param, {name: shown for name, _, shown in parts}, plain


@pytest.mark.parametrize("name", functions())
def test_nothing_is_cut(screen, name):
    columns, shown, plain = screen
    check(shown[name], plain[name], columns)


def test_without_a_terminal_a_row_is_a_line(screen):
    _, _, plain = screen
    (row,) = [line for line in plain["print_front"].splitlines() if "outputs/another-one" in line]
    assert row.split() == [
        "outputs/another-one", "1731.907", "83.58G", "25.6M", "91", "12.34", "ms", "81.23M", "0.1461",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [120, 80, 60])
@pytest.mark.parametrize(
    "command", ["doctor", "score maedet-m", "score maedet-m --verbose", "search --help", "--help"]
)
def test_commands_on_a_terminal(columns, command):
    status, said = on_terminal(columns, "-m", "lightnas", *command.split())
    assert status == 0 or command == "doctor"
    assert "…" not in said and max(map(len, said.splitlines())) <= columns
    if command.startswith("score"):
        assert {"2111.149", "83.581G", "25.596M", "91"} <= figures(said)
        assert ("300.284" in figures(said)) == ("--verbose" in command)


def test_progress_is_not_cut(tmp_path):
    asked = ["search", "--budget-flops", "0.5G", "--input-size", "192x192", "--evaluations", "2000"]
    status, said = on_terminal(60, "-m", "lightnas", *asked, "--output", "r", folder=tmp_path)
    assert status == 0 and "…" not in said and "gap" in said


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"COLUMNS": "60"}])
def test_terminals_that_say_little(environment):
    columns = int(environment.get("COLUMNS", 120))
    command = ("-m", "lightnas", "score", "maedet-m", "--verbose")
    _, said = on_terminal(0 if "COLUMNS" in environment else columns, *command, **environment)
    assert "300.284" in said and max(map(len, said.splitlines())) <= columns


class Pretender(StringIO):
    """It calls itself a terminal, and is none."""

    def isatty(self):
        return True


def test_what_only_calls_itself_a_terminal_has_80_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width(Pretender()) == 80 and terminal_width(StringIO()) is None


def test_tables_are_laid_out_in_one_place():
    """Whatever prints a table does so through Grid, which holds the above."""
    files = [*HOUSE.rglob("*.py"), *(HOUSE / "detection").rglob("*.py")]
    of_rich = re.compile(r"rich import (table|box|console)|rich\.table import .*Table|rich\.box")
    assert [path.name for path in files if of_rich.search(path.read_text())] == ["layout.py"]
    text = (HOUSE / "cli/tables.py").read_text()
    assert "Console(" not in text and "print(" not in re.sub(r"\w+print\(", "", text)


WORDS = st.text(string.ascii_letters + string.digits + " .界", max_size=30)


@given(
    st.lists(st.lists(WORDS, min_size=4, max_size=4), min_size=1, max_size=4),
    st.integers(min_value=1, max_value=140),
)
def test_any_table_fits_any_terminal(rows, room):
    grid = Grid("title", *rows[0], words=(rows[0][2],))
    for row in rows[1:]:
        grid.add_row(*row)
    blocks, gap = grid.blocks(room)
    assert [i for block in blocks for i in block if i] == [1, 2, 3]
    assert all(0 in block and len(block) > 1 for block in blocks)
    for block in blocks:
        if room >= 12:  # else there is no room for two columns of a letter
            assert _total([*block.values()], gap) <= room
        for i in block:
            longest = max([cell_len(row[i]) for row in rows[1:]], default=0)
            if i not in grid.words and _total([grid.blocks(room)[0][0][0], longest], gap) <= room:
                assert block[i] >= min(longest, room // 3)
