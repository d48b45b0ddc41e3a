"""Structure txts as others write them, brought to ours: LightNAS 1 and 2, TinyNAS 1, DAMO-YOLO.

They say more than a structure needs, or the same in other words:

    inner_class       the class of a layer, which the class of the block says already
    nbitsA, nbitsW    bits of activations and weights, 8 where blocks are not quantised
    SuperResConvK1KX  first names of SuperResK1KX and its like
    [block, ...]      a bare list: one structure
    in: 3, s: 1       a Focus stem whose 12 channels are counted as the picture's 3

What has no counterpart here is refused by its class. Sources: the ``models`` folders of
github.com/alibaba/lightweight-neural-architecture-search and of github.com/tinyvision/DAMO-YOLO.
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError, shown
from .blocks import BLOCKS

IGNORED = ("inner_class", "nbitsA", "nbitsW")
# Parts of class names that say what a block is.
FOREIGN = {
    "Quant": "a quantised block",
    "3D": "a block for video, with three dimensions",
}
BITS = 8  # of what is not quantised
PICTURE, FOCUS = 3, 12  # channels


def structures_of(content: Any, where: str) -> Any:
    """The list of structures in what a txt holds: a dict of ours, or a bare list of blocks.

    Raises:
        InputError: it is neither, or holds networks of another kind.
    """
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return [content]
    if not isinstance(content, dict):
        raise InputError(
            f"{where}: holds a {type(content).__name__}, expected a dict with the key 'best_structures'"
        )
    if "best_structures" not in content:
        raise InputError(
            f"{where}: no key 'best_structures', expected {{'space_arch': 'CnnNet', 'best_structures': [...]}}"
        )
    if content.get("space_arch", "CnnNet") != "CnnNet":
        raise InputError(
            f"{where}: space_arch is {shown(content['space_arch'])}, expected 'CnnNet'"
        )
    return content["best_structures"]


def in_our_words(blocks: Any, where: str) -> Any:
    """A structure's list of block dicts without others' words; whatever else is wrong with it stays.

    Raises:
        InputError: a class is known and cannot be represented.
    """
    if not isinstance(blocks, list | tuple):
        return blocks
    told = [
        _block(block, f"{where}, block {i}") if isinstance(block, dict) else block
        for i, block in enumerate(blocks)
    ]
    if told and isinstance(told[0], dict) and _is_focus(told):
        told[0] = told[0] | {"in": FOCUS}
    return told


def _block(block: dict[str, Any], where: str) -> dict[str, Any]:
    kind = block.get("class")
    if not isinstance(kind, str):
        return block
    if kind not in BLOCKS:
        renamed = kind.replace("ResConv", "Res")
        if renamed not in BLOCKS:
            _refuse_foreign(kind, where)
            return block
        kind = renamed
    _refuse_quantised(block, where)
    inner = block.get("inner_class", "")
    if inner and (not isinstance(inner, str) or f"Super{inner.replace('ResConv', 'Res')}" != kind):
        raise InputError(
            f"{where}: inner_class is {shown(inner)}, expected {kind.removeprefix('Super')} in a {kind}"
        )
    return {key: value for key, value in block.items() if key not in IGNORED} | {"class": kind}


def _refuse_quantised(block: dict[str, Any], where: str) -> None:
    """Refuse a class of ours whose bits say that it is quantised, as TinyNAS 1 has them."""
    for key in ("nbitsA", "nbitsW"):
        bits = block.get(key, BITS)
        if any(one != BITS for one in (bits if isinstance(bits, list | tuple) else (bits,))):
            raise InputError(
                f"{where}: class is {shown(block['class'])} with {key} {shown(bits)}, {FOREIGN['Quant']}, "
                f"which lightnas does not have; expected {BITS} everywhere, or no {key}"
            )


def _refuse_foreign(kind: str, where: str) -> None:
    for part, what in FOREIGN.items():
        if part in kind:
            raise InputError(
                f"{where}: class is {shown(kind)}, {what}, which lightnas does not have; "
                f"expected one of {', '.join(BLOCKS)}"
            )


def _is_focus(blocks: list[Any]) -> bool:
    """Whether the stem is fed by 2 x 2 pixels and counts the picture's channels."""
    strides = [block.get("s") if isinstance(block, dict) else None for block in blocks]
    return blocks[0].get("in") == PICTURE and strides[0] == 1 and strides[1:].count(2) == 4
