"""Ways to search at equal evaluations, the median gap to the proven optimum of maedet-m over seeds:
``python -m benchmarks.algorithms`` (needs ``pip install '.[bench]'``).

Evolution alone is what the search does with a score that has no closed form. With one it begins from
the structures that the relaxed problem met, whose cost in time is a few generations. Random search
pulls random structures into the budgets as evolution's start does. Nevergrad's optimiser for integers
(discrete one-plus-one) pays for what exceeds a budget.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lightnas.network.entropy import ALPHA
from lightnas.network.scores import Entropy
from lightnas.runs import load_config, preset_path
from lightnas.search import Limits, Search
from lightnas.search.problem import Problem

AT = (1_000, 4_000, 16_000)


class WithoutTerms:
    """The entropy, as a score that has no closed form."""

    def evaluate(self, blocks: Sequence[Any]) -> Any:
        """The entropy of N structures, (N,)."""
        return Entropy(ALPHA).evaluate(blocks)


def evolution_alone(problem: Problem, seed: int, n: int) -> float:
    return as_in_search(replace(problem, score=WithoutTerms()), seed, n)


def as_in_search(problem: Problem, seed: int, n: int) -> float:
    run = Search(problem, seed, Limits(evaluations=n))
    steps = run.steps()
    while run.phase in ("start", "evolve"):
        next(steps)
    return run.best_score


def random_search(problem: Problem, seed: int, n: int) -> float:
    run = Search(problem, seed, Limits(evaluations=n))
    best = 0.0
    while run.evaluations < n:
        random = run.space.random(run.evolution.rng, min(1024, n // 10))
        genomes = run._pull(random, problem.start)
        found = problem.evaluate(genomes)
        best = max(best, float(found.score[problem.feasible(found)].max()))
    return best


def by_nevergrad(problem: Problem, seed: int, n: int) -> float:
    import nevergrad

    space = problem.searched
    low, high = space.bounds
    array = nevergrad.p.Array(init=problem.start.astype(float), lower=low - 0.5, upper=high + 0.5)
    array.set_integer_casting()
    array.random_state.seed(seed)
    optimizer = nevergrad.optimizers.registry["DiscreteOnePlusOne"](array, budget=n)
    best = 0.0
    for _ in range(n):
        asked = optimizer.ask()
        genome = space.repair(np.clip(asked.value.astype(np.int64), low, high)[None])
        found = problem.evaluate(genome)
        over = sum(
            max(0.0, float(found.cost.known()[name][0]) / limit - 1)
            for name, limit in problem.limits.items()
        )
        score = float(found.score[0])
        best = max(best, 0.0 if over else score)
        optimizer.tell(asked, over * 1e4 - (0.0 if over else score))
    return best


WAYS: dict[str, Callable[[Problem, int, int], float]] = {
    "evolution alone": evolution_alone,
    "evolution from the relaxed problem, as `search` does": as_in_search,
    "random search": random_search,
    "nevergrad, DiscreteOnePlusOne": by_nevergrad,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    problem = load_config(preset_path("maedet-m"), {}).problem
    run = Search(problem)
    for _ in run.steps():
        pass
    best = run.result()
    assert best.proven_optimal
    print(f"| evaluations | {' | '.join(f'{n:,}' for n in AT)} |\n| --- |{' ---: |' * len(AT)}")
    for name, way in WAYS.items():
        gaps = [
            statistics.median(
                100 * (1 - way(problem, s, n) / best.score) for s in range(arguments.seeds)
            )
            for n in AT
        ]
        print(f"| {name} | {' | '.join(f'{gap:.2f} %' for gap in gaps)} |", flush=True)


if __name__ == "__main__":
    main()
