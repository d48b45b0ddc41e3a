"""The file of a latency table: JSON, checked key by key.

    {"device": "cpu", "name": "...", "precision": "fp32", "batch": 1, "threads": 2, "runtime": "torch",
     "input_size": "320x320", "complete": true, "scale": 1.03, "per_conv": 1.2e-05, "most_flops": 16e9,
     "space": {...}, "versions": {...},
     "ops": [{"kind": "conv", "k": 3, "stride": 2, "size": "160x160", "fit": [a, b, c, d], "off": 0.04,
              "points": [[c_in, c_out, seconds, spread], ...]}, ...]}

``points`` is what was measured, ``spread`` the interquartile range as a share of it (older tables
have none, nor a ``runtime``: it was torch); ``fit`` describes it in seconds, and ``off`` is the median of its
relative error. A convolution in several groups says ``groups``, 0 if it is depthwise. ``scale`` and
``per_conv`` calibrate the sum, with ``others`` in a table of another runtime than torch, as ``table``
says. An unfinished table has none of them; ``space`` and
``most_flops`` say what it was measured for. A table of a whole ``detector`` has ``neck_and_head``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field

from ..documents import check
from ..errors import InputError
from ..files import Kind
from ..json_file import read_json
from ..network.detector import parse_detector
from ..network.structure import MAX_SIZE
from ..units import parse_size
from .runtimes import TORCH
from .table import LatencyTable, calibrated_fits

# A table of every kernel, stride and size that a space can have takes a tenth of these.
MAX_BYTES, MAX_VALUES = 2**21, 500_000
MAX_OPS, MAX_POINTS = 2000, 2000
# Keys that came later, and stand in a table only where there is something to say.
LATER = ("others", "detector", "neck_and_head")
# Numbers of a table: sums and products of them stay finite.
LARGEST = 1e9
Seconds = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
# The first mistake of a long list is said; a message for each of them would take gigabytes.
FIRST = FailFast()
Channels = Annotated[int, Field(ge=0, le=MAX_SIZE)]
Point = tuple[Channels, Channels, Positive] | tuple[Channels, Channels, Positive, Seconds]


class OpFile(BaseModel):
    """One operation of a table file."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["conv", "relu", "silu", "add", "add_silu", "pool", "excite"]
    k: Annotated[int, Field(ge=1, le=1023)]
    stride: Annotated[int, Field(ge=1, le=2)]
    size: str
    groups: Annotated[int, Field(ge=0, le=MAX_SIZE)] = 1
    fit: Annotated[list[Seconds], Field(min_length=4, max_length=4)] | None = None
    off: Annotated[float, Field(allow_inf_nan=False)] | None = None
    points: Annotated[list[Point], Field(max_length=MAX_POINTS), FIRST] = []


class NeckAndHead(BaseModel):
    """Seconds of a detector behind its backbone, from neck and head to boxes: ``fit`` is what is the same
    whatever the backbone, and those a channel of C3, C4 and C5; ``points`` are rows (C3, C4, C5, seconds,
    spread), and ``candidates`` is how many the choice of boxes had (None: it was not measured)."""

    model_config = ConfigDict(extra="forbid")

    fit: Annotated[list[Seconds], Field(min_length=4, max_length=4)]
    off: Annotated[float, Field(allow_inf_nan=False)]
    points: Annotated[
        list[tuple[Channels, Channels, Channels, Positive, Seconds]],
        Field(max_length=MAX_POINTS),
        FIRST,
    ] = []
    candidates: Annotated[int, Field(ge=0, le=2**31)] | None = None


class TableFile(BaseModel):
    """A latency table's file."""

    model_config = ConfigDict(extra="forbid")

    device: Literal["cpu", "cuda"]
    name: str
    precision: Literal["fp32", "fp16", "bf16"]
    batch: Annotated[int, Field(ge=1, le=2**31)]
    threads: Annotated[int, Field(ge=1, le=2**31)]
    runtime: Literal["torch", "onnxruntime", "openvino"] = "torch"
    input_size: str
    complete: bool
    scale: Positive = 1.0
    per_conv: Seconds = 0.0
    others: Seconds | None = None
    most_flops: Annotated[float, Field(gt=0, le=1e30, allow_inf_nan=False)] | None = None
    space: dict[str, Any] | None = None
    detector: str | None = None
    neck_and_head: NeckAndHead | None = None
    versions: dict[str, str] = {}
    ops: Annotated[list[OpFile], Field(max_length=MAX_OPS), FIRST]


def read_table_document(path: Path) -> dict[str, Any]:
    """The JSON of a latency table's file, finished or not; checked.

    Raises:
        InputError: one line that names the file and the key.
    """
    document = read_json(
        path,
        "a table that `lightnas profile` wrote",
        "is not JSON",
        max_bytes=MAX_BYTES,
        max_values=MAX_VALUES,
    )
    return check(TableFile, document, str(path)).model_dump()


def _is_table(path: Path) -> bool:
    """Whether a file is a latency table, finished or not."""
    try:
        read_table_document(path)
    except InputError:
        return False
    return True


TABLE = Kind("latency table", _is_table)


def _groups_of(op: dict[str, Any]) -> dict[str, int]:
    """``groups`` where there is more than one: the others do not say it."""
    return {} if op["groups"] == 1 else {"groups": op["groups"]}


def load_table(source: str | Path | dict[str, Any], where: str = "latency_table") -> LatencyTable:
    """A finished table from its file, or from its document, as a run's config.yaml holds it.

    ``where`` opens the error messages about a document.

    Raises:
        InputError: it cannot be read, is no table, or is not finished.
    """
    if isinstance(source, dict):
        document = check(TableFile, source, where).model_dump()
    else:
        document, where = read_table_document(Path(source)), str(source)
    unfit = any(op["fit"] is None for op in document["ops"])
    head = document["neck_and_head"]
    if not document["complete"] or unfit or (document["detector"] and head is None):
        raise InputError(
            f"{where}: is not finished, expected one that is; `lightnas profile --resume` goes on with it"
        )
    parse_size(document["input_size"], f"{where}: input_size")
    if document["detector"] is not None:
        parse_detector(document["detector"], f"{where}: detector")
    factors = (document["scale"], document["per_conv"])
    fits = calibrated_fits(document["ops"], *factors, where, document["others"])
    keys = ("kind", "k", "stride", "size", "fit", "off")
    document["ops"] = [{key: op[key] for key in keys} | _groups_of(op) for op in document["ops"]]
    left_out = {"space", "most_flops"}
    if document["runtime"] == TORCH:  # configs of older runs hold tables that do not spell it out
        left_out.add("runtime")
    left_out |= {key for key in LATER if document[key] is None}
    if head:
        del head["points"]
        document["neck_and_head"] = {key: value for key, value in head.items() if value is not None}
    return LatencyTable({k: v for k, v in document.items() if k not in left_out}, fits)
