"""MAE-DET-S's size against ResNet-50 on a GPU: ``python -m benchmarks.gpu FOLDER``.

Both GFLV2 detectors train on the same digits with the same options, in turns; the table has what
their logs say: pictures a second (median over the log's lines after the first), peak memory of the
GPU, and AP on the test split.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from lightnas.files import data_file

LIGHTNAS = [sys.executable, "-m", "lightnas"]
TRAINING = [
    "--schedule",
    "4",
    "--optimizer",
    "adamw",
    "--input-size",
    "384x384",
    "--flip",
    "0",
    "--batch",
    "16",
    "--workers",
    "8",
]
DETECTORS = {
    "maedet_s": [str(data_file("configs", "structures/maedet_s.txt")), "--size", "s"],
    "ResNet-50": ["--config", str(data_file("configs", "detection/gfl_r50.py")), "--size", "s"],
}


def logged(work_dir, batch):
    """Pictures a second, and MB of the GPU (none on a CPU), from the training log."""
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob("*.log.json"))
        for line in path.read_text().splitlines()
    ]
    lines = [line for line in lines if line.get("mode") == "train"]
    seconds = statistics.median(line["time"] for line in lines[1:] or lines)
    return batch / seconds, max(line.get("memory", 0) for line in lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=6000)
    arguments, options = parser.parse_known_args()  # what is left are options of train-det
    data = arguments.folder / "digits"
    if not data.exists():
        arguments.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [*LIGHTNAS, "demo-data", str(data), "--train", str(arguments.pictures)], check=True
        )
    options = [*TRAINING, *options]
    batch = int(options[len(options) - 1 - options[::-1].index("--batch") + 1])
    print("| detector | pictures a second | GPU memory, MB | AP | AP50 |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    for name, detector in DETECTORS.items():
        work_dir = arguments.folder / name
        command = [
            "train-det",
            *detector,
            "--data",
            str(data),
            "--work-dir",
            str(work_dir),
            "--overwrite",
            *options,
        ]
        with open(arguments.folder / f"{name}.log", "w") as log:
            subprocess.run([*LIGHTNAS, *command], check=True, stdout=log, stderr=log)
        tested = subprocess.run(
            [*LIGHTNAS, "test-det", str(work_dir), "--json"],
            check=True,
            capture_output=True,
            text=True,
        )
        result = json.loads(tested.stdout)
        speed, memory = logged(work_dir, batch)
        print(
            f"| {name} | {speed:.1f} | {memory or '-'} | {result['ap']:.3f} | {result['ap50']:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
