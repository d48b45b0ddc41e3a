"""Runs from Python: searched, stopped and continued, saved and loaded; and what names stand for."""

import json
from itertools import count

import numpy as np
import pytest

from lightnas import runs
from lightnas.documents import differences
from lightnas.errors import InputError
from lightnas.files import data_folder
from lightnas.network.score import score_structures
from lightnas.network.structure import Structure, format_structures, read_structures
from lightnas.outputs import MARKER
from lightnas.report.page import write_report
from lightnas.runs.output_dir import LOCK
from lightnas.runs.search_run import SearchRun
from lightnas.runs.training_run import TrainingRun
from lightnas.search import Front, SearchResult, search

from ..conftest import published

BUDGET = {"budget": {"flops": "0.5G"}, "input_size": (192, 192), "evaluations": 5000}
TIMES = ("seconds", "evaluations_per_second")


@pytest.fixture(scope="module")
def config():
    return runs.load_config(None, BUDGET)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The path and the result of a finished run."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    return path, runs.search(config, path, write_report=write_report)


def timeless(result):
    return {key: value for key, value in result.document.items() if key not in TIMES}


def same(a, b):
    assert timeless(a) == timeless(b) and a.top == b.top and a.genes == b.genes
    assert np.array_equal(a.genomes, b.genomes)
    assert a.evaluation.columns().keys() == b.evaluation.columns().keys()
    for name, column in a.evaluation.columns().items():
        assert np.array_equal(column, b.evaluation.columns()[name])


# --- searches -------------------------------------------------------------------------------------------------------


def test_a_search_reports_its_progress_and_its_page(config, tmp_path, whole):
    seen, pages = [], []
    result = runs.search(config, tmp_path, on_progress=seen.append, write_report=pages.append)
    same(result, whole[1])
    assert [p.phase for p in seen[-1:]] == ["done"] and seen[-1].done == 1
    assert [p.evaluations for p in seen] == sorted(p.evaluations for p in seen)
    assert pages == [[tmp_path]]
    assert (whole[0] / "report.html").is_file()


class Stop(Exception):
    """What a caller's callback may raise."""


def test_a_stopped_search_is_continued_to_the_same_end(config, tmp_path, whole, monkeypatch):
    monkeypatch.setattr("lightnas.runs.search_run.SAVE_EVERY", -1.0)

    def stop(progress):
        if progress.phase == "prove":
            raise Stop

    with pytest.raises(Stop):
        runs.search(config, tmp_path, on_progress=stop)
    assert not (tmp_path / LOCK).exists()
    seen = []
    same(runs.search(config, tmp_path, resume=True, on_progress=seen.append), whole[1])
    assert {progress.phase for progress in seen} <= {"prove", "done"}
    log = (tmp_path / "search.log").read_text()
    assert "started" in log and "resumed" in log and "finished" in log


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_stop_writes_the_best_structures_so_far(config, tmp_path, whole, monkeypatch, stop):
    """At every step but the last; the run then ends as if there had been none."""
    monkeypatch.setattr("lightnas.runs.search_run.SAVE_EVERY", -1.0)
    last, resume, n = 0.0, False, 0
    while True:
        n += 3

        def after(progress, steps=count(1), n=n):
            if next(steps) == n:
                raise stop

        try:
            result = runs.search(config, tmp_path, resume=resume, on_progress=after)
            break
        except stop:
            best = runs.structures(tmp_path)
        scores = [row["score"] for row in score_structures(best)]
        assert len(best) == config.top and scores == sorted(scores, reverse=True)
        assert all(s.cost(config.problem.input_size).flops <= 0.5e9 for s in best)
        assert scores[0] >= last
        last, resume = scores[0], True
    assert resume
    same(result, whole[1])
    assert runs.structures(tmp_path) == runs.structures(whole[0])


def test_a_finished_search_is_not_searched_again(config, tmp_path, whole):
    path, result = whole
    before = {entry: entry.stat().st_mtime_ns for entry in path.iterdir()}
    seen = []
    again = runs.search(config, path, resume=True, on_progress=seen.append)
    assert again.document == result.document and not seen
    assert {entry: entry.stat().st_mtime_ns for entry in path.iterdir()} == before


def test_a_missing_page_is_made_again(config, tmp_path):
    runs.search(config, tmp_path)
    assert not (tmp_path / "report.html").exists()
    runs.search(config, tmp_path, resume=True, write_report=write_report)
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("how", "said"),
    [({}, "resume=True or overwrite=True"), ({"resume": True}, "seed is 0 there and 1 here")],
)
def test_a_run_of_something_else_is_refused(tmp_path, whole, how, said):
    other = runs.load_config(None, BUDGET | {"seed": 1})
    with pytest.raises(InputError, match=said):
        runs.search(other, whole[0], **how)


def test_two_runs_do_not_share_a_directory(config, tmp_path):
    with SearchRun(tmp_path) as run:
        run.begin(config)
        with pytest.raises(InputError, match="in use by another run"):
            runs.search(config, tmp_path, resume=True)
        with pytest.raises(InputError, match="in use by another run"):
            SearchRun(tmp_path).hold(resume=False, overwrite=True)
    runs.search(config, tmp_path, resume=True)


def test_options_have_their_python_names():
    with pytest.raises(InputError, match="budget_flops is '1X'"):
        runs.load_config(None, {"budget": {"flops": "1X"}})
    with pytest.raises(InputError, match="at least one of budget_flops"):
        runs.load_config(None, {})
    with pytest.raises(InputError, match="input_size is '7x7'"):
        runs.load_config(None, {"budget": {"flops": "1G"}, "input_size": (7, 7)})


# --- saving and loading ---------------------------------------------------------------------------------------------


def test_a_run_comes_back(whole):
    path, result = whole
    found = runs.load_run(path)
    assert isinstance(found, SearchResult) and found.document == result.document
    same(found, result)
    assert [(n, best) for n, _, best in found.history] == [
        (n, best) for n, _, best in result.history
    ]


def test_a_result_is_saved_and_comes_back(tmp_path):
    result = search("k1kxk1", flops=5e8, input_size=(192, 192), top=3)
    runs.save(result, tmp_path / "saved")
    found = runs.load_run(tmp_path / "saved")
    assert found.document == result.document
    same(found, result)
    assert runs.structures(tmp_path / "saved") == result.top
    with pytest.raises(InputError, match="not empty"):
        runs.save(result, tmp_path / "saved")
    runs.save(result, tmp_path / "saved", overwrite=True)


@pytest.mark.parametrize("name", ["population.npz", "history.csv", "structure.txt", "result.json"])
def test_damaged_runs(tmp_path, whole, name):
    for entry in whole[0].iterdir():
        (tmp_path / entry.name).write_bytes(entry.read_bytes())
    (tmp_path / name).write_bytes(b"\x00 nonsense, 1")
    with pytest.raises(InputError, match=r"damaged|not|no key"):
        runs.load_run(tmp_path)


def test_what_holds_no_result(tmp_path):
    with pytest.raises(InputError, match="no finished search or front"):
        runs.load_run(tmp_path)


# --- fronts ---------------------------------------------------------------------------------------------------------


def test_a_front_is_continued_point_by_point(tmp_path):
    asked = runs.load_front(None, BUDGET | {"budget": {}}, "flops", [3e8, 4e8, 5e8])
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        runs.front(asked, tmp_path, on_progress=stop)
    assert seen == [(0, 3), (1, 3), (2, 3)]
    seen.clear()
    rows = runs.compared(["maedet-m"], asked.search.problem)
    found = runs.front(
        asked, tmp_path, resume=True, compare=rows, on_progress=lambda *now: seen.append(now)
    )
    assert seen == [(2, 3), (3, 3)]
    assert isinstance(found, Front) and [point.budget for point in found.points] == [3e8, 4e8, 5e8]
    assert runs.load_run(tmp_path) == found == runs.front(asked, tmp_path, resume=True)
    kept = json.loads((tmp_path / "front.json").read_text())["compare"]
    assert [row["name"] for row in kept] == ["maedet-m"] and "latency" not in kept[0]
    assert runs.structures(tmp_path) == [point.structure for point in found.points]


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", "sml")
def test_a_preset_has_a_structure(size):
    file = data_folder("configs") / "structures" / f"maedet_{size}.txt"
    assert runs.structures(f"maedet-{size}") == read_structures(file)
    assert runs.name_of(f"maedet-{size}") == f"maedet-{size}"


def test_directories_and_files_have_structures(tmp_path, whole, monkeypatch):
    structure = Structure.from_dicts(published("m"))
    for path in (tmp_path / "mine.txt", tmp_path / "outputs/det/structure.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(format_structures([structure]))
        assert runs.structures(path) == runs.structures(str(path)) == [structure]
    assert runs.structures(tmp_path / "outputs/det") == [structure]
    assert runs.name_of(tmp_path / "outputs/det") == "det"
    assert runs.name_of(tmp_path / "mine.txt") == "mine"
    assert runs.structures(whole[0]) == whole[1].top
    # What lies there is meant before a preset is.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maedet-s").write_text(format_structures([structure]))
    assert runs.structures("maedet-s") == [structure]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("maedet-x", "maedet-x is not a directory, .* did you mean 'maedet-"),
        ("zzz", "expected one of maedet-l, maedet-m, maedet-s"),
        ("none.txt", "none.txt: cannot be read"),
        ("none/maedet-m", "none/maedet-m: cannot be read"),
    ],
)
def test_unknown_names(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        runs.structures(name)
    assert "\n" not in str(caught.value)


# --- directories ----------------------------------------------------------------------------------------------------


def test_a_training_is_cleared_and_nothing_else(tmp_path):
    ours = (
        "config.py",
        "epoch_3.pth",
        "best_bbox_mAP_epoch_2.pth",
        "20260101_000000.log",
        "result.json",
    )
    for name in (*ours, "notes.txt", "epoch_3.pth.bak"):
        (tmp_path / name).write_text("")
    (tmp_path / "tf_logs").mkdir()
    with TrainingRun(tmp_path) as run:
        run.hold(resume=True, overwrite=False)
        assert run.continues
        assert run.last == tmp_path / "epoch_3.pth" and run.best == tmp_path / ours[2]
        run.clear()
        assert {entry.name for entry in tmp_path.iterdir()} == {
            "notes.txt",
            "epoch_3.pth.bak",
            LOCK,
            MARKER,
        }
    (tmp_path / MARKER).unlink()
    with pytest.raises(InputError, match="so nothing in it may be replaced"):
        TrainingRun(tmp_path).hold(resume=False, overwrite=True)


def test_what_a_kill_leaves_is_no_run(config, tmp_path):
    for name in (LOCK, "search.log", ".structure.txt.1.part"):
        (tmp_path / name).write_text("")
    (tmp_path / ".checkpoint.npz.1.part").write_text("half")
    with SearchRun(tmp_path) as run:
        run.begin(config)
        assert not run.continues
    assert {entry.name for entry in tmp_path.iterdir()} == {MARKER, "config.yaml", "search.log"}


def test_differences():
    there = {"a": 1, "b": {"c": [1, {"d": 2}], "path": "x"}, "e": (1, 2), "only": 0}
    here = {"a": 1, "b": {"c": (1, {"d": 3}), "path": "y"}, "e": [1, 2, 3]}
    assert differences(there, here, may_differ={"path"}) == [
        "b.c.1.d is 2 there and 3 here",
        "e is (1, 2) there and [1, 2, 3] here",
        "only is 0 there and None here",
    ]
    assert differences(there, there) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sed": 1}, "no option 'sed', did you mean 'seed'"),
        ({"budget_flops": 1e10}, "no option 'budget_flops', did you mean 'budget'"),
        ({"budget": {"flop": 1e10}}, "no budget 'flop', did you mean 'flops'"),
    ],
)
def test_options_that_nothing_would_read(options, said):
    with pytest.raises(InputError, match=said):
        runs.load_config(None, options)


def test_directories_that_hold_no_search(tmp_path):
    with pytest.raises(InputError, match="is not a directory"):
        runs.load_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"structure.txt: cannot be read"):
        runs.structures(tmp_path)
    (tmp_path / "config.py").write_text("")
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match="holds a training"):
        runs.load_run(tmp_path)


def test_a_preset_is_no_config(tmp_path):
    with pytest.raises(InputError, match="expected what load_config gives"):
        runs.search("maedet-m", tmp_path / "r")
    assert not (tmp_path / "r").exists()
