"""What people see: tables on stdout, a progress bar on stderr."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from ..network.detector import Detector
from ..network.structure import Structure
from ..report.data_section import data_table
from ..resources import RESOURCES, Resource
from ..runs import SearchConfig
from ..search import Progress as SearchProgress
from ..search import SearchResult
from ..search.result import gap
from ..units import format_count, format_seconds, format_size
from .layout import Grid, console, terminal_width
from .saying import say

if TYPE_CHECKING:
    from ..deploy.testing import Measured
    from ..install.doctor import Finding

# Seconds between two lines of progress in a log.
LINE_EVERY = 10.0


# Below it a line of progress has no room for a bar.
NARROW = 100


@contextmanager
def progress_bar() -> Iterator[Callable[[SearchProgress], None]]:
    """A bar on stderr where that is a terminal; the function it yields moves it."""
    screen = console(err=True)
    narrow = screen.width < NARROW
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<7}"),
        *([] if narrow else [BarColumn(24)]),
        TextColumn("{task.fields[note]}", table_column=Column(overflow="fold")),
    )
    bars = Progress(
        *columns,
        TimeElapsedColumn(),
        console=screen,
        refresh_per_second=20,
        disable=not screen.is_terminal,
    )
    with bars:
        task = bars.add_task("start", total=1.0, note="", visible=False)

        def show(progress: SearchProgress) -> None:
            tried = "" if narrow else f"{progress.evaluations:,} evaluations, "
            note = f"{tried}score {_score(progress.score)}"
            if progress.upper_bound is not None:
                note += f", gap {100 * gap(progress.score, progress.upper_bound):.4f} %"
            bars.update(
                task, completed=progress.done, description=progress.phase, note=note, visible=True
            )

        yield show


def print_found(results: Sequence[dict[str, Any]]) -> None:
    """What ``detect`` found: a line a picture, or a video."""
    videos: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if "frame" in result:
            videos.setdefault(result["picture"] or result["image"], []).append(result)
        elif "error" not in result:
            found = [f"{one['class']} {one['score']:.2f}" for one in result["detections"]]
            say(f"{result['picture']}: {_first(found, 8) or 'nothing'}")
    for name, frames in videos.items():
        counts = Counter(one["class"] for frame in frames for one in frame["detections"])
        found = [f"{count:,} {which}" for which, count in counts.most_common()]
        say(f"{name}: {len(frames):,} frames, {_first(found, 8) or 'nothing'}")


def _first(words: Sequence[str], most: int) -> str:
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def counting_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for pieces of work; the function it yields sets how many of how many are
    done."""
    with _bar_of(TimeElapsedColumn()) as show:
        yield show


@contextmanager
def measuring_bar() -> Iterator[Callable[[int, int], None]]:
    """Like ``counting_bar``, with the time left."""
    with _bar_of(TimeRemainingColumn()) as show:
        yield show


@contextmanager
def measuring_lines() -> Iterator[Callable[[int, int], None]]:
    """Like ``measuring_bar``; where stderr is no terminal, a line every ``LINE_EVERY`` seconds."""
    if terminal_width(sys.stderr) is not None:
        with measuring_bar() as show:
            yield show
        return
    said = monotonic()

    def show_line(done: int, total: int) -> None:
        nonlocal said
        if monotonic() - said >= LINE_EVERY:
            say(f"measured {done:,} of {total:,}", err=True)
            said = monotonic()

    yield show_line


@contextmanager
def _bar_of(time: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    screen = console(err=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed} of {task.total}"), BarColumn(24), time)
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bars:
        task = bars.add_task("pieces", total=None, visible=False)
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=True)


def print_precisions(measured: Mapping[str, Measured], split: str, err: bool = False) -> None:
    """AP on a split and seconds of a detector in fp32 and in another precision, on stdout or on
    stderr."""
    first = next(iter(measured.values()))
    table = Grid(
        "", "precision", f"AP ({split})", "ms a picture", "interquartile range", "times as fast"
    )
    for name, row in measured.items():
        table.add_row(
            name, "-" if row.ap is None else f"{row.ap:.4f}", f"{1e3 * row.speed.median:.2f}",
            f"{100 * row.speed.spread:.0f} %", f"{first.speed.median / row.speed.median:.2f}",
        )  # fmt: skip
    table.show(err)


def print_latencies(content: dict[str, Any]) -> None:
    """The table of ``lightnas latency``, and over several structures how well the latency table
    agrees."""
    if "detectors" in content:
        _print_detector_latencies(content)
        return
    runtime = f", {content['runtime']}" if "runtime" in content else ""
    what = _with(content.get("detector")) or ", backbones alone"
    table = Grid(
        f"{content['device']} at {content['input_size']}{what}{runtime}",
        "",
        "FLOPs",
        "measured",
        "interquartile range",
        "latency table",
        "off by",
    )
    for row in content["structures"]:
        by_table = (
            (format_seconds(row["table"]), f"{100 * row['off']:+.1f} %")
            if "table" in row
            else ("", "")
        )
        table.add_row(
            row["name"], format_count(row["flops"], 4), format_seconds(row["seconds"]),
            f"{100 * row['spread']:.0f} %", *by_table,
        )  # fmt: skip
    table.show()
    if "rank_correlation" in content:
        rank, error = content["rank_correlation"], 100 * content["median_error"]
        say(f"rank correlation {rank:.4f}, median error {error:.1f} %")


def _print_detector_latencies(content: dict[str, Any]) -> None:
    """Of whole detectors, from pixels to boxes."""
    table = Grid(
        f"{content['device']}, from the pixels of a picture to boxes", "", "runtime", "precision", "at",
        "batch", "FLOPs", "measured", "interquartile range",
    )  # fmt: skip
    names = [Path(row["name"]).name for row in content["detectors"]]
    for row in content["detectors"]:
        name = Path(row["name"]).name
        if names.count(name) > 1:
            name = row["name"]
        flops = "-" if row["flops"] is None else format_count(row["flops"], 4)
        table.add_row(
            name, row["runtime"], row["precision"], row["input_size"], str(row["batch"]), flops,
            format_seconds(row["seconds"]), f"{100 * row['spread']:.0f} %",
        )  # fmt: skip
    table.show()


def print_front(content: dict[str, Any], output: Path, runtime: str | None = None) -> None:
    """The table of ``lightnas pareto``: a row a point, and what it is compared with; ``runtime`` is that
    of the latencies, None for torch."""
    axis, points = content["axis"], content["points"]
    resources = _resources(points[0])
    title = f"front over {axis} at {content['input_size']}{_with(content.get('detector'))}"
    title += f", score {content['score']}" if "score" in content else ""
    title += f", latency in {runtime}" if runtime else ""
    labels = [resource.label for resource in resources]
    table = Grid(title, "budget", "score", "upper bound", "gap", *labels)
    for point in points:
        table.add_row(
            RESOURCES[axis].format(point["budget"]),
            _score(point["score"]),
            _score(point["upper_bound"]) if "upper_bound" in point else "",
            "proven optimal" if point.get("gap") == 0 else _percent(point.get("gap")),
            *_figures(point, resources, 4),
        )
    for other in content["compare"]:
        figures = _figures(other, resources, 4)
        table.add_row(other["name"], _score(other["score"]), "", "", *figures)
    table.show()
    say(f"{output / 'front.json'}\n{output / 'report.html'}")


def _with(detector: Detector | str | None) -> str:
    """What a title says of the detector that is counted."""
    return f", {detector} counted" if detector else ""


def _score(score: float) -> str:
    return f"{score:.3f}"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f} %" if whole else ""


def _percent(gap: float | None) -> str:
    return "" if gap is None else f"{100 * gap:.4f} %"


def print_search(result: SearchResult, config: SearchConfig, output: Path) -> None:
    """The table of a search result."""
    problem, by = config.problem, config.document["score"]
    title = f"best of space {problem.space.name}{_with(problem.detector)}"
    prices = result.priced()
    table = Grid(title, "", "found", "budget", "used", *(["one more adds"] if prices else []))
    table.add_row("score" if by == "entropy" else f"score {by}", _score(result.score))
    for part, given in (result.score_parts or {}).items():
        table.add_row(f"  from {part}", _score(given), "", _share(given, result.score))
    for name, value in (result.cost.known() | {"rho": result.rho}).items():
        limit, show = problem.limits.get(name), RESOURCES[name].format
        share = (show(limit), f"{100 * float(value) / limit:.2f} %") if limit else ("-", "")
        label = f"FLOPs at {format_size(problem.input_size)}" if name == "flops" else name
        label += f" ({config.runtime})" if name == "latency" and config.runtime else ""
        price = [prices[name]] if name in prices else []
        table.add_row(label, show(value), *share, *price)
    for stage, rho in enumerate(result.rhos, start=1):
        table.add_row(f"  at C{stage}", RESOURCES["rho"].format(rho))
    bound = "-" if result.upper_bound is None else _score(result.upper_bound)
    table.add_row("upper bound", bound)
    table.add_row("gap", result.gap_text("proven optimal"))
    rate = format_count(result.evaluations_per_second, digits=3)
    table.add_row("evaluations", f"{result.evaluations:,}", "", f"{rate}/s")
    table.add_row("seconds", f"{result.seconds:.2f}")
    table.show()
    if said := result.cheapest_text():
        say(f"cheapest: {said}")
    _blocks(result.structure).show()
    say(f"{output / 'structure.txt'}\n{output / 'report.html'}")


def _blocks(structure: Structure) -> Grid:
    """A row a block."""
    table = Grid("structure", "block", "in", "out", "stride", "kernel", "depth", "bottleneck")
    for block in structure:
        depth = (str(block.depth), str(block.btn)) if block.btn else ("", "")
        sizes = (block.c_in, block.c_out, block.stride, block.k)
        table.add_row(block.kind, *map(str, sizes), *depth)
    return table


def print_scores(
    rows: list[dict[str, Any]],
    source: str,
    input_size: tuple[int, int],
    alpha: tuple[float, ...],
    detector: Detector | None = None,
    verbose: bool = False,
) -> None:
    """The table of ``lightnas score``: a row a structure; ``verbose`` adds the entropies."""
    resources = _resources(rows[0])
    labels = [resource.label for resource in resources]
    n = len(rows[0]["entropies"]) if verbose else 0
    stages = [f"H{i}" for i in range(1, n + 1)]
    weights = ",".join(f"{weight:g}" for weight in alpha)
    title = f"{source} at {format_size(input_size)}, alpha {weights}{_with(detector)}"
    table = Grid(title, "#", "score", *labels, *stages)
    for i, row in enumerate(rows):
        entropies = map(_score, row["entropies"][:n])
        table.add_row(str(i), _score(row["score"]), *_figures(row, resources), *entropies)
        if "measured" in row:
            _add_measured(table, row, [""] * len(resources), n)
    table.show()
    if "scores" in rows[0]:
        by_name = Grid("by every score", "#", *rows[0]["scores"])
        for i, row in enumerate(rows):
            cells = ["-" if s is None else f"{s:.6g}" for s in row["scores"].values()]
            by_name.add_row(str(i), *cells)
        by_name.show()


def _add_measured(table: Grid, row: dict[str, Any], between: Sequence[str], n: int) -> None:
    """Below a structure what its network measures, its n entropies too, and how far that is off."""
    closed, measured = ([part["score"], *part["entropies"][:n]] for part in (row, row["measured"]))
    off = [
        f"{100 * (m / c - 1):+.2f} %" if c else "-" for m, c in zip(measured, closed, strict=True)
    ]
    score, *entropies = map(_score, measured)
    table.add_row("measured", score, *between, *entropies)
    table.add_row("off by", off[0], *between, *off[1:])


def _resources(row: dict[str, Any]) -> list[Resource]:
    """The resources that a row has figures of."""
    return [resource for name, resource in RESOURCES.items() if name in row]


def _figures(row: dict[str, Any], resources: Sequence[Resource], *digits: int) -> list[str]:
    """They as people read them; empty where the row has none."""
    return [
        resource.format(row[resource.name], *digits) if resource.name in row else ""
        for resource in resources
    ]


def print_detection(result: dict[str, Any]) -> None:
    """The table of ``train-det`` and ``test-det``: average precision, as COCO defines it."""
    table = Grid(
        f"{result['checkpoint']} on {result['split']}",
        "AP",
        "AP50",
        "AP75",
        "AP small",
        "AP medium",
        "AP large",
        "pictures",
    )
    keys = ("ap", "ap50", "ap75", "ap_s", "ap_m", "ap_l")
    table.add_row(
        *("-" if result[key] is None else f"{result[key]:.3f}" for key in keys),
        f"{result['images']:,}",
    )
    table.show()
    for line in result.get("skipped", ()):
        say(f"left out: {line}")
    if result.get("carried") is not None:
        say(f"carried: {result['carried']:.1%} of the backbone's parameters")
    if "last" in result:
        say(f"{Path(result['last']).parent / 'report.html'}")


def print_data(summary: dict[str, Any], folder: Path, sheet: Path) -> None:
    """The tables of ``lightnas data``, what was understood, what is left out and what may be wrong."""
    found = data_table(summary)
    for title, rows in ((f"{folder}: {found.layout}", found.rows), ("objects", found.classes)):
        table = Grid(title, "", *found.splits)
        for label, cells in rows:
            table.add_row(label, *cells)
        table.show()
    lines = [*found.notes, *(f"likely mistake: {line}" for line in found.mistakes), str(sheet)]
    for line in lines:
        say(line)


def print_classes(rows: Sequence[dict[str, Any]]) -> None:
    """What ``test-det`` reaches on each class; ``-`` where it has no object."""
    table = Grid("of each class", "class", "AP", "AP50", "objects", "pictures")
    for row in rows:
        figures = ("-" if row[key] is None else f"{row[key]:.3f}" for key in ("ap", "ap50"))
        table.add_row(row["class"], *figures, f"{row['objects']:,}", f"{row['pictures']:,}")
    table.show()


def print_findings(findings: Sequence[Finding]) -> None:
    """The table of ``lightnas doctor``, and what to run where something does not fit."""
    table = Grid("", "package", "found", "expected", "", words=("found", "expected"))
    for finding in findings:
        table.add_row(
            finding.name, finding.found, finding.expected, "mend" if finding.mend else "fits"
        )
    table.show()
    for finding in findings:
        if finding.mend:
            say(f"{finding.name}: {finding.mend}")


def print_study(result: dict[str, Any], output: Path) -> None:
    """The tables of ``lightnas validate``: AP of every structure, and what foretells it."""
    runs = Grid(
        f"{result['structures']} structures, {result['seeds']} seeds", "structure", "AP", "of seeds",
        "score", "FLOPs", "params", "layers",
    )  # fmt: skip
    for number, rows in groupby(result["rows"], key=lambda row: row["structure"]):
        of_seeds = list(rows)
        aps = [row["ap"] for row in of_seeds]
        runs.add_row(
            f"{number:02d}", f"{fmean(aps):.3f}", f"{min(aps):.3f} to {max(aps):.3f}",
            _score(of_seeds[0]["score"]), *_figures(of_seeds[0], _resources(of_seeds[0]), 4),
        )  # fmt: skip
    taus = Grid("Kendall's tau with AP", "", "tau", "95 % interval")
    for name, found in result["taus"].items():
        interval = (f"{found['low']:+.2f} to {found['high']:+.2f}",) if found else ("",)
        taus.add_row(name, f"{found['tau']:+.2f}" if found else "-", *interval)
    runs.show()
    taus.show()
    say(f"{output / 'study.csv'}\n{output / 'report.html'}")
