"""A run directory: what a search leaves behind, and what it needs to go on after it was killed.

    config.yaml      everything that decides the result, with versions; works with --config
    structure.txt    the best structures, best first; of a stopped run the best until then
    result.json      the result; its presence says that the run is finished
    report.html      all of it on a page to look at
    history.csv      evaluations, seconds, best score
    population.npz   genomes, gene names, scores and costs of the final population
    search.log       what happened when
    checkpoint.npz   only while the run is not finished: what --resume continues from

Every file but the log is written whole or not at all.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import create_model

from ..documents import Document, check, differences
from ..errors import InputError, advised, shown
from ..network.cost import Cost
from ..network.structure import format_structures, read_structures
from ..npz_file import array_of, read_npz
from ..resources import RESOURCES
from ..search import Progress, Search, SearchResult
from ..search.cheapest import cheapest
from ..search.deadline import Deadline
from ..search.engine import GRACE
from ..search.problem import Evaluation
from ..search.result import FoundFile
from ..search.state_file import format_state, read_state
from ..search.workers import workers as workers_of
from .config import SearchConfig, format_config, load_config, show_value
from .history import HISTORY, format_history, read_history
from .output_dir import ANEW, REPORT, STRUCTURE, OutputDir, stops, versions
from .scores import refuse_unimported

CONFIG, RESULT, POPULATION, LOG, CHECKPOINT = (
    "config.yaml", "result.json", "population.npz", "search.log", "checkpoint.npz",
)  # fmt: skip
# Seconds of a search that a stop may cost.
SAVE_EVERY = 0.5

# The final population: N genomes of D genes, their scores and what they use.
_column = array_of("float64", "N")
PopulationFile = create_model(
    "PopulationFile",
    __base__=Document,
    genomes=(array_of("int64", "N", "D"), ...),
    genes=(array_of("str", "D"), ...),
    score=(_column, ...),
    **{r.name: (_column, ...) if r.always else (_column, None) for r in RESOURCES.values()},
)  # type: ignore[call-overload]


class SearchRun(OutputDir):
    """One search's directory, held by one process at a time."""

    mark = command = "search"
    config_name, result_name, log_name = CONFIG, RESULT, LOG
    result_shape = FoundFile
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
        self.write(CHECKPOINT, format_state(search.state()))

    @contextmanager
    def keeping_best(self, search: Search) -> Iterator[None]:
        """Around the steps: where a signal or a lack of memory stops them, the best structures
        found until then are written. The checkpoint stays that of the last whole step."""
        try:
            yield
        except BaseException as error:
            if stops(error) and (best := search.best):
                self.write(STRUCTURE, format_structures(best))
                self.log(f"stopped: best {search.best_score!r}")
            raise

    def load(self, search: Search) -> bool:
        """Bring a search to where the checkpoint left it; False where there is none yet.

        Raises:
            InputError: the checkpoint is damaged, or of another search.
        """
        path = self.path / CHECKPOINT
        if not path.is_file():
            return False
        with advised(ANEW):
            state = read_state(path, len(search.space.genes), search.relaxation.size)
            try:
                search.restore(state)
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
        return True

    def finish_search(self, result: SearchResult) -> None:
        """Write all results; result.json comes last, so it stands for a finished run."""
        self.write(STRUCTURE, format_structures(result.top))
        self.write(HISTORY, format_history(result.history))
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
        with advised(ANEW):
            return SearchResult.from_document(
                document,
                str(self.path / RESULT),
                top=read_structures(self.path / STRUCTURE),
                history=read_history(self.path / HISTORY),
                **read_population(self.path / POPULATION),
            )


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
    if not resume:
        refuse_unimported(config.problem)
    with SearchRun(Path(path)) as run:
        run.begin(config, resume=resume, overwrite=overwrite)
        if run.result is None:
            refuse_unimported(config.problem)
            return _search(run, config, workers, on_progress, write_report)
        run.drop(CHECKPOINT)  # a kill may have come between the result and this
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
        with run.keeping_best(steps):
            _take_steps(run, steps, on_progress)
            result = steps.result()
            if config.within:
                run.save(steps)
                result = _cheapest(run, config, result)
    run.finish_search(result)
    if write_report:
        write_report([run.path])
    run.log(f"finished: score {result.score!r}, upper bound {result.upper_bound!r}")
    return result


def _cheapest(run: SearchRun, config: SearchConfig, result: SearchResult) -> SearchResult:
    """What is left of a time limit ends it, after a moment at least."""
    limit = config.limits.time_limit
    left = None if limit is None else max(limit - result.seconds, GRACE)
    began = time.perf_counter()
    assert config.within
    found = cheapest(config.problem, result, config.within, config.limits, Deadline.after(left))
    run.log(f"cheapest: {found.cheapest}")
    return replace(found, seconds=found.seconds + time.perf_counter() - began)


def _take_steps(
    run: SearchRun, steps: Search, on_progress: Callable[[Progress], None] | None
) -> None:
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


def save(result: SearchResult, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the result of a search from Python as a run directory, which ``load_run`` reads back.

    It has no config.yaml, since a result does not know its problem; ``search`` writes a whole run.

    Raises:
        InputError: the directory is not empty (without overwrite), or cannot be written.
    """
    with SearchRun(Path(path)) as run:
        run.hold(resume=None, overwrite=overwrite)
        run.clear()
        run.log(f"saved: score {result.score!r}, upper bound {result.upper_bound!r}")
        run.finish_search(result)


def _population(result: SearchResult) -> bytes:
    genes = np.array([f"{i}.{key}" for i, key in result.genes])
    buffer = io.BytesIO()
    np.savez(buffer, genomes=result.genomes, genes=genes, **result.evaluation.columns())  # type: ignore[arg-type]
    return buffer.getvalue()


def read_population(path: Path) -> dict[str, Any]:
    """Genomes, genes and evaluation of a population, as ``SearchResult`` has them.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    arrays = read_npz(path, "the population of a search")
    file: Any = check(PopulationFile, arrays, str(path))
    genes = [re.fullmatch(r"([0-9]{1,3})\.(\w+)", name) for name in file.genes.tolist()]
    if not all(genes):
        raise InputError(f"{path}: genes is damaged, expected names such as 1.out")
    return {
        "genomes": file.genomes,
        "genes": tuple((int(gene[1]), gene[2]) for gene in genes if gene),
        "evaluation": Evaluation(
            file.score, Cost(**{name: getattr(file, name) for name in RESOURCES})
        ),
    }
