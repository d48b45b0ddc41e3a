"""Tables of whole detectors: neck and head are a sum over stages, and bound and proof hold with them."""

import json

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.latency.agreement import measure_structures
from lightnas.latency.fit import head_document
from lightnas.latency.table_file import load_table
from lightnas.network.detector import Detector
from lightnas.network.structure import Structure
from lightnas.search.engine import Limits, search
from lightnas.search.problem import Budget, Problem

from .. import oracle
from ..conftest import refused, run
from .tables import PROFILE, SEARCH, SIZE, made_up, plain_seconds

DETECTOR = Detector(64)
FIT = [3e-5, 2e-6, 0.0, 5e-7]  # of C3, C4 and C5, as large as what blocks take


@pytest.fixture(scope="module")
def whole(space):
    return load_table(
        made_up(space) | {"detector": str(DETECTOR), "neck_and_head": {"fit": FIT, "off": 0.0}}
    )


def plain(structure, table):
    """Of a structure as dicts: its blocks, and the formula for neck and head, written out."""
    c3, c4, c5 = (block["out"] for block in structure[2:5])
    return plain_seconds(structure, table) + FIT[0] + FIT[1] * c3 + FIT[2] * c4 + FIT[3] * c5


@pytest.fixture(scope="module")
def listed(every, whole):
    return (
        np.array([plain(structure, whole) for structure in every]),
        np.array([oracle.score(structure) for structure in every]),
    )


def test_sum_of_the_table(space, whole, every, listed):
    some = range(0, len(every), len(every) // 200)
    chains = [whole.chain(Structure.from_dicts(every[i]), DETECTOR) for i in some]
    assert chains == pytest.approx(listed[0][some], rel=1e-12)
    problem = Problem(space, Budget(latency=1.0), SIZE, table=whole, detector=DETECTOR)
    found = problem.evaluate(space.encode([Structure.from_dicts(every[i]) for i in some]))
    assert found.cost.latency == pytest.approx(listed[0][some], rel=1e-12)


@pytest.mark.parametrize("quantile", [0.02, 0.1, 0.4])
def test_search_finds_and_proves_the_optimum(space, whole, listed, quantile):
    seconds, scores = listed
    budget = float(np.quantile(seconds, quantile))
    best = scores[seconds <= budget].max()
    result = search(
        space, latency=budget, table=whole, detector=DETECTOR, input_size=SIZE,
        limits=Limits(evaluations=5_000),
    )  # fmt: skip
    assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)
    assert result.latency == pytest.approx(plain(result.structure.to_dicts(), whole), rel=1e-12)


def test_a_backbone_by_a_table_of_a_whole_detector_is_counted_alone(whole, every):
    structure = every[len(every) // 2]
    expected = plain_seconds(structure, whole)
    assert whole.chain(Structure.from_dicts(structure)) == pytest.approx(expected, rel=1e-12)


def test_another_detector_is_refused(space, whole, measure):
    other = Detector(96)
    with pytest.raises(
        InputError, match=r"budget_latency is given with detector gflv2:96, exp.*gflv2:64"
    ):
        Problem(space, Budget(latency=1.0), SIZE, table=whole, detector=other)
    with pytest.raises(InputError, match=r"latency_table is given with .*the table holds gflv2:64"):
        measure_structures([], measure.Machine("cpu"), SIZE, whole, None, other)


def test_what_laterals_take_is_found_again():
    rng = np.random.default_rng(0)
    widths = rng.integers(8, 512, (16, 3))
    points = [(*map(int, row), float(FIT[0] + row @ FIT[1:]), 0.01) for row in widths]
    found = head_document(points)
    assert found["fit"] == pytest.approx(FIT, rel=1e-6, abs=1e-12) and found["off"] < 1e-6


def test_profile_search_and_latency_of_a_whole_detector(capsys, folder, steady):
    run(capsys, *PROFILE, "--detector", "gflv2:64", "--output", "own.json")
    written = json.loads((folder / "own.json").read_text())
    assert written["detector"] == "gflv2:64" and len(written["neck_and_head"]["points"]) == 16
    search_whole = [*SEARCH, "--latency-table", "own.json", "--detector", "gflv2:64"]
    found = json.loads(run(capsys, *search_whole, "--budget-latency", "9s", "--output", "r"))
    table = load_table(folder / "own.json")
    structure = Structure.from_file(folder / "r" / "structure.txt")
    assert found["latency"] == pytest.approx(table.chain(structure, DETECTOR))
    arguments = ("latency", "r", "--latency-table", "own.json", "--detector", "gflv2:64", "--json")
    row = json.loads(run(capsys, *arguments))["structures"][0]
    assert row["table"] == pytest.approx(table.chain(structure, DETECTOR)) and row["seconds"] > 0
    again = [*PROFILE, "--output", "own.json", "--resume"]
    assert "detector is 'gflv2:64' there and None here" in refused(capsys, *again)
    assert "is complete" in run(capsys, *again, "--detector", "gflv2:64")
    del written["neck_and_head"]["candidates"]  # as tables of before have it
    (folder / "own.json").write_text(json.dumps(written))
    assert json.loads(run(capsys, *arguments))["structures"][0]["table"] == row["table"]
    older = [*search_whole, "--budget-latency", "9s", "--output", "r3"]
    assert json.loads(run(capsys, *older))["latency"] == found["latency"]
    assert "is complete" in run(capsys, *again, "--detector", "gflv2:64")
    written["neck_and_head"]["candidates"] = "many"
    (folder / "own.json").write_text(json.dumps(written))
    said = refused(capsys, *older[:-1], "r4")
    assert "own.json: neck_and_head.candidates is 'many'" in said
    del written["neck_and_head"]
    (folder / "own.json").write_text(json.dumps(written))
    said = refused(capsys, *search_whole, "--budget-latency", "9s", "--output", "r2")
    assert "own.json: is not finished" in said


@pytest.mark.parametrize("detector", ["gflv2:32", "gflv2:100"])
def test_what_cannot_be_measured_is_refused_before_any_work(capsys, folder, steady, detector):
    said = refused(capsys, *PROFILE, "--detector", detector, "--output", "own.json")
    expected = {"gflv2:32": "--input-size is 64x64, expected a side beyond 128 with the detector",
                "gflv2:100": "--detector is 'gflv2:100', expected"}  # fmt: skip
    assert expected[detector] in said and not (folder / "own.json").exists()
