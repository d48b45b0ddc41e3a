"""The structure of a backbone from the names and shapes of its weights, where nothing says it.

Block type, channels, kernels and depths follow from the shapes. Strides leave no trace in them:

    stem    its stride is 2; before 12 input channels, a Focus stem, 1
    blocks  five stages have one block of stride 2 each, the stem's among them. Of more blocks than
            that, those are taken that begin where a neck says that a stage ends, or else those that
            widen the network most
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import InputError
from ..network.blocks import BLOCKS, Block
from ..network.stages import FOCUS, STAGES
from ..network.structure import MAX_BLOCKS, MAX_DEPTH, Structure
from .wiring import wired

Shapes = Mapping[str, tuple[int, ...]]
FOCUS_CHANNELS = 3 * FOCUS**2
WEIGHT = re.compile(r"block_list\.(\d{1,3})\.(.*conv1\.weight)")
LAYER = re.compile(r"block_list\.(\d{1,4})\.")


def recognised(shapes: Shapes, widths: Sequence[int] = ()) -> tuple[Structure, str]:
    """The structure that weights of these names and shapes belong to.

    Args:
        shapes: by the names of ``CnnNet``.
        widths: of the last stages, as a neck reads them; none where there is no neck.

    Returns:
        the structure, and what had to be assumed of its strides; empty where there are five blocks.

    Raises:
        InputError: there is a block that no block type has the weights of, or no five stages.
    """
    tables: dict[int, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        match = WEIGHT.fullmatch(key)
        if match and len(shape) == 4:
            tables.setdefault(int(match[1]), {})[match[2]] = tuple(shape)
    if not tables or [*sorted(tables)] != [*range(len(tables))] or len(tables) > MAX_BLOCKS:
        raise InputError(
            f"holds the blocks {', '.join(map(str, sorted(tables)[:10])) or 'none'}, expected those of "
            "a backbone, from 0 on without a gap"
        )
    blocks = [_block(number, tables[number]) for number in range(len(tables))]
    opening = _opening(blocks, widths)
    blocks = [replace(block, stride=2 if i in opening else 1) for i, block in enumerate(blocks)]
    found = Structure.from_dicts(Structure(tuple(blocks)).to_dicts(), "its weights")
    if len(blocks) == STAGES:
        return found, ""
    numbers = ", ".join(str(i) for i in sorted(opening))
    return found, f"of its {len(blocks)} blocks, {numbers} are taken to have stride 2"


def _block(number: int, table: dict[str, tuple[int, ...]]) -> Block[int]:
    """The block, of stride 1, whose weights have exactly these shapes."""
    for kind, described in BLOCKS.items():
        candidate = _sizes(kind, "L" in described.keys, table)
        if candidate is not None and _shapes(candidate) == table:
            return candidate
    raise InputError(
        f"block_list.{number} has no weights of a block type, expected one of {', '.join(BLOCKS)}"
    )


def _sizes(kind: str, deep: bool, table: dict[str, tuple[int, ...]]) -> Block[int] | None:
    """A block of a type, with sizes from where they show; None where they do not."""
    prefix = "block_list.0." if deep else ""
    first = [
        shape
        for key, shape in sorted(table.items())
        if re.fullmatch(rf"{prefix}(conv\d+\.)?conv1\.weight", key)
    ]
    if not first or any(size < 1 for shape in table.values() for size in shape):
        return None
    numbers = [int(match[1]) for key in table if (match := LAYER.match(key))]
    depth = 1 + max(numbers, default=0)
    if depth > min(MAX_DEPTH, len(table)):
        return None
    k = max(shape[-1] for shape in first)
    btn = first[0][0] if deep else 0
    return Block(kind, first[0][1], first[-1][0], k, 1, depth, btn)


def _shapes(block: Block[int]) -> dict[str, tuple[int, ...]]:
    """The weights of a block, by their names in it."""
    start = "block_list.0."
    return {
        f"{op.key}conv1.weight".removeprefix(start): op.shape
        for layer in wired(Structure((block,)))
        for op in layer.ops
    }


def _opening(blocks: Sequence[Block[int]], widths: Sequence[int]) -> set[int]:
    """The blocks of stride 2."""
    focus = blocks[0].c_in == FOCUS_CHANNELS
    behind = range(1, len(blocks))
    opening: set[int] = set()
    last = len(blocks)
    for width in reversed(widths[:-1]):  # from the stage before the last on
        ends = [i for i in range(last - 1) if blocks[i].c_out == width]
        if not ends:
            opening = set()
            break
        last = ends[-1] + 1
        opening.add(last)
    free = [i for i in behind if not opening or i < min(opening)]
    growth = sorted(free, key=lambda i: -blocks[i].c_out / blocks[i].c_in)  # stable: earlier first
    wanted = STAGES - 1 - len(opening)
    if len(free) < wanted:
        raise InputError(
            f"holds {len(blocks)} blocks, expected the {STAGES} or more of a whole backbone"
        )
    opening.update(growth[:wanted])
    return opening if focus else opening | {0}
