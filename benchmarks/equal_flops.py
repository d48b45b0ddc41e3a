"""Our searched backbone against a ResNet-style one at equal FLOPs and equal training: ``python -m
benchmarks.equal_flops``.

ResNet-style: bottlenecks 3-4-6-3 deep, 3x3 kernels, four times as wide outside as inside, doubling
at each stage, scaled to the FLOPs of ours. Same data, epochs, head, options and seeds for both; AP
on the test split.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from lightnas.network import Structure, format_structures
from lightnas.units import format_count

SIZE = (192, 192)


def resnet_style(limit):
    """The widest ResNet-style structure of at most ``limit`` FLOPs."""

    def at(width):
        blocks = [{"class": "ConvKXBNRELU", "in": 3, "out": width, "s": 2, "k": 3}]
        for i, depth in enumerate((3, 4, 6, 3)):
            btn = width * 2**i
            blocks.append(
                {
                    "class": "SuperResK1KXK1",
                    "in": blocks[-1]["out"],
                    "out": 4 * btn,
                    "s": 2,
                    "k": 3,
                    "L": depth,
                    "btn": btn,
                }
            )
        return Structure.from_dicts(blocks)

    width = 1
    while at(width + 1).cost(SIZE).flops <= limit:
        width += 1
    return at(width)


def trained(structure, data, folder, seed, options):
    """AP, AP50 and minutes of one training run."""
    lightnas = [sys.executable, "-m", "lightnas"]
    start = time.monotonic()
    command = [
        "train-det",
        structure,
        "--data",
        data,
        "--work-dir",
        folder,
        "--seed",
        seed,
        "--overwrite",
        *options,
    ]
    with open(folder.with_suffix(".log"), "w") as log:
        subprocess.run([*lightnas, *map(str, command)], check=True, stdout=log, stderr=log)
    minutes = (time.monotonic() - start) / 60
    out = subprocess.run(
        [*lightnas, "test-det", str(folder), "--json"], check=True, capture_output=True, text=True
    ).stdout
    result = json.loads(out)
    return result["ap"], result["ap50"], minutes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("structure", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments, options = parser.parse_known_args()  # what is left are options of train-det
    arguments.output.mkdir(parents=True, exist_ok=True)
    ours = Structure.from_file(arguments.structure)
    structures = {"searched": ours, "ResNet-style": resnet_style(ours.cost(SIZE).flops)}
    rows = {name: [] for name in structures}
    for seed in range(arguments.seeds):
        for name, structure in structures.items():
            path = arguments.output / f"{name}.txt"
            path.write_text(format_structures([structure]))
            rows[name].append(
                trained(path, arguments.data, arguments.output / f"{name}-{seed}", seed, options)
            )
            print(f"{name}, seed {seed}: AP {rows[name][-1][0]:.3f}", file=sys.stderr, flush=True)
    print("| backbone | FLOPs | params | layers | AP, mean and spread | AP50, mean | minutes |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, structure in structures.items():
        flops, params, layers, *_ = structure.cost(SIZE)
        ap, ap50, minutes = zip(*rows[name], strict=True)
        print(
            f"| {name} | {format_count(float(flops), 3)} | {format_count(float(params), 3)} | {layers} "
            f"| {statistics.mean(ap):.3f} ({min(ap):.3f} to {max(ap):.3f}) | {statistics.mean(ap50):.3f} "
            f"| {statistics.mean(minutes):.1f} |"
        )


if __name__ == "__main__":
    main()
