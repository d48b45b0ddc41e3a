"""A study's directory: rows as runs finish, stops that cost a run, the same bytes in any order.

Trainings are played here: AP is arithmetic of structure and seed. ``lightnas validate`` itself
trains in tests/detection/test_validate.py.
"""

import json
from concurrent.futures import Executor, Future

import pytest

from lightnas.errors import InputError, WorkError
from lightnas.network.structure import read_structures
from lightnas.report import write_report
from lightnas.runs import StudyConfig, load_run, study_run, validate
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space
from lightnas.search.spread import spread

SIZE = (96, 96)


def play(job):
    """The better the structure, the better AP, but for the seed."""
    return {"ap": 0.1 * job.index + 0.01 * job.seed, "ap50": 0.2 * job.index}


class Inline(Executor):
    """Runs at once what is submitted; from the ``fails``-th on every run fails."""

    def __init__(self, fails=None):
        self.left = fails

    def submit(self, run, job):
        future = Future()
        if self.left == 0:
            future.set_exception(WorkError("the training failed"))
        else:
            self.left = self.left and self.left - 1
            future.set_result(play(job))
        return future


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    problem = Problem(load_space("k1kxk1"), Budget(flops=40e6, layers=13), SIZE)
    data = tmp_path_factory.mktemp("data")
    return StudyConfig(
        tuple(spread(problem, 4)), data, 2, SIZE, ("--schedule", "1"), {"flops": 40e6}
    )


def files(path):
    names = ("config.yaml", "structure.txt", "study.csv", "result.json")
    return {name: (path / name).read_bytes() for name in names}


def test_every_structure_and_seed_is_a_row_and_taus_are_of_the_means(config, tmp_path):
    result = validate(config, tmp_path / "s", executor=Inline())
    assert [(row["structure"], row["seed"]) for row in result["rows"]] == [
        (i, seed) for i in range(4) for seed in range(2)
    ]
    assert [row["ap"] for row in result["rows"]][:4] == pytest.approx([0, 0.01, 0.1, 0.11])
    assert result["taus"]["score"]["tau"] == 1  # scores rise, so does AP
    assert result["taus"]["layers"] is None  # the same of all
    assert result["taus"]["random"]["low"] < 0 < result["taus"]["random"]["high"]
    assert json.loads((tmp_path / "s" / "result.json").read_text()) == result
    assert list(map(str, read_structures(tmp_path / "s" / "structure.txt"))) == list(
        map(str, config.structures)
    )


@pytest.mark.parametrize("fails", range(8))
def test_a_study_that_stopped_goes_on_to_the_same_bytes(config, tmp_path, fails):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    validate(config, whole, executor=Inline())
    with pytest.raises(WorkError):
        validate(config, stopped, executor=Inline(fails))
    assert not (stopped / "result.json").exists()
    trained = []

    class Counting(Inline):
        def submit(self, run, job):
            trained.append(job)
            return super().submit(run, job)

    validate(config, stopped, resume=True, executor=Counting())
    assert files(stopped) == files(whole)
    assert len(trained) == 8 - fails  # at least those that had finished stand


def test_a_study_of_other_seeds_is_not_continued(config, tmp_path):
    validate(config, tmp_path / "s", executor=Inline())
    other = StudyConfig(config.structures, config.data, 3, SIZE, config.training, config.budget)
    with pytest.raises(InputError, match="seeds"):
        validate(other, tmp_path / "s", resume=True, executor=Inline())


def test_overwriting_removes_the_study_and_nothing_else(config, tmp_path):
    path = tmp_path / "s"
    validate(config, path, executor=Inline())
    (path / "runs" / "mine.txt").write_text("mine")
    (path / "notes.md").write_text("mine")
    validate(config, path, overwrite=True, executor=Inline())
    assert (path / "runs" / "mine.txt").read_text() == "mine"
    assert (path / "notes.md").read_text() == "mine"


def test_the_report_has_a_point_for_each_structure_and_each_run(config, tmp_path):
    validate(config, tmp_path / "s", executor=Inline(), write_report=write_report)
    page = (tmp_path / "s" / "report.html").read_text()
    assert "tau of score and AP" in page
    assert "+1.00 (" in page
    assert page.count('data-tip="structure') == 4 + 8


@pytest.mark.parametrize(
    "text", ["", "structure,score\n1,2\n", "structure,score,flops,params,layers,seed,ap,ap50\nx,1,1,1,1,1,1,1\n",
             "structure,score,flops,params,layers,seed,ap,ap50\n0,nan,1,1,1,1,1,1\n"]
)  # fmt: skip
def test_a_damaged_table_is_refused_by_name(config, tmp_path, text):
    path = tmp_path / "s"
    with pytest.raises(WorkError):
        validate(config, path, executor=Inline(3))
    (path / "study.csv").write_text(text)
    if not text:
        assert study_run.read_rows(path / "study.csv") == []
        return
    with pytest.raises(InputError, match=r"study\.csv: row .* is damaged"):
        validate(config, path, resume=True, executor=Inline())


def test_a_study_is_no_search(config, tmp_path):
    validate(config, tmp_path / "s", executor=Inline())
    with pytest.raises(InputError, match="holds a study"):
        load_run(tmp_path / "s")
