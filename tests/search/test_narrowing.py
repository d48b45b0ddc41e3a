"""Ranges of btn against every btn, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from lightnas.search.bound import Relaxation
from lightnas.search.narrowing import trimmed
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space


def worth(options, at, btn, multipliers, step):
    b = float(btn * step)
    use = multipliers @ (
        options.use[0, :, at] + (options.use[1, :, at] + options.use[2, :, at] * b) * b
    )
    return options.reward[at] + options.log_btn[at] * np.log(b) - use


@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_btn_that_are_worth_enough_are_left(seed):
    rng = np.random.default_rng(seed)
    space = load_space("k1kxk1")
    problem = Problem(space, Budget(flops=50e9, params=20e6, layers=91))
    relaxation = Relaxation(problem)
    multipliers = rng.uniform(0, 400, 3) * rng.integers(0, 2, 3)
    block = int(rng.integers(1, 5))
    options = next(relaxation.options(block, next(relaxation.all_pairs(block))))
    options = options.where(np.sort(rng.integers(0, len(options), 40)))
    slack = rng.exponential(5.0, 40) * rng.integers(0, 2, 40)
    value, best = relaxation.best_btn(options, multipliers)
    left = trimmed(relaxation, block, options, multipliers, (value, best), slack)
    for at in range(40):
        every = np.arange(options.btn_low[at], options.btn_high[at] + 1)
        worths = [worth(options, at, btn, multipliers, space.step) for btn in every]
        enough = [
            b for b, w in zip(every, worths, strict=True) if w >= value[at] - slack[at] - 1e-9
        ]
        assert set(range(left.btn_low[at], left.btn_high[at] + 1)) <= set(enough)
        sure = [b for b, w in zip(every, worths, strict=True) if w > value[at] - slack[at] + 1e-9]
        assert set(sure) <= set(range(left.btn_low[at], left.btn_high[at] + 1))
