"""``lightnas profile``: a table from measurements, stopped and resumed, repeated and refused."""

import json

import pytest

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.latency.profile import ATTEMPTS, NETWORKS, profile_table
from lightnas.latency.table_file import load_table
from lightnas.network.structure import Structure

from .. import oracle
from ..conftest import TINY, refused, run
from .tables import PROFILE, SEARCH, made_up_seconds, network_of
from .tables import steady as steadily


def test_profile_then_search_then_measure(capsys, folder, steady):
    assert "own.json" in run(capsys, *PROFILE, "--output", "own.json")
    table = load_table(folder / "own.json")
    assert table.document["device"] == "cpu" and table.document["versions"]["torch"]
    assert table.document["scale"] == pytest.approx(1.1) and table.document[
        "per_conv"
    ] == pytest.approx(2e-6)
    assert all(
        len(op["points"]) >= 1 for op in json.loads((folder / "own.json").read_text())["ops"]
    )
    slowest = table.chain(Structure.from_dicts(list(oracle.all_structures(TINY))[-1]))
    result = run(
        capsys,
        *SEARCH,
        "--latency-table",
        "own.json",
        "--budget-latency",
        f"{slowest}s",
        "--output",
        "r",
    )
    assert json.loads(result)["latency"] <= slowest
    measured = json.loads(
        run(
            capsys,
            "latency",
            "r/structure.txt",
            "--latency-table",
            "own.json",
            "--random",
            "3",
            "--json",
        )
    )
    assert len(measured["structures"]) == 5 + 3 and -1 <= measured["rank_correlation"] <= 1
    assert all(
        row["seconds"] > 0 and row["off"] == row["table"] / row["seconds"] - 1
        for row in measured["structures"]
    )
    assert "rank correlation" in run(
        capsys, "latency", "r/structure.txt", "--latency-table", "own.json"
    )
    assert "measured" in run(
        capsys, "latency", "r/structure.txt", "--device", "cpu", "--input-size", "64x64"
    )


def test_profile_goes_on_where_it_was_stopped(capsys, folder, steady, monkeypatch):
    measure, count = steady.Machine.op_speed, 0

    def stopped(self, op, c_in, c_out):
        nonlocal count
        count += 1
        if count == 40:
            raise KeyboardInterrupt
        return measure(self, op, c_in, c_out)

    monkeypatch.setattr(steady.Machine, "op_speed", stopped)
    assert main([*PROFILE, "--output", "own.json"]) == 130
    capsys.readouterr()
    before = json.loads((folder / "own.json").read_text())
    assert not before["complete"] and sum(len(op["points"]) for op in before["ops"]) == 39
    assert "is not finished" in refused(
        capsys, *SEARCH, "--latency-table", "own.json", "--budget-latency", "1s"
    )
    assert "expected a new file" in refused(capsys, *PROFILE, "--output", "own.json")
    assert "batch is 1 there and 2 here" in refused(
        capsys, *PROFILE, "--output", "own.json", "--resume", "--batch", "2"
    )
    run(capsys, *PROFILE, "--output", "own.json", "--resume")
    after = json.loads((folder / "own.json").read_text())
    assert (
        after["complete"] and after["ops"][0]["points"] == before["ops"][0]["points"]
    )  # not measured again
    total = sum(len(op["points"]) for op in after["ops"])
    assert count == total + 1
    whole = (folder / "own.json").read_bytes()
    assert "is complete" in run(capsys, *PROFILE, "--output", "own.json", "--resume")
    assert count == total + 1 and (folder / "own.json").read_bytes() == whole


@pytest.mark.parametrize("good", [1, 2, 3, None])
def test_a_calibration_that_degenerates_is_repeated_then_refused(
    capsys, folder, steady, monkeypatch, good
):
    """Networks whose seconds go with the number of their convolutions alone, until the attempt that
    is good."""
    measured = 0

    def network_speed(self, structure, input_size):
        nonlocal measured
        measured += 1
        if good is not None and measured > (good - 1) * NETWORKS:
            return steadily(network_of(made_up_seconds, structure))
        return steadily(network_of(lambda *_: 0.0, structure))

    monkeypatch.setattr(steady.Machine, "network_speed", network_speed)
    monkeypatch.setattr(
        steady.Machine,
        "op_speed",
        lambda self, op, *channels: steadily(made_up_seconds(op.kind, *channels)),
    )
    if good is not None:
        run(capsys, *PROFILE, "--output", "own.json")
        assert measured == good * NETWORKS
        assert load_table(folder / "own.json").document["scale"] == pytest.approx(1.1)
        return
    assert "too busy" in refused(capsys, *PROFILE, "--output", "own.json", status=1)
    assert measured == ATTEMPTS * NETWORKS
    left = json.loads((folder / "own.json").read_text())
    assert not left["complete"] and "scale" not in left
    assert "is not finished" in refused(
        capsys, *SEARCH, "--latency-table", "own.json", "--budget-latency", "1s"
    )
    # Quiet again: what was measured of the operations holds.
    good, measured = 1, 0
    monkeypatch.setattr(steady.Machine, "op_speed", None)
    run(capsys, *PROFILE, "--output", "own.json", "--resume")
    assert load_table(folder / "own.json").document["scale"] == pytest.approx(1.1)


def test_the_function_behind_the_command(folder, steady, capsys):
    """Progress counts up to the end; a complete table is not measured again."""
    path, seen = folder / "own.json", []
    arguments = {"input_size": (64, 64), "most_flops": 2e7}
    machine = steady.Machine.here("cpu", threads=1)

    def measure(**more):
        return profile_table(path, machine, "tiny.yaml", **arguments, **more)

    found = measure(on_progress=lambda done, total: seen.append((done, total)))
    assert found.anew and found.table.document == load_table(path).document
    assert seen == [(done, found.points + NETWORKS) for done in range(found.points + NETWORKS + 1)]
    assert found.operations == len(found.table.document["ops"])
    with pytest.raises(InputError, match="expected a new file, resume=True or overwrite=True"):
        measure()
    with pytest.raises(InputError, match="resume=True and overwrite=True are both given"):
        measure(resume=True, overwrite=True)
    again = measure(resume=True)
    assert not again.anew and again.points == found.points
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--space", "no-such"), "--space is 'no-such', neither a file nor a known space"),
        (
            ("--output", "table.json"),
            "--output table.json exists, expected a new file, --resume or",
        ),
        (("--output", "none/a.json"), "--output none/a.json cannot be written"),
        (("--resume", "--overwrite"), "--resume and --overwrite are both given"),
        (("--most-flops", "1K"), "--most-flops is 1000, expected more"),
    ],
)
def test_mistakes_name_the_option(capsys, folder, steady, arguments, said):
    assert refused(capsys, *PROFILE, "--output", "new.json", *arguments).startswith(
        f"lightnas: {said}"
    )
