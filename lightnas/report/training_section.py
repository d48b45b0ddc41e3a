"""What the page says of a training: losses, average precision, and what the detector finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..network.cost import INPUT_SIZE
from ..network.structure import read_structures
from ..runs.output_dir import STRUCTURE
from ..runs.training_config import read_settings, tested_at
from ..runs.training_log import LOGGED, TRAIN, TrainingLog, read_logs
from ..runs.training_log import Curve as Logged
from ..runs.training_run import METRICS, PICTURE, InitialFile, TrainingRun
from .architecture import networks
from .charts import Chart, Curve, Point, curves
from .data_section import read_data
from .evaluation_section import read_measured
from .made import made_of
from .section import Overlay, Section, thinned

LOSS, AP = "Training loss", "Average precision"


def read_training(path: Path, key: str) -> Section:
    """The section of a work directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: it holds no log, or a file of it is damaged.
    """
    run = TrainingRun(path)
    result = run.read_result()
    log, settings = read_logs(path), read_settings(path)
    structure = (path / STRUCTURE).is_file()
    structures = read_structures(path / STRUCTURE)[:1] if structure else []
    size = tested_at(settings) or INPUT_SIZE
    seed = settings.get("seed")
    return Section(
        path,
        key,
        kind="training" if result else "training, not finished",
        figures=_figures(result, run.initial, log),
        made=made_of(path, seed=str(seed) if type(seed) is int else ""),
        leading=bool(structures),
        charts=_charts(log),
        data=read_data(path),
        recipe=(result or {}).get("recipe") or (),
        measured=read_measured(path, result),
        picture=path / PICTURE,
        networks=networks(structures, ["backbone"] * len(structures), key, size),
        overlays=_overlays(log),
    )


def _figures(
    result: dict[str, Any] | None, begun: InitialFile | None, log: TrainingLog
) -> list[tuple[str, str]]:
    known = [(name, result[key]) for key, name in METRICS.items() if result and key in result]
    epochs = max(log.precisions, default=int(log.losses[-1][0]) if log.losses else 0)
    gap = _gap(log)
    troubles = {
        "losses that are no number": log.diverged,
        "damaged lines of its log": log.left_out,
    }
    return [
        *((name, "-" if value is None else f"{value:.3f}") for name, value in known),
        ("epochs", str(epochs)),
        *([("backbone carried over", f"{begun.carried:.1%}")] if begun else []),
        *([] if gap is None else [("AP on train above that on val", f"{gap:.3f}")]),
        *((name, str(number)) for name, number in troubles.items() if number),
    ]


def _charts(log: TrainingLog) -> list[tuple[str, Chart]]:
    charts = [(LOSS, _loss_chart(log))] if log.losses else []
    if any(log.precisions.values()):
        on = "the val split" if _gap(log) is None else "the val split, and on train"
        what = "AP against epochs"
        charts.append((f"{AP} on {on}", curves(what, "epoch", "AP", _ap_curves(log))))
    if log.rates:
        curve = _curve("learning rate", log.rates, digits="g")
        what = "Learning rate against epochs"
        charts.append(("Learning rate", curves(what, "epoch", "learning rate", [curve])))
    return charts


def _overlays(log: TrainingLog) -> list[Overlay]:
    drawn = [Overlay(LOSS, "epoch", "loss", _curve("loss", log.losses))] if log.losses else []
    known = [curve for curve in _ap_curves(log) if curve.name == LOGGED["bbox_mAP"]]
    return drawn + [
        Overlay(f"{AP} on the val split", "epoch", "AP", curve) for curve in known if curve.points
    ]


def _loss_chart(log: TrainingLog) -> Chart:
    """The loss, and each of its parts where there are several."""
    parts = log.parts if len(log.parts) > 1 else {}
    series = [_curve("loss", log.losses)]
    series += [
        _curve(name, values)._replace(dots=False) for name, values in parts.items() if values
    ]
    return curves("Training loss against epochs", "epoch", "loss", series)


def _curve(name: str, values: Logged, digits: str = ".3f") -> Curve:
    points = [Point(at, y, f"epoch {at:.2f}: {name} {y:{digits}}") for at, y in values]
    return Curve(name, thinned(points))


def _ap_curves(log: TrainingLog) -> Sequence[Curve]:
    series = []
    for metric, name in LOGGED.items():
        known = [
            (epoch, values[metric]) for epoch, values in log.precisions.items() if metric in values
        ]
        if metric == TRAIN and not known:
            continue
        points = [Point(epoch, ap, f"epoch {epoch}: {name} {ap:.3f}") for epoch, ap in known]
        series.append(Curve(name, points))
    return series


def _gap(log: TrainingLog) -> float | None:
    """How far AP on train was above that on val in the end; None where it was not measured."""
    both = [
        values[TRAIN] - values["bbox_mAP"]
        for values in log.precisions.values()
        if TRAIN in values and "bbox_mAP" in values
    ]
    return both[-1] if both else None
