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
from ..files import output_errors, write_output, write_whole
from ..runs.front_run import FRONT
from ..runs.output_dir import REPORT, record_made
from ..runs.search_run import RESULT
from ..runs.study_run import TABLE
from ..runs.training_run import CONFIG as TRAINING_CONFIG
from .front_section import read_front
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


def write_report(
    paths: Sequence[Path],
    output: Path | None = None,
    on_left_out: Callable[[str], object] | None = None,
) -> Path:
    """Write one page about all the directories: to ``output``, else as report.html into the first
    of them that can be read.

    Of several, those that cannot be read are left out, and the page says why.

    Args:
        on_left_out: called with that line for each of them.

    Raises:
        InputError: none of them holds a finished run, or the page cannot be written.
    """
    sections, left_out = _sections(paths)
    page = render(
        REPORT,
        sections=sections,
        pictures=_pictures(sections),
        left_out=left_out,
        version=__version__,
    )
    folder = sections[0].path
    target = output or folder / REPORT
    if output:
        write_output(output, page.encode(), "output")
    else:
        with output_errors("report", target, "a file"):
            record_made(folder, REPORT)
            write_whole(target, page.encode(), follow=False)
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
