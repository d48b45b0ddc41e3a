"""From a finished run's directory back to what it found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from ..network.cost import INPUT_SIZE
from ..network.detector import Detector
from ..network.entropy import ALPHA
from ..search import Front, SearchResult
from .config import load_config
from .front_run import FRONT, FrontRun, load_front
from .search_run import CONFIG, RESULT, SearchRun
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


class ScoredAt(NamedTuple):
    """How structures are scored: the height and width of the picture, the weights of the stages,
    the detector that is counted, and whether activations are."""

    input_size: tuple[int, int] = INPUT_SIZE
    alpha: tuple[float, ...] = ALPHA
    detector: Detector | None = None
    activations: bool = False


def scored_at(name: str | Path) -> ScoredAt:
    """How the structures of a name are scored: as its search or front did, the usual way for
    anything else.

    Raises:
        InputError: the config of the run is damaged.
    """
    path = Path(name)
    if not (path / CONFIG).is_file():
        return ScoredAt()
    front = (path / FRONT).is_file()
    config = (
        load_front(path / CONFIG, {}, None, ()).search if front else load_config(path / CONFIG, {})
    )
    problem = config.problem
    return ScoredAt(problem.input_size, problem.alpha, problem.detector, problem.activations)
