"""What the knobs of a search cost: each row of options searched to its proof and the networks it
finds measured in turns, as the table of docs/detectors.md: ``python -m benchmarks.knobs``.

Latency is the backbone's, one picture at 800 x 1280 in torch on one thread of a CPU, in seconds of
the processor, so that a busy machine slows none of them; it stands as a ratio to the first row too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from lightnas.backbone import CnnNet
from lightnas.detection import cpu
from lightnas.network import Structure
from lightnas.units import format_count

SIZE = (800, 1280)
PRESET = ["--preset", "maedet-m"]
GFLV2 = ["--detector", "gflv2", "--budget-params", "35M", "--budget-layers", "91"]
CHEAPEST = [*PRESET, "--within", "1%", "--minimise"]
ROWS = {
    "maedet-m: 83.6G, 25.6M, 91 layers": PRESET,
    "and 250M activations": [*PRESET, "--budget-activations", "250M"],
    "and 200M activations": [*PRESET, "--budget-activations", "200M"],
    "and `--budget-rho 0.12`": [*PRESET, "--budget-rho", "0.12"],
    "and `--budget-rho 0.1`": [*PRESET, "--budget-rho", "0.1"],
    "`--detector gflv2`: resnet50, 35M, 91 layers": [*GFLV2, "--budget-flops", "resnet50"],
    "`--detector gflv2`: 190G, 35M, 91 layers": [*GFLV2, "--budget-flops", "190G"],
    "maedet-m, `--within 1% --minimise flops`": [*CHEAPEST, "flops"],
    "maedet-m, `--within 1% --minimise params`": [*CHEAPEST, "params"],
    "maedet-m, `--within 1% --minimise activations`": [*CHEAPEST, "activations"],
}


def searched(options: list[str], there: Path) -> tuple[dict[str, Any], Structure]:
    """What the command prints and the structure it found; a search without a proof ends it all."""
    command = [sys.executable, "-m", "lightnas", "search", *options, "--json", "--output", there]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    result = json.loads(done.stdout)
    proven = result["cheapest"]["proven"] if "cheapest" in result else result["proven_optimal"]
    if not proven:
        raise SystemExit(f"search {' '.join(options)} is not proven")
    return result, Structure.from_dicts(result["structure"])


def latencies(structures: list[Structure], repeats: int) -> list[float]:
    """Median seconds of the processor of each backbone, measured in turns."""
    torch.set_num_threads(1)
    networks = [cpu.prepare(CnnNet(structure).eval()) for structure in structures]
    x = torch.randn(1, 3, *SIZE).contiguous(memory_format=torch.channels_last)
    seconds: list[list[float]] = [[] for _ in networks]
    with torch.inference_mode():
        for _ in range(repeats + 1):
            for taken, network in zip(seconds, networks, strict=True):
                began = time.process_time()
                network(x)
                taken.append(time.process_time() - began)
    return [statistics.median(taken[1:]) for taken in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [
            searched(options, Path(folder) / str(i)) for i, options in enumerate(ROWS.values())
        ]
    measured = latencies([structure for _, structure in found], arguments.repeats)
    print("| budgets | score | FLOPs | params | activations | layers | rho | latency, s | ratio |")
    print("| --- |" + " ---: |" * 8)
    for name, (result, structure), seconds in zip(ROWS, found, measured, strict=True):
        cost = structure.cost(SIZE, activations=True)
        figures = [
            f"{result['score']:.2f}",
            *(format_count(int(n), 4) for n in (cost.flops, cost.params, cost.activations)),
            f"{int(cost.layers)}",
            f"{result['rho']:.3f}",
            f"{seconds:.2f}",
            f"{seconds / measured[0]:.2f}",
        ]
        print(f"| {name} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
