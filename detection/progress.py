"""How far a training was: what its last checkpoint says beside the weights, checked before it goes
on from there."""

from __future__ import annotations

import math
import re
from pathlib import PurePath
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from lightnas.errors import InputError, shown

MOST = 10**12
# What hooks remember beside mmcv's own: the epochs after which the data were last replaced.
NEW_DATA = "new_data_after"
CHECKPOINTS = {
    "best_ckpt": re.compile(r"best_\w+\.pth"),
    "last_ckpt": re.compile(r"(epoch|iter)_\d+\.pth"),
}


def progress_of(content: dict[str, Any], source: str) -> dict[str, Any]:
    """The ``meta`` that a training goes on from: epoch, iter, and what hooks remember.

    Paths of checkpoints are names here: they lie in the work directory, wherever that is now.

    Raises:
        InputError: something in it is of another type.
    """
    meta = content["meta"]
    state: dict[str, Any] = {
        "epoch": _count(meta, "epoch", source),
        "iter": _count(meta, "iter", source),
    }
    if not isinstance(content.get("optimizer"), dict):
        raise InputError(
            f"{source}: its optimizer is {shown(content.get('optimizer'))}, expected a checkpoint of a training"
        )
    state["hook_msgs"] = _messages(meta.get("hook_msgs") or {}, source)
    scaler = meta.get("fp16")
    if scaler is not None:
        inner = scaler.get("loss_scaler") if isinstance(scaler, dict) else None
        if not isinstance(inner, dict) or not all(map(_is_number, inner.values())):
            raise InputError(f"{source}: its meta.fp16 is {shown(scaler)}, expected numbers")
        state["fp16"] = {"loss_scaler": dict(inner)}
    return state


def check_optimizer(optimizer: Any) -> None:
    """Refuse a restored optimizer that the next step would fail on.

    Raises:
        ValueError: a setting that is no number, or a state of another shape than its weight.
    """
    if not isinstance(optimizer, Optimizer):
        return
    for group in optimizer.param_groups:
        for key, value in group.items():
            values = value if isinstance(value, list | tuple) else [value]
            if key != "params" and not all(one is None or _is_number(one) for one in values):
                raise ValueError(f"{key} is {shown(value)}, expected a number")
    for weight, state in optimizer.state.items():
        for key, value in state.items():
            shape = () if key == "step" else weight.shape
            fits = isinstance(value, Tensor) and value.shape == shape
            if not (fits or value is None or _is_number(value)):
                raise ValueError(f"{key} does not have the shape {tuple(shape)}")


def _messages(messages: Any, source: str) -> dict[str, Any]:
    """What hooks need: the best score so far, names of checkpoints, and when data were replaced."""
    if not isinstance(messages, dict):
        raise InputError(f"{source}: its meta.hook_msgs is {shown(messages)}, expected a dict")
    known: dict[str, Any] = {}
    for key, form in CHECKPOINTS.items():
        name = messages.get(key)
        if name is None:
            continue
        if not isinstance(name, str) or not form.fullmatch(PurePath(name).name):
            raise InputError(
                f"{source}: its meta.hook_msgs.{key} is {shown(name)}, expected a checkpoint of the run"
            )
        known[key] = PurePath(name).name
    if messages.get("best_score") is not None:
        if not _is_number(messages["best_score"]):
            raise InputError(
                f"{source}: its meta.hook_msgs.best_score is {shown(messages['best_score'])}, expected a number"
            )
        known["best_score"] = messages["best_score"]
    if messages.get(NEW_DATA) is not None:
        known[NEW_DATA] = _count(messages, NEW_DATA, source, "meta.hook_msgs")
    return known


def _count(meta: dict[str, Any], key: str, source: str, place: str = "meta") -> int:
    value = meta.get(key)
    if type(value) is not int or not 0 <= value <= MOST:
        raise InputError(
            f"{source}: its {place}.{key} is {shown(value)}, expected a whole number from 0"
        )
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and abs(value) <= MOST**2
