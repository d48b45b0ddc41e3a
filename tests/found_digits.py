"""Whether what ``lightnas detect`` found in pictures are the digits that are there:
``python tests/found_digits.py digits/annotations/instances_test.json found/detections.json``.

`make wheel` asks this where torch is not installed. A digit is found where the best of the boxes that
overlap it by at least a half (intersection over union) has its name; half of them must be. Nothing of
lightnas is used: the truth is read as it was written.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

LEAST = 0.5
HEAVY = ("torch", "mmdet", "mmcv")


def overlap(one, other):
    """Intersection over union of two boxes: x, y, width, height."""
    sides = [
        max(0.0, min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]))
        for i in (0, 1)
    ]
    both = sides[0] * sides[1]
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def is_found(name, box, boxes):
    """Whether the best of the boxes on an object has its name; ``boxes`` are those of its picture, the best
    first."""
    on_it = [one["class"] for one in boxes if overlap(box, one["bbox"]) >= LEAST]
    return on_it[:1] == [name]


def share_found(annotations, detections):
    """Of the true digits of a split the share that is found."""
    truth = json.loads(annotations.read_text())
    names = {category["id"]: category["name"] for category in truth["categories"]}
    files = {image["id"]: image["file_name"] for image in truth["images"]}
    found = {
        Path(one["image"]).name: one["detections"] for one in json.loads(detections.read_text())
    }
    if found.keys() != set(files.values()):
        raise SystemExit(f"{detections}: other pictures than {annotations} has")
    digits = [
        (names[one["category_id"]], one["bbox"], found[files[one["image_id"]]])
        for one in truth["annotations"]
    ]
    return sum(is_found(*digit) for digit in digits) / len(digits)


def main(annotations, detections):
    """Say the share.

    Raises:
        SystemExit: it is too small, or torch and the like are here.
    """
    here = [name for name in HEAVY if find_spec(name)]
    if here:
        raise SystemExit(f"{', '.join(here)} installed, expected an environment without")
    share = share_found(Path(annotations), Path(detections))
    print(f"{share:.0%} of the digits found")
    if share < LEAST:
        raise SystemExit(f"expected at least {LEAST:.0%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
