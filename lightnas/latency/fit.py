"""Fitting: from measured seconds to the coefficients of a latency table.

The coefficients of an operation are those of the non-negative least squares of the relative error
over the channels that it was measured with; ``scale``, ``others`` and ``per_conv`` likewise, over
whole networks. ``table`` says what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from ..arrays import Floats
from ..errors import WorkError
from ..network.blocks import Block
from ..network.structure import Structure
from .table import Fits, Op, calibrated_fits, chain_uses, use_seconds

# Of every operation, rows (c_in, c_out, seconds), and how far those spread, where that is known: the
# interquartile range as a share of them.
Point = tuple[int, int, float] | tuple[int, int, float, float]
Measured = dict[Op, list[Point]]

# A structure and its measured seconds.
Network = tuple[Structure, float]

# Seconds of a network over the sum of its operations: beyond these the measurements are of
# something else.
SCALES = 0.05, 20.0


def fit_seconds(points: Sequence[Sequence[float]]) -> tuple[list[float], float]:
    """a, b, c, d of (c_in, c_out, seconds) rows, all at least 0, and the median relative error."""
    c_in, c_out, seconds = np.array([point[:3] for point in points], float).T
    terms = np.stack([np.ones_like(c_in), c_in, c_out, c_in * c_out], axis=1)
    fit = _fitted(terms, seconds)
    off = float(np.median(np.abs(terms @ fit / seconds - 1)))
    return [float(value) for value in fit], off


def head_document(points: Sequence[tuple[int, int, int, float, float]]) -> dict[str, Any]:
    """What a table file says of a detector behind its backbone, from rows (C3, C4, C5, seconds, spread)."""
    rows = np.array(points, float)
    terms, seconds = np.column_stack([np.ones(len(rows)), rows[:, :3]]), rows[:, 3]
    fit = _fitted(terms, seconds)
    return {
        "fit": [float(value) for value in fit],
        "off": float(np.median(np.abs(terms @ fit / seconds - 1))),
        "points": [list(point) for point in points],
    }


def _fitted(terms: Floats, seconds: Floats) -> Floats:
    """Coefficients, (m,), of at least 0 of the terms, (n, m), for the seconds, (n,).

    Their sum comes closest in relative error.
    """
    relative = terms / seconds[:, None]
    scale = np.maximum(np.abs(relative).max(axis=0), 1e-300)
    fit: Floats = nnls(relative / scale, np.ones(len(seconds)))[0] / scale
    return np.where(relative.any(axis=0), fit, 0.0)  # a term that is 0 throughout gets a 0


def calibration(
    ops: Sequence[dict[str, Any]],
    input_size: tuple[int, int],
    networks: Sequence[tuple[Sequence[Block], float]],
    fuses: bool = False,
) -> dict[str, float]:
    """``scale`` and ``per_conv``, and of a runtime that ``fuses`` operations also ``others``, from the
    fitted operations of a table and measured networks."""
    fits = calibrated_fits(ops, 1.0, 0.0)
    convs, others, numbers = np.array([_sums(fits, blocks, input_size) for blocks, _ in networks]).T
    terms = [convs, others, numbers] if fuses else [convs + others, numbers]
    names = ("scale", "others", "per_conv") if fuses else ("scale", "per_conv")
    found = _fitted(np.stack(terms, axis=1), np.array([seconds for _, seconds in networks]))
    return dict(zip(names, map(float, found), strict=True))


def _sums(
    fits: Fits, blocks: Sequence[Block], input_size: tuple[int, int]
) -> tuple[float, float, float]:
    """Seconds of all convolutions of a structure, of its other operations, and the number of its
    convolutions."""
    seconds = {True: 0.0, False: 0.0}
    number = 0.0
    for use in chain_uses(blocks, input_size):
        is_conv = use.kind == "conv"
        seconds[is_conv] += float(use.times * use_seconds(fits, use))
        number += float(use.times) * is_conv
    return seconds[True], seconds[False], number


def table_document(
    measured: Measured,
    input_size: tuple[int, int],
    networks: Sequence[Network] = (),
    fuses: bool = False,
) -> dict[str, Any]:
    """What a table file says of the measurements; complete once there are networks. ``fuses`` as for
    ``calibration``.

    Raises:
        WorkError: the networks do not calibrate it: their seconds have nothing to do with those of
            their operations.
    """
    ops = [op.document() | {"points": [list(p) for p in points]} for op, points in measured.items()]
    document = {"complete": bool(networks), "ops": ops}
    if networks:
        for op, points in zip(ops, measured.values(), strict=True):
            op["fit"], op["off"] = fit_seconds(points)
        found = calibration(ops, input_size, networks, fuses)
        if not (SCALES[0] <= found["scale"] <= SCALES[1] and math.isfinite(found["per_conv"])):
            raise WorkError(
                f"{len(networks)} whole networks take {found['scale']:.3g} times the sum of their operations, expected "
                f"{SCALES[0]:g} to {SCALES[1]:g}: the machine was too busy to measure; resume=True measures the "
                f"networks again"
            )
        document |= found
    return document
