"""Ways to search at equal evaluations, the median gap to the proven optimum of maedet-m over seeds:
``python -m benchmarks.algorithms`` (needs ``pip install '.[bench]'``).

Evolution is the search's own, random search pulls random structures into the budgets as its start
does, and nevergrad's choice for integers (discrete one-plus-one) pays for what exceeds a budget.
"""

from __future__ import annotations

import statistics

import numpy as np

from lightnas.runs import load_config, preset_path
from lightnas.search import Limits, Search

AT = (500, 1000, 2000)
SEEDS = 10


def evolution(problem, seed, n):
    run = Search(problem, seed, Limits(evaluations=n, proof_work=0))
    while run.phase in ("start", "evolve"):
        next(run.steps())
    return run.best_score


def random_search(problem, seed, n):
    run = Search(problem, seed, Limits(evaluations=n))
    count = max(1, n // 10)
    genomes = run._pull(run.space.random(np.random.default_rng(seed), count), problem.start)
    found = problem.evaluate(genomes)
    return float(found.score[problem.feasible(found)].max())


def by_nevergrad(problem, seed, n):
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


def main():
    problem = load_config(preset_path("maedet-m"), {}).problem
    run = Search(problem)
    for _ in run.steps():
        pass
    bound = run.result().upper_bound
    print(f"| evaluations | {' | '.join(map(str, AT))} |\n| --- |{' ---: |' * len(AT)}")
    for way in (evolution, random_search, by_nevergrad):
        gaps = [
            statistics.median(100 * (1 - way(problem, s, n) / bound) for s in range(SEEDS))
            for n in AT
        ]
        print(f"| {way.__name__} | {' | '.join(f'{gap:.2f} %' for gap in gaps)} |", flush=True)


if __name__ == "__main__":
    main()
