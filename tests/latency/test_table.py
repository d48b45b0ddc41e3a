"""The table: its sum against a plain loop, and the search under it against full enumeration."""

import numpy as np
import pytest

from lightnas.latency.table_file import load_table
from lightnas.network.structure import Structure
from lightnas.search.engine import Limits, search
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space

from .. import oracle
from .tables import SIZE, made_up, plain_seconds


@pytest.fixture(scope="module")
def listed(every, table):
    """Of every structure: seconds, FLOPs, score."""
    seconds = np.array([plain_seconds(structure, table) for structure in every])
    return (
        seconds,
        np.array([oracle.costs(s, *SIZE)[0] for s in every]),
        np.array([oracle.score(s) for s in every]),
    )


def test_sum_of_the_table(space, table, every):
    some = every[:: len(every) // 300]
    seconds = [plain_seconds(structure, table) for structure in some]
    assert [table.chain(Structure.from_dicts(s)) for s in some] == pytest.approx(seconds, rel=1e-12)
    problem = Problem(space, Budget(latency=1.0), SIZE, table=table)
    found = problem.evaluate(space.encode([Structure.from_dicts(s) for s in some]))
    assert found.cost.latency == pytest.approx(np.array(seconds), rel=1e-12)


@pytest.mark.parametrize("quantile", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("flops", [None, 3e6])
def test_search_finds_and_proves_the_optimum(space, table, listed, quantile, flops):
    seconds, listed_flops, scores = listed
    budget = float(np.quantile(seconds, quantile))
    best = scores[(seconds <= budget) & (listed_flops <= (flops or np.inf))].max()
    result = search(
        space,
        flops=flops,
        latency=budget,
        table=table,
        input_size=SIZE,
        limits=Limits(evaluations=5_000),
    )
    assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)
    seconds = plain_seconds(result.structure.to_dicts(), table)
    assert result.latency == pytest.approx(seconds, rel=1e-12) and result.latency <= budget


def test_bound_holds_on_a_real_space():
    """Also where the proof is cut short: no random structure within the budget beats the bound."""
    space = load_space("k1kxk1", 512)
    table = load_table(made_up(space, (320, 320)))
    result = search(
        space,
        latency=2e-3,
        table=table,
        input_size=(320, 320),
        limits=Limits(20_000, proof_work=1000),
    )
    problem = Problem(space, Budget(latency=2e-3), (320, 320), table=table)
    found = problem.evaluate(space.random(np.random.default_rng(1), 20_000))
    assert (
        found.score[problem.feasible(found)].max() <= result.upper_bound
        and result.score <= result.upper_bound
    )
    complete = search(space, latency=2e-3, table=table, input_size=(320, 320))
    assert result.score <= complete.score <= result.upper_bound
    assert complete.gap <= 5e-4
