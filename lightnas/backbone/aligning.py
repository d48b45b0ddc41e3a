"""Which layer of one network answers to which of another, stage by stage.

Blocks do not count, layers do: a stage of two blocks of two layers and one of a block of four are
four layers each. The layers that open a stage belong to each other, the others follow in order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .wiring import GIVEN, INSIDE, TAKEN, Op, WiredLayer


def aligned(
    source: Sequence[WiredLayer], target: Sequence[WiredLayer], strength: Sequence[float]
) -> list[int | None]:
    """Of each layer of a target's stage, the layer of the source's that it takes after.

    In order, and so that as much as can be comes along: layers take after ones of like shortcuts,
    convolutions and sizes. Where there are several such ways, of a deeper source the strongest
    layers stay, and of a deeper target the last ones are new.

    Args:
        source, target: the layers of one stage.
        strength: of each source layer, from 0 to below 1.

    Returns:
        indices into ``source``, rising; None where a layer is new.
    """
    if not source or not target:
        return [None] * len(target)
    rows, columns = len(source) - 1, len(target) - 1
    worth: dict[tuple[object, object], float] = {}  # most layers of a stage are alike
    # best[i][j]: the most that the first i source layers and the first j target layers are worth,
    # behind the two that open the stage.
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            pair = source[i].description, target[j].description
            if pair not in worth:
                worth[pair] = _worth(source[i], target[j])
            both = best[i - 1][j - 1] + worth[pair] + strength[i]
            best[i][j] = max(best[i - 1][j], best[i][j - 1], both)
    found: list[int | None] = [0, *[None] * columns]
    i, j = rows, columns
    while i and j:
        if best[i][j] == best[i][j - 1]:
            j -= 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            found[j] = i
            i, j = i - 1, j - 1
    return found


def counterparts(source: WiredLayer, target: WiredLayer) -> dict[str, Op]:
    """Of the convolutions of a target's layer, by their keys, those of another layer that read and
    write in the same place.

    A main path whose ends have none is left as it is drawn, whole.
    """
    found: dict[str, Op] = {}
    roles = {op.role for op in target.ops} & {op.role for op in source.ops}
    if not {(TAKEN, INSIDE), (INSIDE, GIVEN)} <= roles:
        roles &= {(TAKEN, GIVEN)}
    for role in roles:
        ours = (op.key for op in target.ops if op.role == role)
        theirs = (op for op in source.ops if op.role == role)
        found |= dict(zip(ours, theirs, strict=False))
    return found


def _worth(source: WiredLayer, target: WiredLayer) -> float:
    """How much of a layer comes along where another takes after it, and how alike their shortcuts
    are: an identity can be written as a projection, not the other way round."""
    if source.shortcut == target.shortcut:
        worth = 3.0
    else:
        worth = 2.0 if (source.shortcut, target.shortcut) == ("identity", "projected") else 1.0
    found = counterparts(source, target)
    common = sum(
        math.prod(map(min, found[op.key].shape, op.shape)) for op in target.ops if op.key in found
    )
    return worth + 4 * common / _weights(source) + common / _weights(target)


def _weights(layer: WiredLayer) -> int:
    return sum(math.prod(op.shape) for op in layer.ops)
