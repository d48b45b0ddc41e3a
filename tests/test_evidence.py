"""docs/evidence.md: every tau that it quotes follows from the rows that stand beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightnas.runs.study_run import COLUMNS, read_rows, summary

DOCS = Path(__file__).parents[1] / "docs"
TABLE = re.compile(r"\]\(evidence/(\w+\.csv)\)")
# | what | tau | 95 % interval |
QUOTED = re.compile(
    r"^\| ([\w ]+) \| (-?\d\.\d\d) \| (-?\d\.\d\d) to (-?\d\.\d\d) \|$", re.MULTILINE
)
NAMES = {
    "score": "score",
    "FLOPs": "flops",
    "params": "params",
    "layers": "layers",
    "no knowledge": "random",
}


def sections():
    """The text of every section that quotes taus, and its table."""
    parts = re.split(
        r"^## ", (DOCS / "evidence.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return [
        (found[1], part) for part in parts if (found := TABLE.search(part)) and QUOTED.search(part)
    ]


@pytest.mark.parametrize(("table", "text"), sections())
def test_taus_follow_from_the_rows(table, text):
    taus = summary(read_rows(DOCS / "evidence" / table))["taus"]
    quoted = QUOTED.findall(text)
    assert {NAMES[name] for name, *_ in quoted} == {name for name, tau in taus.items() if tau}
    for name, *figures in quoted:
        tau = taus[NAMES[name]]
        assert [f"{tau[key]:.2f}" for key in ("tau", "low", "high")] == figures


def test_every_table_of_a_study_is_quoted():
    assert len(sections()) >= 1
    text = (DOCS / "evidence.md").read_text(encoding="utf-8")
    for path in (DOCS / "evidence").glob("*.csv"):
        assert f"](evidence/{path.name})" in text
        assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
