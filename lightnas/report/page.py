"""report.html: one self-contained page about runs, fronts and trainings; no server, no network.

    from lightnas.report import write_report

    write_report([Path("outputs/maedet-m")])      # outputs/maedet-m/report.html

Everything is read from the directories, so that a report can be made again, and of several runs together.
"""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__
from ..errors import InputError
from ..files import read_text, write_output
from ..network.cost import INPUT_SIZE, block_cost
from ..network.entropy import ALPHA, block_entropy
from ..network.published import PUBLISHED
from ..network.score import score_structures
from ..network.stages import fed_size
from ..network.structure import Structure, format_structures, read_structures
from ..resources import RESOURCES
from ..runs.config import load_config
from ..runs.front_run import FRONT, load_front
from ..runs.output_dir import REPORT, STRUCTURE
from ..runs.search_run import CONFIG, HISTORY, RESULT
from ..runs.training_run import CONFIG as TRAINING_CONFIG
from ..runs.training_run import PICTURE
from ..units import format_count, format_size
from . import charts
from .charts import Chart, Curve, Point

MAX_BYTES = 2**25
# The page stays below 1 MB: pictures of all its sections together may take so many bytes (base64 makes them a third larger).
PICTURE_BYTES = 600_000

Section = dict[str, Any]


def write_report(paths: Sequence[Path], output: Path | None = None) -> Path:
    """Write one page about all the directories: to ``output``, else as report.html into the first of them.

    Raises:
        InputError: one of them holds no finished run, or the page cannot be written.
    """
    sections = [read_section(path, f"s{i}") for i, path in enumerate(paths)]
    room = PICTURE_BYTES
    for section in sections:
        section["picture"], room = _picture(section.get("picture"), room)
    target = output or paths[0] / REPORT
    write_output(target, _render(sections).encode(), "--output" if output else "report")
    return target


def read_section(path: Path, key: str) -> Section:
    """What the page says of one directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: it holds no finished run, front or training, or a file of it is damaged.
    """
    if not path.is_dir():
        raise InputError(
            f"{path} is not a directory, expected one that search, pareto or train-det wrote"
        )
    kinds = {TRAINING_CONFIG: _training, FRONT: _front, RESULT: _search}
    for name, read in kinds.items():
        if (path / name).is_file():
            return {"key": key, "title": path.name or str(path), "path": str(path)} | read(
                path, key
            )
    raise InputError(
        f"{path} holds no finished run, expected {RESULT}, {FRONT}, or the {TRAINING_CONFIG} of a training"
    )


# --- searches -------------------------------------------------------------------------------------------------------


def _search(path: Path, key: str) -> Section:
    result = _json(path / RESULT)
    config = load_config(path / CONFIG, {})
    problem = config.problem
    structures = read_structures(path / STRUCTURE)
    names = [name for name in RESOURCES if name in result]
    texts = {f"{key}-{i}": format_structures([structure]) for i, structure in enumerate(structures)}
    rows = score_structures(structures, problem.input_size, problem.alpha)
    own = [{"name": f"found, rank {i}", "text": f"{key}-{i}"} | row for i, row in enumerate(rows)]
    return {
        "kind": "search in space " + problem.space.name,
        "figures": [
            ("score", f"{result['score']:.3f}"),
            *((RESOURCES[name].label, RESOURCES[name].format(result[name], 4)) for name in names),
            ("gap to the bound", _gap(result)),
            ("search", f"{result['seconds']:.2f} s"),
        ],
        "text": f"{key}-0",
        "budgets": [
            _budget(name, result[name], problem.limits[name])
            for name in names
            if name in problem.limits
        ],
        "architecture": _architecture(structures[0], problem.input_size),
        "charts": [("Convergence", _convergence(path, result))],
        "table": _comparison(own, problem.input_size, problem.alpha),
        "texts": texts,
    }


def _gap(result: dict[str, Any]) -> str:
    proven = result.get("proven_optimal", result["gap"] == 0)
    return "0, proven optimal" if proven else f"{100 * result['gap']:.4f} %"


def _budget(name: str, used: float, limit: float) -> dict[str, Any]:
    texts = {"used": RESOURCES[name].format(used, 5), "limit": RESOURCES[name].format(limit, 5)}
    return {"name": RESOURCES[name].label, "share": 100 * used / limit} | texts


def _convergence(path: Path, result: dict[str, Any]) -> Chart:
    """Best score against evaluations, from where evolution is within a tenth of its end, and the bound above it."""
    with open(path / HISTORY, newline="", encoding="utf-8") as file:
        rows = [(int(row["evaluations"]), float(row["best_score"])) for row in csv.DictReader(file)]
    bound = result["upper_bound"]
    late = [(n, best) for n, best in rows if best >= 0.9 * bound] or rows
    ends = (late[0][0], max(late[-1][0], late[0][0] + 1))
    best = [
        Point(n, y, f"{n:,} evaluations: {y:.3f}, {100 * (1 - y / bound):.3f} % below the bound")
        for n, y in late
    ]
    series = [
        Curve("best score", _thinned(best)),
        Curve(
            "upper bound", [Point(x, bound, f"upper bound {bound:.3f}") for x in ends], dots=False
        ),
    ]
    return charts.curves(
        "Best score against evaluations, and its upper bound",
        "evaluations",
        "score",
        series,
        dots_size=2.5,
    )


def _thinned(points: Sequence[Point], most: int = 60) -> list[Point]:
    """At most so many points, the last among them."""
    step = -(-len(points) // most)
    return [*points[:-1:step], points[-1]]


def _architecture(structure: Structure, input_size: tuple[int, int]) -> dict[str, Any]:
    """A chart of the convolutions, and a row a stage with its shares of the whole."""
    stages = structure.stages
    size, sizes = fed_size(input_size, structure.strides), []
    uses: dict[str, list[float]] = {"flops": [0.0] * 5, "params": [0.0] * 5, "entropy": [0.0] * 5}
    for block, stage in zip(structure, stages, strict=True):
        of_block, size = block_cost(block, size)
        sizes.append(size)
        added = {
            "flops": of_block.flops,
            "params": of_block.params,
            "entropy": block_entropy(block),
        }
        for name, value in added.items():
            uses[name][stage - 1] += float(value)
    rows = []
    for stage in range(1, 6):
        blocks = [block for block, at in zip(structure, stages, strict=True) if at == stage]
        rows.append(
            {
                "name": f"C{stage}", "size": format_size(sizes[structure.ends[stage - 1]]), "width": blocks[-1].c_out,
                "depth": " + ".join(str(block.depth) for block in blocks),
                "kernel": ", ".join(f"{block.k}x{block.k}" for block in blocks),
                "btn": ", ".join(str(block.btn) for block in blocks if block.btn) or "-",
                "shares": [(name, 100 * values[stage - 1] / sum(values)) for name, values in uses.items()],
            }
        )  # fmt: skip
    return {
        "chart": charts.convolutions(structure, stages),
        "rows": rows,
        "input_size": format_size(input_size),
    }


def _comparison(
    own: Sequence[dict[str, Any]], input_size: tuple[int, int], alpha: tuple[float, ...]
) -> dict[str, Any]:
    """Rows of ours, then the published networks, whose FLOPs and scores hold at 800 x 1280 and for the default weights."""
    same_size, same_alpha = input_size == INPUT_SIZE, alpha == ALPHA
    rows = [_row(row, "own") for row in own]
    for network in PUBLISHED:
        row = network._asdict()
        row |= {
            "score": network.score if same_alpha else None,
            "flops": network.flops if same_size else None,
        }
        rows.append(_row(row, "published"))
    return {"input_size": format_size(input_size), "rows": rows}


def _row(row: dict[str, Any], kind: str) -> dict[str, Any]:
    def text(name: str) -> str:
        return "-" if row[name] is None else format_count(row[name], 4)

    score = "-" if row["score"] is None else f"{row['score']:.3f}"
    cells = [score, *(text(name) for name in ("flops", "params", "layers"))]
    return {"name": row["name"], "cells": cells, "text": row.get("text", ""), "kind": kind}


# --- fronts ---------------------------------------------------------------------------------------------------------


def _front(path: Path, key: str) -> Section:
    content = _json(path / FRONT)
    config = load_front(path / CONFIG, {}, None, ()).search
    problem, axis, points = config.problem, content["axis"], content["points"]
    structures = [Structure.from_dicts(point["structure"]) for point in points]
    texts = {f"{key}-{i}": format_structures([structure]) for i, structure in enumerate(structures)}
    own = [
        {"name": "budget " + RESOURCES[axis].format(point["budget"]), "text": f"{key}-{i}"} | point
        for i, point in enumerate(points)
    ]
    proven = sum(point["gap"] == 0 for point in points)
    return {
        "kind": f"front over {RESOURCES[axis].label} in space {problem.space.name}",
        "figures": [
            ("points", str(len(points))),
            ("proven optimal", f"{proven} of {len(points)}"),
            ("largest gap", f"{100 * max(point['gap'] for point in points):.4f} %"),
            ("score", f"{points[0]['score']:.1f} to {points[-1]['score']:.1f}"),
        ],
        "text": "",
        "budgets": [],
        "hint": "Click a point, or reach it with Tab and press Enter, to copy its structure txt.",
        "charts": [
            (
                "Front",
                _front_chart(
                    content, key, problem.input_size == INPUT_SIZE and problem.alpha == ALPHA
                ),
            )
        ],
        "table": _comparison([*own, *content["compare"]], problem.input_size, problem.alpha),
        "texts": texts,
    }


def _front_chart(content: dict[str, Any], key: str, published: bool) -> Chart:
    axis, points = content["axis"], content["points"]
    unit, scale = RESOURCES[axis].unit, RESOURCES[axis].scale

    def tip(name: str, row: dict[str, Any]) -> str:
        uses = ", ".join(
            f"{RESOURCES[r].format(row[r], 4)} {RESOURCES[r].label}"
            for r in RESOURCES
            if row.get(r)
        )
        return f"{name}: score {row['score']:.3f}, {uses}"

    ours = [
        Point(point["budget"] / scale, point["score"], f"{tip('budget ' + RESOURCES[axis].format(point['budget']), point)}, "
              f"gap {100 * point['gap']:.4f} %", f"{key}-{i}")
        for i, point in enumerate(points)
    ]  # fmt: skip
    series = [
        Curve("best structures", ours),
        Curve(
            "upper bound",
            [Point(point["budget"] / scale, point["upper_bound"]) for point in points],
            dots=False,
        ),
    ]
    others = [other for other in content["compare"] if other.get(axis)]
    if others:
        compared = [
            Point(other[axis] / scale, other["score"], tip(other["name"], other))
            for other in others
        ]
        series.append(Curve("compared", compared, line=False))
    known = [
        network
        for network in PUBLISHED
        if published and network.score is not None and hasattr(network, axis)
    ]
    if known:
        dots = [
            Point(getattr(n, axis) / scale, n.score, tip(n.name, n._asdict()))
            for n in known
            if n.score is not None
        ]
        series.append(Curve("published", dots, line=False))
    return charts.curves(
        "Score against the budget",
        f"budget, {unit} {RESOURCES[axis].label}".replace(",  ", ", "),
        "score",
        series,
    )


# --- trainings ------------------------------------------------------------------------------------------------------


def _training(path: Path, key: str) -> Section:
    result = _json(path / RESULT) if (path / RESULT).is_file() else None
    losses, evaluations = _log(path)
    if not losses:
        raise InputError(f"{path} holds no log of a training, expected one that train-det wrote")
    structure = read_structures(path / STRUCTURE)[0] if (path / STRUCTURE).is_file() else None
    loss = [Point(epoch, value, f"epoch {epoch:.2f}: loss {value:.3f}") for epoch, value in losses]
    drawn = [
        (
            "Training loss",
            charts.curves(
                "Training loss against epochs", "epoch", "loss", [Curve("loss", _thinned(loss))]
            ),
        )
    ]
    if evaluations:
        drawn.append(("Average precision on the val split", _ap_chart(evaluations)))
    figures = [
        ("epochs", str(max((row["epoch"] for row in evaluations), default=int(losses[-1][0]))))
    ]
    if result:
        keys = {
            "ap": "AP",
            "ap50": "AP50",
            "ap75": "AP75",
            "ap_s": "AP small",
            "ap_m": "AP medium",
            "ap_l": "AP large",
        }
        figures = [
            (name, f"{result[k]:.3f}") for k, name in keys.items() if result.get(k) is not None
        ] + figures
    return {
        "kind": "training" if result else "training, not finished",
        "figures": figures,
        "text": f"{key}-0" if structure else "",
        "budgets": [],
        "architecture": _architecture(structure, INPUT_SIZE) if structure else None,
        "charts": drawn,
        "picture": path / PICTURE,
        "texts": {f"{key}-0": format_structures([structure])} if structure else {},
    }


def _ap_chart(evaluations: Sequence[dict[str, Any]]) -> Chart:
    series = []
    for metric, name in {"bbox_mAP": "AP", "bbox_mAP_50": "AP50", "bbox_mAP_75": "AP75"}.items():
        known = [(row["epoch"], row[metric]) for row in evaluations if metric in row]
        series.append(
            Curve(
                name, [Point(epoch, ap, f"epoch {epoch}: {name} {ap:.3f}") for epoch, ap in known]
            )
        )
    return charts.curves("AP against epochs", "epoch", "AP", series, range=(0, 1))


def _log(path: Path) -> tuple[list[tuple[float, float]], list[dict[str, Any]]]:
    """Of all logs in a work directory, which a resumed run adds to: (epoch, loss), and the evaluations; later ones win."""
    losses: dict[tuple[int, int], float] = {}
    evaluations: dict[int, dict[str, Any]] = {}
    for log in sorted(path.glob("*.log.json")):
        for line in read_text(log, MAX_BYTES).splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            if row.get("mode") == "train" and "loss" in row:
                losses[row["epoch"], row["iter"]] = row["loss"]
            elif row.get("mode") == "val":
                evaluations[row["epoch"]] = row
    longest = max((iteration for _, iteration in losses), default=1)
    curve = sorted(
        (epoch - 1 + iteration / longest, loss) for (epoch, iteration), loss in losses.items()
    )
    return curve, [evaluations[epoch] for epoch in sorted(evaluations)]


def _picture(path: Path | None, room: int) -> tuple[str, int]:
    """A JPEG as a data URL, and the bytes left for others; empty where there is none, or no room for it."""
    if path is None or not path.is_file() or path.stat().st_size > room:
        return "", room
    content = path.read_bytes()
    return "data:image/jpeg;base64," + base64.b64encode(content).decode(), room - len(content)


# --- the page -------------------------------------------------------------------------------------------------------


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(read_text(path, MAX_BYTES))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is damaged ({error}), expected a result") from error
    return content


def _render(sections: Sequence[Section]) -> str:
    environment = Environment(
        loader=PackageLoader("lightnas.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    defaults: Section = {"architecture": None, "table": None, "hint": ""}
    return environment.get_template(REPORT).render(
        sections=[defaults | s for s in sections], version=__version__
    )
