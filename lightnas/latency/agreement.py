"""How well a latency table agrees with whole networks that are measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..network.detector import Detector
from ..network.structure import Structure
from ..search.space_file import parse_space
from ..units import format_size, parse_size
from .plan import random_structures
from .profile import OnProgress
from .runtimes import TORCH, check_pictures
from .table import LatencyTable
from .table_file import read_table_document

if TYPE_CHECKING:
    from .measure import Machine


def measure_structures(
    structures: Sequence[tuple[str, Structure]],
    machine: Machine,
    input_size: tuple[int, int],
    table: LatencyTable | None = None,
    on_progress: OnProgress | None = None,
    detector: Detector | None = None,
) -> dict[str, Any]:
    """Measure named structures; what ``latency --json`` prints.

    Args:
        structures: each with its name.
        machine: where and how to measure, as ``Machine.here`` makes it.
        input_size: height and width of the pictures.
        table: what the measurements are compared with.
        on_progress: called before every measurement with how many are done, and how many there are.
        detector: measure it too, to its boxes, and count its neck and head.

    Returns:
        ``device``, ``input_size``, ``runtime`` unless it is torch, and of every structure in
        ``structures`` its name, FLOPs, seconds and ``spread``, their interquartile range as a share
        of them; with a table also the seconds by the ``table`` and how far it is ``off``; beside
        them what ``agreement_of`` says.

    Raises:
        InputError: a structure needs an operation that the table does not have, or there is a
            detector beside a table of none, or of another; or the pictures are too large.
    """
    check_pictures(input_size, machine.batch)
    if table and detector and table.detector != str(detector):
        held = table.detector or "backbones alone"
        raise InputError(
            f"latency_table is given with detector {detector}, expected one of them: the table holds {held}"
        )
    sums = [table.chain(structure, detector) if table else None for _, structure in structures]
    rows: list[dict[str, Any]] = []
    for (name, structure), by_table in zip(structures, sums, strict=True):
        if on_progress:
            on_progress(len(rows), len(structures))
        speed = (
            machine.detector_speed(structure, input_size, detector)
            if detector
            else machine.network_speed(structure, input_size)
        )
        row: dict[str, Any] = {
            "name": name,
            "flops": int(structure.cost(input_size, None, detector).flops),
            "seconds": speed.median,
            "spread": speed.spread,
        }
        if by_table is not None:
            row |= {"table": by_table, "off": by_table / speed.median - 1}
        rows.append(row)
    content: dict[str, Any] = {"device": machine.name, "input_size": format_size(input_size)}
    counted = {"detector": str(detector)} if detector else {}
    if machine.runtime != TORCH:
        counted["runtime"] = machine.runtime
    return content | counted | {"structures": rows} | agreement_of(rows)


def agreement_of(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Spearman's rank correlation of table and measurement, and the median relative error.

    Empty for fewer than three structures, or without a table.
    """
    from scipy.stats import spearmanr

    if len(rows) < 3 or "table" not in rows[0]:
        return {}
    rank = spearmanr([row["seconds"] for row in rows], [row["table"] for row in rows]).statistic
    return {
        "rank_correlation": float(rank),
        "median_error": median(abs(row["off"]) for row in rows),
    }


def settings_of(table: LatencyTable, given: dict[str, Any]) -> dict[str, Any]:
    """What a table was measured with, by the keys of what is given.

    Args:
        table: the latency table.
        given: any of device, precision, batch, threads, runtime and input_size; None says nothing.

    Raises:
        InputError: what is given says otherwise.
    """
    has = {**table.document, "input_size": table.input_size, "runtime": table.runtime}
    for key, value in given.items():
        if value not in (None, has[key]):
            was, expected = (
                format_size(size) if key == "input_size" else size for size in (value, has[key])
            )
            raise InputError(f"{key} is {was}, expected {expected}, what the latency table has")
    return {key: has[key] for key in given}


def structures_like(path: Path, n: int, seed: int = 0) -> list[Structure]:
    """n random structures of the space and FLOPs that a table was made for.

    They are other ones than those that it was calibrated by.

    Raises:
        InputError: the file cannot be read, or does not say what it was made for.
    """
    table = read_table_document(path)
    if table["space"] is None or table["most_flops"] is None:
        raise InputError(
            f"{path}: names no space and most_flops, expected a table that `lightnas profile` wrote"
        )
    space = parse_space(table["space"], f"{path}: space")
    size = parse_size(table["input_size"], f"{path}: input_size")
    return random_structures(space, size, table["most_flops"], n, seed + 1)
