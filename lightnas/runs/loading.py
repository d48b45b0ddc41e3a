"""From a finished run's directory back to what it found."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..search import Front, SearchResult
from .front_run import FRONT, FrontRun
from .search_run import RESULT, SearchRun
from .study_run import TABLE
from .training_run import CONFIG as TRAINING_CONFIG


def load_run(path: str | Path) -> SearchResult | Front:
    """What a finished search or front has found, from its directory.

    Raises:
        InputError: the directory holds neither, or a file of it is damaged.
    """
    path = Path(path)
    if not os.path.isdir(path):  # not path.is_dir, which raises for a name that is too long
        raise InputError(f"{path} is not a directory, expected that of a search or a front")
    if (path / TRAINING_CONFIG).is_file():
        raise InputError(f"{path} holds a training, expected a search or a front")
    if (path / TABLE).is_file():
        raise InputError(f"{path} holds a study, expected a search or a front")
    if (path / FRONT).is_file():
        return FrontRun(path).found()
    if (path / RESULT).is_file():
        return SearchRun(path).found()
    raise InputError(
        f"{path} holds no finished search or front, expected a directory with {RESULT} or {FRONT}"
    )
