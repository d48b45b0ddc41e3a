"""What a search solves: a space, budgets, an input size and the weights of the score.

maximise score(structure) over the space, every budgeted resource within its budget
"""

from __future__ import annotations

import time
from dataclasses import InitVar, dataclass, field

from ..arrays import Genomes
from ..errors import InputError
from ..network.structure import Structure
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
            or the table does not know the space's blocks, the input size or the detector.
    """

    deadline: InitVar[Deadline] = NEVER
    start: Genomes = field(init=False, compare=False, repr=False)
    seconds: float = field(init=False, compare=False, repr=False)

    def __post_init__(self, deadline: Deadline) -> None:
        known = self.table.detector if self.table else None
        timed = self.table or "latency" in self.limits
        if self.detector and timed and known != str(self.detector):
            what = "budget_latency" if "latency" in self.limits else "latency_table"
            raise InputError(
                f"{what} is given with detector {self.detector}, expected one of them: "
                f"{_held_by(known)}; `lightnas profile --detector {self.detector}` measures one of both"
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

    def latency_of(self, structure: Structure) -> float | None:
        """Seconds of any structure, with those of the detector; None where there is no table, or one
        that does not know its blocks."""
        if self.table is None:
            return None
        try:
            self.table.require(structure, self.input_size)
        except InputError:
            return None
        cost = structure.cost(self.input_size, self.table, self.detector)
        return None if cost.latency is None else float(cost.latency)  # type: ignore[arg-type]


def _held_by(detector: str | None) -> str:
    """What a latency table with that detector knows, in words."""
    return f"the table holds {detector}" if detector else "latency tables hold backbones alone"
