"""The sheet of a training: what is there on the left, what was found on the right."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lightnas.detection.pictures import MOST_BYTES, SHOWN, draw_split

SIDE = 400


@pytest.fixture
def split(tmp_path):
    """Grey pictures with an object each, and a crowd that is not drawn."""
    images = [
        {"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in range(SHOWN + 2)
    ]
    for row in images:
        Image.new("RGB", (SIDE, SIDE), (128, 128, 128)).save(tmp_path / row["file_name"])
    box = {"category_id": 3, "area": 1, "iscrowd": 0}
    boxes = [
        box | {"id": i + 1, "image_id": i, "bbox": [100, 100, 50, 80]} for i in range(len(images))
    ]
    boxes += [box | {"id": 99, "image_id": 0, "bbox": [300, 300, 50, 50], "iscrowd": 1}]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 3, "name": "cat"}]}
    (tmp_path / "val.json").write_text(json.dumps(content))
    return SimpleNamespace(
        ann_file=str(tmp_path / "val.json"), img_prefix=str(tmp_path), classes=["cat"]
    )


def coloured(cell):
    """Rows and columns of what is not grey."""
    values = np.asarray(cell).astype(int)
    return np.argwhere(np.ptp(values, axis=2) > 60)


def test_what_is_there_stands_beside_what_was_found(split, tmp_path):
    nothing, one = np.zeros((0, 5)), np.array([[200.0, 200.0, 260.0, 290.0, 0.9]])
    draw_split(split, [[one], [nothing]] + [[nothing]] * SHOWN, tmp_path / "sheet.jpg")
    sheet = Image.open(tmp_path / "sheet.jpg")
    head = sheet.height - SHOWN * SIDE
    assert sheet.width == 2 * SIDE and 20 < head < 60
    left, right, below, empty = (
        coloured(sheet.crop((x, head + y, x + SIDE, head + y + SIDE)))
        for x, y in ((0, 0), (SIDE, 0), (0, SIDE), (SIDE, SIDE))
    )
    assert abs(left.max(axis=0) - (179, 149)).max() < 4  # no crowd, which would lie beyond
    assert abs(right.max(axis=0)[0] - 289) < 4 and right.min(axis=0)[0] > 150
    assert len(below) and not len(empty)


def test_a_sheet_fits_a_report(split, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(SHOWN):
        noise = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
    draw_split(split, [[np.zeros((0, 5))]] * SHOWN, tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size <= MOST_BYTES
