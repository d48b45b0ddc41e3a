"""Several directories on one page: a row each in one table, and their curves in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .charts import Chart, Curve, curves
from .section import Overlay, Section


class Overview(NamedTuple):
    """Names of the columns after the first one; of each section its key, name and cells; and the
    charts that hold curves of several."""

    columns: list[str]
    rows: list[tuple[str, str, list[str]]]
    charts: list[tuple[str, Chart]]


def overview(sections: Sequence[Section]) -> Overview | None:
    """What is said of several sections together; None for one."""
    if len(sections) < 2:
        return None
    known = [
        {"kind": section.kind.split(" ")[0].rstrip(",")}
        | {name: value for name, value in section.made if name in ("seed", "begun")}
        | {name: value for name, value in section.figures if not name.startswith("from ")}
        for section in sections
    ]
    columns = list(dict.fromkeys(name for row in known for name in row))
    # What several have comes first, in the order of the first of them; dates, which are long, last.
    columns.sort(key=lambda name: (name == "begun", -sum(name in row for row in known)))
    rows = [
        (section.key, section.title, [row.get(name, "-") for name in columns])
        for section, row in zip(sections, known, strict=True)
    ]
    return Overview(columns, rows, _charts(sections))


def _charts(sections: Sequence[Section]) -> list[tuple[str, Chart]]:
    """A chart for every title and axes that several sections have a curve for."""
    titles = [section.title for section in sections]
    found: dict[tuple[str, str, str], list[tuple[str, Overlay]]] = {}
    for section in sections:
        name = section.title if titles.count(section.title) == 1 else str(section.path)
        for overlay in section.overlays:
            found.setdefault(overlay[:3], []).append((name, overlay))
    return [
        (
            title,
            curves(
                f"{y_title[0].upper()}{y_title[1:]} against {x_title}, of {len(those)} runs",
                x_title, y_title,
                [_named(overlay.curve, name) for name, overlay in those],
                log=those[0][1].log if len({overlay.log for _, overlay in those}) == 1 else "",
            ),
        )
        for (title, x_title, y_title), those in found.items()
        if len(those) > 1
    ]  # fmt: skip


def _named(curve: Curve, name: str) -> Curve:
    """A curve as that of a run, whose points say so."""
    points = [point._replace(tip=f"{name}, {point.tip}") for point in curve.points]
    return curve._replace(name=name, points=points)
