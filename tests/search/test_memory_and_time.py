"""What does not fit in memory or in time: bounds stay valid, and where there is none, none is said."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError
from lightnas.search import bound, deadline, proof, whole
from lightnas.search.bound import Relaxation, join_options
from lightnas.search.engine import Limits, Search
from lightnas.search.fronts import front, settled
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space

from .spaces import SIZE, listed, random_mix, random_space, random_table


def drawn(seed):
    """A problem that has a solution, its best score, and the relaxation."""
    rng = np.random.default_rng(seed)
    while True:
        space = random_space(rng)
        table = random_table(space, rng) if seed % 2 else None
        every = listed(space, table)
        mix = random_mix(every.costs, rng)
        if (best := every.best(mix)) is not None:
            problem = Problem(space, Budget(**mix), SIZE, table=table)
            return problem, best, Relaxation(problem, start=problem.start)


def searched(problem, limits=Limits(3000)):
    run = Search(problem, 0, limits)
    for _ in run.steps():
        pass
    return run.result()


# --- piece by piece -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pairs", [1, 7, 65_536])
def test_a_space_in_pieces_is_bounded_as_a_whole(seed, pairs, monkeypatch):
    """theta from the ends of L alone, and the options that survive, against all options at once."""
    monkeypatch.setattr(bound, "PAIRS_AT_A_TIME", pairs)
    _, best, relaxation = drawn(seed)
    every = [
        join_options([o for p in relaxation.all_pairs(i) for o in relaxation.options(i, p)])
        for i in range(len(relaxation.space.blocks))
    ]
    rng = np.random.default_rng(seed)
    for multipliers in rng.exponential(100, size=(3, len(relaxation.limits))):
        expected = relaxation.maximise(every, multipliers)
        found = whole.maximise_whole(relaxation, multipliers)
        assert found.theta == pytest.approx(expected.theta, rel=1e-12)
        theta, chain = whole.survivors(relaxation, multipliers, best)
        assert theta == pytest.approx(expected.theta, rel=1e-12)
        values = [relaxation.best_btn(options, multipliers)[0] for options in every]
        through = relaxation.through(every, values)
        for value, kept in zip(through, chain, strict=True):
            worth = value + multipliers.sum()
            least = best - relaxation.rounding(theta, multipliers)
            assert (worth > least * (1 + 1e-12)).sum() <= len(kept)
            assert len(kept) <= (worth > least * (1 - 1e-12)).sum()


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_the_bound_of_the_whole_is_exact_but_for_its_tolerance(scale):
    """Against rational arithmetic: never below, and above by no more than ``rounding`` says."""
    problem, _, relaxation = drawn(4)
    every = listed(problem.space, problem.table)
    limits = [Fraction(limit) for limit in relaxation.limits]
    rng = np.random.default_rng(0)
    for _ in range(3):
        multipliers = scale * float(every.scores.max()) * rng.random(len(limits))
        exact = max(
            Fraction(float(score))
            + sum(
                Fraction(float(m)) * (1 - Fraction(float(every.costs[name][i])) / limit)
                for m, name, limit in zip(multipliers, relaxation.limited, limits, strict=True)
            )
            for i, score in enumerate(every.scores)
        )
        theta, _ = whole.survivors(relaxation, multipliers, 0.0)
        assert exact <= Fraction(theta)
        assert Fraction(theta) <= exact + 2 * Fraction(relaxation.rounding(theta, multipliers))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("module", "name", "most"),
    [
        (whole, "MAX_OPTIONS", 3),
        (whole, "MAX_SCANNED", 3),
        (whole, "MAX_COARSE", 1),
        (proof, "MAX_WAITING", 1000),
        (proof, "MAX_ALL_CHOICES", 40),
    ],
)
def test_too_large_a_space_keeps_a_valid_bound(seed, module, name, most, monkeypatch):
    problem, best, _ = drawn(seed)
    monkeypatch.setattr(module, name, most)
    result = searched(problem, Limits(300))
    slack = proof.TOLERANCE if result.proven_optimal else 0.0
    assert result.score <= best * (1 + 1e-12)
    assert result.upper_bound >= best * (1 - slack)
    assert result.proven_optimal == (result.gap == 0)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_sums_of_steps(counts, step):
    """The bits of all sums, against a set of them."""
    bits, sums = 1, {0}
    for least, times in counts:
        bits = bound._stepped(bits << least, step, times)
        sums = {s + least + step * n for s in sums for n in range(times + 1)}
    assert bits == sum(1 << s for s in sums)


# --- sizes that make no sense -------------------------------------------------------------------------------------


def test_a_layer_budget_beyond_what_a_block_may_have():
    space = load_space("k1kxk1")
    assert max(block.depth[1] for block in space.under_layers(18_008).blocks) == 2000
    for layers in (18_009, 1e9, 1e300):
        with pytest.raises(InputError, match="expected at most 18008"):
            Problem(space, Budget(layers=layers))


def test_a_layer_budget_beyond_all_depths_binds_nothing():
    problem = Problem(load_space("k1kx"), Budget(layers=1e300))
    most = sum(2 * block.depth[1] for block in problem.space.blocks[1:]) + 1
    assert list(Relaxation(problem).limits) == [most]


# --- time ---------------------------------------------------------------------------------------------------------


class Clock:
    """Time that runs out when it is asked for the nth time."""

    def __init__(self, nth):
        self.left = nth

    def monotonic(self):
        self.left -= 1
        return 0.0 if self.left > 0 else math.inf


@pytest.mark.parametrize("seed", range(3))
def test_time_may_run_out_at_any_moment(seed, monkeypatch):
    """Whatever is cut short, a bound is one, and where there is none nothing is said."""
    problem, best, _ = drawn(seed)
    monkeypatch.setattr(proof, "MAX_CHOICES", 40)
    seen = set()
    for nth in [*range(1, 200), *range(200, 600, 40)]:
        monkeypatch.setattr(deadline, "time", Clock(nth))
        result = searched(problem, Limits(300, time_limit=1e6))
        assert result.score <= best * (1 + 1e-12)
        seen.add(result.upper_bound is None)
        if result.upper_bound is None:
            assert result.gap is None and result.proven_optimal is None
            assert not {"upper_bound", "gap", "proven_optimal"} & set(result.document)
            assert "unknown" in repr(result)
            again = type(result).__mro__[1].from_document(result.document)
            assert again.upper_bound is None and again.document == result.document
        else:
            slack = proof.TOLERANCE if result.proven_optimal else 0.0
            assert result.upper_bound >= best * (1 - slack)
    assert seen == {True, False}


def test_a_start_that_takes_too_long_is_said(monkeypatch):
    """Where the smallest structure is none, and time runs out on the way to another."""
    space = random_space(np.random.default_rng(2000))
    monkeypatch.setattr(Problem, "feasible", lambda self, evaluation: np.array([False]))
    monkeypatch.setattr(deadline, "time", Clock(1))
    with pytest.raises(InputError, match="was found in the time allowed"):
        Problem(space, Budget(params=1e9), SIZE, deadline=deadline.Deadline(1.0))


def test_a_front_without_time_for_bounds(monkeypatch):
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e9), (192, 192))
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=count(0.0, 1e6).__next__))
    found = front(problem, "flops", [3e8, 5e8], limits=Limits(2000, time_limit=1e5))
    assert [point.gap for point in found.points] == [None, None]
    assert "unknown" in found.figures()[0]["gap"]


def test_points_without_a_bound_take_what_others_know():
    """A bound under a larger budget is one under a smaller budget too."""
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e9), (192, 192))
    first, last = front(problem, "flops", [3e8, 5e8], limits=Limits(2000, 0)).points
    unknown = {"upper_bound": None, "gap": None, "proven_optimal": None}
    found, known = settled([replace(first, **unknown), last])
    assert found.upper_bound == last.upper_bound and found.proven_optimal is False
    assert 0 < found.gap < 1 and known == last
    known, found = settled([first, replace(last, **unknown)])
    assert found.upper_bound is None and found.gap is None and known.gap == first.gap
