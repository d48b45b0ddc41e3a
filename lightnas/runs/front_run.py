"""A front's directory: a run directory that holds one result a budget.

config.yaml       everything that decides the front; works with --config
front.json        all points; its presence says that the front is finished
report.html       all of it on a page to look at
front.csv         budget, score, upper bound, gap and costs, a row a point
structure.txt     the structures in the same order, smallest budget first; of a stopped front those
                  found until then
structures/NN.txt each of them alone
search.log        what happened when
points.json       only while the front is not finished: what --resume continues from
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import FailFast, Field, create_model

from ..documents import LARGEST, Amount, Document, differences
from ..errors import InputError, advised
from ..json_file import json_text, read_json
from ..network.score import score_structures
from ..network.structure import Structure, format_structures
from ..resources import RESOURCES
from ..search import Front, Point, Problem
from ..search import front as search_front
from ..search.workers import workers as workers_of
from ..units import parse_range, whole
from ..yaml_file import read_yaml
from .config import SearchConfig, format_config, load_config, parse_limit, show_value
from .names import name_of, structures
from .output_dir import ANEW, REPORT, STRUCTURE, OutputDir, stops, versions
from .scores import refuse_unimported
from .search_run import CONFIG, LOG

FRONT, TABLE, POINTS, FOLDER = "front.json", "front.csv", "points.json", "structures"
COLUMNS = ("budget", "score", "upper_bound", "gap", *RESOURCES)
MOST_POINTS = 1000

ComparedFile = create_model(
    "ComparedFile",
    __base__=Document,
    name=(str, ...),
    score=(Amount, ...),
    **{r.name: (Amount, ...) if r.always else (Amount | None, None) for r in RESOURCES.values()},
)  # type: ignore[call-overload]


class FrontFile(Document):
    """front.json; ``Point.of`` looks into each of its points."""

    axis: Literal[tuple(RESOURCES)]  # type: ignore[valid-type]
    points: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_POINTS), FailFast()]
    compare: Annotated[list[ComparedFile], FailFast()]  # type: ignore[valid-type]


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
    path: Path | None,
    options: dict[str, Any],
    axis: str | None,
    values: Sequence[float] | str,
    named: Callable[[str], str] = str,
) -> FrontConfig:
    """A config file (None: the defaults), options over it, and the row of budgets; a front's own
    config has one too.

    Args:
        path, options, named: as for ``load_config``.
        axis: the budget that has the row, and ``values`` the row; None and empty: those of the
            file. A text LOW:HIGH:N is read as the option is.

    Raises:
        InputError: one line that names the file or the option.
    """
    if path is not None and not values:
        document = read_yaml(path)
        if isinstance(document, dict) and {"axis", "values"} <= set(document):
            axis, values = document["axis"], document["values"]
            row = isinstance(values, list) and all(
                type(value) in (int, float) and 0 < value <= LARGEST for value in values
            )
            if not isinstance(axis, str) or axis not in RESOURCES or not row:
                raise InputError(
                    f"{path}: axis and values are no row of budgets, expected those of a front"
                )
    if axis is None or not values:
        raise InputError(
            f"no row of budgets, expected one such as {named('budget_flops')} 10G:160G:16"
        )
    first = values.split(":")[0] if isinstance(values, str) else values[0]
    budget = options.get("budget", {}) | {axis: first}
    search = load_config(path, options | {"budget": budget}, ("axis", "values"), named)
    if search.within:
        raise InputError(
            f"{path}: within and minimise are given, expected neither: a front has the best of each budget"
        )
    if isinstance(values, str):
        detector = search.problem.detector
        parse = partial(parse_limit, axis, detector=detector)
        values = parse_range(values, named(f"budget_{axis}"), parse)
    return FrontConfig(search, axis, tuple(float(value) for value in values))


class FrontRun(OutputDir):
    """One front's directory, held by one process at a time."""

    mark, command = "front", "pareto"
    home = "directory of a front"
    config_name, result_name, log_name = CONFIG, FRONT, LOG
    result_shape = FrontFile
    ours = re.compile(
        "|".join(map(re.escape, (CONFIG, FRONT, TABLE, POINTS, FOLDER, STRUCTURE, REPORT)))
    )

    def begin(
        self,
        config: FrontConfig,
        *,
        resume: bool = False,
        overwrite: bool = False,
        inputs: Sequence[Path] = (),
    ) -> None:
        """Hold the directory for a front, new or continued; ``inputs`` as for ``front``.

        Raises:
            InputError: as for ``hold``; or it holds a front of another config (with resume).
        """
        self.hold(
            resume=resume,
            overwrite=overwrite,
            inputs=[*config.search.sources, *inputs],
            names=[_alone(i) for i in range(len(config.values))],
        )
        if self.continues:
            there = load_front(self.path / CONFIG, {}, None, ())
            self.refuse(differences(there.document, config.document, show=show_value))
        else:
            self.replace_with(format_config(config.document, versions(), "pareto"))

    def points(self, values: Sequence[float]) -> dict[int, Point]:
        """The points that an unfinished run left, of those under these budgets.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / POINTS
        if not path.is_file():
            return {}
        with advised(ANEW):
            document = read_json(path, "points")
            if not isinstance(document, dict):
                raise InputError(f"{path}: is damaged (no keys), expected points")
            points, budgets = {}, {str(i): value for i, value in enumerate(values)}
            for i, content in document.items():
                point = Point.of(content, f"{path}: {i[:9]}")
                if point.budget != budgets.get(i):
                    raise InputError(
                        f"{path}: is damaged (no budget of point {i[:9]} is {point.budget:g}), expected points"
                    )
                points[int(i)] = point
            return points

    def save_points(self, points: dict[int, Point]) -> None:
        """Write the points found so far."""
        self.write(POINTS, json_text({i: point.document for i, point in points.items()}))

    def finish_front(self, content: dict[str, Any]) -> None:
        """Write everything; front.json comes last."""
        structures = [Structure.from_dicts(point["structure"]) for point in content["points"]]
        for i, structure in enumerate(structures):
            self.write(_alone(i), format_structures([structure]))
        self.write(STRUCTURE, format_structures(structures))
        self.write(TABLE, _table(content["points"]))
        self.finish(content)
        self.drop(POINTS)

    def found(self) -> Front:
        """The front of a finished run.

        Raises:
            InputError: the run is not finished, or its result is damaged.
        """
        content = self.result
        if content is None:
            raise InputError(f"{self.path} holds no finished front, expected its {FRONT}")
        with advised(ANEW):
            return front_of(content, str(self.path / FRONT))


def front_of(content: dict[str, Any], where: str) -> Front:
    """The front that front.json holds; ``where`` opens the error messages.

    Raises:
        InputError: a point is damaged.
    """
    points = (Point.of(point, f"{where}: points[{i}]") for i, point in enumerate(content["points"]))
    return Front(content["axis"], tuple(points))


def _alone(i: int) -> str:
    """The file of one structure."""
    return f"{FOLDER}/{i:02d}.txt"


def front(
    config: FrontConfig,
    path: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    compare: Sequence[dict[str, Any]] = (),
    inputs: Sequence[Path] = (),
    on_progress: Callable[[int, int], None] | None = None,
    write_report: Callable[[Sequence[Path]], object] | None = None,
) -> Front:
    """A front in a run directory, kept point by point.

    Args:
        config: from ``load_front``.
        path: of the run directory.
        resume: continue what is there; a finished front is not searched again.
        overwrite: replace what is there.
        workers: processes that search.
        compare: rows of ``compared`` to keep beside the points; a finished front keeps those it
            has.
        inputs: files beside those of the config that were read, and may not be written over.
        on_progress: called with the points done and the points of the front, at the start and after
            each.
        write_report: makes the page of the directory, as ``lightnas.report.write_report`` does.

    Raises:
        InputError: the directory is not empty (without resume or overwrite), in use, of another
            config, or damaged.
        WorkError: a worker process died.
        OSError: the disk is full; the run can be resumed.
    """
    if not resume:
        refuse_unimported(config.search.problem)
    with FrontRun(Path(path)) as run:
        run.begin(config, resume=resume, overwrite=overwrite, inputs=inputs)
        if run.result is None:
            refuse_unimported(config.search.problem)
            found = _search_points(run, config, workers, on_progress)
            run.finish_front(_content(config, found, compare))
            if write_report:
                write_report([run.path])
            gaps = [point.gap for point in found.points if point.gap is not None]
            run.log(f"finished: largest gap {max(gaps, default=None)!r}")
        else:
            run.drop(POINTS)  # a kill may have come between the result and this
            if write_report and not (run.path / REPORT).is_file():
                write_report([run.path])
        return run.found()


def _search_points(
    run: FrontRun,
    config: FrontConfig,
    n_workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> Front:
    points, total, asked = run.points(config.values), len(config.values), config.search
    budgets = f"{config.axis} {config.values}, budgets {asked.problem.limits}"
    run.log(f"{'resumed' if points else 'started'}: {budgets}")

    def tell() -> None:
        if on_progress:
            on_progress(len(points), total)

    def keep(i: int, point: Point) -> None:
        points[i] = point
        run.save_points(points)
        tell()

    tell()
    try:
        with workers_of(min(n_workers, total)) as executor:
            return search_front(
                asked.problem,
                config.axis,
                config.values,
                asked.seed,
                asked.limits,
                executor,
                done=points,
                report=keep,
            )
    except BaseException as error:
        if stops(error) and points:
            known = [points[i].structure for i in sorted(points)]
            run.write(STRUCTURE, format_structures(known))
        raise


def _content(
    config: FrontConfig, found: Front, compare: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What front.json holds."""
    detector = config.search.problem.detector
    by = config.search.document["score"]
    return ({} if by == "entropy" else {"score": by}) | {
        "axis": config.axis,
        "input_size": config.search.document["input_size"],
        **({"detector": str(detector)} if detector else {}),
        "points": [point.document for point in found.points],
        "compare": list(compare),
    }


def compared(names: Sequence[str | Path], problem: Problem) -> list[dict[str, Any]]:
    """Score and cost of structures to show beside a front, a row each, as ``score`` has them, and
    their latency where the problem's table knows their blocks.

    Args:
        names: presets, run directories or structure txts, as ``structures`` takes them.
        problem: says at which input size, and with which weights of the stages.

    Raises:
        InputError: one of them is none of these.
    """
    # What is not limited is not written: older fronts keep their bytes.
    lacks = {"rhos", *(() if "rho" in problem.limits else ("rho",))}
    rows = []
    for name in names:
        found = structures(name)
        scored = score_structures(
            found,
            problem.input_size,
            problem.alpha,
            problem.detector,
            problem.activations,
            problem.score,
        )
        for i, (structure, row) in enumerate(zip(found, scored, strict=True)):
            called = name_of(name) if i == 0 else f"{name_of(name)} {i}"
            figures = {key: value for key, value in row.items() if key not in lacks}
            latency = problem.latency_of(structure)
            timed = {} if latency is None else {"latency": latency}
            rows.append({"name": called} | figures | timed)
    return rows


def _table(points: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    columns = [name for name in COLUMNS if any(name in point for point in points)]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    return text.getvalue()
