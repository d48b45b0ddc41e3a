"""What a checkpoint has for the neck and head of another detector.

What has the same name and shape is taken as it is; of the convolutions by which an FPN reads the
backbone, the channels that were carried; of the classifier, the classes that both know by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmcv import Config
from torch import Tensor

from lightnas.backbone.carrying import Carried
from lightnas.network.stages import chosen_stages
from lightnas.network.structure import Structure

from .classifier import classifier_keys

LATERAL = re.compile(r"(neck\.lateral_convs\.)(\d+)(\.conv\.weight)")


def neck_and_head(
    model: Any,
    cfg: Config,
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    source: Structure,
    carried: Carried,
) -> dict[str, Tensor]:
    """Of a detector's neck and head, without the classifier, the weights that a checkpoint has.

    Args:
        model, own: the detector, of ``cfg``, and its weights of neck and head, any shapes.
        weights: of the checkpoint, any shapes.
        source, carried: the checkpoint's structure, and what was carried of its backbone.
    """
    taken = {}
    learnt = classifier_keys(cfg.model)
    for key, value in own.items():
        theirs = weights.get(key)
        if theirs is None or key in learnt:
            continue
        if theirs.shape == value.shape:
            taken[key] = theirs
        elif match := LATERAL.fullmatch(key):
            stage = _stage_read(model, cfg, int(match[2]))
            fitted = _lateral(value, theirs, source, carried, stage)
            taken |= {} if fitted is None else {key: fitted}
    return taken


def _stage_read(model: Any, cfg: Config, number: int) -> int | None:
    """The stage, from 0, that a convolution of the FPN reads."""
    stages = chosen_stages(tuple(cfg.model.backbone.get("out_indices", (1, 2, 3, 4))))
    at = number + getattr(model.neck, "start_level", 0)
    return stages[at] if at < len(stages) else None


def _lateral(
    own: Tensor, theirs: Tensor, source: Structure, carried: Carried, stage: int | None
) -> Tensor | None:
    """The convolution that reads a stage, with the channels of it that were carried."""
    kept = None if stage is None else carried.channels[stage]
    if stage is None or kept is None:
        return None
    if theirs.shape != (own.shape[0], source.widths[stage], *own.shape[2:]):
        return None
    fitted = own.new_zeros(own.shape)
    fitted[:, : len(kept)] = theirs[:, kept].to(own.dtype)
    return fitted


def classifier(
    cfg: Config,
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    theirs: Sequence[str],
    ours: Sequence[str],
) -> tuple[dict[str, Tensor], int]:
    """A detector's classifier, with the rows (classes, ...) of the classes that it and a checkpoint
    both know by name, and how many those are; nothing where there is none.

    Args:
        own: the weights of its neck and head.
        weights: of the checkpoint.
        theirs, ours: the classes of the checkpoint, none where it says none, and of the detector.
    """
    known = [(i, theirs.index(name)) for i, name in enumerate(ours) if name in theirs]
    taken: dict[str, Tensor] = {}
    for key in classifier_keys(cfg.model) & own.keys() & weights.keys():
        here, there = own[key], weights[key]
        if tuple(theirs) == tuple(ours) and here.shape == there.shape:
            taken[key] = there
        elif (
            known and _rows(here, ours) and _rows(there, theirs) and here[0].shape == there[0].shape
        ):
            taken[key] = here.clone()
            for i, j in known:
                taken[key][i] = there[j].to(here.dtype)
    return taken, len(known) if taken else 0


def _rows(weight: Tensor, names: Sequence[str]) -> bool:
    """Whether a weight (n, ...) has a row for each class, and at most one for the background."""
    return weight.dim() > 0 and len(weight) - len(names) in (0, 1)
