"""Search space files: YAML, checked key by key, made into a ``Space``. docs/spaces.md explains
every key."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..documents import check
from ..errors import InputError, nearest, shown
from ..files import data_folder
from ..network.blocks import BLOCKS
from ..network.stages import fault
from ..network.structure import MAX_KERNEL, MAX_SIZE, Structure
from ..yaml_file import read_yaml
from .space import BlockSpace, Space

# A grid of channel counts is a table in memory, (steps, steps) a block.
MAX_STEPS = 1024

# Spaces of the user's own modules by name, each as the dict that a space file holds.
SPACES: dict[str, Any] = {}

Whole = Annotated[int, Field(ge=1, le=MAX_SIZE, strict=True)]
Kernel = Annotated[int, Field(ge=1, le=MAX_KERNEL, strict=True)]
Ratio = Annotated[float, Field(ge=0, le=MAX_SIZE, allow_inf_nan=False, strict=True)]
Depth = Annotated[int, Field(ge=1, le=1000, strict=True)]


class BlockFile(BaseModel):
    """One block of a space file."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(alias="class")]
    s: Literal[1, 2]
    k: Annotated[list[Kernel], Field(min_length=1, max_length=16)]
    out: tuple[Whole, Whole] | None = None
    growth: tuple[Ratio, Ratio] | None = None
    btn: tuple[Ratio, Ratio] | None = None
    L: tuple[Depth, Depth] | None = None
    layers_per_L: Depth | None = None


class SpaceFile(BaseModel):
    """A space file."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60)]
    c_in: Annotated[Whole, Field(alias="in")]
    step: Whole
    max_channels: Whole
    blocks: Annotated[list[BlockFile], Field(min_length=1, max_length=40)]
    initial: list[Any] | None = None


def space_names() -> list[str]:
    """Names of the spaces that come with lightnas, and of those in SPACES."""
    return sorted({path.stem for path in data_folder("search_spaces").glob("*.yaml")} | {*SPACES})


def read_space_document(name: str, what: str = "space") -> tuple[Any, str]:
    """The YAML document of a space, by name (``k1kxk1``) or by path, and what to call it in
    messages.

    ``what`` opens the message for a space that there is not.

    Raises:
        InputError: no such space, or no YAML.
    """
    if name in SPACES:
        return copy.deepcopy(SPACES[name]), f"space {name}"
    if name in space_names():
        path = data_folder("search_spaces") / f"{name}.yaml"
    elif "/" in name or name.endswith((".yaml", ".yml")) or os.path.exists(name):
        path = Path(name)
    else:
        raise InputError(
            f"{what} is {shown(name)}, neither a file nor a known space, {nearest(name, space_names())}"
        )
    return read_yaml(path), str(path)


def parse_space(document: Any, where: str, max_channels: int | None = None) -> Space:
    """A space from its YAML document.

    Args:
        document: what the YAML holds.
        where: opens the error messages.
        max_channels: replaces the file's own limit.

    Raises:
        InputError: one line that names the file, the key, the value and what was expected.
    """
    file = check(SpaceFile, document, where)
    most = max_channels or file.max_channels
    if most < file.step or most // file.step > MAX_STEPS:
        raise InputError(
            f"{where}: max_channels is {most}, expected 1 to {MAX_STEPS} steps of {file.step}"
        )
    blocks = tuple(_block(block, i, most, where) for i, block in enumerate(file.blocks))
    for i, block in enumerate(blocks):
        if file.step % (need := BLOCKS[block.kind].btn_step):
            raise InputError(
                f"{where}: step is {file.step}, expected a multiple of {need} for blocks[{i}], a {block.kind}"
            )
    if wrong := fault([block.stride for block in blocks], file.c_in, "s"):
        raise InputError(f"{where}: {wrong}")
    initial = (
        None if file.initial is None else Structure.from_dicts(file.initial, f"{where}: initial")
    )
    if initial and [block.kind for block in initial] != [block.kind for block in blocks]:
        raise InputError(
            f"{where}: initial has other classes than blocks, expected the same in the same order"
        )
    return Space(file.name, file.c_in, file.step, most, blocks, initial)


def load_space(name: str, max_channels: int | None = None) -> Space:
    """A space by name (``k1kxk1``) or by path; ``max_channels`` and errors as for
    ``parse_space``."""
    return parse_space(*read_space_document(name), max_channels=max_channels)


def _block(block: BlockFile, i: int, max_channels: int, where: str) -> BlockSpace:
    where = f"{where}: blocks[{i}]"
    if block.kind not in BLOCKS:
        raise InputError(f"{where}.class is {shown(block.kind)}, {nearest(block.kind, BLOCKS)}")
    keys = BLOCKS[block.kind].keys
    for key in ("btn", "L"):
        if (getattr(block, key) is not None) != (key in keys):
            verb = "needs" if key in keys else "has no"
            raise InputError(f"{where}: {block.kind} {verb} '{key}'")
    if block.layers_per_L and "L" not in keys:
        raise InputError(f"{where}: {block.kind} has no 'L' for layers_per_L to bound")
    for key in ("out", "growth", "btn", "L"):
        bounds = getattr(block, key)
        if bounds and bounds[0] > bounds[1]:
            raise InputError(f"{where}.{key} is {list(bounds)}, expected the smaller bound first")
    for kernel in block.k:
        if kernel % 2 == 0:
            raise InputError(f"{where}.k holds {kernel}, expected odd kernels")
    out = block.out or (1, max_channels)
    return BlockSpace(
        kind=block.kind,
        stride=block.s,
        kernels=tuple(sorted(set(block.k))),
        out=(out[0], min(out[1], max_channels)),
        growth=block.growth,
        depth=block.L or (1, 1),
        btn=block.btn,
        layers_per_depth=block.layers_per_L,
    )
