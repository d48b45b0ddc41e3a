"""Evolution on integers alone."""

import numpy as np
import pytest

from lightnas.search.evolution import Evolution, Settings

LOW, HIGH = np.array([0, 1, 3, 5]), np.array([9, 64, 3, 6])


def told(seed=0, n=50):
    evolution = Evolution(LOW, HIGH, np.random.default_rng(seed))
    genomes = np.random.default_rng(1).integers(LOW, HIGH + 1, size=(n, 4))
    evolution.tell(genomes, genomes.sum(axis=1).astype(float), np.ones(n, bool))
    return evolution


def test_offspring_stay_inside_the_bounds():
    genomes = told().ask(5000)
    assert genomes.shape == (5000, 4)
    assert (genomes >= LOW).all() and (genomes <= HIGH).all()


def test_every_gene_of_every_block_mutates():
    """From one single parent, every gene that has a choice takes other values, up and down, the
    last one too."""
    from lightnas.search.space_file import load_space

    space = load_space("k1kxk1")
    low, high = space.bounds
    evolution = Evolution(low, high, np.random.default_rng(0))
    parent = (low + high) // 2
    evolution.tell(parent[None], np.zeros(1), np.ones(1, bool))
    offspring = evolution.ask(4000)
    for column, (block, key) in enumerate(space.genes):
        free = high[column] > low[column]
        assert (offspring[:, column] != parent[column]).any() == free, (block, key)
        assert (offspring[:, column] > parent[column]).any() == (parent[column] < high[column])
        assert (offspring[:, column] < parent[column]).any() == (parent[column] > low[column])


def test_steps_go_from_coarse_to_fine():
    evolution = Evolution(
        np.array([0]), np.array([10_000]), np.random.default_rng(0), Settings(anneal=16)
    )
    evolution.tell(np.array([[5000]]), np.zeros(1), np.ones(1, bool))
    largest = []
    for _ in range(25):
        largest.append(int(np.abs(evolution.ask(500) - 5000).max()))
        evolution.tell(np.empty((0, 1), int), np.empty(0), np.empty(0, bool))
    assert largest[0] > 1000
    assert largest[-1] == 1


def test_population_is_sorted_distinct_and_feasible():
    evolution = told(n=300)
    genomes = evolution.ask(2000)
    feasible = genomes.sum(axis=1) % 2 == 0
    before = {tuple(g) for g in evolution.genomes.tolist()}
    evolution.tell(genomes, genomes.sum(axis=1).astype(float), feasible)
    assert len(evolution.genomes) <= evolution.settings.population
    assert (np.diff(evolution.scores) <= 0).all()
    assert len(np.unique(evolution.genomes, axis=0)) == len(evolution.genomes)
    assert all(tuple(g) in before or sum(g) % 2 == 0 for g in evolution.genomes.tolist())


def test_nothing_good_is_lost():
    evolution = told()
    best = evolution.genomes[0].copy()
    for _ in range(20):
        genomes = evolution.ask(64)
        evolution.tell(genomes, np.full(64, -1.0), np.ones(64, bool))
    assert (evolution.genomes[0] == best).all()


def test_same_seed_same_genomes():
    first, second, other = told(3), told(3), told(4)
    assert (first.ask(100) == second.ask(100)).all()
    assert not (first.ask(100) == other.ask(100)).all()


def test_it_climbs():
    """The largest value of a separable sum, found from a bad start."""
    high = np.full(12, 100)
    evolution = Evolution(np.zeros(12, int), high, np.random.default_rng(0))
    goal = np.arange(12) * 8
    evolution.tell(np.zeros((1, 12), int), np.array([-float(goal.sum())]), np.ones(1, bool))
    for _ in range(150):
        genomes = evolution.ask(256)
        evolution.tell(
            genomes, -np.abs(genomes - goal).sum(axis=1).astype(float), np.ones(256, bool)
        )
    assert (evolution.genomes[0] == goal).all()


def test_asking_before_telling():
    with pytest.raises(ValueError, match="tell"):
        Evolution(LOW, HIGH, np.random.default_rng(0)).ask(1)
