"""What a budget can limit: how each resource is called, read and shown.

A new one is an entry here and its figure in ``network/cost.py``; options, configs, tables, fronts
and reports follow from the two. Importing this module loads no numpy, since ``--help`` needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .units import (
    NAMED_FLOPS,
    format_count,
    format_ratio,
    format_seconds,
    parse_count,
    parse_ratio,
    parse_seconds,
)


@dataclass(frozen=True)
class Resource:
    """One resource of a backbone.

    Attributes:
        name: key of configs and results, and ``--budget-NAME``.
        label: what people read.
        help: of the option; ``row``: of the option that takes a row of budgets.
        parse: the number from what a person wrote; the second argument opens the error message.
        format: the number as people read it, with so many digits.
        unit, scale: of a chart's axis, which shows the number over ``scale``.
        metavar: of the option.
        counted: a structure's figure is a whole number.
        always: every structure has a figure, whether it is asked for or not.
        summed: it is used up, block by block; a limit on anything else is no resource to share.
    """

    name: str
    label: str
    help: str
    row: str
    parse: Callable[[object, str], float]
    format: Callable[..., str]
    unit: str
    scale: float
    metavar: str = "N"
    counted: bool = True
    always: bool = True
    summed: bool = True

    @property
    def one_more(self) -> str:
        """What a shadow price is the price of: ``G of FLOPs``, ``layer``, ``ms``."""
        if not self.unit:
            return self.label.removesuffix("s")
        return self.unit if self.name == "latency" else f"{self.unit} of {self.label}"


RESOURCES = {
    resource.name: resource
    for resource in (
        Resource(
            name="flops",
            label="FLOPs",
            help="FLOPs at the input size: 83.6G, 8.36e10, resnet50 or resnet101.",
            row="A row of FLOPs budgets, 10G:160G:16 or with steps that grow 10G:160G:5:log, or one for all.",
            parse=partial(parse_count, named=NAMED_FLOPS),
            format=format_count,
            unit="G",
            scale=1e9,
        ),
        Resource(
            name="params",
            label="params",
            help="Parameters of the backbone, e.g. 25.6M.",
            row="Likewise for parameters.",
            parse=parse_count,
            format=format_count,
            unit="M",
            scale=1e6,
        ),
        Resource(
            name="layers",
            label="layers",
            help="Convolutions on the main path, e.g. 91.",
            row="Likewise for convolutions on the main path.",
            parse=parse_count,
            format=format_count,
            unit="",
            scale=1,
        ),
        Resource(
            name="latency",
            label="latency",
            help="Of --latency-table's machine, e.g. 30ms.",
            row="Likewise for the time on --latency-table's machine: 5ms:50ms:10.",
            parse=parse_seconds,
            format=format_seconds,
            unit="ms",
            scale=1e-3,
            metavar="TIME",
            counted=False,
            always=False,
        ),
        Resource(
            name="activations",
            label="activations",
            help="Output elements of all convolutions at the input size, e.g. 80M.",
            row="Likewise for the output elements of all convolutions.",
            parse=parse_count,
            format=format_count,
            unit="M",
            scale=1e6,
            always=False,
        ),
        Resource(
            name="rho",
            label="rho",
            help="Depth over the mean width, at most, wherever a stage ends: 0.3, say, is trainable.",
            row="Likewise for rho, depth over the mean width: 0.1:0.5:9.",
            parse=parse_ratio,
            format=format_ratio,
            unit="0.01",
            scale=0.01,
            metavar="R",
            counted=False,
            always=False,
            summed=False,
        ),
    )
}
