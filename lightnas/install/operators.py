"""Which operators the detection stage runs on: mmcv's compiled ones, or those of
``lightnas.detection.ops`` in plain torch.

Asked by ``lightnas doctor``, which must answer without mmdet too; so this imports mmcv at most,
never the detection stage.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

# The compiled extension of mmcv-full, and what brings it. Without isolation it is built against the
# torch that is there.
NAME = "mmcv._ext"
BUILD = "pip install --no-build-isolation mmcv-full==1.7.2"


@dataclass(frozen=True)
class Operators:
    """``kind``: what runs, or will run once ``lightnas.detection`` is imported.

    ``failure``: the first line of why a compiled extension that is installed does not load; else
    empty.
    """

    kind: Literal["compiled", "plain torch"]
    failure: str = ""


def operators() -> Operators:
    """What runs in this process. Imports mmcv where it can be, and changes nothing."""
    module, failure = load()
    return Operators(
        "plain torch" if module is None or is_stand_in(module) else "compiled", failure
    )


def load() -> tuple[ModuleType | None, str]:
    """mmcv's extension, or the stand-in where one is in place; and why a compiled one that is there
    does not load."""
    if NAME in sys.modules:
        module = sys.modules[NAME]
        return module, str(module.failure) if is_stand_in(module) else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mmcv announces its version 2 at every import
            return importlib.import_module(NAME), ""
    except ModuleNotFoundError:
        return None, ""  # no operators; or no mmcv at all, which its own import will say better
    except (ImportError, OSError, RuntimeError) as error:
        # Built for another torch: an undefined symbol, a missing library.
        return None, (str(error).splitlines() or [type(error).__name__])[0]


def is_stand_in(module: ModuleType) -> bool:
    """Whether this is the module of ``lightnas.detection.ops``, known by an attribute that no
    compiled extension has."""
    return getattr(module, "_stand_in", False) is True
