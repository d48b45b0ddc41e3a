"""What the page says of a training: losses, average precision, and what the detector finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..network.cost import INPUT_SIZE
from ..network.structure import format_structures, read_structures
from ..runs.output_dir import STRUCTURE
from ..runs.training_log import LOGGED, TRAIN, TrainingLog, read_logs
from ..runs.training_run import METRICS, PICTURE, TrainingRun
from .charts import Chart, Curve, Point, curves
from .data_section import read_data
from .evaluation_section import read_measured
from .section import Section, architecture, thinned


def read_training(path: Path, key: str) -> Section:
    """The section of a work directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: it holds no log, or a file of it is damaged.
    """
    run = TrainingRun(path)
    result, begun = run.read_result(), run.initial
    log = read_logs(path)
    structure = read_structures(path / STRUCTURE)[0] if (path / STRUCTURE).is_file() else None
    charts = [("Training loss", _loss_chart(log.losses))] if log.losses else []
    if any(log.precisions.values()):
        on = "the val split" if _gap(log) is None else "the val split, and on train"
        charts.append((f"Average precision on {on}", _ap_chart(log)))
    known = [(name, result[key]) for key, name in METRICS.items() if result and key in result]
    epochs = max(log.precisions, default=int(log.losses[-1][0]) if log.losses else 0)
    troubles = {
        "losses that are no number": log.diverged,
        "damaged lines of its log": log.left_out,
    }
    return Section(
        path,
        key,
        kind="training" if result else "training, not finished",
        figures=[
            *((name, "-" if value is None else f"{value:.3f}") for name, value in known),
            ("epochs", str(epochs)),
            *([("backbone carried over", f"{begun.carried:.1%}")] if begun else []),
            *(
                []
                if (gap := _gap(log)) is None
                else [("AP on train above that on val", f"{gap:.3f}")]
            ),
            *((name, str(number)) for name, number in troubles.items() if number),
        ],
        text=f"{key}-0" if structure else "",
        charts=charts,
        data=read_data(path),
        recipe=(result or {}).get("recipe") or (),
        architecture=architecture(structure, INPUT_SIZE) if structure else None,
        measured=read_measured(path, result),
        picture=path / PICTURE,
        texts={f"{key}-0": format_structures([structure])} if structure else {},
    )


def _loss_chart(losses: Sequence[tuple[float, float]]) -> Chart:
    points = [Point(epoch, loss, f"epoch {epoch:.2f}: loss {loss:.3f}") for epoch, loss in losses]
    curve = Curve("loss", thinned(points))
    return curves("Training loss against epochs", "epoch", "loss", [curve])


def _ap_chart(log: TrainingLog) -> Chart:
    series = []
    for metric, name in LOGGED.items():
        known = [
            (epoch, values[metric]) for epoch, values in log.precisions.items() if metric in values
        ]
        if metric == TRAIN and not known:
            continue
        points = [Point(epoch, ap, f"epoch {epoch}: {name} {ap:.3f}") for epoch, ap in known]
        series.append(Curve(name, points))
    return curves("AP against epochs", "epoch", "AP", series, y_range=(0, 1))


def _gap(log: TrainingLog) -> float | None:
    """How far AP on train was above that on val in the end; None where it was not measured."""
    both = [
        values[TRAIN] - values["bbox_mAP"]
        for values in log.precisions.values()
        if TRAIN in values and "bbox_mAP" in values
    ]
    return both[-1] if both else None
