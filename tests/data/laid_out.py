"""Pictures whose objects are rectangles, one colour a class, laid out as tools lay them out."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lightnas.data.coco import check_split, settle

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230)}
CLASSES = list(COLOURS)
SIZE = (64, 48)


def objects(number):
    """Class and box (x, y, w, h) in pixels of a picture: every class once or not at all, apart."""
    rng = np.random.default_rng(number)
    found = []
    for i, name in enumerate(COLOURS):
        if (number + i) % 3 or number % 2:
            x, y = 20 * i + int(rng.integers(1, 4)), int(rng.integers(1, 20))
            found.append((name, (x, y, int(rng.integers(8, 16)), int(rng.integers(8, 26)))))
    return found


def paint(path, number, size=SIZE):
    """Write the picture of a number, upright; PNG keeps every colour."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    pixels[0, 0] = number % 251
    for name, (x, y, w, h) in objects(number):
        pixels[y : y + h, x : x + w] = COLOURS[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def coco(names, first_id=1, numbers=None):
    """COCO's lists for pictures of these names, the picture of number n being the n-th."""
    numbers = list(range(len(names))) if numbers is None else numbers
    images = [
        {"id": i, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
        for i, name in enumerate(names)
    ]
    boxes = [
        (i, CLASSES.index(name), box)
        for i, number in enumerate(numbers)
        for name, box in objects(number)
    ]
    annotations = [
        {"id": n, "image_id": i, "category_id": first_id + label, "bbox": list(box), "area": box[2] * box[3],
         "iscrowd": 0} for n, (i, label, box) in enumerate(boxes, start=1)
    ]  # fmt: skip
    categories = [{"id": first_id + i, "name": name} for i, name in enumerate(CLASSES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def yolo_line(name, box, size=SIZE, polygon=False):
    """A line of a label file: centre and size, or the four corners."""
    x, y, w, h = box
    if polygon:
        values = [x, y, x + w, y, x + w, y + h, x, y + h, x + w / 2, y + h]
        scaled = [v / size[i % 2] for i, v in enumerate(values)]
    else:
        scaled = [(x + w / 2) / size[0], (y + h / 2) / size[1], w / size[0], h / size[1]]
    return " ".join([str(CLASSES.index(name)), *(f"{value:.8f}" for value in scaled)])


def write_labels(path, number, polygon=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(yolo_line(*found, polygon=polygon) + "\n" for found in objects(number)))


def write_voc(path, number, filename, first=1, size=SIZE, **more):
    """An XML file; ``first`` 1 counts pixels as VOC does, 0 as CVAT does."""
    parts = []
    for name, (x, y, w, h) in objects(number):
        corners = (x + first, y + first, x + w, y + h)
        keys = ("xmin", "ymin", "xmax", "ymax")
        tags = "".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, corners, strict=True))
        extra = "".join(f"<{key}>{value}</{key}>" for key, value in more.items())
        parts.append(f"<object><name>{name}</name>{extra}<bndbox>{tags}</bndbox></object>")
    sizes = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{filename}</filename>{sizes}{''.join(parts)}</annotation>"
    )


def on_their_colours(split, options=None):
    """How many boxes of a split there are once it is checked, each of which is exactly its colour's
    rectangle, and no coloured rectangle is without one."""
    split = replace(split)
    check_split(split, options)
    with tempfile.TemporaryDirectory() as folder:
        settle({"train": split}, Path(folder))
        content = json.loads(split.annotations.read_bytes())
    return _count(split, content)


def _count(split, content):
    names = {category["id"]: category["name"] for category in content["categories"]}
    boxes = {}
    for annotation in content["annotations"]:
        key = annotation["image_id"], names[annotation["category_id"]]
        assert key not in boxes
        boxes[key] = annotation["bbox"]
    count = 0
    for image in content["images"]:
        with Image.open(split.images / image["file_name"]) as picture:
            pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        assert (image["width"], image["height"]) == (pixels.shape[1], pixels.shape[0])
        for name, colour in COLOURS.items():
            rows, columns = np.nonzero((pixels == colour).all(axis=2))
            box = boxes.pop((image["id"], name), None)
            assert (box is None) == (not len(rows)), (image, name, box)
            if box is not None:
                x, y = columns.min(), rows.min()
                true = [x, y, columns.max() + 1 - x, rows.max() + 1 - y]
                assert np.allclose(box, true, atol=1e-3), (image, name, box, true)
                count += 1
    assert not boxes
    return count
