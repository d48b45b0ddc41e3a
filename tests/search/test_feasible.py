"""Budgets against full enumeration: what can be met is met and proven, what cannot is refused, no
bound is too low."""

from fractions import Fraction

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.search.bound import Relaxation, join_options
from lightnas.search.engine import Limits, Search
from lightnas.search.problem import Budget, Problem, evaluate_blocks
from lightnas.search.proof import TOLERANCE

from .spaces import SIZE, listed, random_mix, random_space, random_table


@pytest.mark.parametrize("seed", range(12))
def test_drawn_spaces_and_mixes(seed):
    rng = np.random.default_rng(seed)
    space = random_space(rng)
    table = random_table(space, rng) if seed % 2 else None
    _, scores, costs = listed(space, table)
    for _ in range(3):
        mix = random_mix(costs, rng)
        fits = np.all([costs[name] <= limit for name, limit in mix.items()], axis=0)
        if not fits.any():
            with pytest.raises(InputError, match="expected"):
                Problem(space, Budget(**mix), SIZE, table=table)
            continue
        problem = Problem(space, Budget(**mix), SIZE, table=table)
        best = scores[fits].max()
        for work, evaluations in ((0, 300), (50_000_000, 3000)):
            run = Search(problem, seed, Limits(evaluations, work))
            for _ in run.steps():
                pass
            result = run.result()
            # A proof is exact up to TOLERANCE, the rounding of sums of logarithms; a bound is one
            # throughout.
            assert result.upper_bound >= best * (1 - result.proven_optimal * TOLERANCE)
            assert all(result.cost.known()[name] <= limit for name, limit in mix.items())
        assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)


def test_the_smallest_structure_need_not_be_the_cheapest():
    """A projection that falls away, or a larger kernel that is faster: budgets below the smallest
    structure's use."""
    seen = set()
    for seed in range(30):
        rng = np.random.default_rng(2000 + seed)
        space = random_space(rng)
        table = random_table(space, rng)
        _, _, costs = listed(space, table)
        smallest = evaluate_blocks(
            space.decode(space.smallest[None]), SIZE, table=table
        ).cost.known()
        for name, column in costs.items():
            if column.min() < smallest[name][0]:
                seen.add(name)
                problem = Problem(space, Budget(**{name: float(column.min())}), SIZE, table=table)
                found = problem.evaluate(problem.start[None]).cost.known()[name]
                assert found[0] == column.min()
                below = float(column.min()) * (1 - 1e-6)
                with pytest.raises(InputError, match=f"budget {name} is .*, expected at least"):
                    Problem(space, Budget(**{name: below}), SIZE, table=table)
    assert {"params", "latency"} <= seen


def test_budgets_that_only_together_cannot_be_met():
    """Found in drawn spaces: each budget at its own least, which no structure has at once."""
    seen = 0
    for seed in range(12):
        rng = np.random.default_rng(1000 + seed)
        space = random_space(rng)
        table = random_table(space, rng)
        _, _, costs = listed(space, table)
        least = {name: float(costs[name].min()) for name in ("params", "latency")}
        fits = np.all([costs[name] <= limit for name, limit in least.items()], axis=0)
        if fits.any():
            Problem(space, Budget(**least), SIZE, table=table)
            continue
        seen += 1
        with pytest.raises(InputError, match="together, expected looser ones"):
            Problem(space, Budget(**least), SIZE, table=table)
    assert seen  # the check can fail


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6, 1e9])
def test_no_multiplier_makes_a_bound_too_low(scale):
    """theta against exact rational arithmetic, with multipliers that leave floating point few
    digits."""
    rng = np.random.default_rng(5)
    space = random_space(rng)
    _, scores, costs = listed(space, None)
    mix = {name: float(np.median(costs[name])) for name in ("flops", "params", "layers")}
    relaxation = Relaxation(p := Problem(space, Budget(**mix), SIZE), start=p.start)
    whole = [next(iter(relaxation.all_pairs(i))) for i in range(len(space.blocks))]
    chain = [join_options(list(relaxation.options(i, pairs))) for i, pairs in enumerate(whole)]
    limits = [Fraction(limit) for limit in relaxation.limits]
    for _ in range(5):
        multipliers = scale * float(scores.max()) * rng.random(3)
        exact = max(
            Fraction(float(score))
            + sum(
                Fraction(float(m)) * (1 - Fraction(float(costs[name][i])) / limit)
                for m, name, limit in zip(multipliers, mix, limits, strict=True)
            )
            for i, score in enumerate(scores)
            if all(costs[name][i] <= mix[name] for name in mix)
        )
        assert Fraction(relaxation.maximise(chain, multipliers).theta) >= exact
