"""The certificate, on a space small enough to list: the optimum is below every bound, and the
search finds it."""

import copy
from itertools import pairwise

import numpy as np
import pytest

from lightnas.search import proof as proof_module
from lightnas.search.bound import Relaxation, join_options
from lightnas.search.engine import Limits, Search, search
from lightnas.search.problem import Budget, Problem
from lightnas.search.proof import Proof
from lightnas.search.space_file import load_space, parse_space

from .. import oracle
from ..conftest import BLOCK, TINY, S

SIZE = (64, 96)

MIXES = [
    {"flops": 2.2e6},
    {"flops": 4e6},
    {"params": 12_000},
    {"layers": 22},
    {"flops": 3e6, "params": 15_000},
    {"flops": 3e6, "layers": 19},
    {"flops": 3e6, "layers": 24.9},
    {"params": 16_000, "layers": 25},
    {"flops": 5e6, "params": 14_000, "layers": 22},
    {"flops": 1e9},
]


@pytest.fixture(scope="module")
def listed():
    every = list(oracle.all_structures(TINY))
    assert len(every) > 10_000
    costs = np.array([oracle.costs(s, *SIZE) for s in every], float)
    return every, costs, np.array([oracle.score(s) for s in every])


def optimum(listed, mix):
    _, costs, scores = listed
    limits = [mix.get(name, np.inf) for name in ("flops", "params", "layers")]
    fits = (costs <= limits).all(axis=1)
    assert fits.any()
    return scores[fits].max()


@pytest.mark.parametrize("mix", MIXES)
def test_search_finds_and_proves_the_optimum(listed, mix):
    best = optimum(listed, mix)
    result = search(parse_space(TINY, "tiny"), **mix, input_size=SIZE)
    assert result.proven_optimal
    assert result.gap == 0
    assert result.score == pytest.approx(best, rel=1e-12)
    assert result.structure.to_dicts() in listed[0]


@pytest.mark.parametrize("mix", MIXES)
def test_every_theta_is_a_bound(listed, mix):
    best = optimum(listed, mix)
    relaxation = Relaxation(
        p := Problem(parse_space(TINY, "tiny"), Budget(**mix), SIZE), start=p.start
    )
    chain = full_chain(relaxation)
    rng = np.random.default_rng(0)
    for multipliers in [np.zeros(len(mix)), *rng.exponential(100, size=(20, len(mix)))]:
        theta = relaxation.maximise(chain, multipliers).theta
        assert theta >= best * (1 - 1e-12)
    _, met = relaxation.minimise(chain, np.full(len(mix), 10.0), 1e-9, 60)
    assert min(point.theta for point in met) >= best * (1 - 1e-12)


@pytest.mark.parametrize("mix", MIXES)
def test_theta_is_the_exact_maximum_of_the_relaxed_problem(listed, mix):
    """theta(lambda) by dynamic programming equals the maximum over all structures, one by one."""
    _, costs, scores = listed
    relaxation = Relaxation(
        p := Problem(parse_space(TINY, "tiny"), Budget(**mix), SIZE), start=p.start
    )
    chain = full_chain(relaxation)
    columns = [("flops", "params", "layers").index(name) for name in relaxation.problem.limits]
    slack = 1 - costs[:, columns] / relaxation.limits
    for multipliers in np.random.default_rng(1).exponential(50, size=(10, len(mix))):
        best = relaxation.maximise(chain, multipliers)
        assert best.theta == pytest.approx((scores + slack @ multipliers).max(), rel=1e-12)
        structure = relaxation.space.structures(best.genome[None])[0].to_dicts()
        assert oracle.score(structure) == pytest.approx(best.score, rel=1e-12)


def full_chain(relaxation):
    blocks = range(len(relaxation.space.blocks))
    return [
        join_options([o for p in relaxation.all_pairs(i) for o in relaxation.options(i, p)])
        for i in blocks
    ]


@pytest.mark.parametrize("mix", MIXES)
def test_the_proof_alone_finds_it_from_the_smallest_structure(listed, mix, monkeypatch):
    """Without evolution, and with room for few labels, so that boxes must be split."""
    monkeypatch.setattr(proof_module, "MAX_CHOICES", 60)
    monkeypatch.setattr(proof_module, "MAX_LABELS", 40)
    best = optimum(listed, mix)
    problem = Problem(parse_space(TINY, "tiny"), Budget(**mix), SIZE)
    relaxation = Relaxation(problem, start=problem.start)
    smallest = relaxation.space.smallest
    start = float(problem.evaluate(smallest[None]).score[0])
    proof = Proof(relaxation, smallest, start, np.full(len(mix), 30.0))
    bounds = [proof.upper_bound]
    while not proof.complete:
        proof.step()
        bounds.append(proof.upper_bound)
        assert bounds[-1] >= best * (1 - 1e-10)
    assert proof.score == pytest.approx(best, rel=1e-12)
    assert all(a >= b for a, b in pairwise(bounds))


def test_two_blocks_in_a_stage_and_any_alpha():
    document = copy.deepcopy(TINY)
    document["blocks"][4]["L"] = [1, 1]
    document["blocks"][2]["L"] = [1, 1]
    document["blocks"].insert(
        3, {S: BLOCK, "s": 1, "k": [3], "growth": [1, 1], "btn": [0.5, 1], "L": [1, 1]}
    )
    alpha = (0.0, 1.0, 2.0, 1.0, 3.0)
    fitting = [s for s in oracle.all_structures(document) if oracle.costs(s, *SIZE)[0] <= 3e6]
    best = max(oracle.score(s, alpha) for s in fitting)
    result = search(parse_space(document, "two"), flops=3e6, input_size=SIZE, alpha=alpha)
    assert result.proven_optimal
    assert result.score == pytest.approx(best, rel=1e-12)


# The bounds of a prototype, for the three published budgets; the relaxation alone reaches them.
PUBLISHED_BOUNDS = {
    "s": (1774.41, {"flops": 50.2e9, "params": 21.3e6, "layers": 79}, None),
    "m": (2111.87, {"flops": 83.6e9, "params": 25.6e6, "layers": 91}, None),
    "l": (2613.77, {"flops": 159.5e9, "params": 44.5e6, "layers": 109}, 2560),
}


@pytest.mark.parametrize("size", PUBLISHED_BOUNDS)
def test_relaxation_of_the_published_budgets(size):
    expected, budget, max_channels = PUBLISHED_BOUNDS[size]
    problem = Problem(load_space("k1kxk1", max_channels), Budget(**budget))
    run = Search(problem, limits=Limits(evaluations=20_000))
    steps = run.steps()
    while run.proof is None:
        next(steps)
    _, met = run.relaxation.minimise(run.proof.chain, run.proof.root_multipliers, 1e-7, 40)
    bound = min(point.theta for point in met)
    assert run.best_score < bound
    assert bound == pytest.approx(expected, rel=1e-5)


def test_infeasible_budgets_name_what_can_be_met():
    space = parse_space(TINY, "tiny")
    least = [
        min(column)
        for column in zip(
            *(oracle.costs(s, *SIZE) for s in oracle.all_structures(TINY)), strict=True
        )
    ]
    names = ("flops", "params", "layers")
    Problem(space, Budget(**dict(zip(names, map(float, least), strict=True))), SIZE)
    for i, name in enumerate(names):
        with pytest.raises(ValueError, match=f"budget {name}") as caught:
            Problem(space, Budget(**{name: least[i] - 1}), SIZE)
        assert str(least[2]) in str(caught.value)
