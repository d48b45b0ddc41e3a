"""Checkpoints: read without running code, loaded without silence."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightnas.errors import InputError, shown

SHOWN = 3
SHOWN_LETTERS = 100


def read_checkpoint(path: str | Path, trust: bool) -> dict[str, Any]:
    """A checkpoint: ``state_dict`` on the CPU, by names, and ``meta``, a dict, empty where it has
    none. A bare state dict is wrapped.

    Args:
        trust: unpickle everything. Without it a file that holds more than tensors and plain values
            is refused, since unpickling runs whatever code the file names.

    Raises:
        InputError: the file is missing, damaged, no checkpoint, or would run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of old pickles before it refuses them
            content = torch.load(path, map_location="cpu", weights_only=not trust)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected a checkpoint"
        ) from error
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) and _is_saved(path):
            what = re.search(r"GLOBAL ([\w.]+)", str(error))
            named = f" ({what[1]})" if what else ""
            raise InputError(
                f"{path}: holds more than tensors and plain values{named}, and reading that could run code; "
                "expected plain weights, or trust_checkpoint=True if you trust where the file comes from"
            ) from error
        raise InputError(
            f"{path}: is no checkpoint, or a damaged one, expected a file that torch.save wrote"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # of a damaged file torch raises whatever it stumbles over
        raise InputError(
            f"{path}: is no checkpoint, or a damaged one, expected a file that torch.save wrote"
        ) from error
    return _typed(content, path)


def _is_saved(path: str | Path) -> bool:
    """Whether a file begins as those of torch.save: a zip, or a pickle. Read as a pickle, many a text
    names something too."""
    with open(path, "rb") as file:
        return file.read(2).startswith((b"PK", b"\x80"))


def classes_of(content: dict[str, Any], source: str | Path) -> tuple[str, ...]:
    """The names of the classes that a checkpoint was trained on, empty where it says none.

    Raises:
        InputError: they are no list of names.
    """
    names = content["meta"].get("CLASSES")
    if names is None:
        return ()
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{source}: its meta.CLASSES is {shown(names)}, expected a list of names")
    return tuple(names)


def _typed(content: Any, path: str | Path) -> dict[str, Any]:
    """What a file of torch.save holds, as a checkpoint."""
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected a checkpoint with a state_dict"
        )
    if "state_dict" not in content:
        content = {"state_dict": content}
    weights = content["state_dict"]
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(isinstance(value, Tensor) for value in weights.values())
    ):
        raise InputError(f"{path}: holds no weights, expected a checkpoint with a state_dict")
    for key, value in weights.items():
        if not isinstance(key, str):
            raise InputError(
                f"{path}: its state_dict has the key {shown(key)}, expected names of weights"
            )
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise InputError(
                f"{path}: {key[:SHOWN_LETTERS]} is a {value.layout} tensor, expected a plain one"
            )
    meta = content.get("meta")
    if not isinstance(meta, dict | None):
        raise InputError(f"{path}: its meta is {shown(meta)}, expected a dict")
    content["state_dict"] = {key.removeprefix("module."): value for key, value in weights.items()}
    content["meta"] = meta or {}
    return content


def load_weights(
    model: nn.Module, weights: Mapping[str, Tensor], source: str, allow_mismatch: bool = False
) -> str:
    """Load weights into a model, all of them or none.

    Args:
        source: where they come from, for the messages.
        allow_mismatch: load what fits by name and shape, and leave the rest as it is.

    Returns:
        What did not fit, in one line; empty where everything did.

    Raises:
        InputError: keys are missing, unexpected or of another shape (without ``allow_mismatch``),
            nothing fits at all, or a weight is no number.
    """
    own = model.state_dict()
    optional = {key for key in own if key.endswith(("num_batches_tracked", "integral.project"))}
    missing = sorted(set(own) - set(weights) - optional)
    averages = {f"ema_{key.replace('.', '_')}" for key in own}  # of mmcv's EMAHook
    unexpected = sorted(set(weights) - set(own) - averages)
    wrong = sorted(key for key in set(own) & set(weights) if own[key].shape != weights[key].shape)
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
    report = "; ".join(
        f"{len(keys)} {name} ({_few(keys, own, weights)})" for name, keys in kinds if keys
    )
    fitting = {key: value for key, value in weights.items() if key in own and key not in wrong}
    if report and not allow_mismatch:
        raise InputError(
            f"{source}: weights and model disagree: {report}; expected the structure that the weights were trained with"
        )
    if not fitting:
        raise InputError(
            f"{source}: none of its {len(weights)} weights fits the model, expected weights of this structure"
        )
    # After the shapes: a tensor of a file may claim any shape with a single number behind it.
    broken = sorted(key for key, value in fitting.items() if not value.isfinite().all())
    if broken:
        raise InputError(
            f"{source}: {len(broken)} of its weights hold NaN or infinity ({_few(broken, {}, {})}), expected numbers"
        )
    model.load_state_dict(fitting, strict=False)
    return report


def _few(keys: list[str], own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """The first keys, with both shapes where they have two."""
    words = [
        f"{key}: {tuple(weights[key].shape)}, expected {tuple(own[key].shape)}"
        if key in own and key in weights
        else key
        for key in keys[:SHOWN]
    ]
    return ", ".join([*words, "..."] if len(keys) > SHOWN else words)
