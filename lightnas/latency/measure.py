"""Measuring: the seconds of single operations for a latency table, and of whole networks.

Inference as one would deploy it: BN fused into the convolutions, no gradients, channels_last. What
an operation takes changes from repeat to repeat, so that it comes from memory as it mostly does in
a network, not from the cache.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.benchmark import Timer

from .. import __version__
from ..backbone.net import CnnNet, ConvBN, Focus, activated
from ..backbone.whole import WholeNet
from ..errors import InputError
from ..network.blocks import DEPTHWISE, Conv
from ..network.detector import Detector
from ..network.structure import Structure
from .table import Op

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Bytes of inputs and weights that an operation cycles through, more than a cache holds, and how
# many of them at most.
COLD_BYTES, COPIES = 2**26, 100
# Of one measurement, at least.
SECONDS = 0.1


@dataclass(frozen=True)
class Machine:
    """Where and how to measure; ``here`` makes one that is ready.

    Attributes:
        device: ``cpu`` or ``cuda``.
        precision: ``fp32``, ``fp16`` or ``bf16``.
        batch: pictures at a time.
        threads: of a CPU; None: torch's own number.
    """

    device: str = "cpu"
    precision: str = "fp32"
    batch: int = 1
    threads: int | None = None

    @classmethod
    def here(
        cls,
        device: str | None = None,
        precision: str | None = None,
        batch: int | None = None,
        threads: int | None = None,
    ) -> Machine:
        """This machine, ready to measure.

        Unless given: ``cuda`` where there is a GPU, ``fp32``, one picture at a time.

        Raises:
            InputError: there is no such device, or it cannot compute in that precision.
        """
        found = "cuda" if torch.cuda.is_available() else "cpu"
        machine = cls(device or found, precision or "fp32", batch or 1, threads)
        machine.begin()
        return machine

    def begin(self) -> None:
        """Set the threads, and try a convolution.

        Raises:
            InputError: there is no such device, or it cannot compute in that precision.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device is cuda, expected cpu: torch sees no GPU here")
        if self.threads:
            torch.set_num_threads(self.threads)
        try:
            functional.conv2d(self.tensor(1, 8, 8, 8), self.tensor(8, 8, 3, 3))
        except RuntimeError as error:
            raise InputError(
                f"precision is {self.precision}, expected one that {self.name} can: {error}"
            ) from error

    @property
    def name(self) -> str:
        """Of the processor."""
        return torch.cuda.get_device_name() if self.device == "cuda" else _cpu_name()

    def document(self) -> dict[str, Any]:
        """What a latency table says of it."""
        versions = {
            "lightnas": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        if self.device == "cuda":
            cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
            versions |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
        return {
            "device": self.device, "name": self.name, "precision": self.precision, "batch": self.batch,
            "threads": torch.get_num_threads(), "versions": versions,
        }  # fmt: skip

    def tensor(self, *shape: int) -> Tensor:
        """Gaussian numbers in this precision and layout."""
        x = torch.randn(*shape).to(self.device, DTYPES[self.precision])
        return x.to(memory_format=torch.channels_last) if len(shape) == 4 else x

    def module(self, module: nn.Module) -> nn.Module:
        """The module for inference in this precision and layout."""
        module = module.eval().to(self.device, DTYPES[self.precision])
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def median_seconds(
        self, run: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
    ) -> float:
        """Median time of ``run`` over the arguments in turn, after runs that do not count.

        torch's Timer waits for the GPU, and repeats what is short until the clock's own time does
        not show. It stops after four measurements that take ``SECONDS`` between them, however far
        they spread: on a busy machine, waiting for a small spread would have no end.
        """
        timer = Timer(
            "run(*next(given))",
            globals={"run": run, "given": cycle(arguments)},
            num_threads=torch.get_num_threads(),
        )
        with torch.inference_mode():
            measured = timer.adaptive_autorange(
                math.inf, min_run_time=SECONDS, max_run_time=math.inf
            )
        return measured.median

    def op_seconds(self, op: Op, c_in: int, c_out: int) -> float:
        """Seconds of one operation with these channels; ``c_out`` counts for convolutions alone, and
        not for depthwise ones."""
        picture = (self.batch, c_in, *op.size)
        if op.kind == "conv" and op.groups == DEPTHWISE:
            c_out = c_in
        weights = c_out * c_in // (op.groups or c_in) * op.k**2
        size = 4 * (math.prod(picture) + weights)
        copies = range(max(2, min(COPIES, COLD_BYTES // size)))
        if op.kind == "conv":
            # As the backbone calls it: a module costs time of its own.
            convs = [
                self.module(
                    ConvBN(
                        Conv("", c_in, c_out, op.k, op.stride, relu=False, groups=op.groups)
                    ).fuse()
                )
                for _ in copies
            ]
            return self.median_seconds(
                lambda conv, x: conv(x), [(conv, self.tensor(*picture)) for conv in convs]
            )
        if op.kind in ("add", "add_silu"):
            pairs = [(self.tensor(*picture), self.tensor(*picture)) for _ in copies]
            silu = op.kind == "add_silu"
            return self.median_seconds(lambda x, y: activated(x.add_(y), silu), pairs)
        run = {
            "relu": lambda x: activated(x, silu=False),
            "silu": lambda x: activated(x, silu=True),
            "excite": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
            "pool": lambda x: functional.avg_pool2d(x, op.stride, op.stride, ceil_mode=True),
        }[op.kind]
        return self.median_seconds(run, [(self.tensor(*picture),) for _ in copies])

    def network_seconds(self, structure: Structure, input_size: tuple[int, int]) -> float:
        """Seconds of a whole backbone on pictures of ``input_size`` (height, width), BN fused."""
        torch.manual_seed(0)
        net = CnnNet(structure).fuse()
        return self._seconds(net, net.focus, structure[0].c_in, input_size)

    def detector_seconds(
        self, structure: Structure, input_size: tuple[int, int], detector: Detector
    ) -> float:
        """Likewise of backbone, neck and head."""
        torch.manual_seed(0)
        net = WholeNet(structure, detector)
        net.backbone.fuse()
        return self._seconds(net, net.backbone.focus, structure[0].c_in, input_size)

    def _seconds(self, net: nn.Module, focus: bool, c_in: int, size: tuple[int, int]) -> float:
        run = self.module(net)
        x = self.tensor(self.batch, c_in // (4 if focus else 1), *size)
        return self.median_seconds(run, [(Focus()(x) if focus else x,)])


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
