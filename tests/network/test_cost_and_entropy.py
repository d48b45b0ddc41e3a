"""Cost and entropy against published figures, measured references and the plain loop."""

import json

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.cost import cost
from lightnas.network.entropy import effectiveness, entropies, largest_rho, score
from lightnas.network.score import check_alpha
from lightnas.network.structure import Structure, read_structures
from lightnas.runs import structures
from lightnas.search.problem import Budget, Problem, evaluate_blocks
from lightnas.search.space_file import load_space

from .. import oracle
from ..conftest import published

# score; GFLOPs, M params and layers as published (the score at 1e-9 relative).
GOLDEN = {
    "s": (1731.907009966715, 48.7, 21.2, 79),
    "m": (2114.7828676827894, 89.9, 25.8, 91),
    "l": (2599.396120322784, 152.9, 43.9, 109),
}


@pytest.mark.parametrize("size", GOLDEN)
def test_published_structures(size):
    structure = Structure.from_dicts(published(size))
    flops, params, layers, *_ = cost(structure)
    expected, giga, mega, depth = GOLDEN[size]
    assert score(entropies(structure)) == pytest.approx(expected, rel=1e-9)
    assert (round(flops / 1e9, 1), round(params / 1e6, 1), layers) == (giga, mega, depth)


@pytest.mark.parametrize("size", GOLDEN)
def test_reference_txt(size, reference):
    structure = read_structures(reference / f"maedet_{size}.txt")[0]
    assert structure.to_dicts() == published(size)


def test_measured_elsewhere(reference):
    cases = json.loads((reference / "random_structures.json").read_text())
    assert len(cases) == 100
    for case in cases:
        structure = Structure.from_dicts(case["structure"])
        _, params, layers, *_ = cost(structure)
        assert (params, layers) == (case["params"], case["layers"])
        assert score(entropies(structure)) == pytest.approx(case["score"], rel=1e-9)


def test_one_convolution_by_hand():
    """A stem alone: 3*8*9 weights + 2*8 for BN, at 16 x 24 output pixels."""
    from lightnas.network.blocks import Block

    stem = (Block("ConvKXBNRELU", 3, 8, 3, 2),)
    assert cost(stem, (32, 48)) == (16 * 24 * 232, 232, 1, None, None, None)


@pytest.mark.parametrize("size", [(800, 1280), (192, 192), (33, 97), (799, 1279)])
def test_population_equals_plain_loop(size):
    """Vectorised results equal a loop over blocks and layers, at sizes that 32 does not divide
    too."""
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e15), input_size=size)
    genomes = problem.searched.random(np.random.default_rng(1), 200)
    evaluation = problem.evaluate(genomes)
    for n, structure in enumerate(problem.searched.structures(genomes)):
        assert tuple(figures[n] for figures in evaluation.cost.known().values()) == oracle.costs(
            structure.to_dicts(), *size
        )
        assert evaluation.score[n] == pytest.approx(oracle.score(structure.to_dicts()), rel=1e-12)


@pytest.mark.parametrize("space", ["k1kxk1", "k1kx", "kxkx"])
def test_rho_of_a_population_equals_the_plain_loop(space):
    problem = Problem(load_space(space), Budget(rho=1e15))
    genomes = problem.searched.random(np.random.default_rng(1), 200)
    rhos = [np.broadcast_to(rho, 200) for rho in effectiveness(problem.searched.decode(genomes))]
    found = problem.evaluate(genomes).cost.rho
    for n, structure in enumerate(problem.searched.structures(genomes)):
        expected = oracle.rhos(structure.to_dicts())
        assert [rho[n] for rho in rhos] == pytest.approx(expected, rel=1e-12)
        assert found[n] == pytest.approx(max(expected), rel=1e-12)
        assert largest_rho(structure) == pytest.approx(max(expected), rel=1e-12)


# The largest rho of the published structures and of ours: of S it is that of C4.
RHO = {
    "s": (0.1527, 0.1612),
    "m": (0.1531, 0.1461),
    "l": (0.1477, 0.1364),
}


@pytest.mark.parametrize("size", RHO)
def test_rho_of_known_structures(size):
    ours = structures(f"maedet-{size}")[0]
    found = (largest_rho(Structure.from_dicts(published(size))), largest_rho(ours))
    assert tuple(round(float(rho), 4) for rho in found) == RHO[size]


def test_rho_of_the_smallest_structure():
    space = load_space("k1kxk1")
    assert float(largest_rho(space.decode(space.smallest[None]))[0]) == pytest.approx(
        0.7527, abs=1e-4
    )


def test_alpha_weights_the_stages():
    structure = Structure.from_dicts(published("s"))
    weights = (1.0, 0.5, 0.0, 2.0, 3.0)
    assert score(entropies(structure), weights) == pytest.approx(
        oracle.score(published("s"), weights), rel=1e-12
    )


def test_a_structure_alone_equals_itself_in_any_population():
    """To the bit: neither the size of the population nor a place in it changes a result."""
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e15))
    genomes = problem.searched.random(np.random.default_rng(2), 10_000)
    whole = problem.evaluate(genomes)
    for start, end in ((0, 1), (7, 8), (5, 300), (8190, 8195), (9999, 10_000)):
        part = problem.evaluate(genomes[start:end])
        found = part.columns()
        assert all((a[start:end] == found[name]).all() for name, a in whole.columns().items())
    alone = evaluate_blocks(problem.searched.structures(genomes[:1])[0])
    found = alone.columns()
    assert all(a[0] == found[name][0] for name, a in whole.columns().items())


def test_two_blocks_in_one_stage():
    blocks = published("s")
    extra = {"class": "SuperResK1KXK1", "in": 2048, "out": 512, "s": 1, "k": 3, "L": 2, "btn": 64}
    structure = Structure.from_dicts([*blocks, extra])
    assert cost(structure)[:3] == oracle.costs([*blocks, extra])
    assert score(entropies(structure)) == pytest.approx(oracle.score([*blocks, extra]), rel=1e-12)


@pytest.mark.parametrize("weights", [(1e300, 0, 0, 0, 0), (0, 0, 0, 0, float("inf")), (0,) * 5])
def test_weights_that_no_score_can_have(weights):
    with pytest.raises(InputError, match="weights of at least 0 and at most 1000000000, not all 0"):
        check_alpha(weights, "alpha", weights)
