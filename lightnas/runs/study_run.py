"""A study's directory: structures trained under one recipe, and whether their scores foretell AP.

    config.yaml      everything that decides the study: structures, seeds, data, options of train-det
    structure.txt    the structures, in the order of their numbers
    study.csv        a row a finished run: structure, score, costs, seed, AP; grows as runs finish
    result.json      Kendall's tau of score and AP beside those of the baselines; stands for a finished study
    report.html      AP against score on a page
    runs/NN-SEED/    the work directory of each training; runs/NN-SEED.log what it said

Each run is a process of its own, ``lightnas train-det`` and then ``test-det``, as a user would type
them: several can go side by side, and a study that is stopped goes on run by run.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, create_model

from ..cores import threads_each
from ..documents import Amount, Count, Document, Real, check, differences
from ..errors import InputError, WorkError, shown
from ..files import read_text
from ..network.cost import INPUT_SIZE
from ..network.entropy import ALPHA
from ..network.modules import imported
from ..network.score import score_structures
from ..network.structure import Structure, format_structures
from ..outputs import MARKER, read_marker
from ..resources import RESOURCES
from ..units import format_size, parse_size
from ..yaml_file import read_yaml
from .config import format_config
from .correlation import agreement, by_chance
from .output_dir import REPORT, STRUCTURE, OutputDir, versions
from .training_run import TrainingRun

CONFIG, RESULT, TABLE, FOLDER = "config.yaml", "result.json", "study.csv", "runs"
# What a structure can be judged by without training it.
PREDICTIONS = ("score", *(name for name, resource in RESOURCES.items() if resource.always))
FRACTIONS = ("score", "ap", "ap50")
COLUMNS = ("structure", *PREDICTIONS, "seed", "ap", "ap50")
MAX_BYTES = 2**24

Row = dict[str, Any]


class StudyConfigFile(Document):
    """What config.yaml holds."""

    data: str
    seeds: Count
    input_size: str
    training: list[str]
    budget: dict[str, Amount]
    structures: list[Any]


RowFile = create_model(
    "RowFile",
    __base__=Document,
    **{key: (Real if key in FRACTIONS else Count, ...) for key in COLUMNS},
)  # type: ignore[call-overload]


class TauFile(Document):
    """A rank correlation of result.json."""

    tau: Real
    low: Real
    high: Real


class StudyFile(Document):
    """What result.json holds."""

    structures: Count
    seeds: Count
    taus: dict[str, TauFile | None]
    rows: Annotated[list[RowFile], Field(min_length=1)]  # type: ignore[valid-type]


@dataclass(frozen=True)
class StudyConfig:
    """What decides a study.

    Attributes:
        structures: what is trained, in order.
        data: the folder that ``train-det`` takes.
        seeds: how often each is trained: with seeds 0, 1, ...
        input_size: height and width that FLOPs are counted and pictures tested at.
        training: further options of ``train-det``.
        budget: what the structures share, by resource; says so, decides nothing.

    Raises:
        InputError: fewer than two structures, or no seed.
    """

    structures: tuple[Structure, ...]
    data: Path
    seeds: int = 3
    input_size: tuple[int, int] = INPUT_SIZE
    training: tuple[str, ...] = ()
    budget: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if len(self.structures) < 2:
            raise InputError(f"structures is {len(self.structures)}, expected at least 2")
        if self.seeds < 1:
            raise InputError(f"seeds is {self.seeds}, expected at least 1")

    @property
    def document(self) -> dict[str, Any]:
        """What config.yaml holds, but for the versions."""
        return {
            "data": str(self.data.resolve()),
            "seeds": self.seeds,
            "input_size": format_size(self.input_size),
            "training": list(self.training),
            "budget": dict(self.budget or {}),
            "structures": [structure.to_dicts() for structure in self.structures],
        }

    @classmethod
    def of(cls, path: Path) -> StudyConfig:
        """The config that a config.yaml holds.

        Raises:
            InputError: the file cannot be read, or is no config of a study.
        """
        file = check(StudyConfigFile, read_yaml(path), str(path))
        return cls(
            tuple(
                Structure.from_dicts(blocks, f"{path}: structures[{i}]")
                for i, blocks in enumerate(file.structures)
            ),
            Path(file.data),
            file.seeds,
            parse_size(file.input_size, f"{path}: input_size"),
            tuple(file.training),
            file.budget,
        )


@dataclass(frozen=True)
class Job:
    """One training: structure number ``index`` with one seed, in a process of its own."""

    index: int
    seed: int
    structure: Path
    work_dir: Path
    options: tuple[str, ...]
    environment: Mapping[str, str]


class StudyRun(OutputDir):
    """One study's directory, held by one process at a time."""

    mark = command = "validate"
    kind, home = "study", "directory of a study"
    config_name, result_name = CONFIG, RESULT
    result_shape = StudyFile
    ours = re.compile("(?!)")  # there were no studies before there were markers

    def begin(self, config: StudyConfig, *, resume: bool = False, overwrite: bool = False) -> None:
        """Hold the directory for a study, new or continued.

        Raises:
            InputError: as for ``hold``; or it holds a study of another config (with resume).
        """
        self.hold(resume=resume, overwrite=overwrite)
        if self.continues:
            there = StudyConfig.of(self.path / CONFIG)
            self.refuse(differences(there.document, config.document))
        else:
            self.replace_with(format_config(config.document, versions(), "validate"))
            self.write(STRUCTURE, format_structures(config.structures))

    def clear(self) -> None:
        """As for any run; the work directories in it are cleared by their own markers."""
        for entry in (self.path / FOLDER).glob("*/"):
            if read_marker(entry) is not None:
                with TrainingRun(entry) as training:
                    training.hold(resume=False, overwrite=True)
                    training.clear()
                (entry / MARKER).unlink()
                with suppress(OSError):  # something of the user's is in it
                    entry.rmdir()
        super().clear()

    @property
    def rows(self) -> list[Row]:
        """The runs that are finished, in the order of structures and seeds.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / TABLE
        return read_rows(path) if path.is_file() else []

    def save_rows(self, rows: Sequence[Row]) -> None:
        """Write the runs finished so far."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["structure"], row["seed"])))
        self.write(TABLE, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """The rows of a study.csv.

    Raises:
        InputError: it cannot be read, or a row is none of a study.
    """
    reader = csv.DictReader(io.StringIO(read_text(path, MAX_BYTES), newline=""))
    try:
        rows: list[Row] = []
        for line in reader:
            row: Row = {key: (float if key in FRACTIONS else int)(line[key]) for key in COLUMNS}
            if not all(np.isfinite(list(row.values()))):
                raise ValueError("a number is not finite")
            rows.append(row)
    except (csv.Error, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{path}: row {reader.line_num} is damaged ({shown(str(error))}), expected the columns {', '.join(COLUMNS)}"
        ) from error
    return rows


def validate(
    config: StudyConfig,
    path: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int = 1,
    gpus: int = 0,
    executor: Executor | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    write_report: Callable[[Sequence[Path]], object] | None = None,
) -> dict[str, Any]:
    """Train every structure with every seed, and correlate AP on the test split with the score.

    Args:
        config: what is trained, on what, and how.
        path: of the directory.
        resume: continue what is there; finished runs are not trained again.
        overwrite: replace what is there.
        jobs: trainings side by side, each with its share of the cores.
        gpus: how many GPUs the trainings are spread over; 0: torch chooses.
        executor: runs ``train_one``; any ``concurrent.futures.Executor`` whose workers see the same
            files. None: threads of this process, each waiting for one training.
        on_progress: called with runs done and runs in all, at the start and after each.
        write_report: makes the page of the directory.

    Returns:
        what ``result.json`` holds: ``summary`` of all rows.

    Raises:
        InputError: the directory is not empty (without resume or overwrite), in use, or of another
            config.
        WorkError: a training failed; the study can be resumed.
    """
    with StudyRun(Path(path)) as run:
        run.begin(config, resume=resume, overwrite=overwrite)
        result = run.result
        if result is None:
            rows = run.rows
            _train_all(run, config, rows, jobs, gpus, executor, on_progress)
            result = summary(rows)
            run.finish(result)
        if write_report and not (run.path / REPORT).is_file():
            write_report([run.path])
        return result


def _train_all(
    run: StudyRun,
    config: StudyConfig,
    rows: list[Row],
    jobs: int,
    gpus: int,
    executor: Executor | None,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    """Train what ``rows`` lacks, and add it there as it finishes."""
    figures = score_structures(config.structures, config.input_size, ALPHA)
    asked = _jobs(run, config, {(row["structure"], row["seed"]) for row in rows}, jobs, gpus)
    total = len(rows) + len(asked)

    def tell() -> None:
        if on_progress:
            on_progress(len(rows), total)

    tell()
    pool = executor or ThreadPoolExecutor(jobs)
    futures = {pool.submit(train_one, job): job for job in asked}
    failed: BaseException | None = None
    try:
        for future in as_completed(futures):
            if future.cancelled():
                continue
            if error := future.exception():  # those that train go on to their end, no other begins
                failed = failed or error
                for waiting in futures:
                    waiting.cancel()
                continue
            job = futures[future]
            row = figures[job.index] | {"structure": job.index, "seed": job.seed} | future.result()
            rows.append({key: row[key] for key in COLUMNS})
            run.save_rows(rows)
            tell()
    except BaseException:
        for future in futures:
            future.cancel()
        _stop_trainings()
        raise
    finally:
        if executor is None:
            pool.shutdown()
    if failed:
        raise failed


def _jobs(
    run: StudyRun, config: StudyConfig, done: set[tuple[int, int]], jobs: int, gpus: int
) -> list[Job]:
    """The trainings that are not done; each structure once before any is trained again."""
    run.record(f"{FOLDER}/")
    (run.path / FOLDER).mkdir(exist_ok=True)
    found: list[Job] = []
    for seed in range(config.seeds):
        for index, structure in enumerate(config.structures):
            if (index, seed) in done:
                continue
            name = f"{index:02d}-{seed}"
            txt = f"{FOLDER}/{index:02d}.txt"
            if not (run.path / txt).is_file():
                run.write(txt, format_structures([structure]))
            run.record(f"{FOLDER}/{name}.log")
            options = ("--data", str(config.data.resolve()), "--seed", str(seed), *config.training)
            environment = threads_each(jobs)
            if gpus:
                environment["CUDA_VISIBLE_DEVICES"] = str(len(found) % gpus)
            work_dir = run.path / FOLDER / name
            found.append(Job(index, seed, run.path / txt, work_dir, options, environment))
    return found


_running: set[subprocess.Popen[str]] = set()


def train_one(job: Job) -> Row:
    """Train one structure and test it: AP and AP50 of the best checkpoint on the test split.

    Raises:
        WorkError: a process failed; names its log.
    """
    work_dir = str(job.work_dir)
    begin = "--resume" if (job.work_dir / "config.py").is_file() else "--overwrite"
    log = job.work_dir.with_name(f"{job.work_dir.name}.log")
    with open(log, "a", encoding="utf-8") as said:
        _run(
            job,
            ["train-det", str(job.structure), "--work-dir", work_dir, begin, *job.options],
            said,
        )
        result = json.loads(_run(job, ["test-det", work_dir, "--json"], said))
    return {key: result[key] or 0.0 for key in ("ap", "ap50")}


def _run(job: Job, command: Sequence[str], said: Any) -> str:
    """What a command prints on stdout; stderr goes into the log."""
    modules = [word for name in imported() for word in ("--import", name)]
    process = subprocess.Popen(  # noqa: S603 (this program, with the user's own options)
        [sys.executable, "-m", "lightnas", command[0], *modules, *command[1:]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True,
        env={**os.environ, **job.environment},
    )  # fmt: skip
    _running.add(process)
    try:
        out, _ = process.communicate()
    finally:
        _running.discard(process)
    if process.returncode:
        last = Path(said.name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise WorkError(
            f"{job.work_dir}: {command[0]} ended with {process.returncode} "
            f"({shown(last[-1] if last else 'no word')}), see {said.name}"
        )
    return out


def _stop_trainings() -> None:
    """Ask the trainings of this process to end; each leaves a directory that goes on."""
    for process in list(_running):
        process.terminate()


def summary(rows: Sequence[Row], seed: int = 0) -> dict[str, Any]:
    """Kendall's tau-b of AP (mean over seeds) and each thing that could foretell it, with bootstrap
    intervals.

    Args:
        rows: of a study; every structure with the same seeds.
        seed: of the bootstrap.

    Returns:
        ``structures``, ``seeds``; ``taus``: of score and each counted resource ``tau``,
        ``low``, ``high``, or None where all structures are alike; ``random``: what no knowledge at
        all gives; and ``rows``.
    """
    ordered = sorted(rows, key=lambda row: (row["structure"], row["seed"]))
    first = {row["structure"]: row for row in ordered}
    ap = np.array([[r["ap"] for r in ordered if r["structure"] == i] for i in first])
    taus = {}
    for name in PREDICTIONS:
        values = [row[name] for row in first.values()]
        found = agreement(values, ap, np.random.default_rng(seed))
        taus[name] = found and found._asdict()
    chance = by_chance(ap, np.random.default_rng(seed))
    taus["random"] = chance and chance._asdict()
    return {"structures": len(first), "seeds": ap.shape[1], "taus": taus, "rows": ordered}
