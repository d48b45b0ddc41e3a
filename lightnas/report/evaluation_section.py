"""What the page says of each class: AP, precision over recall, and what is taken for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..documents import check
from ..errors import InputError
from ..json_file import read_json
from ..runs.training_run import EVALUATION, RESULT, EvaluationFile
from .charts import Chart, Curve, Point, curves
from .section import Cell, Confusion, Measured

# A curve has a colour of its own; a matrix fits the page.
MOST_CURVES, MOST_IN_MATRIX, MOST_CLASSES = 5, 15, 100


def read_measured(path: Path, result: Mapping[str, Any] | None) -> Measured | None:
    """What a work directory says of its classes; None where it is not finished, or from before it
    did.

    Raises:
        InputError: a file of it is damaged.
    """
    if not result or not result.get("per_class"):
        return None
    per_class = result["per_class"]
    file = path / EVALUATION
    if not file.is_file():
        return Measured(_rows(per_class), None, None)
    content = read_json(file, "an evaluation")
    check(EvaluationFile, content, str(file))
    if len(content["curves"]["per_class"]) != len(per_class):
        raise InputError(
            f"{file}: has {len(content['curves']['per_class'])} curves, expected one for each of the "
            f"{len(per_class)} classes of {RESULT}"
        )
    chart = _curves(content["curves"], per_class)
    return Measured(_rows(per_class), chart, _matrix(content["confusion"]))


def _rows(per_class: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    return [
        (row["class"], [_figure(row["ap"]), _figure(row["ap50"]), f"{row['objects']:,}", f"{row['pictures']:,}"])
        for row in per_class[:MOST_CLASSES]
    ]  # fmt: skip


def _figure(ap: float | None) -> str:
    return "-" if ap is None else f"{ap:.3f}"


def _curves(content: Mapping[str, Any], per_class: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Precision over recall: of all classes in the mean, and of those with the most objects."""
    if content["mean"] is None:
        return None
    known = [k for k, curve in enumerate(content["per_class"]) if curve is not None]
    most = sorted(known, key=lambda k: (-per_class[k]["objects"], k))[: MOST_CURVES - 1]
    drawn = [("mean of the classes", content["mean"])] if len(known) > 1 else []
    drawn += [(per_class[k]["class"], content["per_class"][k]) for k in most]
    series = [
        Curve(
            name,
            [Point(x, y) for x, y in zip(content["recall"], curve, strict=True)],
            dots=False,
        )
        for name, curve in drawn
    ]
    what = f"Precision over recall at IoU {content['iou']}"
    if len(known) >= MOST_CURVES:
        what += f", the mean and the {len(most)} classes with the most objects"
    return curves(what, "recall", "precision", series)


def _matrix(content: Mapping[str, Any]) -> Confusion:
    """The matrix, or of many classes the part with the most mistakes, the others as one."""
    names, n = [str(name) for name in content["names"]], len(content["names"]) - 1
    counts = [[int(value) for value in row] for row in content["counts"]]
    groups = [[k] for k in range(n + 1)]
    if n > MOST_IN_MATRIX:
        wrong = [
            sum(counts[k]) + sum(row[k] for row in counts) - 2 * counts[k][k] for k in range(n)
        ]
        shown = sorted(sorted(range(n), key=lambda k: -wrong[k])[:MOST_IN_MATRIX])
        others = [k for k in range(n) if k not in shown]
        groups = [*([k] for k in shown), others, [n]]
        names = [*(names[k] for k in shown), f"{len(others)} others", names[n]]
    rows = []
    for name, of_rows in zip(names, groups, strict=True):
        sums = [sum(counts[i][j] for i in of_rows for j in of_columns) for of_columns in groups]
        total = max(1, sum(sums))
        rows.append((name, [Cell(f"{value:,}", 100 * value / total) for value in sums]))
    note = (
        f"Rows are what is there, columns what was found with a score of at least {content['score']:g}, "
        f"at IoU {content['iou']:g}. The last column counts objects that were missed, the last row "
        "boxes without an object."
    )
    return Confusion(names, rows, note)
