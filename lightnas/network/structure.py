"""The structure txt: the one hand-over between search and detection.

A structure is a list of blocks from the stem to the last stage, each a dict:

    class   type of the block, a key of ``blocks.BLOCKS``
    in      input channels, up to 65536, as all channels
    out     output channels
    s       stride, 1 or 2
    k       kernel, odd, up to 1023
    L       depth: number of layers, the first one included, up to 2000
    btn     bottleneck channels

A txt holds the Python literal ``{'space_arch': 'CnnNet', 'best_structures': [structure, ...]}``,
best first:

    {'space_arch': 'CnnNet', 'best_structures': [
      [
        {'class': 'ConvKXBNRELU', 'in': 3, 'out': 32, 's': 2, 'k': 3},
        {'class': 'SuperResK1KXK1', 'in': 32, 'out': 48, 's': 2, 'k': 5, 'L': 2, 'btn': 32},
        {'class': 'SuperResK1KXK1', 'in': 48, 'out': 272, 's': 2, 'k': 3, 'L': 4, 'btn': 120},
        {'class': 'SuperResK1KXK1', 'in': 272, 'out': 1024, 's': 2, 'k': 5, 'L': 10, 'btn': 80},
        {'class': 'SuperResK1KXK1', 'in': 1024, 'out': 2048, 's': 2, 'k': 3, 'L': 10, 'btn': 240},
      ],
    ]}

A first block of stride 1, with four blocks of stride 2 behind it, is a Focus stem: its ``in`` are
the 12 channels of 2 x 2 pixels. A structure has up to 200 blocks. Txts of other tools are read too:
``dialects``. The txt is read as a literal: no code in it ever runs. Importing this module never
imports torch.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

from ..errors import InputError, nearest, shown
from ..files import Kind, read_text
from .blocks import BLOCKS, Block
from .cost import INPUT_SIZE, Added, Cost, Latencies, cost
from .dialects import in_our_words, structures_of
from .stages import fault, stage_ends

MAX_BYTES = 2**20
MAX_NESTING = 50
# Beyond these no network can be meant, and what draws or builds one would have no end.
MAX_SIZE, MAX_KERNEL, MAX_DEPTH, MAX_BLOCKS = 65_536, 1023, 2000, 200
LIMITS = {"k": MAX_KERNEL, "L": MAX_DEPTH}
FIELDS = {"in": "c_in", "out": "c_out", "s": "stride", "k": "k", "L": "depth", "btn": "btn"}


@dataclass(frozen=True)
class Structure(Sequence[Block[int]]):
    """One backbone: its blocks from the stem to the last stage, with whole numbers for sizes.

    It is a sequence of its blocks. ``from_dicts`` and ``from_file`` check what they read; a
    structure made from blocks directly is taken as it is.
    """

    blocks: tuple[Block[int], ...]

    @classmethod
    def from_file(cls, path: str | Path, rank: int = 0) -> Structure:
        """One structure of a txt, the best one unless ``rank`` asks for a later one.

        Raises:
            InputError: the file is no structure txt, or holds fewer structures.
        """
        structures = read_structures(path)
        if not 0 <= rank < len(structures):
            raise InputError(
                f"{path}: rank is {rank}, expected 0 to {len(structures) - 1}, the structures it holds"
            )
        return structures[rank]

    @classmethod
    def from_dicts(cls, blocks: Any, where: str = "structure") -> Structure:
        """A structure from its list of block dicts, checked; ``where`` opens the error messages.

        Raises:
            InputError: the first thing that is wrong.
        """
        if not isinstance(blocks, list | tuple) or not blocks:
            raise InputError(f"{where}: is {shown(blocks)}, expected a list of blocks")
        if len(blocks) > MAX_BLOCKS:
            raise InputError(f"{where}: holds {len(blocks)} blocks, expected at most {MAX_BLOCKS}")
        parsed = tuple(_parse_block(block, f"{where}, block {i}") for i, block in enumerate(blocks))
        for i, (before, block) in enumerate(pairwise(parsed), start=1):
            if block.c_in != before.c_out:
                raise InputError(
                    f"{where}, block {i}: in is {block.c_in}, expected {before.c_out}, the out of block {i - 1}"
                )
        if wrong := fault([block.stride for block in parsed], parsed[0].c_in, "stride"):
            raise InputError(f"{where}: {wrong}")
        return cls(parsed)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The structure as it stands in txt and JSON: a list of block dicts with plain integers."""
        return [
            {"class": block.kind}
            | {key: int(getattr(block, FIELDS[key])) for key in BLOCKS[block.kind].keys}
            for block in self.blocks
        ]

    def __len__(self) -> int:
        return len(self.blocks)

    def __iter__(self) -> Iterator[Block[int]]:
        return iter(self.blocks)

    @overload
    def __getitem__(self, index: int) -> Block[int]: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Block[int], ...]: ...

    def __getitem__(self, index: int | slice) -> Block[int] | tuple[Block[int], ...]:
        """A block; a tuple of blocks where the index is a slice."""
        return self.blocks[index]

    def __str__(self) -> str:
        """The text of a structure txt that holds this structure alone."""
        return format_structures([self])

    def __repr__(self) -> str:
        widths = "-".join(map(str, self.widths))
        return f"Structure({len(self)} blocks, {self.cost().layers:.0f} layers, C1 to C5 {widths} wide)"

    @property
    def strides(self) -> list[int]:
        """The stride of every block."""
        return [block.stride for block in self.blocks]

    @cached_property
    def ends(self) -> list[int]:
        """Index of the last block of each of the five stages."""
        return stage_ends(self.strides)

    @property
    def stages(self) -> list[int]:
        """Of every block, the number of its stage, 1 to 5."""
        return [1 + sum(i > end for end in self.ends) for i in range(len(self))]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of C1 to C5."""
        return tuple(self.blocks[end].c_out for end in self.ends)

    def cost(
        self,
        input_size: tuple[int, int] = INPUT_SIZE,
        table: Latencies | None = None,
        detector: Added | None = None,
        activations: bool = False,
    ) -> Cost:
        """FLOPs, params and layers for a picture of that height and width; by a table, latency;
        where asked for, with a detector's neck and head, and activations."""
        return cost(self.blocks, input_size, table, detector, activations)


def read_structures(path: str | Path) -> list[Structure]:
    """All structures of a txt, best first.

    Raises:
        InputError: one line that names the file, the structure, the block and the key.
    """
    return parse_structures(read_text(path, MAX_BYTES), str(path))


def parse_structures(text: str, where: str = "structure txt") -> list[Structure]:
    """``read_structures`` of a text at hand; ``where`` opens the error messages.

    Raises:
        InputError: one line that names the structure, the block and the key.
    """
    content = _literal(text, where)
    structures = structures_of(content, where)
    if not isinstance(structures, list | tuple) or not structures:
        raise InputError(
            f"{where}: best_structures is {shown(structures)}, expected a list of at least one structure"
        )
    return [
        Structure.from_dicts(
            in_our_words(blocks, f"{where}: structure {i}"), f"{where}: structure {i}"
        )
        for i, blocks in enumerate(structures)
    ]


def format_structures(structures: Sequence[Structure]) -> str:
    """The text of a structure txt; ``read_structures`` reads it back to equal structures."""
    lines = ["{'space_arch': 'CnnNet', 'best_structures': ["]
    for structure in structures:
        lines += ["  [", *(f"    {block}," for block in structure.to_dicts()), "  ],"]
    return "\n".join([*lines, "]}", ""])


def _is_structure_txt(path: Path) -> bool:
    """Whether a file is a txt that ``format_structures`` wrote, to the byte."""
    try:
        text = read_text(path, MAX_BYTES)
        return format_structures(parse_structures(text)) == text
    except InputError:
        return False


STRUCTURE_FILE = Kind("structure txt", _is_structure_txt)


def _literal(text: str, where: str) -> Any:
    if not text.strip():
        raise InputError(f"{where}: is empty, expected a structure txt")
    if _nesting(text) > MAX_NESTING:
        raise InputError(
            f"{where}: brackets nest deeper than {MAX_NESTING}, expected a structure txt"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Python warns of odd literals such as '\d' while it parses them
            return ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        at = f" (line {line})" if line else ""
        raise InputError(
            f"{where}: not a Python literal{at}, expected a structure txt such as search writes"
        ) from error


def _nesting(text: str) -> int:
    """Deepest nesting of brackets, those in strings included: a bound without recursion."""
    depth = deepest = 0
    for char in text:
        if char in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in ")]}":
            depth -= 1
    return deepest


def _parse_block(block: Any, where: str) -> Block[int]:
    if not isinstance(block, dict):
        raise InputError(f"{where}: is {shown(block)}, expected a dict")
    if "class" not in block:
        raise InputError(f"{where}: no key 'class', expected one of {', '.join(BLOCKS)}")
    kind = block["class"]
    if not isinstance(kind, str) or kind not in BLOCKS:
        raise InputError(f"{where}: class is {shown(kind)}, {nearest(kind, BLOCKS)}")
    keys = BLOCKS[kind].keys
    for key in keys:
        if key not in block:
            raise InputError(f"{where}: no key '{key}', expected the keys class, {', '.join(keys)}")
    for key in block:
        if key != "class" and key not in keys:
            raise InputError(f"{where}: unknown key {shown(key)}, {nearest(key, keys)}")
    return Block(
        kind=kind, **{FIELDS[key]: _size(block[key], key, f"{where}: {key}") for key in keys}
    )


def _size(value: Any, key: str, where: str) -> int:
    most = LIMITS.get(key, MAX_SIZE)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InputError(f"{where} is {shown(value)}, expected a whole number from 1 to {most}")
    if key == "s" and value > 2:
        raise InputError(f"{where} is {value}, expected 1 or 2")
    if key == "k" and value % 2 == 0:
        raise InputError(f"{where} is {value}, expected an odd kernel")
    return value
