"""What a search solves: a space, budgets, an input size and the weights of the score.

maximise score(structure) over the space, every budgeted resource within its budget
"""

from __future__ import annotations

import time
from dataclasses import InitVar, dataclass, field

from ..arrays import Genomes
from ..errors import InputError
from .deadline import NEVER, Deadline
from .feasible import find_start
from .objective import Budget, Evaluation, Objective, evaluate_blocks, joined

__all__ = ["Budget", "Evaluation", "Problem", "evaluate_blocks", "joined"]


@dataclass(frozen=True)
class Problem(Objective):
    """An objective, checked once: some structure of the space meets the budgets.

    Attributes:
        start: a genome (D,) within every budget.
        seconds: that finding it took; the other attributes are those of ``Objective``.
        deadline: of finding it.

    Raises:
        InputError: no structure is within the budgets, or none was found in time; there is a latency budget without a table,
            or the table does not know the space's blocks or the input size, or there is a detector beside it.
    """

    deadline: InitVar[Deadline] = NEVER
    start: Genomes = field(init=False, compare=False, repr=False)
    seconds: float = field(init=False, compare=False, repr=False)

    def __post_init__(self, deadline: Deadline) -> None:
        if self.detector and (self.table or "latency" in self.limits):
            what = "budget_latency" if "latency" in self.limits else "latency_table"
            raise InputError(
                f"{what} is given with detector {self.detector}, expected one of them: "
                "latency tables hold backbones alone"
            )
        if self.table:
            for blocks in self.space.every_kernel():
                self.table.require(blocks, self.input_size)
        elif "latency" in self.limits:
            raise InputError(
                "a latency budget without a latency table, expected one that `lightnas profile` measured"
            )
        began = time.perf_counter()
        object.__setattr__(self, "start", find_start(self, deadline))
        object.__setattr__(self, "seconds", time.perf_counter() - began)
