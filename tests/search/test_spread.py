"""Structures of equal resources whose scores spread: bands, evenness, the same for the same seed."""

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.score import score_structures
from lightnas.search import search
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space
from lightnas.search.spread import SLACK, spread

SIZE = (96, 96)
BUDGETS = {"flops": 40e6, "layers": 25, "params": 0.8e6}


@pytest.fixture(scope="module")
def chosen():
    return spread(Problem(load_space("k1kxk1"), Budget(**BUDGETS), SIZE), 12)


def test_every_structure_uses_all_of_every_budget_and_no_more(chosen):
    assert len(set(map(str, chosen))) == 12
    for structure in chosen:
        used = structure.cost(SIZE).known()
        for name, limit in BUDGETS.items():
            assert (1 - SLACK) * limit <= used[name] <= limit
        assert used["layers"] == 25


def test_scores_rise_in_even_steps_to_the_proven_optimum(chosen):
    scores = [row["score"] for row in score_structures(chosen, SIZE)]
    best = search("k1kxk1", input_size=SIZE, **BUDGETS)
    assert scores[-1] == pytest.approx(best.score, rel=1e-3)
    steps = np.diff(scores)
    assert (steps > 0).all()
    assert steps.max() < 3 * (scores[-1] - scores[0]) / 11


def test_the_same_seed_gives_the_same_structures(chosen):
    again = spread(Problem(load_space("k1kxk1"), Budget(**BUDGETS), SIZE), 12)
    assert list(map(str, again)) == list(map(str, chosen))


def test_budgets_that_nothing_uses_up_are_refused():
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e7, params=1e9), SIZE)
    with pytest.raises(InputError, match="97 % of each, expected budgets that fit together"):
        spread(problem, 3)


def test_one_structure_is_no_spread():
    with pytest.raises(InputError, match="expected at least 2"):
        spread(Problem(load_space("k1kxk1"), Budget(flops=1e7), SIZE), 1)
