"""The search beside that of an earlier commit, turn by turn in one run: ``python -m benchmarks.against 6394397``.

Both are used through what has not changed: ``lightnas.search.search`` in one process, and the command
``lightnas search --preset``. Seconds of the processor, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from lightnas.runs import load_config, preset_path

PRESETS = ("maedet-s", "maedet-m", "maedet-l")
HERE = Path(__file__).parents[1]

# Prints the seconds to the proven optimum of each preset's budgets, one line a seed.
CHILD = """
import json, sys, time
from lightnas.search import search
import scipy.optimize  # imported once a process: counted in the whole command, not in a search
for name, budgets in json.loads(sys.argv[1]).items():
    for seed in range(int(sys.argv[2])):
        began = time.process_time()
        result = search("k1kxk1", seed=seed, **budgets)
        print(name, time.process_time() - began, result.score, result.proven_optimal)
"""


def python(tree: Path, words: list[str]) -> str:
    """What a Python process that imports lightnas from a tree prints; its bytecode is kept."""
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPATH": str(tree),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    process = subprocess.run(
        [sys.executable, *words],
        cwd="/",
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return process.stdout


def searches(tree: Path, seeds: int) -> dict[str, list[float]]:
    """Seconds of the processor of every search, by preset; each of them proven optimal."""
    limits = {name: load_config(preset_path(name), {}).problem.limits for name in PRESETS}
    found: dict[str, list[float]] = {name: [] for name in PRESETS}
    for line in python(tree, ["-c", CHILD, json.dumps(limits), str(seeds)]).splitlines():
        name, seconds, _, proven = line.split()
        assert proven == "True", line
        found[name].append(float(seconds))
    return found


def command(tree: Path, folder: str) -> float:
    """Seconds of the processor of the whole command, start to files written."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["search", "--preset", "maedet-m", "--output", f"{folder}/run", "--overwrite"]
    python(tree, ["-m", "lightnas", *words])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        earlier.mkdir()
        archive = ["git", "-C", str(HERE), "archive", arguments.commit]
        tar = subprocess.run(archive, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(earlier)], input=tar, check=True)
        times: dict[str, tuple[list[float], list[float]]] = {}
        for turn in range(arguments.rounds + 1):  # the first fills the caches of bytecode
            for side, tree in enumerate((earlier, HERE)):
                of_turn = searches(tree, arguments.seeds) if turn else {}
                of_turn["`lightnas search --preset maedet-m`"] = [command(tree, folder)]
                for name, seconds in of_turn.items():
                    both = times.setdefault(name, ([], []))
                    both[side].extend(seconds if turn else [])
    print(f"| | {arguments.commit} | now | ratio |\n| --- | ---: | ---: | ---: |")
    for name, both in sorted(times.items(), reverse=True):
        then, now = map(statistics.median, both)
        print(f"| {name} | {then:.2f} s | {now:.2f} s | {now / then:.2f} |")


if __name__ == "__main__":
    main()
