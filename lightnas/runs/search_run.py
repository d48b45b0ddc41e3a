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
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..documents import differences
from ..errors import InputError, shown
from ..network.cost import Cost
from ..network.structure import format_structures, read_structures
from ..search import Progress, Search, SearchResult
from ..search.problem import Evaluation
from ..search.workers import workers as workers_of
from .config import SearchConfig, format_config, load_config, show_value
from .output_dir import REPORT, STRUCTURE, OutputDir, versions

CONFIG, RESULT, HISTORY, POPULATION, LOG, CHECKPOINT = (
    "config.yaml", "result.json", "history.csv", "population.npz", "search.log", "checkpoint.npz",
)  # fmt: skip
HISTORY_COLUMNS = ("evaluations", "seconds", "best_score")
# Seconds of a search that a stop may cost.
SAVE_EVERY = 0.5


class SearchRun(OutputDir):
    """One search's directory, held by one process at a time."""

    mark = command = "search"
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
        self.hold(resume=resume, overwrite=overwrite, inputs=config.sources)
        if self.continues:
            there = load_config(self.path / CONFIG, {})
            self.refuse(differences(there.document, config.document, show=show_value))
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
                f"{path}: is damaged ({reason}), expected a checkpoint; overwrite=True starts anew"
            ) from error
        search.restore(state)
        return True

    def finish_search(self, result: SearchResult) -> None:
        """Write all results; result.json comes last, so it stands for a finished run."""
        self.write(STRUCTURE, format_structures(result.top))
        self.write(HISTORY, _history(result))
        self.write(POPULATION, _population(result))
        self.finish(result.document)
        self.drop(CHECKPOINT)

    def found(self) -> SearchResult:
        """The result of a finished run, with its final population and history.

        Raises:
            InputError: the run is not finished, or a file of it is missing or damaged.
        """
        document = self.result
        if document is None:
            raise InputError(f"{self.path} holds no finished search, expected its {RESULT}")
        try:
            with np.load(self.path / POPULATION, allow_pickle=False) as arrays:
                columns = dict(arrays)
            genomes, genes = columns.pop("genomes"), columns.pop("genes")
            return SearchResult.from_document(
                document,
                top=read_structures(self.path / STRUCTURE),
                genomes=genomes,
                genes=tuple(_gene(name) for name in genes.tolist()),
                evaluation=Evaluation(columns.pop("score"), Cost(**columns)),
                history=_read_history(self.path / HISTORY),
            )
        except InputError:
            raise
        except (OSError, KeyError, ValueError, TypeError, BadZipFile, csv.Error) as error:
            raise InputError(
                f"{self.path}: its results are damaged ({shown(str(error))}), expected those of a finished search; "
                "overwrite=True starts anew"
            ) from error


def search(
    config: SearchConfig,
    path: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
    write_report: Callable[[Sequence[Path]], object] | None = None,
) -> SearchResult:
    """Search in a run directory, so that whatever stops the search costs half a second of it.

    Args:
        config: from ``load_config``.
        path: of the run directory.
        resume: continue what is there; a finished run is not searched again.
        overwrite: replace what is there.
        workers: processes that score.
        on_progress: called after every step.
        write_report: makes the page of the directory, as ``lightnas.report.write_report`` does.

    Raises:
        InputError: the config is none, or the directory is not empty (without resume or overwrite),
            in use, of another config, or damaged.
        WorkError: a worker process died.
        OSError: the disk is full; the run can be resumed.
    """
    if not isinstance(config, SearchConfig):
        raise InputError(
            f"config is {shown(config)}, expected what load_config gives, "
            "e.g. load_config(preset_path('maedet-m'), {})"
        )
    with SearchRun(Path(path)) as run:
        run.begin(config, resume=resume, overwrite=overwrite)
        if run.result is None:
            return _search(run, config, workers, on_progress, write_report)
        if write_report and not (run.path / REPORT).is_file():
            write_report([run.path])
        return run.found()


def _search(
    run: SearchRun,
    config: SearchConfig,
    n_workers: int,
    on_progress: Callable[[Progress], None] | None,
    write_report: Callable[[Sequence[Path]], object] | None,
) -> SearchResult:
    with workers_of(n_workers) as executor:
        steps = Search(config.problem, config.seed, config.limits, config.top, executor)
        start = f"started: budgets {config.problem.limits}, seed {config.seed}"
        run.log("resumed" if run.load(steps) else start)
        saved, phase = time.monotonic(), ""
        for progress in steps.steps():
            if on_progress:
                on_progress(progress)
            if progress.phase != phase:
                phase, bound = progress.phase, progress.upper_bound
                done = f"{progress.evaluations} evaluations, best {progress.score!r}, bound {bound}"
                run.log(f"{phase}: {done}")
            if time.monotonic() - saved > SAVE_EVERY:
                run.save(steps)
                saved = time.monotonic()
        result = steps.result()
    run.finish_search(result)
    if write_report:
        write_report([run.path])
    run.log(f"finished: score {result.score!r}, upper bound {result.upper_bound!r}")
    return result


def save(result: SearchResult, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the result of a search from Python as a run directory, which ``load_run`` reads back.

    It has no config.yaml, since a result does not know its problem; ``search`` writes a whole run.

    Raises:
        InputError: the directory is not empty (without overwrite), or cannot be written.
    """
    with SearchRun(Path(path)) as run:
        run.hold(resume=False, overwrite=overwrite)
        run.clear()
        run.log(f"saved: score {result.score!r}, upper bound {result.upper_bound!r}")
        run.finish_search(result)


def _history(result: SearchResult) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HISTORY_COLUMNS)
    writer.writerows((n, f"{seconds:.4f}", repr(score)) for n, seconds, score in result.history)
    return text.getvalue()


def _read_history(path: Path) -> list[tuple[int, float, float]]:
    head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    if tuple(head) != HISTORY_COLUMNS:
        raise ValueError(f"{path.name} has the columns {', '.join(head)}")
    return [(int(n), float(seconds), float(score)) for n, seconds, score in rows]


def _population(result: SearchResult) -> bytes:
    genes = np.array([f"{i}.{key}" for i, key in result.genes])
    buffer = io.BytesIO()
    np.savez(buffer, genomes=result.genomes, genes=genes, **result.evaluation.columns())  # type: ignore[arg-type]
    return buffer.getvalue()


def _gene(name: str) -> tuple[int, str]:
    block, _, key = name.partition(".")
    return int(block), key


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
