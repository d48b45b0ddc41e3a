"""What it saves to begin from the weights of another detector: ``python -m benchmarks.carrying
FOLDER``.

Detectors of the digits 0 to 4 are trained on two structures; then detectors of the digits 5 to 9 on
the first of them: from scratch, from the weights of the same structure, and from those of the
other. Same pictures, options and seeds for all. The sets are made of ``lightnas demo-data``: the
digits of the other classes are painted over, and pictures that have none left are left out.

Killed, it goes on where it was. Options that are not its own are those of ``train-det``. ``--shares``
prints how much of each of our structures comes from each other one, and trains nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from lightnas.backbone import CnnNet, carry
from lightnas.files import data_file
from lightnas.json_file import json_text
from lightnas.network import Structure
from lightnas.runs.training_log import read_logs
from lightnas.runs.training_run import CONFIG, RESULT

LIGHTNAS = [sys.executable, "-m", "lightnas"]
SETS = {"0-4": "01234", "5-9": "56789"}
REACHED = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def call(*words, log=None):
    """Run a command of lightnas, its output into a log."""
    with open(log or "/dev/null", "a") as file:
        subprocess.run([*LIGHTNAS, *map(str, words)], check=True, stdout=file, stderr=file)


def write_set(digits, folder, names):
    """The set of the digits ``names``, in COCO format, from a set of all of them."""
    if folder.exists():
        return
    part = folder.with_name(f"{folder.name}.part")
    (part / "annotations").mkdir(parents=True, exist_ok=True)
    for split in ("train", "val", "test"):
        name = f"annotations/instances_{split}.json"
        content = json.loads((digits / name).read_text())
        kept = [c for c in content["categories"] if c["name"] in names]
        ids = {c["id"] for c in kept}
        boxes = content["annotations"]
        pictures = {a["image_id"] for a in boxes if a["category_id"] in ids}
        (part / split).mkdir(exist_ok=True)
        for image in content["images"]:
            if image["id"] in pictures:
                others = [
                    a["bbox"]
                    for a in boxes
                    if a["image_id"] == image["id"] and a["category_id"] not in ids
                ]
                pixels = cv2.imread(str(digits / split / image["file_name"]))
                painted = painted_over(pixels, others)
                cv2.imwrite(str(part / split / image["file_name"]), painted)
        content["categories"] = kept
        content["images"] = [i for i in content["images"] if i["id"] in pictures]
        content["annotations"] = [a for a in boxes if a["category_id"] in ids]
        (part / name).write_text(json_text(content))
    part.rename(folder)


def painted_over(pixels, boxes):
    """A picture (H, W, 3) in which what is in these boxes is filled from around them."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    for x, y, w, h in boxes:
        mask[max(0, y - 1) : y + h + 1, max(0, x - 1) : x + w + 1] = 255
    return cv2.inpaint(pixels, mask, 3, cv2.INPAINT_TELEA)


def trained(work_dir, structure, data, seed, epochs, options, begin=None):
    """Precision after each epoch, and what result.json holds, of a training that may be there."""
    if not (work_dir / RESULT).is_file():
        words = ["train-det", structure, "--data", data, "--work-dir", work_dir, "--seed", seed]
        words += ["--schedule", epochs, *options, *(["--init-from", begin] if begin else [])]
        more = ["--resume"] if (work_dir / CONFIG).is_file() else ["--overwrite"]
        call(*words, *more, log=work_dir.with_name(f"{work_dir.name}.log"))
    return read_logs(work_dir).precisions, json.loads((work_dir / RESULT).read_text())


def epochs_to(precisions, wanted):
    """The first epoch of that AP, None where it is not reached."""
    reached = (epoch for epoch, found in precisions.items() if found.get("bbox_mAP", 0) >= wanted)
    return next(reached, None)


def mean_of(values):
    """A cell: the mean, ``-`` where one of them is missing."""
    return "-" if None in values else f"{statistics.mean(values):.1f}"


def print_table(rows, epochs):
    """AP after epochs, and epochs to an AP, of each way to begin."""
    shown = sorted({min(n, epochs) for n in (1, 2, 3, 1 + epochs // 2, epochs)})
    print(f"| begun from | carried | {' | '.join(f'AP after {n}' for n in shown)} "
          f"| {' | '.join(f'epochs to AP {w}' for w in REACHED)} |")  # fmt: skip
    print("| --- |" + " ---: |" * (1 + len(shown) + len(REACHED)))
    for name, runs in rows.items():
        curve = [statistics.mean(p.get(n, {}).get("bbox_mAP", 0) for p, _ in runs) for n in shown]
        share = runs[0][1].get("carried")
        cells = ["-" if share is None else f"{share:.0%}", *(f"{ap:.3f}" for ap in curve)]
        cells += [mean_of([epochs_to(p, wanted) for p, _ in runs]) for wanted in REACHED]
        print(f"| {name} | {' | '.join(cells)} |")


def print_shares():
    """Shares of parameters that come from each structure, and of those that come along."""
    structures = {
        name: Structure.from_file(data_file("configs", f"structures/{name}.txt"))
        for name in ("maedet_s", "maedet_m", "maedet_l")
    }
    states = {name: CnnNet(structure).state_dict() for name, structure in structures.items()}
    print(f"| from | {' | '.join(f'to {name}' for name in structures)} |")
    print("| --- |" + " ---: |" * len(structures))
    for source, structure in structures.items():
        found = [
            carry(structure, states[source], target, states[name])
            for name, target in structures.items()
        ]
        print(f"| {source} | {' | '.join(f'{f.share:.0%} / {f.used:.0%}' for f in found)} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=Path("outputs/carrying"))
    parser.add_argument("--shares", action="store_true", help="print shares, and train nothing")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--held-out", type=int, default=200, help="pictures of val")
    parser.add_argument("--budgets", nargs=2, default=["67M", "45M"], help="FLOPs of both")
    parser.add_argument("--side", type=int, default=128, help="of the pictures, as they are fed")
    parser.add_argument("--before", type=int, default=10, help="epochs on 0 to 4")
    parser.add_argument("--epochs", type=int, default=10, help="epochs on 5 to 9")
    parser.add_argument("--seeds", type=int, default=3)
    arguments, options = parser.parse_known_args()  # what is left are options of train-det
    if arguments.shares:
        print_shares()
        return
    folder, size = arguments.folder, f"{arguments.side}x{arguments.side}"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--input-size", size, "--optimizer", "adamw", "--flip", 0, *options]
    digits = folder / "digits"
    if not digits.exists():
        held = arguments.held_out
        call("demo-data", digits, "--train", arguments.pictures, "--val", held, "--test", 1)
    for name, names in SETS.items():
        write_set(digits, folder / name, names)
    begun, structures = {}, {}
    for letter, budget in zip("AB", arguments.budgets, strict=True):
        run = folder / f"search-{letter}"
        if not (run / "result.json").is_file():
            call("search", "--budget-flops", budget, "--budget-layers", 25, "--max-channels", 256,
                 "--input-size", size, "--output", run, "--overwrite")  # fmt: skip
        structures[letter] = run / "structure.txt"
        work_dir = begun[letter] = folder / f"0-4-{letter}"
        _, result = trained(
            work_dir, structures[letter], folder / "0-4", 0, arguments.before, options
        )
        print(f"0 to 4 on {letter} ({budget}): AP {result['ap']:.3f}", file=sys.stderr, flush=True)
    ways = {"nothing": None, "the same structure": begun["A"], "another structure": begun["B"]}
    rows = {name: [] for name in ways}
    for seed in range(arguments.seeds):
        for name, begin in ways.items():
            work_dir = folder / f"5-9-{name.replace(' ', '-')}-{seed}"
            run = trained(
                work_dir, structures["A"], folder / "5-9", seed, arguments.epochs, options, begin
            )
            rows[name].append(run)
            print(f"{name}, seed {seed}: AP {run[1]['ap']:.3f}", file=sys.stderr, flush=True)
    print_table(rows, arguments.epochs)


if __name__ == "__main__":
    main()
