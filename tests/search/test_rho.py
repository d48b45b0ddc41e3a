"""A limit on rho against full enumeration: optimum, bound, feasibility, prices, the cheapest."""

import json

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.entropy import effectiveness
from lightnas.network.stages import STAGES
from lightnas.search import feasible, front, proof, search, spread, whole
from lightnas.search.bound import Relaxation, join_options
from lightnas.search.cheapest import Within, cheapest
from lightnas.search.depths import combinations, of_chain, of_space
from lightnas.search.engine import Limits, Search
from lightnas.search.problem import Budget, Problem
from lightnas.search.proof import TOLERANCE
from lightnas.search.result import SearchResult
from lightnas.search.space_file import load_space

from .spaces import (
    SIZE,
    listed,
    random_alpha,
    random_detector,
    random_mix,
    random_space,
    random_table,
)


def searched(problem, seed=0, limits=Limits(3000)):
    run = Search(problem, seed, limits)
    for _ in run.steps():
        pass
    return run.result()


def drawn(seed, machines=True):
    """A space, what belongs to its problems, everything in it, and the generator that drew it."""
    rng = np.random.default_rng(seed)
    space = random_space(rng)
    kind = rng.integers(3) if machines else 0
    table = random_table(space, rng) if kind == 1 else None
    detector = random_detector(rng) if kind == 2 else None
    alpha = random_alpha(rng)
    every = listed(space, table, alpha, detector, activations=True, rho=True)

    def problem(mix):
        return Problem(space, Budget(**mix), SIZE, alpha, table, detector=detector)

    return space, every, problem, rng


def mixes(every, rng):
    """rho alone, then with any others, at what some structure has, often the least."""
    column = np.sort(every.costs["rho"])
    others = {name: costs for name, costs in every.costs.items() if name != "rho"}
    for mix in ({}, random_mix(others, rng), random_mix(others, rng)):
        at = rng.integers(len(column) if rng.random() < 0.5 else len(column) // 20 + 1)
        yield mix | {"rho": float(column[at])}


@pytest.mark.parametrize("seed", range(10))
def test_drawn_spaces_and_mixes(seed):
    _, every, problem_of, rng = drawn(21_000 + seed)
    for mix in mixes(every, rng):
        best = every.best(mix)
        if best is None:
            with pytest.raises(InputError, match="expected"):
                problem_of(mix)
            continue
        problem = problem_of(mix)
        for work, evaluations in ((0, 300), (50_000_000, 20), (50_000_000, 3000)):
            result = searched(problem, seed, Limits(evaluations, work))
            assert result.upper_bound >= best * (1 - result.proven_optimal * TOLERANCE)
            assert all(result.cost.known()[name] <= limit for name, limit in mix.items())
            assert result.score <= best * (1 + 1e-12)
        assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)
        assert result.rho == pytest.approx(result.cost.rho, rel=1e-12)


@pytest.mark.parametrize("room", ["labels", "options", "combinations"])
@pytest.mark.parametrize("seed", range(3))
def test_the_proof_alone_with_little_room(seed, room, monkeypatch):
    """Few labels, so that boxes are split; no options of the whole space, so that those of given
    depths are listed one after the other; no room for these either, so that depths are halved."""
    monkeypatch.setattr(proof, "MAX_CHOICES", 60)
    monkeypatch.setattr(proof, "MAX_LABELS", 40)
    if room == "options":
        monkeypatch.setattr(whole, "MAX_OPTIONS", 300)
    if room == "combinations":
        monkeypatch.setattr("lightnas.search.depths.MAX_VALUES", 1)
    _, every, problem_of, rng = drawn(22_000 + seed)
    for mix in mixes(every, rng):
        best = every.best(mix)
        if best is None:
            continue
        run = Search(problem_of(mix), limits=Limits(20))
        bounds = []
        for _ in run.steps():
            if run.proof:
                bounds.append(run.proof.upper_bound)
                assert bounds[-1] >= best * (1 - TOLERANCE)
        assert bounds == sorted(bounds, reverse=True)
        result = run.result()
        if room == "options" and not result.proven_optimal:
            assert run.proof.too_large
            continue
        assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)


def chain_of(relaxation):
    blocks = range(len(relaxation.space.blocks))
    return [
        join_options([o for p in relaxation.all_pairs(i) for o in relaxation.options(i, p)])
        for i in blocks
    ]


def drawn_multipliers(relaxation, rng, scale):
    lambdas = scale * rng.exponential(1.0, len(relaxation.limits) + STAGES)
    lambdas *= rng.random(len(lambdas)) < 0.7
    return relaxation.rho.at(lambdas, rng.uniform(0.5, 40, STAGES))


@pytest.mark.parametrize("seed", range(8))
def test_every_theta_is_a_bound_and_the_exact_maximum(seed):
    """At any multipliers and any tangents: the optimum is below theta, which is what the largest of
    all structures is worth, one by one."""
    space, every, problem_of, rng = drawn(23_000 + seed)
    mix = next(m for m in mixes(every, rng) if every.best(m) is not None)
    problem = problem_of(mix)
    best = every.best(mix)
    relaxation = Relaxation(problem, start=problem.start)
    chain = chain_of(relaxation)
    use = [
        every.costs[name] / limit
        for name, limit in zip(relaxation.limited, relaxation.limits, strict=True)
    ]
    logs = [
        np.broadcast_to(rho, len(every.scores))
        for rho in effectiveness(space.decode(every.genomes))
    ]
    n = relaxation.rho.ends_of(depths_of(space, every.genomes)).T
    twice_s = n * np.log(n / np.array(logs))  # rho = n exp(-2 S / n)
    for scale in (1, 30, 1000, 1e5):
        multipliers = drawn_multipliers(relaxation, rng, scale)
        tangents = relaxation.rho.tangents(multipliers)[:, None]
        cuts = ((1 + np.log(tangents / mix["rho"])) * n - twice_s) / tangents
        assert (cuts[:, every.costs["rho"] <= mix["rho"]] <= 1 + 1e-9).all()
        slack = 1 - np.array([*use, *cuts])
        worth = every.scores + relaxation.lambdas(multipliers) @ slack
        found = relaxation.maximise(chain, multipliers)
        assert found.theta >= best * (1 - 1e-12)
        assert found.theta == pytest.approx(worth.max(), rel=1e-9)
        assert found.theta >= worth.max() - 1e-12 * abs(worth.max())
        assert whole.maximise_whole(relaxation, multipliers).theta == pytest.approx(found.theta)
    _, met = relaxation.minimise(chain, relaxation.alike(10.0), 1e-9, 60)
    assert min(point.theta for point in met) >= best * (1 - 1e-12)


def depths_of(space, genomes):
    columns = [
        genomes[:, space.genes.index((i, "L"))]
        if (i, "L") in space.genes
        else np.ones(len(genomes))
        for i in range(len(space.blocks))
    ]
    return np.stack(columns, axis=1).astype(float)


@pytest.mark.parametrize("seed", range(6))
def test_combinations_of_depths_by_the_plain_loop(seed):
    """All that reach the value asked for, each with the best that the relaxed problem has there."""
    space, every, problem_of, rng = drawn(24_000 + seed)
    mix = next(m for m in mixes(every, rng) if every.best(m) is not None)
    relaxation = Relaxation(problem_of(mix))
    chain = chain_of(relaxation)
    multipliers = drawn_multipliers(relaxation, rng, 10)
    allowed = relaxation.lambdas(multipliers).sum()
    expected = {}
    for depths in np.unique(depths_of(space, every.genomes).astype(int), axis=0):
        given = [o.where(o.depth == depth) for o, depth in zip(chain, depths, strict=True)]
        expected[tuple(map(int, depths))] = relaxation.maximise(given, multipliers).theta - allowed
    need = float(np.median(list(expected.values())))
    expected = {depths: theta for depths, theta in expected.items() if theta > need + 1e-6}
    for ways in (of_chain(relaxation, chain, multipliers), of_space(relaxation, multipliers, need)):
        found = combinations(relaxation, ways, need)
        rows = dict(zip(map(tuple, found.depths.tolist()), found.bounds, strict=True))
        assert {d: rows[d] for d in expected} == pytest.approx(expected, rel=1e-9, abs=1e-6)
        assert all(theta > need for theta in rows.values())


@pytest.mark.parametrize("seed", range(5))
def test_a_start_without_luck(seed, monkeypatch):
    """Where drawing finds none, bound and proof do, or prove that there is none."""
    monkeypatch.setattr(feasible, "_drawn", lambda problem: None)
    _, every, problem_of, rng = drawn(25_000 + seed)
    least = float(every.costs["rho"].min())
    for mix in ({"rho": least}, *mixes(every, rng)):
        if every.best(mix) is None:
            with pytest.raises(InputError, match="expected"):
                problem_of(mix)
        else:
            problem = problem_of(mix)
            assert problem.feasible(problem.evaluate(problem.start[None]))[0]
    with pytest.raises(InputError, match=r"budget rho .* is met by no structure of space drawn"):
        problem_of({"rho": least * 0.999})
    with pytest.raises(InputError, match=r"budget rho .* is met by no structure of space drawn"):
        problem_of({"rho": least * 0.999, "flops": 1e15})


def test_budgets_that_only_together_cannot_be_met():
    seen = 0
    for seed in range(8):
        _, every, problem_of, _ = drawn(26_000 + seed)
        least = {name: float(every.costs[name].min()) for name in ("params", "rho")}
        if every.best(least) is None:
            seen += 1
            with pytest.raises(InputError, match="together, expected looser ones"):
                problem_of(least)
    assert seen


@pytest.mark.parametrize("limit", [0.3, 0.5])
def test_published_limits(limit):
    """ResNet-like budgets at DeepMAD's limits: the depth of the space ends where rho does."""
    document = {"flops": 5e8, "params": 3e6, "rho": limit}
    result = search("k1kxk1", **document, input_size=(192, 192))
    assert result.proven_optimal and result.rho <= limit
    assert max(result.rhos) == result.rho


def test_stopping_between_any_two_steps(tmp_path):
    _, every, problem_of, rng = drawn(27_001)
    mix = next(m for m in mixes(every, rng) if every.best(m) is not None)
    run = Search(problem_of(mix), limits=Limits(2000))
    states = [run.state() for _ in run.steps()]
    expected = run.result()
    for state in states:
        again = Search(problem_of(mix), limits=Limits(2000))
        again.restore(state)
        for _ in again.steps():
            pass
        found = again.result()
        assert (found.score, found.upper_bound) == (expected.score, expected.upper_bound)
        assert found.structure == expected.structure
        assert found.shadow_prices == expected.shadow_prices


@pytest.mark.parametrize("seed", range(5))
def test_finite_differences_bracket_the_price(seed):
    """The bound is concave in R (n log(n / R) is convex in both): what more rho adds is at most its
    price, what less takes at least."""
    _, every, problem_of, rng = drawn(28_000 + seed, machines=False)
    limit = float(np.quantile(every.costs["rho"], rng.uniform(0.2, 0.7)))

    def bound(rho):
        problem = problem_of({"rho": rho})
        relaxation = Relaxation(problem, start=problem.start)
        start = relaxation.alike(10.0, problem.start)
        multipliers, met = relaxation.minimise(chain_of(relaxation), start, 1e-12, 300)
        return min(point.theta for point in met), relaxation.slopes(multipliers)["rho"]

    here, price = bound(limit)
    assert price >= 0
    # Tangents between maximisers are good to a hundredth, and what that costs is of second order.
    slack = 1e-3 * here
    for share in (0.01, 0.1, 0.3):
        step = share * limit
        assert bound(limit + step)[0] - here <= price * step + slack
        if every.best({"rho": limit - step}) is not None:
            assert here - bound(limit - step)[0] >= price * step - slack


@pytest.mark.parametrize("seed", range(3))
def test_the_cheapest_within_a_share(seed):
    """Under a limit on rho, and with rho to be made small."""
    _, every, problem_of, rng = drawn(29_000 + seed)
    mix = next(m for m in mixes(every, rng) if every.best(m) is not None)
    for limits in (mix, {"flops": 1e15}):
        best = every.best(limits)
        problem = problem_of(limits)
        result = searched(problem)
        assert result.proven_optimal
        for resource in every.costs:
            share = float(rng.choice([0.0, 0.01, 0.1, 0.5]))
            found = cheapest(problem, result, Within(share, resource))
            fits = np.all([every.costs[name] <= limit for name, limit in limits.items()], axis=0)
            good = fits & (every.scores >= best * (1 - share) * (1 - 1e-10))
            least = every.costs[resource][good].min()
            assert found.cost.known()[resource] == pytest.approx(least, rel=2e-9)
            assert found.cheapest["proven"]
            document = json.loads(json.dumps(found.document))
            assert SearchResult.from_document(
                document, top=found.top, genomes=found.genomes, evaluation=found.evaluation,
                history=found.history, genes=found.genes,
            ).document == found.document  # fmt: skip


def test_a_front_over_rho():
    _, every, problem_of, _ = drawn(30_000, machines=False)
    values = sorted({float(v) for v in np.quantile(every.costs["rho"], [0.02, 0.4, 0.9])})
    for point in front(problem_of({"rho": values[-1]}), "rho", values).points:
        assert point.score == pytest.approx(every.best({"rho": point.budget}), rel=1e-12)
        assert point.cost.rho <= point.budget


def test_rho_is_a_limit_and_no_band():
    """Structures of a study use all of every other budget; equal rho too would leave no scores to
    choose from."""
    problem = Problem(load_space("k1kxk1"), Budget(flops=5e8, rho=0.3), (192, 192))
    chosen = spread.spread(problem, 3)
    for structure in chosen:
        assert 0.97 * 5e8 <= structure.cost((192, 192)).flops <= 5e8
        assert max(effectiveness(structure)) <= 0.3


def test_depth_at_the_limit_of_the_space():
    space = load_space("k1kxk1")
    free = search("k1kxk1", flops=1e9, input_size=(192, 192))
    assert free.depth_is_at_limit(space) and free.rho > 0.2
    limited = search("k1kxk1", flops=1e9, rho=0.12, input_size=(192, 192))
    assert not limited.depth_is_at_limit(space)
