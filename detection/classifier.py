"""Which weights of a detector belong to its classes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.models import build_detector
from torch import Tensor, nn

from lightnas.documents import dicts_in


def other_classes(
    model: nn.Module,
    config: Any,
    weights: Mapping[str, Tensor],
    theirs: Sequence[str] | None,
    ours: Sequence[str],
) -> bool:
    """Whether weights were trained on other classes than the data has.

    Args:
        config: of the model.
        weights: by name.
        theirs: the classes that the checkpoint names, if it does: else it shows in the shapes.
    """
    if theirs:
        return tuple(theirs) != tuple(ours)
    own = model.state_dict()
    wrong = {key for key in own if key in weights and own[key].shape != weights[key].shape}
    return bool(wrong) and wrong <= classifier_keys(config)


def classifier_keys(config: Any) -> set[str]:
    """The weights whose shapes go with the number of classes, whatever the head is called."""
    shapes = [
        {key: value.shape for key, value in build_detector(variant).state_dict().items()}
        for variant in (copy.deepcopy(config), _one_class_more(config))
    ]
    return {key for key, shape in shapes[0].items() if shapes[1][key] != shape}


def number_in(config: Any) -> int:
    """The number of classes that the config of a model says, the largest; 0 where it says none."""
    found = [node.get("num_classes") for node in dicts_in(config)]
    return max((number for number in found if isinstance(number, int)), default=0)


def _one_class_more(config: Any) -> Any:
    more = copy.deepcopy(config)
    for node in dicts_in(more):
        if isinstance(node.get("num_classes"), int):
            node["num_classes"] += 1
    return more
