"""The cheapest structure nearly as good as the best, against full enumeration."""

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.search.cheapest import Within, cheapest, check_within
from lightnas.search.deadline import Deadline
from lightnas.search.engine import Limits, Search
from lightnas.search.problem import Budget, Problem
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

NAMES = {"within": "--within", "minimise": "--minimise"}


def searched(problem, limits=Limits(3000)):
    run = Search(problem, limits=limits)
    for _ in run.steps():
        pass
    return run.result()


@pytest.mark.parametrize("seed", range(8))
def test_drawn_spaces_mixes_and_shares(seed):
    rng = np.random.default_rng(12_000 + seed)
    space = random_space(rng)
    table = random_table(space, rng) if seed % 4 == 1 else None
    detector = random_detector(rng) if seed % 4 == 2 else None
    alpha = random_alpha(rng)
    every = listed(space, table, alpha, detector, activations=True)
    for _ in range(2):
        mix = random_mix(every.costs, rng)
        best = every.best(mix)
        if best is None:
            continue
        problem = Problem(space, Budget(**mix), SIZE, alpha, table, detector=detector)
        result = searched(problem)
        assert result.proven_optimal
        for resource in every.costs:
            share = float(rng.choice([0.0, 0.001, 0.01, 0.1, 0.5]))
            found = cheapest(problem, result, Within(share, resource))
            fits = np.all([every.costs[name] <= limit for name, limit in mix.items()], axis=0)
            good = fits & (every.scores >= best * (1 - share) * (1 - 1e-10))
            least = every.costs[resource][good].min()
            assert found.cost.known()[resource] == pytest.approx(least, rel=2e-9)
            assert found.cheapest["proven"]
            assert found.cheapest["at_least"] == found.cost.known()[resource]
            assert found.score >= best * (1 - share) * (1 - 1e-10)
            assert all(found.cost.known()[name] <= limit for name, limit in mix.items())
            assert found.upper_bound == result.upper_bound and found.top[0] == found.structure
            assert SearchResult.from_document(
                found.document, top=found.top, genomes=found.genomes, evaluation=found.evaluation,
                history=found.history, genes=found.genes,
            ).document == found.document  # fmt: skip


def test_a_limit_on_layers_leaves_the_space_as_it_is():
    """In k1kxk1 the depths that a block may have follow from the layer budget: that of the search,
    not the smaller ones that are tried on the way."""
    problem = Problem(load_space("k1kxk1"), Budget(flops=2e8, layers=64), (192, 192))
    result = searched(problem, Limits())
    found = cheapest(problem, result, Within(0.05, "layers"))
    assert found.cheapest["proven"] and found.layers < result.layers
    assert max(block.depth for block in found.structure) <= 64 // 9


def test_without_time_or_work_nothing_is_proven():
    rng = np.random.default_rng(12_001)
    space = random_space(rng)
    problem = Problem(space, Budget(flops=1e15), SIZE)
    result = searched(problem)
    for ended in (
        cheapest(problem, result, Within(0.1, "flops"), Limits(proof_work=0)),
        cheapest(problem, result, Within(0.1, "flops"), deadline=Deadline.after(1e-9)),
    ):
        assert not ended.cheapest["proven"]
        assert ended.score >= 0.9 * result.score
        assert ended.cheapest["at_least"] <= ended.flops
        assert "proven" not in ended.cheapest_text().split("at least")[0]


@pytest.mark.parametrize(
    ("share", "resource", "said"),
    [
        (None, "flops", "--minimise is given without --within"),
        ("1%", None, "--within is given without --minimise"),
        ("101%", "flops", "--within is 101%, expected a share"),
        (1, "flops", "--within is 1, expected a share"),
        ("-1%", "flops", "--within is -1%, expected a share"),
        ("nan", "flops", "--within is nan, expected a share"),
        ("1%", "flop", "--minimise is 'flop', did you mean 'flops'"),
    ],
)
def test_what_is_no_share(share, resource, said):
    with pytest.raises(InputError) as error:
        check_within(share, resource, NAMES)
    assert str(error.value).replace("'", "").startswith(said.replace("'", ""))


def test_shares():
    assert check_within(None, None, NAMES) is None
    assert check_within("1%", "params", NAMES) == check_within(0.01, "params", NAMES)
    assert check_within("0%", "params", NAMES) == Within(0.0, "params")
