"""mmcv 1.7's compiled operators in plain torch, so that nobody needs a compiler.

``install()`` puts a module in the place of ``mmcv._ext`` where mmcv-full's is missing or does not
load. mmcv's own wrappers (``mmcv.ops.nms``, ``RoIAlign``, ``sigmoid_focal_loss``, ...) then call
the functions named in ``PLAIN``, which take their arguments by the names of mmcv's
``csrc/pytorch/pybind.cpp``. An operator that has no version here raises when it is called.
"""

from __future__ import annotations

import functools
import importlib.abc
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lightnas.install.operators import BUILD, NAME, Operators, load, operators

from . import deform, focal_loss, nms, roi_align

__all__ = ["PLAIN", "Operators", "install", "operators"]


def get_compiler_version() -> str:
    """Printed by mmdet's list of versions."""
    return "none: operators in plain torch"


def get_compiling_cuda_version() -> str:
    """As ``get_compiler_version``; these are the words of an mmcv compiled without CUDA."""
    return "not available"


def _without_autocast(operator: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled operators know nothing of mixed precision: what they are given is computed as it
    is."""

    @functools.wraps(operator)
    def call(*args: Any, **kwargs: Any) -> Any:
        device = next(
            value.device for value in (*args, *kwargs.values()) if isinstance(value, Tensor)
        )
        with torch.autocast(device.type, enabled=False):
            return operator(*args, **kwargs)

    return call


_OPERATORS: dict[str, Callable[..., Any]] = {
    operator.__name__: _without_autocast(operator)
    for operator in (
        nms.nms,
        nms.nms_match,
        nms.softnms,
        roi_align.roi_align_forward,
        roi_align.roi_align_backward,
        focal_loss.sigmoid_focal_loss_forward,
        focal_loss.sigmoid_focal_loss_backward,
        deform.deform_conv_forward,
        deform.deform_conv_backward_input,
        deform.deform_conv_backward_parameters,
        deform.modulated_deform_conv_forward,
        deform.modulated_deform_conv_backward,
        deform.ms_deform_attn_forward,
        deform.ms_deform_attn_backward,
    )
}
# What the stand-in has: the operators, and what mmcv asks of an extension about itself.
PLAIN: dict[str, Callable[..., Any]] = _OPERATORS | {
    "get_compiler_version": get_compiler_version,
    "get_compiling_cuda_version": get_compiling_cuda_version,
}


def install() -> Operators:
    """See to it that ``mmcv._ext`` can be imported; what runs then. Safe to call again; to be
    called before ``mmcv.ops`` is imported. A compiled extension that loads is left in its place,
    and so is a stand-in."""
    module, failure = load()
    if module is None:
        module = sys.modules[NAME] = StandIn(failure)
        parent, _, child = NAME.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
    return operators()


class StandIn(ModuleType):
    """The module in the place of ``mmcv._ext``. ``failure``: why the compiled one does not load,
    empty where there is none.

    mmcv asks at import for every operator it has wrappers for, so each name is there, and those
    unknown raise when called.
    """

    _stand_in = True

    def __init__(self, failure: str = "") -> None:
        super().__init__(NAME, doc=__doc__)
        self.failure = failure
        # mmcv's check_ops_exist wants a spec with a loader.
        self.__spec__ = ModuleSpec(NAME, _Loader(self))
        self.__dict__.update(PLAIN)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):  # what Python and its tools ask of modules
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")

        def missing(*args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError(
                f"mmcv's operator {name} has no version in plain torch; get the compiled one with: {BUILD}"
            )

        missing.__name__ = missing.__qualname__ = name
        return missing


class _Loader(importlib.abc.Loader):
    """Loads a module that is there already."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run."""
