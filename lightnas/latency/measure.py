"""Measuring: the seconds of single operations for a latency table, and of whole networks to check it.

Inference as one would deploy it: BN fused into the convolutions, no gradients, channels_last. What an operation takes
changes from repeat to repeat, so that it comes from memory as it mostly does in a network, not from the cache.
"""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import __version__
from ..backbone.net import CnnNet, ConvBN, Focus
from ..errors import InputError, WorkError
from ..network.blocks import Conv
from ..network.cost import INPUT_SIZE, cost
from ..network.structure import Structure
from ..search.space import Space
from ..units import NAMED_FLOPS, format_size
from .table import Op, Use, calibration, chain_uses, fit_seconds

# Of every operation, rows (c_in, c_out, seconds).
Measured = dict[Op, list[tuple[int, int, float]]]

# A structure and its measured seconds.
Network = tuple[Structure, float]

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Points measured of an operation with two channel counts, and with one.
POINTS = {"conv": 16, "relu": 6, "add": 6, "pool": 6}
# Whole networks that a table is calibrated by, and how often they are measured where they do not calibrate it.
NETWORKS, ATTEMPTS = 16, 3
# Seconds of a network over the sum of its operations: beyond these the measurements are of something else.
SCALES = 0.05, 20.0
# Random structures whose operations are asked for, and how many are drawn at a time.
SAMPLES, DRAWN, DRAWS = 1000, 4096, 200
# Bytes of inputs and weights that an operation cycles through: more than a cache holds.
COLD_BYTES = 2**26
# A measurement is the median of at least so many repeats, and of more until so many seconds have passed.
LEAST, SECONDS, MOST = 5, 0.1, 100


@dataclass(frozen=True)
class Machine:
    """Where and how to measure: device ``cpu`` or ``cuda``, precision ``fp32``, ``fp16`` or ``bf16``, pictures at a time."""

    device: str = "cpu"
    precision: str = "fp32"
    batch: int = 1
    threads: int | None = None

    def begin(self) -> None:
        """Set the threads, and try a convolution.

        Raises:
            InputError: there is no such device, or it cannot compute in that precision.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device is cuda, expected cpu: torch sees no GPU here")
        if self.threads:
            torch.set_num_threads(self.threads)
        try:
            functional.conv2d(self.tensor(1, 8, 8, 8), self.tensor(8, 8, 3, 3))
        except RuntimeError as error:
            raise InputError(
                f"--precision is {self.precision}, expected one that {self.name} can: {error}"
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
            versions |= {
                "cuda": str(torch.version.cuda),
                "cudnn": str(torch.backends.cudnn.version()),
            }  # type: ignore[no-untyped-call]
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
        """Median time of ``run`` over the arguments in turn, after one run that does not count."""
        with torch.inference_mode():
            run(*arguments[0])
            self._wait()
            times: list[float] = []
            began = time.perf_counter()
            for given in cycle(arguments):
                before = time.perf_counter()
                run(*given)
                self._wait()
                now = time.perf_counter()
                times.append(now - before)
                if len(times) >= MOST or (len(times) >= LEAST and now - began > SECONDS):
                    return max(statistics.median(times), 1e-9)  # a coarse clock may stand still
        raise AssertionError  # a cycle does not end

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def op_seconds(self, op: Op, c_in: int, c_out: int) -> float:
        """Seconds of one operation with these channels; ``c_out`` counts for convolutions alone."""
        picture = (self.batch, c_in, *op.size)
        size = 4 * (math.prod(picture) + c_out * c_in * op.k**2)
        copies = range(max(2, min(MOST, COLD_BYTES // size)))
        if op.kind == "conv":
            # As the backbone calls it: a module costs time of its own.
            convs = [
                self.module(ConvBN(Conv("", c_in, c_out, op.k, op.stride, relu=False)).fuse())
                for _ in copies
            ]
            return self.median_seconds(
                lambda conv, x: conv(x), [(conv, self.tensor(*picture)) for conv in convs]
            )
        if op.kind == "add":
            pairs = [(self.tensor(*picture), self.tensor(*picture)) for _ in copies]
            return self.median_seconds(lambda x, y: functional.relu(x.add_(y), inplace=True), pairs)
        run = {
            "relu": lambda x: functional.relu(x, inplace=True),
            "pool": lambda x: functional.avg_pool2d(x, op.stride, op.stride, ceil_mode=True),
        }[op.kind]
        return self.median_seconds(run, [(self.tensor(*picture),) for _ in copies])

    def network_seconds(self, structure: Structure, input_size: tuple[int, int]) -> float:
        """Seconds of a whole backbone on pictures of ``input_size``, BN fused."""
        torch.manual_seed(0)
        net = CnnNet(structure.to_dicts()).fuse()
        run = self.module(net)
        x = self.tensor(self.batch, int(structure[0].c_in) // (4 if net.focus else 1), *input_size)  # type: ignore[arg-type]
        return self.median_seconds(run, [(Focus()(x) if net.focus else x,)])


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def most_flops(input_size: tuple[int, int]) -> float:
    """FLOPs of the largest structures worth measuring for: what ResNet-101 uses at that input size."""
    return (
        NAMED_FLOPS["resnet101"] * (input_size[0] * input_size[1]) / (INPUT_SIZE[0] * INPUT_SIZE[1])
    )


def random_structures(
    space: Space, input_size: tuple[int, int], most: float, n: int, seed: int
) -> list[Structure]:
    """n random structures of a space of at most ``most`` FLOPs each.

    Raises:
        InputError: hardly any structure of the space is that small.
    """
    rng = np.random.default_rng(seed)
    found: list[Structure] = []
    for _ in range(DRAWS):
        genomes = space.random(rng, DRAWN)
        small = cost(space.decode(genomes), input_size).flops <= most
        found += space.structures(genomes[small][: n - len(found)])
        if len(found) == n:
            return found
    raise InputError(
        f"--most-flops is {most:.4g}, expected more: of {DRAWN * DRAWS:,} random structures of space {space.name} at "
        f"{format_size(input_size)}, {len(found)} use so few, and {n} are needed"
    )


def plan(
    space: Space, input_size: tuple[int, int], most: float, seed: int = 0
) -> dict[Op, list[tuple[int, int]]]:
    """What to measure: for every operation that the space can ask for, the channels (c_in, c_out) to measure it with.

    Operations are those of random structures of at most ``most`` FLOPs and of the smallest one with each kernel; of
    each, the channels lie as far apart as they can (on a logarithmic scale), the smallest first.
    """
    structures = random_structures(space, input_size, most, SAMPLES, seed)
    smallest = space.structures(space.smallest[None])[0]
    met: dict[Op, set[tuple[int, int]]] = {}
    for structure in structures:
        for use in chain_uses(structure, input_size):
            if use.times:
                _meet(met, use)
    for chain in (
        space.every_kernel()
    ):  # a kernel that no small structure has, or a projection that none needs
        kernels = tuple(
            replace(block, k=other.k, depth=2) for block, other in zip(smallest, chain, strict=True)
        )
        for use in chain_uses(kernels, input_size):
            _meet(met, use)
    return {op: _spread(sorted(points), POINTS[op.kind]) for op, points in sorted(met.items())}


def _meet(met: dict[Op, set[tuple[int, int]]], use: Use) -> None:
    met.setdefault(use.op, set()).add((int(use.c_in), int(use.c_out)))  # type: ignore[arg-type]


def _spread(points: Sequence[tuple[int, int]], n: int) -> list[tuple[int, int]]:
    """At most n of the points, each the farthest from those before it; the smallest is the first."""
    at = np.log(np.maximum(np.array(points, float), 1.0))
    chosen, distance = [0], np.abs(at - at[0]).max(axis=1)
    while len(chosen) < n and distance.max() > 0:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.abs(at - at[chosen[-1]]).max(axis=1))
    return [points[i] for i in chosen]


def profile(
    machine: Machine,
    space: Space,
    input_size: tuple[int, int],
    most: float,
    done: Measured | None = None,
) -> Iterator[tuple[int, int, Measured]]:
    """Measure what ``plan`` asks for, but for points that are ``done``.

    Yields:
        after every point, and once before: points measured so far, points in all, and the measurements (shared, growing).
    """
    wanted = plan(space, input_size, most)
    measured = {
        op: [point for point in (done or {}).get(op, ()) if point[:2] in points]
        for op, points in wanted.items()
    }
    total = sum(map(len, wanted.values()))
    yield sum(map(len, measured.values())), total, measured
    for op, points in wanted.items():
        known = {point[:2] for point in measured[op]}
        for c_in, c_out in points:
            if (c_in, c_out) not in known:
                measured[op].append((c_in, c_out, machine.op_seconds(op, c_in, c_out)))
                yield sum(map(len, measured.values())), total, measured


def measured_networks(
    machine: Machine,
    structures: Sequence[Structure],
    input_size: tuple[int, int],
    measured: Measured,
) -> Iterator[list[Network]]:
    """Measure whole networks to calibrate a table by, all of them anew where they do not calibrate it.

    Yields:
        after every network: those measured so far in this attempt. The last ones calibrate the table.

    Raises:
        WorkError: no attempt calibrates it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        networks: list[Network] = []
        for structure in structures:
            networks.append((structure, machine.network_seconds(structure, input_size)))
            yield networks
        try:
            table_document(measured, input_size, networks)
            return
        except WorkError:
            if attempt == ATTEMPTS:
                raise


def table_document(
    measured: Measured, input_size: tuple[int, int], networks: Sequence[Network] = ()
) -> dict[str, Any]:
    """What a table file says of the measurements; complete once there are networks to calibrate it by.

    Raises:
        WorkError: the networks do not calibrate it: their seconds have nothing to do with those of their operations.
    """
    ops = [
        {**op._asdict(), "size": format_size(op.size), "points": [list(p) for p in points]}
        for op, points in measured.items()
    ]
    document = {"complete": bool(networks), "ops": ops}
    if networks:
        for op, points in zip(ops, measured.values(), strict=True):
            op["fit"], op["off"] = fit_seconds(points)
        found = calibration(ops, input_size, networks)
        if not (SCALES[0] <= found["scale"] <= SCALES[1] and math.isfinite(found["per_conv"])):
            raise WorkError(
                f"{len(networks)} whole networks take {found['scale']:.3g} times the sum of their operations, expected "
                f"{SCALES[0]:g} to {SCALES[1]:g}: the machine was too busy to measure; --resume measures the networks again"
            )
        document |= found
    return document
