"""Scores: what has terms is bounded and proven, what has none never is, whoever evaluates."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.scores import DeepMad, Entropy, OfCost, placed
from lightnas.network.structure import Structure
from lightnas.search import Budget, Limits, Problem, Search, load_space, search
from lightnas.search.problem import Evaluation
from lightnas.search.space_file import parse_space

from ..conftest import TINY
from .spaces import SIZE, every_genome, random_space


class Narrow(Problem):
    """Scores the narrowest networks best."""

    def evaluate(self, genomes):
        found = super().evaluate(genomes)
        return Evaluation(1 / found.cost.params, found.cost)


class Shrunk(Problem):
    """Allows less than the budgets."""

    def feasible(self, evaluation):
        return super().feasible(evaluation) & (evaluation.cost.params < 10_000)


class Mixed:
    """Every form that terms may have, of either sign."""

    def evaluate(self, blocks):
        return sum(self.terms(block) for block in blocks)

    def terms(self, block):
        b = 1.0 * block.btn
        inner = 3 * np.log(np.maximum(b, 1)) - 0.4 * b + 0.01 * b * b - 0.002 * block.c_in * b
        return block.depth * inner - 0.1 * block.c_out + block.k * (1 + block.stage) - 40


class Wrong:
    """Its terms do not add up."""

    def evaluate(self, blocks):
        return sum(1.0 * block.c_out * block.c_in for block in blocks)

    def terms(self, block):
        return 1.0 * block.c_out


class Curved(Wrong):
    """Its terms add up, but are no closed form that can be bounded."""

    def evaluate(self, blocks):
        return sum(self.terms(block) for block in blocks)

    def terms(self, block):
        return np.sin(1.0 * block.depth)


class NotANumber:
    def evaluate(self, blocks):
        return blocks[-1].c_out * np.nan


def solved(problem, executor=None):
    run = Search(problem, 0, Limits(evaluations=5000), executor=executor)
    for _ in run.steps():
        pass
    return run.result()


@pytest.mark.parametrize("kind", [Narrow, Shrunk])
def test_what_a_subclass_evaluates_is_not_called_proven(kind):
    problem = kind(parse_space(TINY, "tiny"), Budget(flops=4e6), SIZE)
    result = solved(problem)
    assert (result.upper_bound, result.gap, result.proven_optimal) == (None, None, None)
    assert "gap" not in result.document


def test_a_subclass_that_computes_nothing_anew_keeps_the_proof():
    class Named(Problem):
        name = "mine"

    assert solved(Named(parse_space(TINY, "tiny"), Budget(flops=4e6), SIZE)).proven_optimal


def test_an_executor_evaluates_what_the_problem_evaluates():
    problem = Narrow(parse_space(TINY, "tiny"), Budget(flops=4e6), SIZE)
    alone = solved(problem)
    with ThreadPoolExecutor(2) as threads:
        assert solved(problem, threads).structure == alone.structure
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert solved(problem, processes).score == alone.score == 1 / alone.params


@pytest.mark.parametrize("score", [OfCost("params"), OfCost("flops"), OfCost("layers"), Mixed()])
@pytest.mark.parametrize("seed", range(4))
def test_bounded_scores_are_proven_against_every_structure(score, seed):
    rng = np.random.default_rng(seed)
    space = random_space(rng)
    genomes = every_genome(space)
    cost = Problem(space, Budget(flops=1e15), SIZE).evaluate(genomes).cost
    mix = {"flops": float(np.quantile(cost.flops, 0.3)), "params": float(np.median(cost.params))}
    problem = Problem(space, Budget(**mix), SIZE, score=score)
    found = problem.evaluate(genomes)
    best = found.score[problem.feasible(found)].max()
    result = solved(problem)
    assert result.upper_bound >= best - 1e-9 * abs(best)
    assert result.score <= best + 1e-9 * abs(best)
    if result.proven_optimal:
        assert result.score == pytest.approx(best, rel=1e-9)
    else:
        assert result.gap > 0


def test_entropy_by_its_terms_is_entropy():
    structure = Structure.from_dicts(
        parse_space(TINY, "tiny").structures(parse_space(TINY, "tiny").smallest[None])[0].to_dicts()
    )
    chain, alpha = placed(structure, SIZE), (0.5, 0.0, 1.0, 1.0, 6.0)
    score = Entropy(alpha)
    assert sum(map(score.terms, chain)) == pytest.approx(score.evaluate(chain), rel=1e-13)


@pytest.mark.parametrize("score", [Wrong(), Curved()])
def test_terms_that_are_no_closed_form_are_refused(score):
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e9), SIZE, score=score)
    with pytest.raises(InputError, match=type(score).__name__):
        Search(problem)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="score NotANumber gave nan, expected a finite number"):
        search("k1kxk1", flops=1e9, input_size=SIZE, score=NotANumber())


def test_deepmad_is_the_product_and_has_no_bound():
    result = search("k1kxk1", flops=1e9, input_size=SIZE, score=DeepMad(), limits=Limits(3000))
    assert result.proven_optimal is None
    expected, running = 0.0, 0.0
    side = SIZE[0]
    stages = result.structure.ends
    for i, block in enumerate(result.structure):
        side = -(-side // block.stride)
        # h of K1KXK1 is half the log of in, k^2 btn and btn; further layers take out.
        for n in range(block.depth):
            c_in = block.c_in if n == 0 else block.c_out
            b = block.btn
            fan_ins = (c_in, b * block.k**2, b) if b else (c_in * block.k**2,)
            running += 0.5 * float(np.log(fan_ins).sum())
        if i in stages:
            alpha = (0, 0, 1, 1, 6)[stages.index(i)]
            expected += alpha * np.log(block.c_out * side * side) * running
    assert result.score == pytest.approx(expected, rel=1e-12)


@pytest.mark.skipif(not find_spec("torch"), reason="torch runs the networks")
def test_zen_is_measured_within_its_own_cap_and_by_workers():
    from lightnas.backbone.zen import Zen

    score = Zen(side=32, batch=1, most_evaluations=30)
    problem = Problem(parse_space(TINY, "tiny"), Budget(flops=4e6), SIZE, score=score)
    alone = solved(problem)
    assert alone.proven_optimal is None
    assert alone.evaluations <= 30 + 1
    with ThreadPoolExecutor(2) as threads:
        assert solved(problem, threads).score == alone.score
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert solved(problem, processes).score == alone.score
    again = replace(problem, score=replace(score, seed=1))
    assert solved(again).score != alone.score
