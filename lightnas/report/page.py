"""report.html: one self-contained page about runs, fronts and trainings; no server, no network.

    from lightnas.report import write_report

    write_report([Path("outputs/maedet-m")])      # outputs/maedet-m/report.html

Everything is read from the directories, so that a report can be made again, and of several runs
together.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import __version__
from ..errors import InputError
from ..files import Kind, read_text, write_output
from ..outputs import check_file, read_marker, record_made
from ..runs.front_run import FRONT, FrontRun
from ..runs.output_dir import REPORT
from ..runs.search_run import RESULT, SearchRun
from ..runs.study_run import TABLE
from ..runs.training_run import CONFIG as TRAINING_CONFIG
from .front_section import read_front
from .overview import overview
from .rendering import render
from .search_section import read_search
from .section import Section
from .study_section import read_study
from .training_section import read_training

# The file that tells what a directory holds, and who reads it. Trainings and studies have a
# result.json too.
KINDS = {TABLE: read_study, TRAINING_CONFIG: read_training, FRONT: read_front, RESULT: read_search}
# The page stays below 1 MB: pictures of all its sections together may take so many bytes (base64
# makes them a third larger).
PICTURE_BYTES = 600_000
MAX_BYTES = 2**25


def write_report(
    paths: Sequence[Path],
    output: Path | None = None,
    overwrite: bool = False,
    on_left_out: Callable[[str], object] | None = None,
) -> Path:
    """Write one page about all the directories: to ``output``, else as report.html into the first
    of them that can be read.

    Of several, those that cannot be read are left out, and the page says why.

    Args:
        on_left_out: called with that line for each of them.

    Args:
        overwrite: replace also a file that is no such page.

    Raises:
        InputError: none of them holds a finished run, or the page cannot be written.
    """
    sections, left_out = _sections(paths)
    folder = sections[0].path
    target = output or folder / REPORT
    inputs = [file for s in sections for file in s.path.iterdir() if file.name != REPORT]
    check_file(target, Kind("page", _is_page, REPORT), inputs, overwrite=overwrite)
    page = render(
        REPORT,
        sections=sections,
        overview=overview(sections),
        pictures=_pictures(sections),
        left_out=left_out,
        version=__version__,
    )
    if output is None:
        record_made(folder, REPORT)
    write_output(target, page.encode(), "output" if output else "report")
    for line in left_out:
        if on_left_out:
            on_left_out(line)
    return target


def _sections(paths: Sequence[Path]) -> tuple[list[Section], list[str]]:
    """The directories that can be read, at least one, and what is wrong with the others."""
    sections: list[Section] = []
    errors: list[InputError] = []
    for path in paths:
        try:
            sections.append(read_section(path, f"s{len(sections)}"))
        except InputError as error:
            errors.append(error)
    if not sections:
        raise errors[0]
    return sections, [str(error) for error in errors]


def _is_page(path: Path) -> bool:
    """Whether a file is a page that ``write_report`` wrote."""
    try:
        text = read_text(path, MAX_BYTES)
    except InputError:
        return False
    return all(mark in text for mark in (" - lightnas</title>", '<p class="brand">lightnas '))


def read_section(path: Path, key: str) -> Section:
    """What the page says of one directory; ``key`` opens the ids of its elements.

    Raises:
        InputError: it holds no finished run, front or training, or a file of it is damaged.
    """
    if not os.path.isdir(path):  # not path.is_dir, which raises for a name that is too long
        raise InputError(
            f"{path} is not a directory, expected one that search, pareto or train-det wrote"
        )
    for name, read in KINDS.items():
        if (path / name).is_file():
            return read(path, key)
    marker = read_marker(path)
    command = {run.mark: run.command for run in (SearchRun, FrontRun)}.get(
        (marker or {}).get("kind", "")
    )
    if command:
        raise InputError(
            f"{path} holds a {marker and marker['kind']} that is not finished, expected a finished one: "
            f"lightnas {command} --output {path} --resume goes on with it"
        )
    raise InputError(
        f"{path} holds no finished run, expected {RESULT}, {FRONT}, or the {TRAINING_CONFIG} of a training"
    )


def _pictures(sections: Sequence[Section]) -> dict[str, str]:
    """The JPEGs of the sections as data URLs, by key; what there is no room for is left out."""
    room, urls = PICTURE_BYTES, {}
    for section in sections:
        path = section.picture
        if path is None or not path.is_file() or path.stat().st_size > room:
            continue
        content = path.read_bytes()
        room -= len(content)
        urls[section.key] = "data:image/jpeg;base64," + base64.b64encode(content).decode()
    return urls
