"""What reads what in a network: its convolutions under their names, and the channels between them.

A *space* is a set of channels that several convolutions share: what one writes and the next reads,
and all that identity shortcuts add up. Channel 3 of a space is the same channel for each of them, so
a space is widened or narrowed as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ..network.blocks import DEPTHWISE, Block, Conv, Layer, layers
from ..network.structure import Structure

# Where a convolution reads and writes: what its layer takes, its own insides, what it gives.
TAKEN, INSIDE, SQUEEZED, GIVEN = "taken", "inside", "squeezed", "given"
PICTURE = 0  # the space of the pictures


@dataclass(frozen=True, slots=True)
class Op:
    """One convolution and its BN.

    Attributes:
        key: what its names in the state dict begin with, the dot included.
        reads, writes: spaces.
        role: where it reads and writes in its layer.
    """

    key: str
    conv: Conv[int]
    reads: int
    writes: int
    role: tuple[str, str]

    @property
    def depthwise(self) -> bool:
        """Every output channel reads its own input channel alone."""
        return self.conv.groups == DEPTHWISE

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of its weight (out, in of a group, k, k)."""
        conv = self.conv
        groups = conv.groups or int(conv.c_in)
        return int(conv.c_out), int(conv.c_in) // groups, int(conv.k), int(conv.k)


@dataclass(frozen=True, slots=True)
class WiredLayer:
    """One layer, as it stands in the state dict.

    Attributes:
        stage: 1 to 5.
        main: the convolutions of its main path, squeeze-and-excitation included, as they run.
        projection: the convolution on its shortcut, None where there is none.
        joined: a shortcut stands, whether with a projection or without.
    """

    stage: int
    main: tuple[Op, ...]
    projection: Op | None
    joined: bool

    @property
    def ops(self) -> tuple[Op, ...]:
        """All its convolutions."""
        return self.main if self.projection is None else (*self.main, self.projection)

    @property
    def last(self) -> Op:
        """The convolution that gives what the main path gives."""
        return self.main[-1]

    @property
    def reads(self) -> int:
        """The space it takes."""
        return self.main[0].reads

    @property
    def writes(self) -> int:
        """The space it gives; of an identity shortcut, the one it takes."""
        return self.last.writes

    @property
    def description(self) -> tuple[object, ...]:
        """What it is made of, equal for layers that are alike."""
        return self.shortcut, tuple((op.role, op.shape) for op in self.ops)

    @property
    def shortcut(self) -> str:
        """``projected``, ``identity`` or ``none``."""
        if not self.joined:
            return "none"
        return "identity" if self.projection is None else "projected"


def wired(structure: Structure) -> Iterator[WiredLayer]:
    """The layers of a network in the order they run, under the names that ``CnnNet`` gives them."""
    spaces = count(PICTURE + 1)
    taken = PICTURE
    for i, (block, stage) in enumerate(zip(structure, structure.stages, strict=True)):
        for prefix, layer, plain in _named(f"block_list.{i}.", block):
            found = _wired(prefix, layer, plain, stage, taken, spaces)
            yield found
            taken = found.writes


def _named(prefix: str, block: Block[int]) -> Iterator[tuple[str, Layer[int], bool]]:
    """Every layer of a block with what its names begin with, and whether it is a bare convolution."""
    (first, _), *others = layers(block)
    if not (first.residual or others):
        yield prefix, first, True
        return
    numbers = count()
    for layer, times in layers(block):
        for _ in range(times):
            yield f"{prefix}block_list.{next(numbers)}.", layer, False


def _wired(
    prefix: str, layer: Layer[int], plain: bool, stage: int, taken: int, spaces: Iterator[int]
) -> WiredLayer:
    joined = not plain and bool(layer.joined)
    described = layer.projection if joined and layer.projected else None
    given = taken if joined and described is None else next(spaces)
    ops: list[Op] = []
    at, role = taken, TAKEN
    for conv in layer.main:
        ends = conv is layer.main[-1]
        # A depthwise convolution keeps its channels: no space of its own.
        to = given if ends else at if conv.groups == DEPTHWISE and role == INSIDE else next(spaces)
        key = prefix if plain else f"{prefix}{conv.name}."
        ops.append(Op(key, conv, at, to, (role, GIVEN if ends else INSIDE)))
        at, role = to, INSIDE
        if conv.squeeze is not None:
            ops += _excitation(f"{prefix}{conv.name.replace('conv', 'se')}.", conv, at, spaces)
    # What gives the layer's output stands last, also where an excitation follows it.
    ops.sort(key=lambda op: op.role[1] == GIVEN)
    projection = (
        Op(f"{prefix}residual_proj.", described, taken, given, (TAKEN, GIVEN))
        if described is not None
        else None
    )
    return WiredLayer(stage, tuple(ops), projection, joined)


def _excitation(prefix: str, conv: Conv[int], space: int, spaces: Iterator[int]) -> list[Op]:
    hidden = next(spaces)
    squeeze, excite = conv.excitation
    return [
        Op(f"{prefix}conv1.", squeeze, space, hidden, (INSIDE, SQUEEZED)),
        Op(f"{prefix}conv2.", excite, hidden, space, (SQUEEZED, INSIDE)),
    ]
