"""Measuring: the seconds of single operations for a latency table, and of whole networks.

Inference as one would deploy it: BN fused into the convolutions, no gradients, channels_last; or the
same module as ONNX in another runtime. What an operation takes changes from repeat to repeat, so that
it comes from memory as it mostly does in a network, not from the cache.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.benchmark import Timer

from .. import __version__
from ..backbone.net import CnnNet, ConvBN, Focus, activated
from ..backbone.onnx import traced
from ..backbone.whole import Boxes, Head, Neck, WholeNet
from ..cores import check_device
from ..errors import InputError
from ..network.blocks import DEPTHWISE, Conv
from ..network.detector import GROUPS, LATERALS, LEVELS, Detector
from ..network.stages import downsample
from ..network.structure import Structure
from ..units import format_size
from .plan import CANDIDATES
from .runtimes import OPENVINO, TORCH, check_runtime, cpu_name, gpu_there, opened, versions_of
from .speed import Speed, steadiest
from .table import Op

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Bytes of inputs and weights that an operation cycles through, more than a cache holds, and how
# many of them at most.
COLD_BYTES, COPIES = 2**26, 100
# Of one convolution in another runtime than torch, which takes long to open one.
SESSIONS = 8
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
        runtime: ``torch``, ``onnxruntime`` or ``openvino``.
    """

    device: str = "cpu"
    precision: str = "fp32"
    batch: int = 1
    threads: int | None = None
    runtime: str = TORCH

    @classmethod
    def here(
        cls,
        device: str | None = None,
        precision: str | None = None,
        batch: int | None = None,
        threads: int | None = None,
        runtime: str | None = None,
    ) -> Machine:
        """This machine, ready to measure.

        Unless given: ``cuda`` where the runtime sees a GPU, ``fp32``, one picture at a time, torch.

        Raises:
            InputError: there is no such device or runtime, or it cannot compute in that precision.
        """
        runtime = runtime or TORCH
        check_runtime(runtime)
        check_device(device)
        found = "cuda" if _sees_gpu(runtime) else "cpu"
        machine = cls(device or found, precision or "fp32", batch or 1, threads, runtime)
        machine.begin()
        return machine

    def begin(self) -> None:
        """Set the threads, and try a convolution.

        Raises:
            InputError: there is no such device, or it cannot compute in that precision.
        """
        if self.device == "cuda" and not _sees_gpu(self.runtime):
            raise InputError(f"device is cuda, expected cpu: {self.runtime} sees no GPU here")
        if self.runtime == OPENVINO and self.precision != "fp32":
            raise InputError(f"precision is {self.precision}, expected fp32 with OpenVINO")
        if self.threads:
            torch.set_num_threads(self.threads)
        x = self.tensor(1, 8, 8, 8)
        try:
            self.started(self.module(nn.Conv2d(8, 8, 3)), x)(x)
        except (InputError, RuntimeError) as error:
            raise InputError(
                f"precision is {self.precision}, expected one that {self.name} can: {error}"
            ) from error

    @property
    def name(self) -> str:
        """Of the processor."""
        return torch.cuda.get_device_name() if self.device == "cuda" else cpu_name()

    def document(self) -> dict[str, Any]:
        """What a latency table says of it."""
        versions = {
            "lightnas": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        if self.runtime != TORCH:
            versions |= versions_of(self.runtime)
        if self.device == "cuda":
            cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
            versions |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
        return {
            "device": self.device, "name": self.name, "precision": self.precision, "batch": self.batch,
            "threads": torch.get_num_threads(), "runtime": self.runtime, "versions": versions,
        }  # fmt: skip

    def tensor(self, *shape: int) -> Tensor:
        """Gaussian numbers in this precision and layout; those of another runtime than torch, which
        brings them to its device itself, lie in memory as ONNX has them."""
        if self.runtime != TORCH:
            return torch.randn(*shape).to(DTYPES[self.precision])
        x = torch.randn(*shape).to(self.device, DTYPES[self.precision])
        return x.to(memory_format=torch.channels_last) if len(shape) == 4 else x

    def module(self, module: nn.Module) -> nn.Module:
        """The module for inference in this precision and layout."""
        module = module.eval().to(DTYPES[self.precision])
        if self.runtime != TORCH:
            return module
        return module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def started(self, run: Callable[..., Any], *given: Tensor) -> Callable[..., Any]:
        """What runs a module, or a function of tensors, on tensors like those given, in this runtime."""
        if self.runtime == TORCH:
            return run
        return self._opened(self._exported(run, given), given)

    def _exported(self, run: Callable[..., Any], given: Sequence[Tensor]) -> bytes:
        net = run if isinstance(run, nn.Module) else _Applied(run)
        names = [f"x{i}" for i in range(len(given))]
        return traced(net, given, names, [])

    def _opened(self, content: bytes, given: Sequence[Tensor]) -> Callable[..., Any]:
        """An ONNX model of such inputs; a tensor on the CPU lends its memory."""
        network = opened(content, self.runtime, device=self.device, threads=torch.get_num_threads())
        return lambda *tensors: network.run(
            {name: tensor.numpy() for name, tensor in zip(network.inputs, tensors, strict=True)}
        )

    def measured(self, run: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Speed:
        """Seconds of ``run`` over the arguments in turn, after runs that do not count.

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
            found = timer.adaptive_autorange(math.inf, min_run_time=SECONDS, max_run_time=math.inf)
        return Speed.of(found.times)

    def op_speed(self, op: Op, c_in: int, c_out: int) -> Speed:
        """Seconds of one operation with these channels; ``c_out`` counts for convolutions alone, and
        not for depthwise ones."""
        if op.kind == "conv" and op.groups == DEPTHWISE:
            c_out = c_in
        picture = (self.batch, c_in, *op.size)
        weights = c_out * c_in // (op.groups or c_in) * op.k**2
        size = 4 * (math.prod(picture) + weights)
        copies = range(max(2, min(COPIES, COLD_BYTES // size)))
        n_inputs = 2 if op.kind in ("add", "add_silu") else 1
        given = [tuple(self.tensor(*picture) for _ in range(n_inputs)) for _ in copies]
        runs = self._runs(op, c_in, c_out, given)
        arguments = [(run, *tensors) for run, tensors in zip(cycle(runs), given, strict=False)]
        speed = steadiest(lambda: self.measured(lambda run, *tensors: run(*tensors), arguments))
        return speed.less(self.call)

    @cached_property
    def call(self) -> float:
        """Seconds that an operation alone takes more than in a network, which calls its runtime once;
        torch is called for every operation of it."""
        if self.runtime == TORCH:
            return 0.0
        x = self.tensor(1, 1, 1, 1)
        return self.measured(self.started(_RUN["relu"](Op("relu", 1, 1, (1, 1))), x), [(x,)]).low

    def _runs(
        self, op: Op, c_in: int, c_out: int, given: Sequence[tuple[Tensor, ...]]
    ) -> list[Callable[..., Any]]:
        """What runs the operation: with convolutions several, so that weights come from memory too."""
        if op.kind != "conv":
            return [self.started(_RUN[op.kind](op), *given[0])]
        # As the backbone calls it: a module costs time of its own.
        convs = (
            ConvBN(Conv("", c_in, c_out, op.k, op.stride, relu=False, groups=op.groups)).fuse()
            for _ in given
        )
        if self.runtime == TORCH:
            return [self.module(conv) for conv in convs]
        content = self._exported(self.module(next(convs)), given[0])
        return [self._opened(content, given[0]) for _ in given[:SESSIONS]]

    def network_speed(self, structure: Structure, input_size: tuple[int, int]) -> Speed:
        """Seconds of a whole backbone on pictures of ``input_size`` (height, width), BN fused."""
        torch.manual_seed(0)
        net = CnnNet(structure).fuse()
        return self._speed(net, net.focus, structure[0].c_in, input_size)

    def detector_speed(
        self, structure: Structure, input_size: tuple[int, int], detector: Detector
    ) -> Speed:
        """Likewise of a detector, from the picture to boxes.

        Raises:
            InputError: the pictures are too small for the detector.
        """
        self.check_detector(detector, input_size)
        torch.manual_seed(0)
        net = WholeNet(structure, detector)
        net.backbone.fuse()
        boxes = Boxes(net, input_size, CANDIDATES)
        return self._speed(boxes, net.backbone.focus, structure[0].c_in, input_size)

    def head_speed(
        self, detector: Detector, widths: Sequence[int], input_size: tuple[int, int]
    ) -> Speed:
        """Of what follows the backbone, from C3, C4 and C5 of these channels to boxes."""
        self.check_detector(detector, input_size)
        torch.manual_seed(0)
        features = [
            self.tensor(self.batch, channels, *downsample(input_size, 2**level))
            for level, channels in zip(LATERALS, widths, strict=True)
        ]
        net = Boxes(_NeckAndHead(detector, widths), input_size, CANDIDATES)
        run = self.started(self.module(net), *features)
        return steadiest(lambda: self.measured(run, [tuple(features)])).less(self.call)

    def check_detector(self, detector: Detector, input_size: tuple[int, int]) -> None:
        """Refuse pictures whose last level leaves a group of channels a single number, of which torch's
        GroupNorm makes nothing.

        Raises:
            InputError: they are that small.
        """
        height, width = downsample(input_size, 2 ** LEVELS[-1])
        if self.batch * height * width * detector.width // GROUPS < 2:
            raise InputError(
                f"input_size is {format_size(input_size)}, expected a side beyond {2 ** LEVELS[-1]} with "
                f"the detector {detector}"
            )

    def _speed(self, net: nn.Module, focus: bool, c_in: int, size: tuple[int, int]) -> Speed:
        x = self.tensor(self.batch, c_in // (4 if focus else 1), *size)
        x = Focus()(x) if focus else x
        run = self.started(self.module(net), x)
        return steadiest(lambda: self.measured(run, [(x,)]))


class _NeckAndHead(nn.Module):
    def __init__(self, detector: Detector, widths: Sequence[int]) -> None:
        super().__init__()
        self.neck, self.bbox_head = Neck(detector, list(widths)), Head(detector)

    def forward(self, *features: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What the head says of every level, from C3, C4 and C5, each (N, c, H, W)."""
        found: list[tuple[Tensor, Tensor]] = self.bbox_head(self.neck(list(features)))
        return found


class _Applied(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, run: Callable[..., Tensor]) -> None:
        super().__init__()
        self.run = run

    def forward(self, *given: Tensor) -> Tensor:
        """What the function makes of them."""
        return self.run(*given)


_RUN: dict[str, Callable[[Op], Callable[..., Tensor]]] = {
    "add": lambda op: lambda x, y: activated(x.add_(y), silu=False),
    "add_silu": lambda op: lambda x, y: activated(x.add_(y), silu=True),
    "relu": lambda op: lambda x: activated(x, silu=False),
    "silu": lambda op: lambda x: activated(x, silu=True),
    "excite": lambda op: lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "pool": lambda op: lambda x: functional.avg_pool2d(x, op.stride, op.stride, ceil_mode=True),
}


def _sees_gpu(runtime: str) -> bool:
    return torch.cuda.is_available() if runtime == TORCH else gpu_there(runtime)
