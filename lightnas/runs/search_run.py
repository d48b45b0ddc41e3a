"""A run directory: what a search leaves behind, and what it needs to go on after it was killed.

    config.yaml      everything that decides the result, with versions; works with --config
    structure.txt    the best structures, best first
    result.json      the result; its presence says that the run is finished
    report.html      all of it on a page to look at
    history.csv      evaluations, seconds, best score
    population.npz   genomes, gene names, scores and costs of the final population
    search.log       what happened when
    checkpoint.npz   only while the run is not finished: what --resume continues from

Every file but the log is written whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..network.structure import format_structures
from ..search import Search, SearchResult
from .config import SearchConfig, format_config, load_config
from .output_dir import REPORT, STRUCTURE, OutputDir, differences, versions

CONFIG, RESULT, HISTORY, POPULATION, LOG, CHECKPOINT = (
    "config.yaml", "result.json", "history.csv", "population.npz", "search.log", "checkpoint.npz",
)  # fmt: skip


class SearchRun(OutputDir):
    """One search's directory, held by one process at a time."""

    config_name, result_name, log_name = CONFIG, RESULT, LOG
    ours = re.compile(
        "|".join(
            map(re.escape, (CONFIG, RESULT, HISTORY, POPULATION, CHECKPOINT, STRUCTURE, REPORT))
        )
    )

    def begin(self, config: SearchConfig, *, resume: bool = False, overwrite: bool = False) -> None:
        """Hold the directory for a search, new or continued.

        Raises:
            InputError: as for ``hold``; or it holds a run of another config (with resume).
        """
        self.hold(resume=resume, overwrite=overwrite)
        if self.continues:
            there = load_config(self.path / CONFIG, {})
            self.refuse(differences(there.document, config.document))
        else:
            self.replace_with(format_config(config.document, versions()))

    def save(self, search: Search) -> None:
        """Write the checkpoint."""
        self.write(CHECKPOINT, _pack(search.state()))

    def load(self, search: Search) -> bool:
        """Bring a search to where the checkpoint left it; False where there is none yet.

        Raises:
            InputError: the checkpoint is damaged.
        """
        path = self.path / CHECKPOINT
        if not path.is_file():
            return False
        try:
            state = _unpack(path.read_bytes())
        except Exception as error:
            reason = shown(str(error))
            raise InputError(
                f"{path}: is damaged ({reason}), expected a checkpoint; --overwrite starts anew"
            ) from error
        search.restore(state)
        return True

    def finish_search(self, result: SearchResult, genes: Sequence[tuple[int, str]]) -> None:
        """Write all results; result.json comes last. ``genes`` names the columns of the population."""
        self.write(STRUCTURE, format_structures(result.top))
        self.write(HISTORY, _history(result))
        self.write(POPULATION, _population(result, genes))
        self.finish(result.document)
        (self.path / CHECKPOINT).unlink(missing_ok=True)


def _history(result: SearchResult) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("evaluations", "seconds", "best_score"))
    writer.writerows((n, f"{seconds:.4f}", repr(score)) for n, seconds, score in result.history)
    return text.getvalue()


def _population(result: SearchResult, genes: Sequence[tuple[int, str]]) -> bytes:
    names = np.array([f"{i}.{key}" for i, key in genes])
    buffer = io.BytesIO()
    np.savez(buffer, genomes=result.genomes, genes=names, **result.evaluation.columns())  # type: ignore[arg-type]
    return buffer.getvalue()


def _pack(state: dict[str, Any]) -> bytes:
    """Nested dicts of arrays and JSON values as one npz: arrays by their path, the rest as JSON."""
    arrays: dict[str, Any] = {}

    def strip(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[path] = value
            return {"array": path}
        if isinstance(value, dict):
            return {key: strip(inner, f"{path}.{key}") for key, inner in value.items()}
        return value

    text = json.dumps(strip(state, "state"))
    buffer = io.BytesIO()
    np.savez(buffer, json=np.array(text), **arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:

        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                return (
                    arrays[value["array"]]
                    if set(value) == {"array"}
                    else {k: fill(v) for k, v in value.items()}
                )
            return value

        state: dict[str, Any] = fill(json.loads(str(arrays["json"])))
        return state
