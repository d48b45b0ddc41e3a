"""What a search solves: a space, budgets, an input size and the weights of the score.

maximise score(structure) over the space, every budgeted resource within its budget
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..arrays import Genomes
from ..errors import InputError
from .feasible import find_start
from .objective import Budget, Evaluation, Objective, evaluate_blocks, joined

__all__ = ["Budget", "Evaluation", "Problem", "evaluate_blocks", "joined"]


@dataclass(frozen=True)
class Problem(Objective):
    """An objective, checked once: some structure of the space meets the budgets. Attributes as for
    ``Objective``.

    Raises:
        InputError: no structure is within the budgets, there is a latency budget without a table,
            or the table does not know the space's blocks or the input size.
    """

    def __post_init__(self) -> None:
        if self.table:
            for blocks in self.space.every_kernel():
                self.table.require(blocks, self.input_size)
        elif "latency" in self.limits:
            raise InputError(
                "a latency budget without a latency table, expected one that `lightnas profile` measured"
            )
        self.start  # noqa: B018 (refuses budgets that nothing meets)

    @cached_property
    def start(self) -> Genomes:
        """A genome (D,) within every budget.

        Raises:
            InputError: there is none.
        """
        return find_start(self)
