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
import fcntl
import io
import json
import platform
import time
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import scipy

import lightnas

from ..errors import InputError, differences, shown
from ..files import NO_SPACE, write_whole
from ..network.structure import format_structures
from ..search import Search, SearchResult
from .config import format_config, load_config

CONFIG, RESULT, STRUCTURE, HISTORY, POPULATION, LOG, CHECKPOINT = (
    "config.yaml", "result.json", "structure.txt", "history.csv", "population.npz", "search.log", "checkpoint.npz",
)  # fmt: skip
REPORT = "report.html"
OURS = (REPORT, RESULT, CHECKPOINT, STRUCTURE, HISTORY, POPULATION, CONFIG)

Dir = TypeVar("Dir", bound="RunDir")


class Configured(Protocol):
    """Whatever has a document for config.yaml."""

    @property
    def document(self) -> dict[str, Any]:
        """What config.yaml holds, but for the versions."""
        ...


class RunDir:
    """One run directory, held by one process at a time."""

    ours: tuple[str, ...] = OURS
    result_name = RESULT
    command = "search"

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def begin(
        cls: type[Dir], path: Path, config: Configured, *, resume: bool, overwrite: bool
    ) -> Dir:
        """Make the directory, or continue in it.

        Raises:
            InputError: it is not empty (without resume or overwrite), holds a run of another config (with resume),
                holds no run (with resume), or cannot be written.
        """
        run = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            empty = all(map(_is_leftover, path.iterdir()))
            if not empty and not (resume or overwrite):
                raise InputError(
                    f"--output {path} is not empty, expected a new directory, --resume or --overwrite"
                )
            if not empty and resume:
                run._check_same(config)
            run._lock()
            for part in path.glob(".*.part"):  # what a kill in the middle of a write leaves
                part.unlink(missing_ok=True)
            if empty or not resume:
                run._replace_with(config)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise
            raise InputError(
                f"--output {path} cannot be written ({error.strerror}), expected a directory"
            ) from error
        return run

    def _lock(self) -> None:
        """Hold the directory: two processes in one would write over each other. The log serves as the lock file."""
        self._log = open(self.path / LOG, "a", encoding="utf-8")  # noqa: SIM115 (held until close)
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._log.close()
            raise InputError(
                f"--output {self.path} is in use by another run, expected a directory of its own"
            ) from error

    def close(self) -> None:
        """Let go of the directory."""
        self._log.close()

    def _check_same(self, config: Configured) -> None:
        if not (self.path / CONFIG).is_file():
            raise InputError(
                f"--resume: {self.path} holds no {CONFIG}, expected the directory of a run"
            )
        there = load_config(self.path / CONFIG, {})
        self._refuse(differences(there.document, config.document))

    def _refuse(self, found: list[str]) -> None:
        if found:
            raise InputError(
                f"--resume: {self.path} holds a run of another config: {'; '.join(found)}"
            )

    def _replace_with(self, config: Configured) -> None:
        """Remove the files of an earlier run, and nothing else, once the new config is safely on the disk."""
        ahead = self.path / ".config.ahead.part"
        write_whole(ahead, format_config(config.document, versions(), self.command).encode())
        self._log.truncate(0)
        for name in self.ours:
            (self.path / name).unlink(missing_ok=True)
        ahead.replace(self.path / CONFIG)

    # --- the log ------------------------------------------------------------------------------------------------

    def log(self, message: str) -> None:
        """Add a line with the time to the log."""
        self._log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {message}\n")
        self._log.flush()

    # --- stop and go --------------------------------------------------------------------------------------------

    @property
    def finished(self) -> dict[str, Any] | None:
        """The result of a finished run, as result.json holds it; None while it is not finished.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / self.result_name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError as error:
            raise InputError(
                f"{path}: is damaged ({error}), expected a result; --overwrite starts anew"
            ) from error

    def save(self, search: Search) -> None:
        """Write the checkpoint."""
        write_whole(self.path / CHECKPOINT, _pack(search.state()))

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

    def finish(self, result: SearchResult, search: Search) -> dict[str, Any]:
        """Write all results; result.json comes last, so it stands for a finished run."""
        write_whole(self.path / STRUCTURE, format_structures(result.top).encode())
        write_whole(self.path / HISTORY, _history(result).encode())
        write_whole(self.path / POPULATION, _population(result, search))
        content = result.document
        write_whole(self.path / RESULT, (json.dumps(content, indent=1) + "\n").encode())
        (self.path / CHECKPOINT).unlink(missing_ok=True)
        return content


def _is_leftover(entry: Path) -> bool:
    """What a search killed in its first instants leaves: an unfinished file, or a log without a line."""
    return entry.name.endswith(".part") or (entry.name == LOG and entry.stat().st_size == 0)


def fresh_path(base: Path) -> Path:
    """``base``, or the first of ``base-2``, ``base-3`` ... that is missing or empty."""
    path, n = base, 1
    while path.exists() and not (path.is_dir() and not any(path.iterdir())):
        n += 1
        path = base.with_name(f"{base.name}-{n}")
    return path


def versions() -> dict[str, str]:
    """Versions of everything that takes part in the result."""
    packages = {module.__name__: str(module.__version__) for module in (lightnas, np, scipy)}
    return {"python": platform.python_version()} | packages


def _history(result: SearchResult) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("evaluations", "seconds", "best_score"))
    writer.writerows((n, f"{seconds:.4f}", repr(score)) for n, seconds, score in result.history)
    return text.getvalue()


def _population(result: SearchResult, search: Search) -> bytes:
    genes = np.array([f"{i}.{key}" for i, key in search.space.genes])
    buffer = io.BytesIO()
    np.savez(buffer, genomes=result.genomes, genes=genes, **result.evaluation.columns())  # type: ignore[arg-type]
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
