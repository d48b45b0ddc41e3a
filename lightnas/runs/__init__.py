"""Run directories: what a search, a front or a training is made of, stopped, continued and kept.

    from lightnas import runs

    config = runs.load_config(runs.preset_path("maedet-m"), {"seed": 1})
    result = runs.search(config, "outputs/m", resume=True, on_progress=print)
    runs.load_run("outputs/m").structure

``config`` reads what a run is asked for; docs/python.md shows every kind of run.
"""

from .config import SearchConfig, load_config, preset_names, preset_path
from .front_run import FrontConfig, compared, front, load_front
from .loading import load_run, scored_at
from .names import name_of, structure_path, structures
from .output_dir import fresh_path
from .scores import every_score, load_score
from .search_run import save, search
from .study_run import StudyConfig, validate

__all__ = [
    "FrontConfig",
    "SearchConfig",
    "StudyConfig",
    "compared",
    "every_score",
    "fresh_path",
    "front",
    "load_config",
    "load_front",
    "load_run",
    "load_score",
    "name_of",
    "preset_names",
    "preset_path",
    "save",
    "scored_at",
    "search",
    "structure_path",
    "structures",
    "validate",
]
