"""The stages C1 ... C5 of a chain of blocks, at 1/2 ... 1/32 of the picture.

A stage runs up to the next block of stride 2. The first stage opens with the stem: a convolution of
stride 2, or a Focus stem (YOLOv5, YOLOX, DAMO-YOLO), a first block of stride 1 before which every 2
x 2 patch of pixels has been laid into channels. So a chain with a Focus stem has four blocks of
stride 2, and 12 input channels for an RGB picture.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError

STAGES = 5
# Side of the patches that a Focus stem reads.
FOCUS = 2


def has_focus(strides: Sequence[int]) -> bool:
    """Whether the first of the blocks with these strides is a Focus stem."""
    return strides[0] == 1 and sum(stride == 2 for stride in strides) == STAGES - 1


def stage_ends(strides: Sequence[int]) -> list[int]:
    """Index of the last block of each stage."""
    starts = [i for i, stride in enumerate(strides) if stride == 2]
    if has_focus(strides):
        starts = [0, *starts]
    return [start - 1 for start in starts[1:]] + [len(strides) - 1]


def chosen_stages(out_indices: Sequence[int]) -> tuple[int, ...]:
    """The stages whose features are asked for, in order, each once: 0 for C1 up to 4 for C5.

    Raises:
        InputError: there is none, or no such stage.
    """
    if not out_indices or not set(out_indices) <= set(range(STAGES)):
        raise InputError(
            f"out_indices is {tuple(out_indices)}, expected stages from 0 (C1) to {STAGES - 1} (C{STAGES})"
        )
    return tuple(sorted(set(out_indices)))


def fed_size(picture: tuple[int, int], strides: Sequence[int]) -> tuple[int, int]:
    """Height and width of what the first block takes: half of the picture's before a Focus stem."""
    return downsample(picture, FOCUS) if has_focus(strides) else picture


def downsample(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Height and width after a padded convolution of that stride: rounded up."""
    return -(-size[0] // stride), -(-size[1] // stride)


def fault(strides: Sequence[int], c_in: int, key: str) -> str | None:
    """What keeps blocks with these strides and ``c_in`` input channels from having five stages.

    None where they do have them. ``key`` is what the message calls a stride.
    """
    opened = sum(stride == 2 for stride in strides)
    if has_focus(strides):
        return (
            f"a Focus stem with in {c_in}, expected a multiple of {FOCUS**2}, such as 12"
            if c_in % FOCUS**2
            else None
        )
    if opened == STAGES:
        return None
    stem = f", or {STAGES - 1} behind a Focus stem ({key} 1)" if opened == STAGES - 1 else ""
    return f"{opened} blocks have {key} 2, expected {STAGES} (the stages C1 to C{STAGES}){stem}"
