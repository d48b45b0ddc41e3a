"""Data are told from other data, wherever they lie and whatever their ids are."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.data.coco import CocoSplit, check_split
from lightnas.data.fingerprint import changes, fingerprint

PICTURES = [("a.png", 40, 30), ("below/b.png", 64, 64), ("c.png", 30, 50)]


def content():
    return {
        "images": [
            {"id": i, "file_name": name, "width": w, "height": h}
            for i, (name, w, h) in enumerate(PICTURES, start=1)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": i + 1, "image_id": i % 3 + 1, "category_id": i % 2 + 1, "iscrowd": 0,
             "bbox": [2.5 + i, 3.0, 10.0, 12.0 + i], "area": 10.0 * (12 + i)}
            for i in range(5)
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from PIL import Image

    path = tmp_path_factory.mktemp("data")
    (path / "below").mkdir()
    for name, *size in [*PICTURES, ("d.png", 40, 30)]:
        Image.new("RGB", size).save(path / name)
    return path


def mark(folder, data, name="annotations.json"):
    (folder / name).write_text(json.dumps(data))
    return fingerprint(check_split(CocoSplit(folder / name, folder)))


@given(st.integers(1, 5), st.integers(0, 900), st.booleans())
def test_ids_and_places_are_not_the_data(folder, factor, shift, described):
    """Nor what else a file says."""
    data = content()
    for key, where in (("images", "image_id"), ("categories", "category_id")):
        for row in data[key]:
            row["id"] = row["id"] * factor + shift
        for row in data["annotations"]:
            row[where] = row[where] * factor + shift
    if described:
        data["info"] = {"description": "the same"}
    assert mark(folder, data, "other.json") == mark(folder, content())


CHANGES = {
    "a box less": lambda data: data["annotations"].pop(),
    "a box more": lambda data: data["annotations"].append(data["annotations"][0] | {"id": 99}),
    "a box elsewhere": lambda data: data["annotations"][2]["bbox"].__setitem__(0, 2.75),
    "another class": lambda data: data["annotations"][0].update(category_id=2),
    "another picture": lambda data: data["annotations"][0].update(image_id=2),
    "a crowd": lambda data: data["annotations"][1].update(iscrowd=1),
    "a picture less": lambda data: data["images"].append(
        {"id": 4, "file_name": "d.png", "width": 40, "height": 30}
    ),
    "another name": lambda data: data["images"][0].update(file_name="d.png"),
    "another word": lambda data: data["categories"][0].update(name="horse"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_everything_else_is(folder, what):
    data = content()
    CHANGES[what](data)
    then, now = {"val": mark(folder, content())}, {"val": mark(folder, data, "other.json")}
    (words,) = changes(then, now)
    assert words.startswith("val ha") and words.count("\n") == 0
    assert changes(then, copy.deepcopy(then)) == []
    assert changes({}, now) == []


def test_the_difference_is_counted(folder):
    data = content()
    CHANGES["a box less"](data)
    (words,) = changes({"val": mark(folder, content())}, {"val": mark(folder, data, "other.json")})
    assert words == "val had 5 objects and has 4"
