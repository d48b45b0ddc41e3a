"""``lightnas latency``: whole networks measured, beside what a table says of them."""

import json

import pytest

from lightnas.cli.main import main
from lightnas.network.structure import Structure, format_structures

from .. import oracle
from ..conftest import TINY, refused
from .tables import PROFILE


def test_a_table_of_another_machine(capsys, folder, quick):
    (folder / "s.txt").write_text(
        format_structures([Structure.from_dicts(next(oracle.all_structures(TINY)))])
    )
    assert main(["latency", "s.txt", "--latency-table", "table.json", "--json"]) == 0
    out, err = capsys.readouterr()
    assert (
        err.startswith("the table was measured on made up, this machine is ")
        and json.loads(out)["structures"]
    )


def test_latency_mistakes(capsys, folder, quick):
    (folder / "s.txt").write_text(
        format_structures([Structure.from_dicts(next(oracle.all_structures(TINY)))])
    )
    assert "expected cpu, what the latency table has" in refused(
        capsys, "latency", "s.txt", "--latency-table", "table.json", "--device", "cuda"
    )
    assert "nothing to measure" in refused(capsys, "latency")
    assert "--random without" in refused(capsys, "latency", "--random", "3")
    assert "expected more" in refused(capsys, *PROFILE[:-1], "1K", "--output", "own.json")
    if not pytest.importorskip("torch").cuda.is_available():
        assert "torch sees no GPU" in refused(
            capsys, "profile", "--device", "cuda", "--output", "own.json"
        )
