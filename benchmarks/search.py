"""Speed of the search, side by side in one run on one core: ``python -m benchmarks.search``.

Absolute times depend on the machine; the ratios are what to look at. Nothing is read from an
earlier run.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np

from lightnas.network.detector import Detector
from lightnas.resources import RESOURCES
from lightnas.runs.config import SearchConfig, load_config, preset_names, preset_path
from lightnas.search.engine import Limits, Search
from lightnas.search.problem import Budget, Problem, evaluate_blocks
from lightnas.search.space_file import load_space
from tests import oracle

COUNTED = [name for name in RESOURCES if name != "latency"]
CORES = sorted(os.sched_getaffinity(0))


def seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def scoring() -> None:
    print("\n## Scoring: score, FLOPs, params and layers of random structures\n")
    problem = Problem(load_space("k1kxk1"), Budget(flops=1e15))
    genomes = problem.searched.random(np.random.default_rng(0), 1_048_576)
    few = [s.to_dicts() for s in problem.searched.structures(genomes[:300])]
    loop = seconds(lambda: [(oracle.costs(s), oracle.score(s)) for s in few], 3) / len(few)
    print("| structures | ns a structure | structures a second | times the plain loop |")
    print("| ---: | ---: | ---: | ---: |")
    print(f"| plain loop | {1e9 * loop:,.0f} | {1 / loop:,.0f} | 1 |")
    for n in (1, 1024, 8192, 65_536, 262_144, 1_048_576):
        each = seconds(lambda n=n: problem.evaluate(genomes[:n])) / n  # type: ignore[misc]
        print(f"| {n:,} | {1e9 * each:,.0f} | {1 / each:,.0f} | {loop / each:,.3g} |")


def run(config: SearchConfig, seed: int, limits: Limits) -> tuple[Search, float | None, float]:
    """A search, the seconds until its own bound showed a gap of at most 0.05 %, and those until it
    ended."""
    search = Search(config.problem, seed, limits)
    close = None
    for progress in search.steps():
        bound = progress.upper_bound
        if close is None and bound is not None and 1 - progress.score / bound <= 0.0005:
            close = search.seconds
    return search, close, search.seconds


def searching(seeds: int) -> None:
    print(f"\n## Searching: {seeds} seeds of each preset, in this process\n")
    print("| preset | gap ≤ 0.05 % shown after, median / worst s | within 2 s | ended after, median / worst s |"
          " largest gap | proven optimal |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in preset_names():
        config = load_config(preset_path(name), {})
        runs = [run(config, seed, config.limits) for seed in range(seeds)]
        close = [c if c is not None else float("inf") for _, c, _ in runs]
        ended = [e for *_, e in runs]
        results = [s.result() for s, *_ in runs]
        print(
            f"| {name} | {statistics.median(close):.2f} / {max(close):.2f} | {sum(c <= 2 for c in close)} of {seeds} "
            f"| {statistics.median(ended):.2f} / {max(ended):.2f} | {100 * max(r.gap for r in results):.4f} % "
            f"| {sum(r.proven_optimal for r in results)} of {seeds} |"
        )


def random_problems(count: int) -> Iterator[Problem]:
    """Random mixes of limits, rho and activations among them, for backbones and whole detectors:
    always the same."""
    space, rng, made = load_space("k1kxk1"), np.random.default_rng(0), 0
    while made < count:
        size = [(800, 1280), (640, 640), (320, 320), (192, 192), (33, 500)][rng.integers(5)]
        detector = [None, Detector(128), Detector(256)][rng.integers(3)]
        blocks = space.structures(space.random(rng, 1))[0]
        found = evaluate_blocks(blocks, size, detector=detector, activations=True, rho=True)
        used = found.cost.known()
        limits = {n: float(used[n][0] * rng.uniform(1, 1.5)) for n in COUNTED if rng.random() < 0.6}
        if limits:
            made += 1
            yield Problem(space, Budget(**limits), size, detector=detector)


def random_budgets(count: int) -> None:
    print(
        f"\n## {count} random budgets: a random mix of limits around what a random structure uses, at five input sizes, "
        "for backbones and whole detectors\n"
    )
    results = []
    for seed, problem in enumerate(random_problems(count)):
        search = Search(problem, seed)
        for _ in search.steps():
            pass
        results.append(search.result())
    times = [result.seconds for result in results]
    proven = [result.proven_optimal for result in results]
    fast = sum(p and t <= 10 for p, t in zip(proven, times, strict=True))
    print(
        "| budgets | proven optimal | in 10 s each | largest gap of the others | median s | worst s |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    print(
        f"| {count} | {sum(proven)} | {fast} | {100 * max(r.gap or 0.0 for r in results):.4f} % "
        f"| {statistics.median(times):.2f} | {max(times):.2f} |"
    )


# Times and measures from a small process: a child's largest memory is never below that of the
# process that forked it.
LAUNCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def command(words: list[str]) -> tuple[float, float]:
    """Seconds from start to end of a command, and its largest memory in MB."""
    process = subprocess.run(
        [sys.executable, "-c", LAUNCH, *words], check=True, capture_output=True, text=True
    )
    took, memory = map(float, process.stdout.split())
    return took, memory


def whole_command(repeats: int) -> None:
    print(f"\n## The whole command, start to files written, {repeats} times each\n")
    print("| command | median s | worst s | memory, worst MB |")
    print("| --- | ---: | ---: | ---: |")
    lightnas = [sys.executable, "-m", "lightnas"]
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ("python -c 'import numpy'", [sys.executable, "-c", "import numpy"]),
            ("lightnas --help", [*lightnas, "--help"]),
        ]
        for name in preset_names():
            words = ["search", "--preset", name, "--output", f"{folder}/run", "--overwrite"]
            rows.append((f"lightnas search --preset {name}", [*lightnas, *words]))
        for name, words in rows:
            measured = [command(words) for _ in range(repeats)]
            times, memory = zip(*measured, strict=True)
            print(
                f"| `{name}` | {statistics.median(times):.2f} | {max(times):.2f} | {max(memory):.0f} |"
            )


# In a process that has imported what a search imports: the report's own imports count.
REPORT = """
import sys, time
from pathlib import Path
import lightnas.runs.search_run, lightnas.search.engine, lightnas.cli.tables
began = time.perf_counter()
from lightnas.report.page import write_report
path = write_report([Path(sys.argv[1])])
print(time.perf_counter() - began, path.stat().st_size)
"""


def report(repeats: int) -> None:
    print(f"\n## report.html after a search, {repeats} times each\n")
    print("| report of | median s | worst s | KB |")
    print("| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name in preset_names():
            output = f"{folder}/{name}"
            command(
                [sys.executable, "-m", "lightnas", "search", "--preset", name, "--output", output]
            )
            words = [sys.executable, "-c", REPORT, output]
            printed = [
                subprocess.run(words, check=True, capture_output=True, text=True).stdout
                for _ in range(repeats)
            ]
            times = [float(line.split()[0]) for line in printed]
            print(
                f"| {name} | {statistics.median(times):.2f} | {max(times):.2f} | {int(printed[0].split()[1]) / 1000:.0f} |"
            )


def growth() -> None:
    print("\n## Growth with the evaluations: proposing, repairing and scoring of maedet-m\n")
    print("| evaluations | ms | µs an evaluation | evaluations a second |")
    print("| ---: | ---: | ---: | ---: |")
    config = load_config(preset_path("maedet-m"), {})
    for cap in (12_500, 25_000, 50_000, 100_000):
        searches = [run(config, seed, Limits(cap, proof_work=0))[0] for seed in range(5)]
        each = statistics.median(s.evolution_seconds / s.evaluations for s in searches)
        evaluations = statistics.median(s.evaluations for s in searches)
        print(
            f"| {evaluations:,.0f} | {1e3 * each * evaluations:.0f} | {1e6 * each:.2f} | {1 / each:,.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budgets", type=int, default=100)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, CORES[:1])
    import scipy.optimize  # noqa: F401 (imported once a process: counted in the whole command, not in a search)

    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, one core of {platform.machine()}"
    )
    scoring()
    searching(arguments.seeds)
    random_budgets(arguments.budgets)
    whole_command(arguments.repeats)
    report(arguments.repeats)
    growth()


if __name__ == "__main__":
    main()
