"""Shadow prices against searches under a little more and a little less; the parts of a score."""

import numpy as np
import pytest

from lightnas.network.score import score_parts
from lightnas.network.structure import Structure
from lightnas.resources import RESOURCES
from lightnas.search.bound import Relaxation, join_options
from lightnas.search.deadline import OutOfTime
from lightnas.search.engine import Limits, Search
from lightnas.search.problem import Budget, Problem

from .. import oracle
from ..conftest import published
from .spaces import SIZE, listed, random_detector, random_space

RESOURCES_OF_MIX = ("flops", "params", "activations", "layers")


def least_theta(problem):
    """The minimum of theta over the multipliers, nearly exactly, and prices there."""
    relaxation = Relaxation(problem, start=problem.start)
    whole = [list(relaxation.all_pairs(i)) for i in range(len(problem.space.blocks))]
    chain = [
        join_options([o for p in pairs for o in relaxation.options(i, p)])
        for i, pairs in enumerate(whole)
    ]
    start = np.full(len(relaxation.limits), 10.0)
    multipliers, met = relaxation.minimise(chain, start, 1e-12, 300)
    return min(best.theta for best in met), relaxation.shadow_prices(multipliers)


@pytest.mark.parametrize("seed", range(10))
def test_finite_differences_bracket_the_price(seed):
    """The bound is concave in a budget: a price lies between what more adds and what less takes,
    and what any step adds is at most price times step."""
    rng = np.random.default_rng(9000 + seed)
    space = random_space(rng)
    detector = random_detector(rng) if seed % 2 else None
    every = listed(space, None, detector=detector, activations=True)
    at = int(np.argsort(every.scores)[int(len(every.scores) * rng.uniform(0.3, 0.8))])
    names = [name for name in RESOURCES_OF_MIX if rng.random() < 0.7] or ["flops"]
    mix = {name: float(every.costs[name][at]) for name in names}

    def bound(**changed):
        return least_theta(Problem(space, Budget(**mix | changed), SIZE, detector=detector))

    here, prices = bound()
    assert set(prices) == set(mix) and all(price >= 0 for price in prices.values())
    slack = 1e-7 * here
    for name, price in prices.items():
        each = price / RESOURCES[name].scale
        if name == "layers":  # they come in steps, and the limit is lowered to what there is
            assert bound(layers=mix[name] + 3)[0] <= here + 3 * each + slack
            continue
        for share in (0.001, 0.01, 0.1, 0.5):
            step = share * mix[name]
            more = bound(**{name: mix[name] + step})[0] - here
            assert more <= each * step + slack
            if every.best(mix | {name: mix[name] - step}) is not None:
                less = here - bound(**{name: mix[name] - step})[0]
                assert less >= each * step - slack


@pytest.mark.parametrize("seed", range(10))
def test_a_search_has_the_prices_of_its_bound(seed):
    """What a search says is the multipliers of its own bound: with them theta is close to its
    minimum, whatever is dropped on the way, and no better structure costs less than they say."""
    rng = np.random.default_rng(9100 + seed)
    space = random_space(rng)
    every = listed(space, None)
    at = int(np.argsort(every.scores)[len(every.scores) // 2])
    mix = {name: float(every.costs[name][at]) for name in ("flops", "params")}
    run = Search(Problem(space, Budget(**mix), SIZE), limits=Limits(3000))
    for _ in run.steps():
        pass
    result = run.result()
    each = {n: price / RESOURCES[n].scale for n, price in result.shadow_prices.items()}
    least, _ = least_theta(run.problem)
    theta = max(
        score + sum(each[n] * (mix[n] - every.costs[n][i]) for n in mix)
        for i, score in enumerate(every.scores)
    )
    assert least * (1 - 1e-9) <= theta <= least * 1.001


def test_a_budget_that_does_not_bind_is_worth_nothing():
    rng = np.random.default_rng(2)
    space = random_space(rng)
    run = Search(Problem(space, Budget(flops=1e15, params=1e12), SIZE))
    for _ in run.steps():
        pass
    assert run.result().shadow_prices == pytest.approx({"flops": 0, "params": 0}, abs=1e-6)


def test_no_bound_no_prices(monkeypatch):
    rng = np.random.default_rng(2)
    run = Search(Problem(random_space(rng), Budget(flops=1e15), SIZE))

    def late(self):
        raise OutOfTime

    monkeypatch.setattr(Search, "_first_bound", late)
    for _ in run.steps():
        pass
    result = run.result()
    assert result.upper_bound is None and result.shadow_prices is None
    assert "shadow_prices" not in result.document and "score_parts" in result.document


def test_prices_do_not_depend_on_where_a_search_was_stopped():
    problem = Problem(random_space(np.random.default_rng(5)), Budget(flops=3e6), SIZE)
    whole = Search(problem)
    states = [whole.state() for _ in whole.steps()]
    for state in states:
        again = Search(problem)
        again.restore(state)
        for _ in again.steps():
            pass
        assert again.result().shadow_prices == whole.result().shadow_prices
    older = states[-1] | {"proof": states[-1]["proof"] | {"multipliers": None}}
    again.restore(older)
    assert again.result().shadow_prices is not None


@pytest.mark.parametrize("size", "sml")
def test_parts_by_the_plain_loop(size):
    document = published(size)
    shallow = [block | ({"L": 1} if "L" in block else {}) for block in document]
    plain = [block | {"k": 1} for block in shallow]
    scores = [oracle.score(one) for one in (plain, shallow, document)]
    found = score_parts(
        Structure.from_dicts(document),
        lambda blocks: oracle.score(Structure(tuple(blocks)).to_dicts()),
    )
    assert found == pytest.approx(
        {"widths": scores[0], "kernels": scores[1] - scores[0], "depth": scores[2] - scores[1]}
    )
    assert sum(found.values()) == pytest.approx(scores[2], rel=1e-12)
