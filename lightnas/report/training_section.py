"""What the page says of a training: losses, average precision, and what the detector finds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_text
from ..network.cost import INPUT_SIZE
from ..network.structure import format_structures, read_structures
from ..runs.output_dir import STRUCTURE
from ..runs.training_run import PICTURE, RESULT
from .charts import Chart, Curve, Point, curves
from .evaluation_section import read_measured
from .section import MAX_BYTES, Section, architecture, read_result, thinned

# Keys of result.json and of the log, and what they are called.
RESULTS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_s": "AP small",
    "ap_m": "AP medium",
    "ap_l": "AP large",
}
LOGGED = {"bbox_mAP": "AP", "bbox_mAP_50": "AP50", "bbox_mAP_75": "AP75"}

Row = dict[str, Any]


def read_training(path: Path, key: str) -> Section:
    """The section of a work directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: it holds no log, or a file of it is damaged.
    """
    result = read_result(path / RESULT, json.loads) if (path / RESULT).is_file() else None
    losses, evaluations = _log(path)
    if not losses:
        raise InputError(f"{path} holds no log of a training, expected one that train-det wrote")
    structure = read_structures(path / STRUCTURE)[0] if (path / STRUCTURE).is_file() else None
    charts = [("Training loss", _loss_chart(losses))]
    if any(_measured(row, metric) for row in evaluations for metric in LOGGED):
        charts.append(("Average precision on the val split", _ap_chart(evaluations)))
    known = [
        (name, result[metric]) for metric, name in RESULTS.items() if result and metric in result
    ]
    epochs = max((row["epoch"] for row in evaluations), default=int(losses[-1][0]))
    return Section(
        path,
        key,
        kind="training" if result else "training, not finished",
        figures=[
            *((name, "-" if value is None else f"{value:.3f}") for name, value in known),
            ("epochs", str(epochs)),
        ],
        text=f"{key}-0" if structure else "",
        charts=charts,
        architecture=architecture(structure, INPUT_SIZE) if structure else None,
        measured=read_measured(path, result),
        picture=path / PICTURE,
        texts={f"{key}-0": format_structures([structure])} if structure else {},
    )


def _loss_chart(losses: Sequence[tuple[float, float]]) -> Chart:
    points = [Point(epoch, loss, f"epoch {epoch:.2f}: loss {loss:.3f}") for epoch, loss in losses]
    curve = Curve("loss", thinned(points))
    return curves("Training loss against epochs", "epoch", "loss", [curve])


def _ap_chart(evaluations: Sequence[Row]) -> Chart:
    series = []
    for metric, name in LOGGED.items():
        known = [(row["epoch"], row[metric]) for row in evaluations if _measured(row, metric)]
        points = [Point(epoch, ap, f"epoch {epoch}: {name} {ap:.3f}") for epoch, ap in known]
        series.append(Curve(name, points))
    return curves("AP against epochs", "epoch", "AP", series, y_range=(0, 1))


def _measured(row: Row, metric: str) -> bool:
    """Whether there was anything to measure; older logs say -1 where there was not."""
    value = row.get(metric)
    return isinstance(value, int | float) and value >= 0


def _log(path: Path) -> tuple[list[tuple[float, float]], list[Row]]:
    """Of all logs in a work directory, which a resumed run adds to: (epoch, loss), and the
    evaluations; later ones win."""
    losses: dict[tuple[int, int], float] = {}
    evaluations: dict[int, Row] = {}
    for log in sorted(path.glob("*.log.json")):
        for line in read_text(log, MAX_BYTES).splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            if row.get("mode") == "train" and math.isfinite(row.get("loss", math.nan)):
                losses[row["epoch"], row["iter"]] = row["loss"]
            elif row.get("mode") == "val":
                evaluations[row["epoch"]] = row
    longest = max((iteration for _, iteration in losses), default=1)
    curve = sorted(
        (epoch - 1 + iteration / longest, loss) for (epoch, iteration), loss in losses.items()
    )
    return curve, [evaluations[epoch] for epoch in sorted(evaluations)]
