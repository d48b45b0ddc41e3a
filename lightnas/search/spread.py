"""Structures that use equal resources and differ in score: what a study of the score trains.

Every budget becomes a band: a structure of the study uses at most the budget and hardly less. Within
the bands scores reach from those of random structures to the best one, in even steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Genomes
from ..errors import InputError
from ..network.structure import Structure
from ..resources import RESOURCES
from .engine import Limits, Search
from .evolution import Evolution
from .objective import Evaluation
from .problem import Problem

# How much less than the budget a structure may use, as a share of it.
SLACK = 0.03
# Of each small evolution: structures a generation, and generations.
OFFSPRING, GENERATIONS = 256, 120
# Random structures brought into the bands: the lowest of their scores is where a study begins.
RANDOM = 15

Wish = Callable[[Floats], Floats]


def spread(problem: Problem, n: int, seed: int = 0, slack: float = SLACK) -> list[Structure]:
    """n distinct structures that all use at least ``1 - slack`` of every budget, by rising score.

    The scores lie as evenly as structures were found, the first that of a random structure, the
    last the best.

    Args:
        problem: space, budgets and score. A budget on layers is a band too: 25 of 25 layers.
        n: how many, at least two.
        seed: of the one random generator.
        slack: how much less than each budget is allowed, as a share.

    Raises:
        InputError: n is below two, or hardly any structure of the space lies within the bands.
    """
    if n < 2:
        raise InputError(f"structures is {n}, expected at least 2")
    rng = np.random.default_rng(seed)
    random = [_inside(problem, rng, slack, np.zeros_like) for _ in range(RANDOM)]
    best = _inside(problem, rng, slack, lambda scores: scores, _searched(problem, seed))
    low = min(float(problem.evaluate(genomes[:1]).score[0]) for genomes in random)
    high = float(problem.evaluate(best[:1]).score[0])
    aims = np.linspace(low, high, n)
    pool = [*random, best, *(_inside(problem, rng, slack, _towards(aim)) for aim in aims[1:-1])]
    genomes = np.unique(np.concatenate(pool), axis=0)
    if len(genomes) < n:
        raise InputError(
            f"structures is {n}, expected at most {len(genomes)}: no more were found within the budgets"
        )
    scores = problem.evaluate(genomes).score
    return problem.searched.structures(genomes[_nearest_each(scores, aims)])


def _nearest_each(scores: Floats, aims: Floats) -> list[int]:
    """For each aim, from the ends inwards, the nearest score that is not taken yet; by rising score."""
    left = np.ones(len(scores), bool)
    chosen = []
    for aim in (aims[-1], *aims[:-1]):
        nearest = int(np.argmin(np.where(left, np.abs(scores - aim), np.inf)))
        left[nearest] = False
        chosen.append(nearest)
    return sorted(chosen, key=lambda i: float(scores[i]))


def _searched(problem: Problem, seed: int) -> Genomes:
    """The last population of a search without a proof, best first."""
    run = Search(problem, seed, Limits(proof_work=0))
    for _ in run.steps():
        pass
    return run.evolution.genomes


def _towards(aim: float) -> Wish:
    return lambda scores: -np.abs(scores - aim)


def _inside(
    problem: Problem,
    rng: np.random.Generator,
    slack: float,
    wish: Wish,
    start: Genomes | None = None,
) -> Genomes:
    """The structures within the bands that a small evolution ends with, those whose score is wished
    for most first, shape (N, D).

    Args:
        start: genomes to begin with, beside random ones.

    Raises:
        InputError: there are none.
    """
    space = problem.searched
    evolution = Evolution(*space.bounds, rng)
    genomes = space.random(rng, OFFSPRING)
    if start is not None:
        genomes = np.concatenate([start, genomes])
    for _ in range(GENERATIONS):
        evaluation = problem.evaluate(genomes)
        outside = _outside(problem, evaluation, slack)
        # Being inside counts more than any score.
        scores = np.where(outside > 0, -1e12 * (1 + outside), wish(evaluation.score))
        evolution.tell(genomes, scores, np.ones(len(genomes), bool))
        genomes = space.repair(evolution.ask(OFFSPRING))
    found = evolution.genomes[evolution.scores > -1e12]
    if not len(found):
        raise InputError(
            f"budgets {problem.limits}: found no structure of space {problem.space.name} that uses "
            f"{100 * (1 - slack):g} % of each, expected budgets that fit together: fewer of them, or "
            "what one structure uses (`lightnas score`)"
        )
    return found


def _outside(problem: Problem, evaluation: Evaluation, slack: float) -> Floats:
    """How far structures are from the bands, as shares of the budgets, shape (N,); 0 inside."""
    total = np.zeros(len(evaluation.score))
    for name, limit in problem.limits.items():
        # Nobody uses up rho: equal n and equal rho would leave scores hardly any room.
        least = 1 - slack if RESOURCES[name].summed else 0.0
        share = np.asarray(evaluation.cost.known()[name]) / limit
        total += np.maximum(0, share - 1) + np.maximum(0, least - share)
    return total
