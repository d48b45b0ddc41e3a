"""A front's directory: a run directory that holds one result a budget.

config.yaml       everything that decides the front; works with --config
front.json        all points; its presence says that the front is finished
report.html       all of it on a page to look at
front.csv         budget, score, upper bound, gap and costs, a row a point
structure.txt     the structures in the same order, smallest budget first
structures/NN.txt each of them alone
search.log        what happened when
points.json       only while the front is not finished: what --resume continues from
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, differences
from ..files import write_whole
from ..network.structure import Structure, format_structures
from ..resources import RESOURCES
from ..search import Point
from ..units import whole
from ..yaml_file import read_yaml
from .config import SearchConfig, load_config
from .search_run import CONFIG, REPORT, STRUCTURE, Configured, RunDir

FRONT, TABLE, POINTS, FOLDER = "front.json", "front.csv", "points.json", "structures"
COLUMNS = ("budget", "score", "upper_bound", "gap", *RESOURCES)


@dataclass(frozen=True)
class FrontConfig:
    """A search config whose budget on one axis is a row of values."""

    search: SearchConfig
    axis: str
    values: tuple[float, ...]

    @property
    def document(self) -> dict[str, Any]:
        """What config.yaml holds, but for the versions."""
        budget = {
            name: value
            for name, value in self.search.document["budget"].items()
            if name != self.axis
        }
        return self.search.document | {
            "budget": budget,
            "axis": self.axis,
            "values": [whole(value) for value in self.values],
        }


def load_front(
    path: Path | None, options: dict[str, Any], axis: str | None, values: Sequence[float]
) -> FrontConfig:
    """A config file (None: the defaults), options over it, and the row of budgets; a front's own config has one too.

    Raises:
        InputError: one line that names the file or the option.
    """
    if path is not None and not values:
        document = read_yaml(path)
        if isinstance(document, dict) and {"axis", "values"} <= set(document):
            axis, values = document["axis"], document["values"]
            if (
                axis not in RESOURCES
                or not isinstance(values, list)
                or not all(isinstance(v, int | float) for v in values)
            ):
                raise InputError(
                    f"{path}: axis and values are no row of budgets, expected those of a front"
                )
    if axis is None or not values:
        raise InputError("no row of budgets, expected one such as --budget-flops 10G:160G:16")
    budget = options.get("budget", {}) | {axis: values[0]}
    return FrontConfig(
        load_config(path, options | {"budget": budget}, ("axis", "values")),
        axis,
        tuple(float(value) for value in values),
    )


class FrontDir(RunDir):
    """One front's directory, held by one process at a time."""

    ours = (REPORT, FRONT, POINTS, TABLE, STRUCTURE, CONFIG)
    result_name = FRONT
    command = "pareto"

    def _check_same(self, config: Configured) -> None:
        if not (self.path / CONFIG).is_file():
            raise InputError(
                f"--resume: {self.path} holds no {CONFIG}, expected the directory of a front"
            )
        self._refuse(
            differences(load_front(self.path / CONFIG, {}, None, ()).document, config.document)
        )

    def _replace_with(self, config: Configured) -> None:
        super()._replace_with(config)
        shutil.rmtree(self.path / FOLDER, ignore_errors=True)

    @property
    def points(self) -> dict[int, Point]:
        """The points that an unfinished run left.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / POINTS
        try:
            return (
                {int(i): Point.of(point) for i, point in json.loads(path.read_text()).items()}
                if path.is_file()
                else {}
            )
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: is damaged ({error}), expected points; --overwrite starts anew"
            ) from error

    def save_points(self, points: dict[int, Point]) -> None:
        """Write the points found so far."""
        write_whole(
            self.path / POINTS,
            json.dumps({i: point.document for i, point in points.items()}).encode(),
        )

    def finish_front(self, content: dict[str, Any]) -> None:
        """Write everything; front.json comes last, so it stands for a finished run."""
        structures = [Structure.from_dicts(point["structure"]) for point in content["points"]]
        (self.path / FOLDER).mkdir(exist_ok=True)
        for i, structure in enumerate(structures):
            write_whole(
                self.path / FOLDER / f"{i:02d}.txt", format_structures([structure]).encode()
            )
        write_whole(self.path / STRUCTURE, format_structures(structures).encode())
        write_whole(self.path / TABLE, _table(content["points"]).encode())
        write_whole(self.path / FRONT, (json.dumps(content, indent=1) + "\n").encode())
        (self.path / POINTS).unlink(missing_ok=True)


def _table(points: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    columns = [name for name in COLUMNS if name in points[0]]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    return text.getvalue()
