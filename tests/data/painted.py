"""Sets of small pictures on which every object is a rectangle of the colour of its class, so that a
test can check that each loaded box lies on its colour."""

import copy
import json

import numpy as np
from PIL import Image

from lightnas.data.coco import CocoSplit, DataOptions, check_split, settle
from lightnas.data.reading import read_picture

COLOURS = {"cat": (250, 20, 20), "dog": (20, 250, 20), "7": (20, 20, 250)}
NAMES = list(COLOURS)
# As shown: x, y, w, h of each class on each picture; None where it is not.
BOXES = [
    {"cat": (2, 3, 10, 12), "dog": (30, 20, 15, 9), "7": (50, 2, 12, 30)},
    {"cat": (33, 25, 29, 20), "dog": (1, 1, 8, 8)},
    {"7": (40, 10, 20, 30)},
    {"dog": (5, 30, 40, 14), "7": (52, 6, 7, 7)},
]
SIZE = (64, 48)


def paint(boxes, size=SIZE):
    picture = Image.new("RGB", size, (128, 128, 128))
    for name, (x, y, w, h) in boxes.items():
        picture.paste(COLOURS[name], (x, y, x + w, y + h))
    return picture


def save_turned(picture, path, mark):
    """Write a picture so that a viewer which obeys the mark shows it as it is."""
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transpositions
    stored = picture if mark == 1 else picture.transpose(Image.Transpose(inverse[mark]))
    exif = Image.Exif()
    exif[0x0112] = mark
    stored.save(path, exif=exif)
    return stored.size


def coco(boxes=BOXES, size=SIZE):
    """The set as COCO has it, canonical."""
    images = [
        {"id": i, "file_name": f"{i}.png", "width": size[0], "height": size[1]}
        for i in range(1, len(boxes) + 1)
    ]
    annotations = [
        {
            "image_id": i,
            "category_id": NAMES.index(name) + 1,
            "bbox": list(box),
            "area": box[2] * box[3],
            "iscrowd": 0,
        }
        for i, on_picture in enumerate(boxes, 1)
        for name, box in on_picture.items()
    ]
    return {
        "info": {},
        "images": images,
        "annotations": [{"id": i, **entry} for i, entry in enumerate(annotations, 1)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)],
    }


def make(folder, content=None, raw=None, marks=(), boxes=BOXES, size=SIZE, name="train"):
    """Pictures and annotation file in a folder; gives the split."""
    images = folder / "pictures"
    images.mkdir(exist_ok=True, parents=True)
    for i, on_picture in enumerate(boxes, 1):
        mark = marks[i - 1] if marks else 1
        save_turned(paint(on_picture, size), images / f"{i}.png", mark)
    file = folder / f"{name}.json"
    file.write_bytes(raw if raw is not None else json.dumps(content or coco(boxes, size)).encode())
    return CocoSplit(file, images)


def canonical(split, folder, classes=None, name="train", **options):
    """What the network would get: the canonical file of a split."""
    check_split(split, DataOptions(**options), classes)
    settle({name: split}, folder)
    return json.loads(split.annotations.read_bytes())


def assert_on_colours(content, images):
    """Every box is exactly where its colour is, and every colour has its box."""
    names = {category["id"]: category["name"] for category in content["categories"]}
    for entry in content["images"]:
        pixels = read_picture(images / entry["file_name"])
        assert pixels.shape[:2] == (entry["height"], entry["width"])
        seen = {}
        for annotation in content["annotations"]:
            if annotation["image_id"] == entry["id"]:
                seen[names[annotation["category_id"]]] = annotation["bbox"]
        for name, colour in COLOURS.items():
            ys, xs = np.nonzero((pixels == colour).all(axis=2))
            if not len(xs):
                assert name not in seen
                continue
            box = [xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()]
            assert np.allclose(seen[name], box, atol=1e-6), (entry["file_name"], name)


def assert_canonical(content, classes=NAMES):
    """Everything that mmdet and pycocotools take for granted."""
    assert isinstance(content["info"], dict)
    assert [category["name"] for category in content["categories"]] == list(classes)
    for key in ("images", "annotations", "categories"):
        ids = [entry["id"] for entry in content[key]]
        assert all(type(i) is int and i > 0 for i in ids) and len(set(ids)) == len(ids)
    for entry in content["images"]:
        assert type(entry["width"]) is int and type(entry["height"]) is int
    known = {entry["id"] for entry in content["images"]}
    for entry in content["annotations"]:
        assert entry["image_id"] in known and entry["iscrowd"] in (0, 1)
        assert type(entry["area"]) in (int, float) and entry["area"] > 0
        assert len(entry["bbox"]) == 4 and not entry.get("ignore")


def changed(change, content=None):
    """The set with a change."""
    content = copy.deepcopy(content or coco())
    return change(content) or content
