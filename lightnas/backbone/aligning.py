"""Which layer of one network answers to which of another, stage by stage.

Blocks do not count, layers do: a stage of two blocks of two layers and one of a block of four are
four layers each. The layers that open a stage belong to each other, the others follow in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from .wiring import WiredLayer


def aligned(
    source: Sequence[WiredLayer], target: Sequence[WiredLayer], strength: Sequence[float]
) -> list[int | None]:
    """Of each layer of a target's stage, the layer of the source's that it takes after.

    In order, and so that layers take after ones like them: first in their convolutions, then in
    their shortcuts, then in their widths. Where there are several such ways, of a deeper source the
    strongest layers stay, and of a deeper target the last ones are new.

    Args:
        source, target: the layers of one stage.
        strength: of each source layer, from 0 to below 1.

    Returns:
        indices into ``source``, rising; None where a layer is new.
    """
    if not source or not target:
        return [None] * len(target)
    rows, columns = len(source) - 1, len(target) - 1
    # best[i][j]: the most that the first i source layers and the first j target layers are worth,
    # behind the two that open the stage.
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            both = best[i - 1][j - 1] + _worth(source[i], target[j]) + strength[i]
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


def _worth(source: WiredLayer, target: WiredLayer) -> float:
    """How alike two layers are; an identity shortcut can be written as a projection, which makes it
    as good as alike, not the other way round."""
    worth = 4.0 if source.kind == target.kind else 0.0
    if source.shortcut == target.shortcut:
        worth += 3
    else:
        worth += 2 if (source.shortcut, target.shortcut) == ("identity", "projected") else 1
    ends = zip(source.widths, target.widths, strict=True)
    return worth + sum(min(pair) / max(pair) for pair in ends)
