"""Where mmcv-full 1.7 and mmdet 2.28 do not fit today's torch, or a machine without a GPU.

Installed packages stay as they are: everything here is done in the running process.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import types
import warnings
from typing import Any

import torch

from . import ops

# What mmcv and mmdet say about themselves at every start.
NO_NEWS = (
    "On January 1, 2023, MMCV will release",
    "DeprecationWarning: `num_anchors` is deprecated",
)


def apply() -> None:
    """Everything below; safe to call again, before or after mmcv was imported."""
    _torchvision()
    for message in NO_NEWS:
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
    ops.install()  # before mmdet.apis, which imports mmcv.ops
    _get_stream()
    _build_ddp()
    _progress_bar()
    _no_sleep()


def _torchvision() -> None:
    """mmcv's checkpoint module imports torchvision at its top, for model-zoo addresses only.

    Beside a CPU torch it is often missing, or its import fails on an operator. Where it works it is
    left alone.
    """
    if "torchvision" in sys.modules:
        return
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        stand_in = types.ModuleType("torchvision")
        stand_in.__version__ = "0.0"  # type: ignore[attr-defined]
        stand_in.models = types.ModuleType("torchvision.models")  # type: ignore[attr-defined]
        sys.modules |= {"torchvision": stand_in, "torchvision.models": stand_in.models}  # type: ignore[attr-defined]


def _get_stream() -> None:
    """mmcv's scatter asks for the stream of GPU number i; torch from 2.1 on wants a
    ``torch.device``."""
    from mmcv.parallel import _functions

    original = _functions._get_stream
    if getattr(original, "takes_numbers", False):
        return

    def get_stream(device: Any) -> Any:
        return original(torch.device("cuda", device) if isinstance(device, int) else device)

    get_stream.takes_numbers = True  # type: ignore[attr-defined]
    _functions._get_stream = get_stream


def _build_ddp() -> None:
    """mmdet's ``build_ddp`` refuses CPUs, and mmcv's wrapper neither scatters there nor evaluates
    under torch 2."""
    import mmdet.apis.train
    from mmcv.parallel import MMDistributedDataParallel
    from mmcv.parallel.scatter_gather import scatter_kwargs

    class DistributedDetector(MMDistributedDataParallel):
        """mmcv's data-parallel wrapper, on GPUs and, with the gloo backend, on CPUs."""

        # An attribute of torch 1.13 that mmcv's forward still asks for.
        _use_replicated_tensor_module = False

        def train_step(self, *inputs: Any, **kwargs: Any) -> Any:
            return super().train_step(*self._unwrap(inputs), **kwargs)

        def val_step(self, *inputs: Any, **kwargs: Any) -> Any:
            return super().val_step(*self._unwrap(inputs), **kwargs)

        def _run_ddp_forward(self, *inputs: Any, **kwargs: Any) -> Any:
            if self.device_ids:
                return super()._run_ddp_forward(*inputs, **kwargs)
            positional, named = scatter_kwargs(inputs, kwargs, [-1])
            return self.module(*positional[0], **named[0])

        def _unwrap(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            """Take the batch out of its DataContainers where no device is there to scatter it to
            (-1 means CPU).

            The optimizer, mmcv's second input, must not pass through the scatter.
            """
            if self.device_ids:
                return inputs
            batch, rest = inputs[0], inputs[1:]
            scattered, _ = scatter_kwargs((batch,), {}, [-1])
            return (scattered[0][0], *rest)

    # torch 2.13 warns of the older name, which mmdet uses.
    renamed = "forward_sync_buffers" in inspect.signature(MMDistributedDataParallel).parameters

    def build_ddp(model: Any, device: str = "cuda", device_ids: Any = None, **kwargs: Any) -> Any:
        if renamed and "broadcast_buffers" in kwargs:
            kwargs["forward_sync_buffers"] = kwargs.pop("broadcast_buffers")
        if device == "cuda":
            model = model.cuda(int(os.environ["LOCAL_RANK"]))
            return DistributedDetector(model, device_ids=device_ids, **kwargs)
        return DistributedDetector(model, **kwargs)

    mmdet.apis.train.build_ddp = build_ddp


def _progress_bar() -> None:
    """mmcv's bar writes a line for every picture where its output is no terminal but a file or a
    pipe; there it says nothing."""
    import mmcv

    if getattr(mmcv.ProgressBar, "for_terminals", False):
        return

    class ProgressBar(mmcv.ProgressBar):
        """mmcv's progress bar, for terminals alone."""

        for_terminals = True

        def start(self) -> None:
            if self.file.isatty():
                super().start()
            else:
                self.completed = 0

        def update(self, num_tasks: int = 1) -> None:
            if self.file.isatty():
                super().update(num_tasks)

    mmcv.ProgressBar = ProgressBar


def _no_sleep() -> None:
    """mmdet's ``multi_gpu_test`` sleeps for two seconds before it looks at a picture, as long as it
    then takes for 200 of a small set on two cores; nothing here waits for that."""
    import mmdet.apis.test

    mmdet.apis.test.time = types.SimpleNamespace(sleep=lambda seconds: None)
