"""Fronts: every point as good as a search of its own, whatever the executor; stopped, resumed and
refused."""

import csv
import json
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError
from lightnas.network.cost import Cost
from lightnas.network.structure import Structure, format_structures, read_structures
from lightnas.search import fronts as pareto
from lightnas.search.engine import search
from lightnas.search.fronts import Front, Point, front, settled
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space, parse_space
from lightnas.units import NAMED_FLOPS, parse_count, parse_range, parse_seconds

from ..conftest import TINY, published, refused, run

SIZE = (64, 64)
VALUES = [2e6, 3e6, 4e6, 6e6, 9e6]
TIMES = ("seconds", "evaluations_per_second")


def problem(**budget):
    return Problem(parse_space(TINY, "tiny"), Budget(**budget), SIZE)


def timeless(points):
    return [{key: value for key, value in point.items() if key not in TIMES} for point in points]


def points_of(*arguments, **options):
    return front(*arguments, **options).points


def documents(points):
    return timeless(point.document for point in points)


def test_each_point_is_as_good_as_its_own_search():
    points = points_of(problem(flops=1e9, layers=16), "flops", VALUES)
    for value, point in zip(VALUES, points, strict=True):
        alone = search(parse_space(TINY, "tiny"), flops=value, layers=16, input_size=SIZE)
        assert alone.proven_optimal and point.proven_optimal
        assert point.score == alone.score and point.budget == value
        assert point.flops <= value and point.layers <= 16
        assert point.score <= point.upper_bound * (1 + 1e-11)


@pytest.mark.parametrize("axis", ["flops", "params", "layers"])
def test_axes(axis):
    values = {"flops": VALUES, "params": [4e3, 6e3, 1.2e4], "layers": [13, 16, 22]}[axis]
    points = points_of(problem(flops=1e9), axis, values)
    assert all(
        point.cost.known()[axis] <= value for point, value in zip(points, values, strict=True)
    )
    assert all(left.score <= right.score for left, right in pairwise(points))


@pytest.mark.parametrize("pool", [lambda: ThreadPoolExecutor(3), lambda: ProcessPoolExecutor(2)])
def test_the_executor_changes_nothing(pool):
    with pool() as executor:
        assert documents(points_of(problem(flops=1e9), "flops", VALUES, executor=executor)) == ALONE


ALONE = documents(
    points_of(Problem(parse_space(TINY, "tiny"), Budget(flops=1e9), SIZE), "flops", VALUES)
)


def test_known_points_are_not_searched_again(monkeypatch):
    whole = points_of(problem(flops=1e9), "flops", VALUES)
    done = {i: whole[i] for i in (0, 1, 2, 4)}
    calls = []
    solve = pareto.solve
    monkeypatch.setattr(pareto, "solve", lambda *task: calls.append(task) or solve(*task))
    again = points_of(problem(flops=1e9), "flops", VALUES, done=done)
    assert documents(again) == documents(whole) and len(calls) == 1
    assert calls[0][3] == [whole[2].structure]  # started from its left neighbour


def test_neighbours_know_of_each_other():
    structures = [Structure.from_dicts(published(size)) for size in "sml"]
    figures = [(5.0, 9.0), (4.0, 8.0), (7.0, 7.0)]
    points = [
        Point(
            score, Cost(n, n, n), bound, 0.5, False, 1, 1.0, 1.0, 0, structures[n], budget=1.0 + n
        )
        for n, (score, bound) in enumerate(figures)
    ]
    found = settled(points)
    assert [point.score for point in found] == [5, 5, 7]
    assert [point.structure for point in found] == [structures[0], structures[0], structures[2]]
    assert [point.cost.flops for point in found] == [0, 0, 2]
    assert [point.budget for point in found] == [1, 2, 3]
    assert [point.upper_bound for point in found] == [7, 7, 7]
    assert [point.gap for point in found] == pytest.approx([1 - 5 / 7, 1 - 5 / 7, 0])
    assert points[1].score == 4.0  # what came in is as it was


def test_a_point_comes_back_from_its_document():
    point = points_of(problem(flops=1e9), "flops", VALUES[:1])[0]
    assert Point.of(json.loads(json.dumps(point.document))) == point


def test_what_a_notebook_shows():
    found = front(problem(flops=1e9), "flops", VALUES[:2])
    assert repr(found).startswith("Front(2 points over FLOPs, score ")
    assert found._repr_html_().count("<tr>") == 3 and "proven optimal" in repr(found.points[0])
    assert "<td>2M</td>" in found._repr_html_() and "FLOPs budget" in found._repr_html_()
    assert repr(Front("flops", ())) == "Front(0 points over FLOPs)"


def test_a_latency_budget_is_shown_in_seconds():
    of = points_of(problem(flops=1e9), "flops", VALUES[:1])[0]
    point = replace(of, cost=of.cost._replace(latency=0.0298), budget=0.03)
    row = Front("latency", (point,)).figures()[0]
    assert row["latency budget"] == "30 ms" and row["latency"] == "29.8 ms"
    assert list(row) == ["latency budget", *point.figures()]


def test_as_a_frame(monkeypatch):
    """What pandas is given; it need not be installed for the rest."""
    monkeypatch.setattr("lightnas.errors.find_spec", lambda name: None)
    found = front(problem(flops=1e9), "flops", VALUES[:2])
    with pytest.raises(InputError, match="pandas is not installed") as error:
        found.to_frame()
    assert "pip install '.[pandas]'" in str(error.value)
    monkeypatch.setattr("lightnas.errors.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=lambda rows: rows))
    rows = found.to_frame()
    assert [row["budget"] for row in rows] == VALUES[:2]
    assert all(row.keys() == found.points[0].document.keys() - {"structure"} for row in rows)


def test_as_a_frame_of_pandas():
    pytest.importorskip("pandas")
    assert len(front(problem(flops=1e9), "flops", VALUES[:2]).to_frame()) == 2


@pytest.mark.parametrize(
    ("axis", "values"), [("speed", [1.0]), ("flops", [2.0, 1.0]), ("flops", [1e7, 1e7])]
)
def test_bad_axis(axis, values):
    with pytest.raises(InputError, match="axis"):
        front(problem(flops=1e9), axis, values)


def test_ranges():
    assert parse_range("10G:160G:16", "x") == [10e9 * i for i in range(1, 17)]
    assert parse_range("83.6G", "x") == [83.6e9]
    assert parse_range("resnet50:resnet101:2", "x", partial(parse_count, named=NAMED_FLOPS)) == [
        83.6e9,
        159.5e9,
    ]
    assert parse_range("10ms:0.02s:2", "x", parse_seconds) == [0.01, 0.02]
    for text in ("1:2", "1:2:1", "2:1:3", "1:1:3", "1:2:x", "1:2:9999", "a:2:3", "1:2:3:4"):
        with pytest.raises(InputError, match="expected"):
            parse_range(text, "x")


def test_a_row_whose_steps_grow():
    assert parse_range("10G:160G:5:log", "x") == [10e9, 20e9, 40e9, 80e9, 160e9]
    assert parse_range("1G:22.5G:4:log", "x") == [1e9, 2.8e9, 8e9, 22.5e9]
    assert parse_range("5ms:50ms:3:log", "x", parse_seconds) == [0.005, 0.016, 0.05]
    for text in ("1:2:log", "1:2:3:lin", "1:2:1:log", "2:1:3:log", "1:2:3:log:log", "1:2::log"):
        with pytest.raises(InputError, match="expected"):
            parse_range(text, "x")


@given(st.floats(1e-300, 1e300), st.floats(1 + 1e-6, 1e9), st.integers(2, 1000))
def test_any_row_whose_steps_grow_rises_from_end_to_end(low, times, n):
    high = min(low * times, 1.7e308)
    row = parse_range(f"{low!r}:{high!r}:{n}:log", "x")
    assert (row[0], row[-1], len(row)) == (low, high, n)
    assert all(one < other for one, other in pairwise(row))


# --- the command ----------------------------------------------------------------------------------------------------

QUICK = [
    "pareto",
    "--budget-flops",
    "2M:9M:3",
    "--space",
    "tiny.yaml",
    "--input-size",
    "64x64",
    "--workers",
    "1",
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(json.dumps(TINY))
    return tmp_path


def test_a_front_directory(capsys, folder):
    (folder / "theirs.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    content = json.loads(run(capsys, *QUICK, "--output", "f", "--compare", "theirs.txt", "--json"))
    assert [point["budget"] for point in content["points"]] == [2e6, 5.5e6, 9e6]
    assert {"score", "upper_bound", "gap", "evaluations", "structure", "seed"} <= content["points"][
        0
    ].keys()
    assert content["compare"][0]["name"] == "theirs" and content["compare"][0]["layers"] == 79
    assert {path.name for path in (folder / "f").iterdir()} == {
        ".lightnas.json", "config.yaml", "front.json", "front.csv", "report.html", "structure.txt",
        "structures", "search.log",
    }  # fmt: skip
    structures = read_structures(folder / "f/structure.txt")
    for i, (structure, point) in enumerate(zip(structures, content["points"], strict=True)):
        assert (
            structure
            == Structure.from_dicts(point["structure"])
            == read_structures(folder / f"f/structures/{i:02d}.txt")[0]
        )
    rows = list(csv.DictReader((folder / "f/front.csv").read_text().splitlines()))
    assert [float(row["score"]) for row in rows] == [point["score"] for point in content["points"]]
    assert "proven optimal" in run(capsys, *QUICK, "--output", "f", "--resume")
    # Its config gives the front again.
    again = json.loads(
        run(
            capsys,
            "pareto",
            "--config",
            "f/config.yaml",
            "--output",
            "g",
            "--workers",
            "1",
            "--json",
        )
    )
    assert timeless(again["points"]) == timeless(content["points"])


def test_resume(capsys, folder, monkeypatch):
    solve, calls = pareto.solve, []

    def stop_at_the_third(*task):
        calls.append(task)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return solve(*task)

    monkeypatch.setattr(pareto, "solve", stop_at_the_third)
    assert "interrupted" in refused(capsys, *QUICK, "--output", "f", status=130)
    assert (folder / "f/points.json").exists() and not (folder / "f/front.json").exists()
    content = json.loads(
        run(capsys, "pareto", "--output", "f", "--resume", "--workers", "1", "--json")
    )
    assert len(calls) == 4 and len(content["points"]) == 3
    whole = json.loads(run(capsys, *QUICK, "--output", "g", "--json"))
    assert timeless(content["points"]) == timeless(whole["points"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget-flops", "2M"], "no row of budgets"),
        (["--budget-params", "2K:9K:3"], "both have a row"),
        (["--axis", "layers"], "--axis is layers"),
        (["--budget-flops", "2M:1M:3"], "LOW below HIGH"),
        (["--budget-flops", "1:2:3"], "expected at least"),
        (["--compare", "nowhere.txt"], "nowhere.txt"),
        (["--resume", "--overwrite"], "expected one of them"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_mistakes(capsys, folder, arguments, message):
    assert message in refused(capsys, *QUICK, *arguments, "--output", "f")
    assert not (folder / "f" / "config.yaml").exists()


def test_existing_directory(capsys, folder):
    run(capsys, *QUICK, "--output", "f")
    before = (folder / "f/front.json").read_bytes()
    assert "not empty" in refused(capsys, *QUICK, "--output", "f")
    assert "seed is 0 there and 1 here" in refused(
        capsys, *QUICK, "--seed", 1, "--output", "f", "--resume"
    )
    other = [*QUICK[:2], "2M:9M:4", *QUICK[3:]]
    assert "values" in refused(capsys, *other, "--output", "f", "--resume")
    assert (
        "unknown key"
        in refused(capsys, "search", "--config", "f/config.yaml", "--output", "s").lower()
    )
    assert (folder / "f/front.json").read_bytes() == before
    run(capsys, *other, "--output", "f", "--overwrite")
    assert len(read_structures(folder / "f/structure.txt")) == 4


def test_published_budgets():
    """Two points of the real space, proven."""
    points = points_of(
        Problem(load_space("k1kxk1"), Budget(flops=1e12, params=25.6e6, layers=91)),
        "flops",
        [60e9, 83.6e9],
    )
    assert points[1].score == pytest.approx(2111.149, abs=5e-4)
    assert all(point.gap <= 5e-4 for point in points)
