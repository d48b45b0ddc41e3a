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

from lightnas.errors import InputError

SHOWN = 3


def read_checkpoint(path: str | Path, trust: bool) -> dict[str, Any]:
    """A checkpoint: ``state_dict`` on the CPU, and ``meta`` if it has one. A bare state dict is
    wrapped.

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
        if "GLOBAL" in str(error):
            what = re.search(r"GLOBAL ([\w.]+)", str(error))
            named = f" ({what[1]})" if what else ""
            raise InputError(
                f"{path}: holds more than tensors and plain values{named}, and reading that could run code; "
                "expected plain weights, or trust_checkpoint=True if you trust where the file comes from"
            ) from error
        raise InputError(
            f"{path}: is no checkpoint, or a damaged one, expected a file that torch.save wrote"
        ) from error
    except (
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        ModuleNotFoundError,
    ) as error:
        raise InputError(
            f"{path}: is no checkpoint, or a damaged one, expected a file that torch.save wrote"
        ) from error
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
    content["state_dict"] = {key.removeprefix("module."): value for key, value in weights.items()}
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
            or nothing fits at all.
    """
    own = model.state_dict()
    optional = {key for key in own if key.endswith(("num_batches_tracked", "integral.project"))}
    missing = sorted(set(own) - set(weights) - optional)
    unexpected = sorted(set(weights) - set(own))
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
