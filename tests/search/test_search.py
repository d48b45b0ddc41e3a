"""The search as Python users meet it: the same result from the same seed, whoever scores and
however often it stops."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from lightnas.errors import InputError, nearest
from lightnas.search.engine import Limits, Search, search
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space, parse_space
from lightnas.search.state_file import format_state, read_state
from lightnas.search.workers import workers

from .. import oracle
from ..conftest import BLOCK, STEM

# With fewer, evolution leaves the proof more work than it takes over.
SMALL = Limits(evaluations=25_000)
EDGE = {"flops": 0.5e9, "layers": 40, "input_size": (192, 192)}


def same(a, b):
    timeless = (
        "score",
        "flops",
        "params",
        "layers",
        "upper_bound",
        "gap",
        "evaluations",
        "structure",
        "top",
    )
    assert all(getattr(a, name) == getattr(b, name) for name in timeless)
    assert a.genomes.tobytes() == b.genomes.tobytes()
    others = b.evaluation.columns()
    assert all((x == others[name]).all() for name, x in a.evaluation.columns().items())


def test_result_is_what_the_plain_loop_says():
    result = search("k1kxk1", **EDGE, limits=SMALL, top=3)
    flops, params, layers = oracle.costs(result.structure.to_dicts(), 192, 192)
    assert (result.flops, result.params, result.layers) == (flops, params, layers)
    assert flops <= 0.5e9 and layers <= 40
    assert result.score == pytest.approx(oracle.score(result.structure.to_dicts()), rel=1e-12)
    assert result.structure == result.top[0]
    assert result.gap == 1 - result.score / result.upper_bound
    assert len(result.top) == 3
    assert len(result.history) and [row[2] for row in result.history] == sorted(
        row[2] for row in result.history
    )


def test_same_seed_same_result_for_any_executor():
    alone = search("k1kxk1", **EDGE, seed=5, limits=SMALL)
    with ThreadPoolExecutor(3) as executor:
        same(alone, search("k1kxk1", **EDGE, seed=5, limits=SMALL, executor=executor))
    with workers(2) as executor:
        same(alone, search("k1kxk1", **EDGE, seed=5, limits=SMALL, executor=executor))


def test_a_dask_cluster_is_an_executor():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        limits = Limits(evaluations=4000)
        result = search("k1kxk1", **EDGE, seed=1, limits=limits, executor=client.get_executor())
        same(result, search("k1kxk1", **EDGE, seed=1, limits=limits))


def test_another_seed_another_population():
    first, second = (search("k1kxk1", **EDGE, seed=seed, limits=SMALL) for seed in (0, 1))
    assert first.genomes.tobytes() != second.genomes.tobytes()


def test_stopping_between_any_two_steps(tmp_path):
    """Each step in a new object, from a state that went through bytes: the same result as without a
    stop."""
    problem = Problem(load_space("k1kxk1"), Budget(flops=0.5e9, params=3e6, layers=60), (192, 192))
    limits = SMALL
    whole = Search(problem, 3, limits)
    for _ in whole.steps():
        pass
    stopped = Search(problem, 3, limits)
    while stopped.phase != "done":
        (tmp_path / "state.npz").write_bytes(format_state(stopped.state()))
        state = read_state(tmp_path / "state.npz", len(problem.searched.genes), len(problem.limits))
        stopped = Search(problem, 3, limits)
        stopped.restore(state)
        next(stopped.steps())
    same(whole.result(), stopped.result())


@pytest.mark.parametrize("cap", [1, 2, 9, 100, 3000, 20_000])
def test_evaluations_are_a_cap(cap):
    result = search("k1kxk1", flops=1e9, limits=Limits(evaluations=cap))
    assert 1 <= result.evaluations <= cap
    assert result.flops <= 1e9
    assert result.score <= result.upper_bound


def test_no_work_for_the_proof_still_gives_a_bound():
    free = search("k1kxk1", **EDGE, limits=Limits(evaluations=3000, proof_work=0))
    proven = search("k1kxk1", **EDGE, limits=SMALL)
    assert not free.proven_optimal
    assert proven.proven_optimal
    assert free.score <= proven.score <= free.upper_bound


def test_time_limit_stops():
    result = search("k1kxk1", flops=83.6e9, limits=Limits(time_limit=1e-6))
    assert not result.proven_optimal
    assert result.gap is None or result.gap > 0  # a busy machine may not reach the first bound


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"flops": 0},
        {"flops": -1e9},
        {"flops": float("nan")},
        {"flops": float("inf")},
        {"flops": 1e6},
        {"layers": 12},
        {"params": 100},
        {"flops": 1e9, "seed": -1},
        {"flops": 1e9, "top": 0},
    ],
)
def test_bad_arguments(wrong):
    with pytest.raises(InputError) as caught:
        search("k1kxk1", **wrong)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "budget",
    [
        {"flops": 0.1e9, "input_size": (192, 192)},
        {"flops": 6e6, "input_size": (192, 192)},
        {"params": 1e6},
        {"flops": 5e12},
        {"flops": 0.3e9, "params": 5e5, "layers": 31, "input_size": (320, 320)},
    ],
)
def test_unusual_budgets_are_solved(budget, seed):
    result = search("k1kxk1", **budget, seed=seed, limits=SMALL)
    assert result.proven_optimal
    assert result.flops <= budget.get("flops", np.inf)
    assert result.params <= budget.get("params", np.inf)


def test_budgets_have_names():
    with pytest.raises(TypeError, match="positional argument"):
        search("k1kxk1", 83.6e9)
    for wrong, said in (
        ({"flop": 1e9}, "no budget 'flop', did you mean 'flops'?"),
        ({"flops": "83.6G"}, "budget flops is '83.6G', expected a positive number"),
    ):
        with pytest.raises(InputError) as caught:
            search("k1kxk1", **wrong)
        assert str(caught.value) == said


def test_budgets_compare_and_change():
    budget = Budget(layers=91, flops=np.float32(2e9))
    assert budget == Budget(flops=2e9, layers=91, params=None) and hash(budget) == hash(
        Budget(flops=2e9, layers=91)
    )
    assert repr(budget) == "Budget(flops=2000000000.0, layers=91.0)"
    assert budget.replace(layers=None, params=1e6).limits == {"flops": 2e9, "params": 1e6}


def test_what_a_notebook_shows(monkeypatch):
    result = search("k1kxk1", **EDGE, limits=SMALL, top=2)
    shown = repr(result)
    assert shown.startswith(f"SearchResult(score {result.score:.3f}, FLOPs ")
    assert shown.endswith("gap 0 (proven optimal))") and len(shown) < 120
    html = result._repr_html_()
    assert html.count("<table>") == 2 and html.count("<tr>") == 3 + len(result.structure)
    monkeypatch.setattr("lightnas.errors.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    frame = result.to_frame()
    assert list(frame) == ["score", "flops", "params", "layers"]
    assert all(len(column) == len(result.genomes) for column in frame.values())


def test_a_result_as_a_frame_of_pandas():
    pytest.importorskip("pandas")
    result = search("k1kxk1", **EDGE, limits=SMALL)
    assert result.to_frame()["score"][0] == result.score


def test_scores_are_never_taken_from_a_failure():
    class Broken(ThreadPoolExecutor):
        def map(self, *args, **kwargs):
            raise OSError("the worker is gone")

    with Broken(1) as executor, pytest.raises(OSError, match="gone"):
        search("k1kxk1", flops=1e9, executor=executor)


NOTHING = {
    "name": "nothing",
    "in": 1,
    "step": 1,
    "max_channels": 1,
    "blocks": [
        {"class": STEM, "s": 2, "k": [1]},
        *({"class": BLOCK, "s": 2, "k": [1], "btn": [1, 1], "L": [1, 2]} for _ in range(4)),
    ],
}


def test_a_score_of_nothing_has_no_gap():
    """One channel and 1x1 kernels: every logarithm is 0."""
    for work in (0, 50_000_000):
        result = search(parse_space(NOTHING, "nothing"), layers=16, limits=Limits(500, work))
        assert result.score == 0 and result.upper_bound == pytest.approx(0, abs=1e-9)
        assert result.gap in ((0,) if result.proven_optimal else (0, 1))


@pytest.mark.parametrize("stage", range(5))
def test_one_stage_alone_counts(stage):
    alpha = tuple(float(i == stage) for i in range(5))
    result = search("k1kxk1", **EDGE, alpha=alpha, limits=SMALL)
    assert 0 < result.score <= result.upper_bound and 0 <= result.gap < 1


def test_a_number_of_many_digits_has_no_near_word():
    number = 10**5999
    assert nearest(number, ["a", "b"]) == "expected one of a, b"
