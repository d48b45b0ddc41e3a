"""Whole detectors and activations against full enumeration: optimum, bound and feasibility."""

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.detector import Detector
from lightnas.search import front, search
from lightnas.search.engine import Limits, Search
from lightnas.search.problem import Budget, Problem
from lightnas.search.proof import TOLERANCE

from .spaces import (
    SIZE,
    listed,
    random_detector,
    random_mix,
    random_space,
    random_table,
)


def searched(problem, seed, limits):
    run = Search(problem, seed, limits)
    for _ in run.steps():
        pass
    return run.result()


@pytest.mark.parametrize("seed", range(12))
def test_drawn_spaces_and_mixes(seed):
    rng = np.random.default_rng(7000 + seed)
    space = random_space(rng)
    detector = random_detector(rng) if seed % 3 else None
    every = listed(space, None, detector=detector, activations=True)
    for _ in range(3):
        mix = random_mix(every.costs, rng)
        if seed % 2:  # activations among them, at what some structure has
            column = np.sort(every.costs["activations"])
            mix["activations"] = float(column[rng.integers(len(column))])
        best = every.best(mix)
        if best is None:
            with pytest.raises(InputError, match="expected"):
                Problem(space, Budget(**mix), SIZE, detector=detector)
            continue
        problem = Problem(space, Budget(**mix), SIZE, detector=detector)
        for work, evaluations in ((0, 300), (50_000_000, 3000)):
            result = searched(problem, seed, Limits(evaluations, work))
            assert result.upper_bound >= best * (1 - result.proven_optimal * TOLERANCE)
            assert all(result.cost.known()[name] <= limit for name, limit in mix.items())
        assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)


def test_a_detector_changes_what_is_best():
    """Budgets that hold for the detector buy other backbones than those less what it adds on
    average."""
    rng = np.random.default_rng(3)
    space = random_space(rng)
    every = listed(space, None, detector=Detector(64))
    limit = float(np.median(every.costs["flops"]))
    found = search(space, flops=limit, input_size=SIZE, detector=Detector(64))
    assert found.flops <= limit
    assert found.flops == found.structure.cost(SIZE, None, Detector(64)).flops
    assert found.score == pytest.approx(every.best({"flops": limit}), rel=1e-12)
    assert search(space, flops=limit, input_size=SIZE).score > found.score


def test_a_budget_below_the_detector_says_what_the_least_is():
    rng = np.random.default_rng(3)
    space = random_space(rng)
    least = float(listed(space, None, detector=Detector(64)).costs["flops"].min())
    Problem(space, Budget(flops=least), SIZE, detector=Detector(64))
    with pytest.raises(InputError, match=r"budget flops is .*, expected at least"):
        Problem(space, Budget(flops=least * 0.999), SIZE, detector=Detector(64))


def test_tables_hold_backbones_alone():
    rng = np.random.default_rng(3)
    space = random_space(rng)
    table = random_table(space, rng)
    with pytest.raises(
        InputError, match="budget_latency is given with detector gflv2:64, expected"
    ):
        Problem(space, Budget(latency=1.0), SIZE, table=table, detector=Detector(64))
    with pytest.raises(InputError, match="latency_table is given with detector gflv2:64, expected"):
        Problem(space, Budget(flops=1e15), SIZE, table=table, detector=Detector(64))


def test_a_front_over_activations():
    rng = np.random.default_rng(4)
    space = random_space(rng)
    every = listed(space, None, detector=Detector(32), activations=True)
    values = sorted({float(v) for v in np.quantile(every.costs["activations"], [0.1, 0.4, 0.9])})
    problem = Problem(space, Budget(activations=values[-1]), SIZE, detector=Detector(32))
    for point in front(problem, "activations", values).points:
        assert point.score == pytest.approx(every.best({"activations": point.budget}), rel=1e-12)
        assert point.cost.activations <= point.budget
