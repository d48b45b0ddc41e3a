"""``lightnas latency``: whole networks measured, beside what a table says of them."""

import json

import pytest

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.files import data_file
from lightnas.latency.agreement import agreement_of, settings_of
from lightnas.network.structure import Structure, format_structures

from .. import oracle
from ..conftest import TINY, refused, run
from .tables import PROFILE, steady


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


def test_agreement_by_hand():
    """The table puts the last two in the wrong order; errors of 0, 10, 20 and 50 %."""
    pairs = [(1.0, 1.0), (2.0, 2.2), (4.0, 4.8), (5.0, 2.5)]
    rows = [{"seconds": s, "table": t, "off": t / s - 1} for s, t in pairs]
    found = agreement_of(rows)
    # Ranks 1 2 3 4 against 1 2 4 3: 1 - 6 * (0 + 0 + 1 + 1) / (4 * 15).
    assert found["rank_correlation"] == pytest.approx(0.8)
    assert found["median_error"] == pytest.approx(0.15)
    assert agreement_of(rows[:2]) == {} == agreement_of([{"seconds": 1.0}] * 3)


def test_what_a_table_was_measured_with_holds(table):
    given = {"device": None, "precision": "fp32", "batch": None, "input_size": None}
    expected = {"device": "cpu", "precision": "fp32", "batch": 1, "input_size": (64, 64)}
    assert settings_of(table, given) == expected
    with pytest.raises(InputError, match="batch is 2, expected 1, what the latency table has"):
        settings_of(table, given | {"batch": 2})
    with pytest.raises(InputError, match="input_size is 96x96, expected 64x64, what"):
        settings_of(table, given | {"input_size": (96, 96)})


def test_a_preset_is_measured_by_its_name(capsys, folder, quick, monkeypatch):
    monkeypatch.setattr(quick.Machine, "network_speed", lambda *_: steady(0.5))
    arguments = ("latency", "maedet-s", "--device", "cpu", "--input-size", "64x96", "--json")
    found = json.loads(run(capsys, *arguments))
    structure = Structure.from_file(data_file("configs", "structures/maedet_s.txt"))
    row = {
        "name": "maedet-s",
        "flops": structure.cost((64, 96)).flops,
        "seconds": 0.5,
        "spread": 0.0,
    }
    assert found["input_size"] == "64x96" and found["structures"][0] == row
