"""What the page says of a study: AP against score, and how well each prediction foretells AP."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from ..errors import InputError
from ..network.structure import read_structures
from ..runs.output_dir import STRUCTURE
from ..runs.study_run import CONFIG, RESULT, Row, StudyConfig, StudyRun
from .architecture import networks
from .charts import Chart, Curve, Point, curves
from .compared import Compared, comparison
from .made import made_of
from .section import Overlay, Section


def read_study(path: Path, key: str) -> Section:
    """The section of a study's directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: it is not finished, or a file of it is damaged.
    """
    config = StudyConfig.of(path / CONFIG)
    result = StudyRun(path).read_result()
    if result is None:
        raise InputError(f"{path} holds no finished study, expected its {RESULT}")
    structures = read_structures(path / STRUCTURE)
    by_structure = {
        number: list(rows) for number, rows in groupby(result["rows"], key=lambda r: r["structure"])
    }
    rows = [
        Compared(
            f"{number:02d}, AP {fmean(row['ap'] for row in runs):.3f}", runs[0]["score"], runs[0],
            f"{key}-{number}",
        )
        for number, runs in by_structure.items()
    ]  # fmt: skip
    means, chart = _chart(by_structure, key)
    return Section(
        path,
        key,
        kind=f"study of {len(structures)} structures with {config.seeds} seeds each",
        figures=[(f"tau of {name} and AP", _tau(found)) for name, found in result["taus"].items()],
        made=made_of(path, seed=f"0 to {config.seeds - 1}"),
        charts=[("AP against score", chart)],
        hint="Click a point, or reach it with Tab and press Enter, to copy its structure txt and to see"
        " its architecture among the structures below.",
        table=comparison(rows, config.input_size),
        networks=networks(
            structures,
            [f"structure {i:02d}" for i in range(len(structures))],
            key,
            config.input_size,
            leading=False,
        ),
        overlays=[Overlay("AP against score", "score", "AP", means)],
    )


def _tau(found: dict[str, float] | None) -> str:
    if found is None:
        return "-"
    return f"{found['tau']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"


def _chart(by_structure: dict[int, list[Row]], key: str) -> tuple[Curve, Chart]:
    """A dot for the mean of every structure, and a small one for each run."""

    def tip(number: int, what: str, ap: float, row: dict[str, Any]) -> str:
        return f"structure {number:02d}, {what}: AP {ap:.3f}, score {row['score']:.3f}"

    means, each = [], []
    for number, runs in by_structure.items():
        mean = fmean(row["ap"] for row in runs)
        means.append(
            Point(
                runs[0]["score"],
                mean,
                tip(number, f"{len(runs)} seeds", mean, runs[0]),
                f"{key}-{number}",
            )
        )
        each += [
            Point(row["score"], row["ap"], tip(number, f"seed {row['seed']}", row["ap"], row))
            for row in runs
        ]
    series = [Curve("mean of the seeds", means, line=False), Curve("each run", each, line=False)]
    return series[0], curves("AP on the test split against score", "score", "AP", series)
