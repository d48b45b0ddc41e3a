"""What was trained on, as a table: for the page of a training, and for ``lightnas data``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..documents import check
from ..json_file import read_json
from ..runs.training_run import DATA, DataFile
from .section import DataTable

SIZES = {"small": "below 32² pixels", "medium": "below 96² pixels", "large": "others"}
MOST_CLASSES = 100  # rows on the page


def data_table(summary: Mapping[str, Any]) -> DataTable:
    """The summary of a set, as ``data.summary.summarise`` makes it, in words."""
    splits = {name: part for name, part in summary["splits"].items() if "same_as" not in part}
    parts = list(splits.values())
    notes = [*summary["notes"], *(line for part in parts for line in part["notes"])]
    notes += [f"left out: {line}" for part in parts for line in part["left_out"]]
    notes += [
        f"{name} is the same as {part['same_as']}"
        for name, part in summary["splits"].items()
        if "same_as" in part
    ]
    classes = [
        (label, [f"{part['classes'][label]:,}" for part in parts]) for label in summary["classes"]
    ]
    return DataTable(
        summary["layout"], list(splits), _rows(parts), classes, notes, list(summary["mistakes"])
    )


def _rows(parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    def row(label: str, cells: Sequence[str]) -> tuple[str, list[str]]:
        return label, list(cells)

    rows = [
        row("pictures", [f"{part['pictures']:,}" for part in parts]),
        row("without objects", [f"{part['without_objects']:,}" for part in parts]),
        row("objects", [f"{part['objects']:,}" for part in parts]),
    ]
    if any(part["crowds"] for part in parts):
        rows.append(row("crowds among them", [f"{part['crowds']:,}" for part in parts]))
    for size, meaning in SIZES.items():
        rows.append(row(f"{size}, {meaning}", [f"{part['sizes'][size]:,}" for part in parts]))
    found = [part["objects_a_picture"] for part in parts]
    rows.append(row("objects a picture, mean", [f"{about['mean']:.2f}" for about in found]))
    rows.append(row("objects a picture, most", [f"{about['most']:,}" for about in found]))
    for size in ("smallest", "median", "largest"):
        sizes = [part["picture_sizes"][size] for part in parts]
        rows.append(row(f"{size} picture", [f"{width} x {height}" for width, height in sizes]))
    return rows


def read_data(path: Path) -> DataTable | None:
    """What a work directory says of its data; None where it is from before it did.

    Raises:
        InputError: the file is damaged.
    """
    file = path / DATA
    if not file.is_file():
        return None
    content = read_json(file, "what a training says of its data")
    check(DataFile, content, str(file))
    table = data_table(content)
    return table._replace(classes=table.classes[:MOST_CLASSES])
