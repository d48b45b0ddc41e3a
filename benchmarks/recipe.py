"""How long the demo's training takes to an AP, beside the one that the recipe for small sets replaced:
``python -m benchmarks.recipe DEMO OUTPUT -- OPTIONS``, DEMO being what ``make demo`` leaves and OPTIONS
those of its train-det.

Both are ``lightnas train-det`` on the same structure and pictures, one after the other, from their start:
ten epochs with AdamW in one process of one thread, as it was, and the iterations of the recipe in two.
With ``--to-end`` each goes on to its end, for AP on the test split; otherwise it is stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lightnas.errors import InputError
from lightnas.runs.training_log import read_logs
from lightnas.runs.training_run import RESULT

from .options import parsed

BEFORE = [
    "--schedule", "10", "--optimizer", "adamw", "--input-size", "192x192", "--batch", "8", "--workers", "1",
    "--multi-scale", "0.84,1", "--flip", "0", "--width", "64",
    "--cfg-options", "model.bbox_head.stacked_convs=2",
    "optimizer.paramwise_cfg=None", "optimizer_config.grad_clip=None",
]  # fmt: skip


def trained(
    demo: Path, work_dir: Path, options: Sequence[str], wanted: float, to_end: bool
) -> tuple[float, int]:
    """Seconds from the start until an evaluation gives the AP, and its number."""
    structure, data = demo / "search/structure.txt", demo / "digits"
    command = [sys.executable, "-m", "lightnas", "train-det", structure, "--data", data]
    command += ["--work-dir", work_dir, "--overwrite", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    begun, reached = time.monotonic(), None
    with subprocess.Popen(
        list(map(str, command)),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            time.sleep(0.5)
            found = precisions(work_dir)
            if reached is None and any(p.get("bbox_mAP", 0) >= wanted for p in found.values()):
                reached = time.monotonic() - begun, max(found)
                if not to_end:
                    process.terminate()  # which stops the processes of a training too
    if reached is None:
        raise SystemExit(f"{work_dir}: AP {wanted} was not reached, status {process.returncode}")
    return reached


def precisions(work_dir: Path) -> dict[int, dict[str, float]]:
    """By evaluation, so far."""
    try:
        return read_logs(work_dir).precisions
    except InputError:  # nothing is logged yet
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--ap", type=float, default=0.8)
    parser.add_argument("--to-end", action="store_true")
    arguments, options = parsed(parser)
    if arguments.output.exists():
        parser.error(f"{arguments.output} exists, expected a new directory")
    first = None
    print(f"| | minutes until AP is {arguments.ap:g} | of the first | evaluations | AP on test |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, way in (("before", BEFORE), ("now", options)):
        work_dir = arguments.output / name
        given = (arguments.demo, work_dir, way, arguments.ap, arguments.to_end)
        seconds, evaluations = trained(*given)
        first = first or seconds
        ap = json.loads((work_dir / RESULT).read_text())["ap"] if arguments.to_end else None
        print(f"| {name} | {seconds / 60:.1f} | {seconds / first:.2f} | {evaluations} | "
              f"{'-' if ap is None else f'{ap:.3f}'} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
