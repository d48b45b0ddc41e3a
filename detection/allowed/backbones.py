"""What an embedded config may say of its backbone and neck."""

from __future__ import annotations

from typing import Any

from lightnas.errors import InputError, shown
from lightnas.network.structure import parse_structures

from .parts import (
    CHANNELS,
    LAYERS,
    PRETRAINED,
    UPSAMPLE,
    WIDTH,
)
from .rules import (
    FLAG,
    NONE,
    Keys,
    Left,
    OutsideError,
    Rule,
    Types,
    choice,
    either,
    listed,
    number,
    optional,
    whole,
)

MAX_LAYERS = 1000
INDICES = listed(whole(0, 8), 1, 8)


def _structure(value: Any, where: str) -> str:
    """The text of a structure, never a path; of a depth that is built in a moment."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        raise OutsideError(where, f"is {shown(value)}, expected the text of a structure txt")
    try:
        layers = sum(block.depth for block in parse_structures(value, where)[0])
    except InputError as error:
        raise OutsideError(where, str(error).removeprefix(where).lstrip(":, ")) from error
    if layers > MAX_LAYERS:
        raise OutsideError(where, f"has {layers} inner layers, expected at most {MAX_LAYERS}")
    return value


STRUCTURE = Rule("the text of a structure txt", _structure)
BACKBONE = Types("a backbone")
NECK = Types("a neck")

_COMMON: dict[str, Rule | Left] = {
    "out_indices": INDICES,
    "frozen_stages": whole(-1, 8),
    "norm_eval": FLAG,
    "init_cfg": PRETRAINED["init_cfg"],
}
_RESNET = (
    _COMMON
    | LAYERS
    | PRETRAINED
    | {
        "depth": choice(18, 34, 50, 101, 152),
        "in_channels": choice(3),
        "stem_channels": optional(whole(8, 256)),
        "base_channels": whole(8, 256),
        "num_stages": whole(1, 4),
        "strides": listed(whole(1, 2), 1, 4),
        "dilations": listed(whole(1, 4), 1, 4),
        "style": choice("pytorch", "caffe"),
        "deep_stem": FLAG,
        "avg_down": FLAG,
        "dcn": NONE,
        "with_cp": FLAG,
        "zero_init_residual": FLAG,
    }
)
BACKBONE.types |= {
    "MadNas": Keys(
        _COMMON | {"structure_txt": STRUCTURE, "with_cp": FLAG},
        ("structure_txt",),
    ),
    "ResNet": Keys(_RESNET, ("depth",)),
    "ResNetV1d": Keys(_RESNET, ("depth",)),
    "ResNeXt": Keys(
        _RESNET | {"groups": whole(1, 64), "base_width": whole(1, 64)},
        ("depth",),
    ),
    "CSPDarknet": Keys(
        _COMMON
        | LAYERS
        | {
            "arch": choice("P5", "P6"),
            "deepen_factor": number(0.05, 2),
            "widen_factor": number(0.05, 2),
            "use_depthwise": FLAG,
            "spp_kernal_sizes": listed(whole(1, 31), 1, 4),
        }
    ),
}
_PYRAMID = LAYERS | {
    "in_channels": listed(CHANNELS, 1, 8),
    "out_channels": WIDTH,
    "num_outs": whole(1, 8),
    "start_level": whole(0, 8),
    "end_level": whole(-1, 8),
    "add_extra_convs": either(FLAG, choice("on_input", "on_lateral", "on_output")),
    "relu_before_extra_convs": FLAG,
    "no_norm_on_lateral": FLAG,
    "upsample_cfg": UPSAMPLE,
}
_NEEDED = ("in_channels", "out_channels")
NECK.types |= {
    "FPN": Keys(_PYRAMID, (*_NEEDED, "num_outs")),
    "PAFPN": Keys(_PYRAMID, (*_NEEDED, "num_outs")),
    "YOLOXPAFPN": Keys(
        LAYERS
        | {
            "in_channels": listed(CHANNELS, 1, 8),
            "out_channels": WIDTH,
            "num_csp_blocks": whole(0, 8),
            "use_depthwise": FLAG,
            "upsample_cfg": UPSAMPLE,
        },
        _NEEDED,
    ),
}
