"""Profiling: measure what a search space asks of a machine, and write it as a latency table.

The table is saved every second: stopped at any point, measuring goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..documents import differences
from ..errors import InputError, WorkError
from ..files import is_stream, write_output
from ..json_file import json_text
from ..network.cost import INPUT_SIZE
from ..network.detector import LATERALS, Detector
from ..network.structure import Structure
from ..outputs import check_file
from ..search.space import Space
from ..search.space_file import parse_space, read_space_document
from ..units import format_size, parse_size
from .fit import Measured, Network, head_document, table_document
from .plan import CANDIDATES, largest_flops, plan, random_structures
from .runtimes import TORCH, check_pictures
from .speed import noise
from .table import LatencyTable, Op
from .table_file import TABLE, load_table, read_table_document

if TYPE_CHECKING:
    from .measure import Machine

# Seconds of measuring that a stop may cost.
SAVE_EVERY = 1.0
# Whole networks that a table is calibrated by, and how often they are measured where they do not
# calibrate it.
NETWORKS, ATTEMPTS = 16, 3

# Called with how many measurements are done, and how many there are.
OnProgress = Callable[[int, int], object]


class Profiled(NamedTuple):
    """What a profile ends with; ``anew`` is False where the file was complete before, and ``noise``
    says which of its points are noisy, if any are."""

    table: LatencyTable
    points: int
    operations: int
    anew: bool
    noise: str | None = None


def profile_table(
    path: Path,
    machine: Machine,
    space: str = "k1kxk1",
    *,
    max_channels: int | None = None,
    input_size: tuple[int, int] = INPUT_SIZE,
    most_flops: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    detector: Detector | None = None,
) -> Profiled:
    """Measure what a space can ask for, and whole networks, and write the latency table.

    Args:
        path: the table's file, JSON.
        machine: where and how to measure, as ``Machine.here`` makes it.
        space: name or path of the search space whose operations are measured.
        max_channels: replaces the space's own limit.
        input_size: height and width of the pictures.
        most_flops: of the largest structure to measure for; None: ResNet-101's at that input size.
        resume: go on with a table that was stopped.
        overwrite: replace the file.
        on_progress: called after every measurement.
        detector: measure it too, from neck and head to boxes, for searches of whole detectors.

    Raises:
        InputError: the file is there, was measured otherwise or cannot be written; the space cannot
            be read; the pictures are too large to be measured.
        WorkError: the whole networks have nothing to do with their operations. What was measured is
            saved.
    """
    if resume and overwrite:
        raise InputError("resume=True and overwrite=True are both given, expected one of them")
    document, where = read_space_document(space, "space")
    check_file(path, TABLE, [Path(where)], overwrite=overwrite)
    there = path.exists() and not is_stream(path)
    if there and not (resume or overwrite):
        raise InputError(
            f"output {path} exists, expected a new file, resume=True or overwrite=True"
        )
    chosen = parse_space(document, where, max_channels)
    check_pictures(input_size, machine.batch)
    if detector:
        machine.check_detector(detector, input_size)
    most = most_flops or largest_flops(input_size)
    head = machine.document() | {"input_size": format_size(input_size), "most_flops": most}
    head["space"] = document | {"max_channels": chosen.max_channels}
    if detector:
        head["detector"] = str(detector)
    before = read_table_document(path) if resume and there else {"ops": []}
    _same(before, head, path)
    after = before
    if not before.get("complete"):
        work = _Work(
            path, machine, chosen, input_size, most, head, on_progress or (lambda *_: None),
            detector,
        )  # fmt: skip
        after = work.run(_points(before))
    points = sum(len(op["points"]) for op in after["ops"])
    table = load_table(after, str(path))
    spreads = (point[3] for op in after["ops"] for point in op["points"] if len(point) > 3)
    anew = not before.get("complete")
    return Profiled(table, points, len(after["ops"]), anew, noise(spreads))


def _same(before: dict[str, Any], head: dict[str, Any], path: Path) -> None:
    """Refuse to go on with a table of something else."""
    there = {key: before.get(key) for key in head | {"detector": None}}
    if before["ops"] and (found := differences(there, {"detector": None} | head)):
        raise InputError(f"resume=True: {path} was measured otherwise: {'; '.join(found)}")


def _points(document: dict[str, Any]) -> Measured:
    """What a table's file holds of measurements."""
    return {
        Op(
            op["kind"],
            op["k"],
            op["stride"],
            parse_size(op["size"], "size", least=1),
            op.get("groups", 1),
        ): [tuple(p) for p in op["points"]]
        for op in document["ops"]
    }


class _Work(NamedTuple):
    """What is measured into which file; ``head`` is what the file says beside the measurements."""

    path: Path
    machine: Machine
    space: Space
    input_size: tuple[int, int]
    most_flops: float
    head: dict[str, Any]
    on_progress: OnProgress
    detector: Detector | None

    def run(self, done: Measured) -> dict[str, Any]:
        """Measure the operations but for points that are ``done``, then the networks; returns what
        the file then holds."""
        wanted = plan(self.space, self.input_size, self.most_flops)
        measured = {
            op: [point for point in done.get(op, ()) if point[:2] in points]
            for op, points in wanted.items()
        }
        points = sum(map(len, wanted.values()))
        total = points + NETWORKS * (2 if self.detector else 1)
        saved = time.monotonic()
        try:
            for count in measured_points(self.machine, wanted, measured):
                self.on_progress(count, total)
                if time.monotonic() - saved > SAVE_EVERY:
                    self.save(measured)
                    saved = time.monotonic()
        finally:
            self.save(
                measured
            )  # going on needs them, also where the networks do not calibrate them
        structures = random_structures(self.space, self.input_size, self.most_flops, NETWORKS, 0)
        networks: Sequence[Network] = ()
        for networks in measured_networks(self.machine, structures, self.input_size, measured):
            self.on_progress(points + len(networks), total)
        if self.detector:
            found = head_document(self._heads(structures, total))
            self.head["neck_and_head"] = found | {"candidates": CANDIDATES}
        return self.save(measured, networks)

    def _heads(
        self, structures: Sequence[Structure], total: int
    ) -> list[tuple[int, int, int, float, float]]:
        """Measure what follows the backbone on the widths of structures: rows (C3, C4, C5, seconds, spread)."""
        assert self.detector is not None
        rows = []
        for structure in structures:
            c3, c4, c5 = structure.widths[LATERALS[0] - 1 :]
            speed = self.machine.head_speed(self.detector, (c3, c4, c5), self.input_size)
            rows.append((c3, c4, c5, speed.median, speed.spread))
            self.on_progress(total - len(structures) + len(rows), total)
        return rows

    def save(self, measured: Measured, networks: Sequence[Network] = ()) -> dict[str, Any]:
        """Write the table, complete where there are networks; a pipe gets it when it is."""
        fuses = self.machine.runtime != TORCH
        content = self.head | table_document(measured, self.input_size, networks, fuses)
        if content["complete"] or not is_stream(self.path):
            write_output(self.path, (json_text(content) + "\n").encode(), "output")
        return content


def measured_points(
    machine: Machine, wanted: dict[Op, list[tuple[int, int]]], measured: Measured
) -> Iterator[int]:
    """Measure the wanted channels (c_in, c_out) of every operation, and add them to ``measured``.

    Yields:
        after every point, and once before: how many are measured so far.
    """
    yield sum(map(len, measured.values()))
    for op, points in wanted.items():
        known = {point[:2] for point in measured[op]}
        for c_in, c_out in points:
            if (c_in, c_out) not in known:
                speed = machine.op_speed(op, c_in, c_out)
                measured[op].append((c_in, c_out, speed.median, speed.spread))
                yield sum(map(len, measured.values()))


def measured_networks(
    machine: Machine,
    structures: Sequence[Structure],
    input_size: tuple[int, int],
    measured: Measured,
) -> Iterator[list[Network]]:
    """Measure whole networks to calibrate a table by; all of them anew where they do not.

    Yields:
        after every network: those measured so far in this attempt. The last ones calibrate the
            table.

    Raises:
        WorkError: no attempt calibrates it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        networks: list[Network] = []
        for structure in structures:
            networks.append((structure, machine.network_speed(structure, input_size).median))
            yield networks
        try:
            table_document(measured, input_size, networks, machine.runtime != TORCH)
            return
        except WorkError:
            if attempt == ATTEMPTS:
                raise
