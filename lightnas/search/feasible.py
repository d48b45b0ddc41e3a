"""A structure within the budgets to start from, or the proof that there is none.

The structure that is smallest in every gene is mostly it. But it need not be smallest in cost: a
block may drop its projection where in = out, and a larger kernel may take less time on a machine.
Then, with use_r(x) the share of budget r that structure x uses,

    v(lambda) = min over all structures x of  sum_r lambda_r use_r(x)      lambda >= 0, sum_r lambda_r = 1

is solved exactly by the dynamic programming of ``bound``, with no reward. At a unit vector it is
the least use of one resource; v(lambda) > 1 anywhere proves that nothing is within all budgets. v
is concave, so cutting planes climb it (Kelley 1960), and every minimiser met is tried. What lies
between an infeasible minimiser and v <= 1 is decided by the branch and bound of ``proof``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Floats, Genomes
from ..errors import InputError
from ..network.stages import STAGES
from ..resources import RESOURCES
from ..units import format_size
from .bound import Best, Relaxation
from .deadline import NEVER, Deadline, OutOfTime
from .objective import Budget, Objective
from .proof import Proof
from .whole import maximise_whole

# Cutting planes, and operations of the proof, before a feasible structure is given up.
ROUNDS = 60
WORK = 50_000_000
# Structures drawn where a limit on rho excludes the smallest one.
DRAWN = 4096
# Rounding of a sum of shares; a bound this close to 1 proves nothing.
SLACK = 1e-9


def find_start(problem: Objective, deadline: Deadline = NEVER) -> Genomes:
    """A genome (D,) within every budget: the smallest one where that is.

    Raises:
        InputError: there is none. It names the first budget that nothing meets, and the least that
            some structure uses; or it says that no structure meets all of them together, or that
            none was found before the deadline.
    """
    smallest = problem.searched.smallest
    if _fits(problem, smallest):
        return smallest
    if "rho" in problem.limits and (drawn := _drawn(problem)) is not None:
        return drawn
    relaxation = Relaxation(problem, alpha=(0.0,) * STAGES)
    relaxation.deadline = deadline
    try:
        return _by_bound(problem, relaxation)
    except OutOfTime:
        raise _not_found(relaxation, " in the time allowed") from None


def _drawn(problem: Objective) -> Genomes | None:
    """Of random structures as shallow as can be, which rho favours as other budgets do, the one
    farthest within the budgets, (D,); None where none is."""
    space = problem.searched
    genomes = space.random(np.random.default_rng(0), DRAWN)
    for column, (_, key) in enumerate(space.genes):
        if key == "L":
            genomes[:, column] = space.bounds[0][column]
    found = problem.unscored(genomes)
    columns = found.cost.known()
    shares = [np.asarray(columns[name]) / limit for name, limit in problem.limits.items()]
    at = np.argmin(np.max(shares, axis=0))
    return genomes[at] if problem.feasible(found)[at] else None


def _by_bound(problem: Objective, relaxation: Relaxation) -> Genomes:
    least: dict[str, Floats] = {}
    met: list[Best] = []
    for at, name in enumerate(relaxation.limited):
        found = maximise_whole(relaxation, _alone(relaxation, at))
        use = problem.unscored(found.genome[None]).cost.known()[name]
        least[name] = np.asarray(use)
        met.append(found)
    _check_each(problem, {name: float(value[0]) for name, value in least.items()})
    if relaxation.rho:
        if relaxation.limited:
            _check_rho(problem, relaxation.deadline)
        for at in range(len(relaxation.limited), len(relaxation.lambdas(relaxation.alike(0.0)))):
            met.append(maximise_whole(relaxation, _alone(relaxation, at)))
    for found in _between(relaxation, met):
        if _fits(problem, found.genome):
            return found.genome
    return _by_proof(relaxation, met)


def _alone(relaxation: Relaxation, at: int) -> Floats:
    """Multipliers (R,) that count one budget, or cut of rho, alone."""
    multipliers = relaxation.alike(0.0)
    multipliers[at] = 1.0
    return multipliers


def _check_rho(problem: Objective, deadline: Deadline) -> None:
    """Refuse a limit on rho that nothing meets, whatever it uses."""
    budget = Budget(rho=problem.limits["rho"])
    size, alpha, table = problem.input_size, problem.alpha, problem.table
    find_start(Objective(problem.searched, budget, size, alpha, table), deadline)


def _fits(problem: Objective, genome: Genomes) -> bool:
    return bool(problem.feasible(problem.unscored(genome[None]))[0])


def _check_each(problem: Objective, least: dict[str, float]) -> None:
    for name, limit in problem.limits.items():
        if least.get(name, 0.0) > limit:
            shown = RESOURCES[name].format
            figures = ", ".join(
                f"{RESOURCES[r].format(value, digits=15)} {RESOURCES[r].label}"
                for r, value in _least_of_all(problem, least).items()
            )
            raise InputError(
                f"budget {name} is {shown(limit)}, expected at least {shown(least[name], digits=15)}: "
                f"the least that structures of space {problem.space.name} use at "
                f"{format_size(problem.input_size)} are {figures}"
            )


def _least_of_all(problem: Objective, least: dict[str, float]) -> dict[str, float]:
    """``least``, and for resources without a budget what the smallest structure uses."""
    smallest = problem.unscored(problem.searched.smallest[None]).cost.known()
    return {name: least.get(name, float(np.asarray(value)[0])) for name, value in smallest.items()}


def _between(relaxation: Relaxation, met: list[Best]) -> Iterator[Best]:
    """Minimisers at the multipliers of each resource alone, then where cutting planes lead.

    Raises:
        InputError: the bound says that no structure is within all budgets.
    """
    yield from met
    least = 0.0
    for _ in range(ROUNDS):
        shares, most = _highest_point(met)
        multipliers = relaxation.alike(0.0)
        multipliers[: len(shares)] = shares
        found = maximise_whole(relaxation, multipliers)
        met.append(found)
        least = max(least, float(shares @ found.use))
        if least > 1 + SLACK:
            raise _together(relaxation)
        yield found
        if most - least <= SLACK:
            return


def _highest_point(met: list[Best]) -> tuple[Floats, float]:
    """Where the cutting-plane model min_x lambda use(x) is highest over the simplex, and its
    value."""
    from scipy.optimize import linprog  # here, because it takes longer to import than to use

    uses = np.array([best.use for best in met])
    n = uses.shape[1]
    scale = np.maximum(uses.max(), 1.0)
    cuts = np.hstack([-uses / scale, np.ones((len(uses), 1))])
    solution = linprog(
        [0.0] * n + [-1.0],
        A_ub=cuts,
        b_ub=np.zeros(len(uses)),
        A_eq=[[1.0] * n + [0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * n + [(None, None)],
        method="highs",
    )
    if not solution.success:  # too ill-conditioned: all resources alike
        return np.full(n, 1 / n), np.inf
    return np.maximum(solution.x[:-1], 0.0), float(solution.x[-1] * scale)


def _by_proof(relaxation: Relaxation, met: list[Best]) -> Genomes:
    """Branch and bound for any structure within the budgets: all are worth 0, and what is known
    less."""
    shares, _ = _highest_point(met)
    multipliers = relaxation.alike(0.0)
    multipliers[: len(shares)] = shares
    proof = Proof(relaxation, met[0].genome, -SLACK, multipliers)
    while not (proof.complete or proof.too_large) and proof.score < 0 and proof.work < WORK:
        proof.step()
    if proof.score >= 0:
        return proof.genome
    if proof.complete:
        raise _together(relaxation)
    raise _not_found(relaxation)


def _not_found(relaxation: Relaxation, when: str = "") -> InputError:
    return InputError(
        f"no structure within {_budgets(relaxation)} was found{when}, and none was proven impossible; "
        "expected looser budgets"
    )


def _together(relaxation: Relaxation) -> InputError:
    name = relaxation.problem.space.name
    if len(relaxation.problem.limits) == 1:  # the least of any other budget is known before
        return InputError(
            f"{_budgets(relaxation)} is met by no structure of space {name}, expected a larger one"
        )
    return InputError(
        f"no structure of space {name} is within {_budgets(relaxation)} "
        "together, expected looser ones; each of them alone can be met"
    )


def _budgets(relaxation: Relaxation) -> str:
    limits = relaxation.problem.limits.items()
    return " and ".join(f"budget {name} {RESOURCES[name].format(limit)}" for name, limit in limits)
