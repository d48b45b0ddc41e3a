"""Beginning from the weights of another detector or backbone, whatever its structure
(``--init-from``): what is in a checkpoint, and how it gets into a detector.

The backbone is carried by ``lightnas.backbone.carry``, neck and head as ``heads`` says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmcv import Config
from torch import Tensor

from lightnas.backbone.carrying import carry
from lightnas.backbone.recognising import recognised
from lightnas.errors import InputError
from lightnas.network.structure import Structure
from lightnas.runs.training_run import CONFIG, InitialFile, TrainingRun

from .checkpoint import classes_of, load_weights, read_checkpoint
from .config import data_classes, structure_of
from .embedded import config_of_literal, structure_written
from .heads import LATERAL, classifier, neck_and_head
from .options import Start
from .theirs import known_fault
from .work_dir import WorkDir

BODY = "backbone.body."
FIRST = re.compile(r"((?:(?!block_list\.).)*)block_list\.0\.(?:conv1|block_list)\..*")


class Backbone(NamedTuple):
    """What a checkpoint holds of a backbone.

    ``assumed`` says what had to be, where nothing told its structure; else empty.
    """

    structure: Structure
    weights: dict[str, Tensor]
    assumed: str


def initial_checkpoint(source: Path) -> Path:
    """The checkpoint to begin from: a file, or the best one of a work directory.

    Raises:
        InputError: there is none.
    """
    name = f"init_from {source}"
    if source.is_dir():
        if not (source / CONFIG).is_file():
            raise InputError(
                f"{name} holds no {CONFIG}, expected a checkpoint, or the work directory of a training run"
            )
        best = TrainingRun(source).best
        if best is None:
            raise InputError(
                f"{name} holds no checkpoint yet, expected a run with at least one finished epoch"
            )
        return best
    if not source.is_file():
        what = "is no file" if source.exists() else "does not exist"
        raise InputError(
            f"{name} {what}, expected a checkpoint, or the work directory of a training run"
        )
    return source


def initial_of(model: Any, cfg: Config, start: Start, run: WorkDir) -> InitialFile | None:
    """What a run begins from, loaded into ``model``; None where from no such weights.

    A run that goes on has read it, if it has a checkpoint of its own; else it is read again.

    Raises:
        InputError: as ``begin_from``; or the run that goes on began from something else.
    """
    if start.init_from is None and not start.resume:
        return None
    if start.init_from is not None and start.load_from is not None:
        raise InputError(
            f"init_from='{start.init_from}' and load_from='{start.load_from}' are both given, expected "
            "one of them"
        )
    if start.resume and (run.path / CONFIG).is_file():
        begun = run.initial
        _check_same(start, run, begun)
        if begun is None or run.last is not None:
            return begun
        given, checkpoint = begun.given, initial_checkpoint(Path(begun.checkpoint))
    elif start.init_from is not None:
        given, checkpoint = os.path.abspath(start.init_from), initial_checkpoint(start.init_from)
    else:
        return None
    return begin_from(model, cfg, checkpoint, start.trust_checkpoint).model_copy(
        update={"given": given}
    )


def _check_same(start: Start, run: WorkDir, begun: InitialFile | None) -> None:
    if start.init_from is None:
        return
    before = () if begun is None else (begun.given, begun.checkpoint)
    if os.path.abspath(start.init_from) not in before:
        from_what = f"began from {before[0]}" if before else "began without"
        raise InputError(
            f"init_from {start.init_from}: the run in {run.path} {from_what}, expected the same, or "
            "resume=True alone, which does not read it again"
        )


def begin_from(model: Any, cfg: Config, checkpoint: Path, trust: bool = False) -> InitialFile:
    """Load into a detector what a checkpoint has for it, whatever its structure.

    Args:
        model: of ``cfg``, initialised: what the checkpoint has nothing for stays.
        trust: unpickle the checkpoint whole.

    Returns:
        what was carried over, and from where.

    Raises:
        InputError: the detector's backbone is none of ours, or the checkpoint's cannot be read.
    """
    source = f"init_from {checkpoint}"
    target = structure_of(cfg)
    if target is None:
        raise InputError(
            f"{source}: the config's backbone is {cfg.model.get('backbone', {}).get('type')}, expected "
            f"MadNas, whose weights can be carried; load_from='{checkpoint}' takes those of an equal detector"
        )
    content = read_checkpoint(str(checkpoint), trust)
    own = model.state_dict()
    found = backbone_in(content, own, target, source)
    initial = {k.removeprefix(BODY): v for k, v in own.items() if k.startswith(BODY)}
    try:
        carried = carry(found.structure, found.weights, target, initial)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    theirs, ours = classes_of(content, source), data_classes(cfg)
    others = {k: v for k, v in own.items() if not k.startswith(BODY)}
    rest = neck_and_head(model, cfg, others, content["state_dict"], found.structure, carried)
    known, classes = classifier(cfg, others, content["state_dict"], theirs, ours)
    rest |= known
    load_weights(model, own | {f"{BODY}{k}": v for k, v in carried.weights.items()} | rest, source)
    words = [
        f"{carried.share:.1%} of the backbone's parameters came from {checkpoint}, "
        f"{carried.used:.1%} of those that it has",
        f"neck and head: {len(rest)} of {len(others)} weights",
        f"classifier: {classes} of {len(ours)} classes",
        found.assumed,
        known_fault(found.structure, content["meta"]) or "",
    ]
    path = str(checkpoint.resolve())
    said = "; ".join(filter(None, words))
    return InitialFile(given=path, checkpoint=path, carried=carried.share, said=said)


def backbone_in(
    content: Mapping[str, Any], own: Mapping[str, Tensor], target: Structure, source: str
) -> Backbone:
    """The backbone in what ``read_checkpoint`` gives.

    Its structure is the one that the checkpoint's config says; without a config, the target's, where
    the weights have its names and shapes; else the one that they show.

    Args:
        own: the detector's weights, by name, any shapes.

    Raises:
        InputError: it holds none, or several; or its config says no structure in so many words.
    """
    weights: Mapping[str, Tensor] = content["state_dict"]
    prefix = _prefix(weights, source)
    body = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    text = content["meta"].get("lightnas_config")
    if text is not None:
        structure = structure_written(config_of_literal(text, source), source)
        if structure is not None:
            return Backbone(structure, body, "")
    shapes = _shapes(body, "")
    if shapes == _shapes(own, BODY):
        return Backbone(target, body, "")
    try:
        structure, assumed = recognised(shapes, _widths(weights))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return Backbone(structure, body, assumed)


def _shapes(weights: Mapping[str, Tensor], prefix: str) -> dict[str, tuple[int, ...]]:
    """Of a backbone's convolutions, by the names of ``CnnNet``."""
    return {
        key.removeprefix(prefix): tuple(value.shape)
        for key, value in weights.items()
        if key.startswith(f"{prefix}block_list.") and value.dim() == 4
    }


def _prefix(weights: Mapping[str, Tensor], source: str) -> str:
    """What the names of the backbone's weights begin with."""
    found = sorted({match[1] for key in weights if (match := FIRST.fullmatch(key))})
    if BODY in found:
        return BODY
    if not found:
        raise InputError(
            f"{source}: holds no backbone of lightnas (no block_list.0 in its {len(weights)} names), "
            "expected a checkpoint of train-det, or the weights of a CnnNet"
        )
    if len(found) > 1:
        raise InputError(
            f"{source}: holds {len(found)} backbones ({', '.join(found[:3])}), expected one: save the "
            "weights of that one alone"
        )
    return found[0]


def _widths(weights: Mapping[str, Tensor]) -> list[int]:
    """Widths of the last stages as the checkpoint's FPN reads them, in order; none without one."""
    laterals = {
        int(match[2]): value.shape[1]
        for key, value in weights.items()
        if (match := LATERAL.fullmatch(key)) and value.dim() == 4
    }
    return [laterals[number] for number in sorted(laterals)]
