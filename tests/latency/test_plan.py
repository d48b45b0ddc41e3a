"""What is measured for a space."""

from lightnas.latency.plan import POINTS, plan, random_structures
from lightnas.latency.table import chain_uses

from .tables import SIZE


def test_plan_covers_what_structures_ask_for(space):
    planned = plan(space, SIZE, 2e7)
    asked = {}
    for structure in random_structures(space, SIZE, 2e7, 200, seed=9):
        for use in chain_uses(structure, SIZE):
            asked.setdefault(use.op, set()).add((use.c_in, use.c_out))
    assert set(asked) <= set(planned)
    every_kernel = {use.op for chain in space.every_kernel() for use in chain_uses(chain, SIZE)}
    assert every_kernel <= set(planned)
    for op, points in planned.items():
        assert 1 <= len(points) == len(set(points)) <= POINTS[op.kind]
