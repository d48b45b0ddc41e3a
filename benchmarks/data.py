"""Checking a set of COCO's size: seconds and peak memory of a first and of a second start.

    python -m benchmarks.data [--pictures 118287] [--boxes 860001]

The set is made up in a temporary folder: small JPEGs, one file with many hard links, and an
annotation file of about COCO's size, outlines included. Each start is a process of its own, with an
empty cache before the first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

START = """
import resource, sys, time
from pathlib import Path
from lightnas.data.coco import CocoSplit, DataOptions, check_split, settle
begun = time.perf_counter()
split = check_split(CocoSplit(Path(sys.argv[1]), Path(sys.argv[2])), DataOptions(skip_bad_images=True))
settle({"train": split}, Path(sys.argv[3]))
seconds = time.perf_counter() - begun
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
peak, cpu = max(u.ru_maxrss for u in used), sum(u.ru_utime + u.ru_stime for u in used)
print(seconds, cpu, peak, len(split.objects.boxes), split.annotations.is_symlink())
"""
LINKS = 30_000  # of one file: ext4 allows 65,000


def make_set(folder: Path, pictures: int, boxes: int) -> tuple[Path, Path]:
    """Pictures and annotations; returns the annotation file and the folder of pictures."""
    images = folder / "train2017"
    images.mkdir()
    first = images / "none"
    for i in range(pictures):
        name = images / f"{i:012d}.jpg"
        if i % LINKS == 0:
            Image.effect_noise((64, 48), 60).convert("RGB").save(name, quality=80)
            first = name
        else:
            os.link(first, name)
    draw = random.Random(0)
    file = folder / "instances_train2017.json"
    with open(file, "w") as out:
        entries = (
            {
                "license": 3, "file_name": f"{i:012d}.jpg", "height": 48, "width": 64, "id": 3 * i + 9,
                "coco_url": f"http://images.example.org/train2017/{i:012d}.jpg",
                "date_captured": "2013-11-14 11:18:45",
            }
            for i in range(pictures)
        )  # fmt: skip
        out.write('{"info": {"year": 2017}, "licenses": [], "images": [')
        out.write(", ".join(map(json.dumps, entries)))
        out.write('], "annotations": [')
        for i in range(boxes):
            outline = [round(draw.uniform(1, 47), 2) for _ in range(24)]
            box = [round(draw.uniform(0, 20), 2) for _ in range(2)] + [
                10.5,
                9.25 * (i % 500_000 > 0),
            ]
            entry = {
                "segmentation": [outline], "area": 80.125, "iscrowd": int(i % 100 == 0),
                "image_id": 3 * (i % pictures) + 9, "bbox": box, "category_id": 2 * (i % 80) + 1,
                "id": 5 * i + 2,
            }  # fmt: skip
            out.write((", " if i else "") + json.dumps(entry))
        categories = [
            {"supercategory": "thing", "id": 2 * i + 1, "name": f"c{i}"} for i in range(80)
        ]
        out.write('], "categories": ' + json.dumps(categories) + "}")
    return file, images


def start(file: Path, images: Path, folder: Path) -> list[str]:
    """One start in a process of its own: seconds, CPU seconds, kB, objects, whether the source was linked to."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-c", START, str(file), str(images), str(folder / "annotations")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


def main() -> None:
    """Make the set, start twice, print what both took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=118_287)
    parser.add_argument("--boxes", type=int, default=860_001)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, images = make_set(folder, asked.pictures, asked.boxes)
        print(
            f"{asked.pictures} pictures, {asked.boxes} boxes, {file.stat().st_size / 1e6:.0f} MB of JSON"
        )
        time.sleep(2.5)  # a file that has just been written is not remembered
        for label in ("first start", "second start"):
            seconds, cpu, peak, objects, linked = start(file, images, folder)
            print(
                f"{label}: {float(seconds):.1f} s ({float(cpu):.1f} s of CPU), {int(peak) / 1e6:.2f} GB, {objects} objects"
                f"{', linked' if linked == 'True' else ''}; load {os.getloadavg()[0]:.1f}"
            )


if __name__ == "__main__":
    main()
