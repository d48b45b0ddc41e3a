"""The check of `make wheel` says no where digits are not found."""

import json

import pytest

from . import found_digits
from .found_digits import main, overlap, share_found

TRUTH = {
    "categories": [{"id": 1, "name": "3"}, {"id": 2, "name": "7"}],
    "images": [{"id": 5, "file_name": "a.jpg"}, {"id": 6, "file_name": "b.jpg"}],
    "annotations": [
        {"image_id": 5, "category_id": 1, "bbox": [0, 0, 10, 10]},
        {"image_id": 5, "category_id": 2, "bbox": [50, 50, 20, 20]},
        {"image_id": 6, "category_id": 2, "bbox": [5, 5, 10, 30]},
        {"image_id": 6, "category_id": 1, "bbox": [60, 5, 10, 30]},
    ],
}


def box(name, *bbox):
    return {"class": name, "score": 0.5, "bbox": bbox}


RIGHT = {
    "a.jpg": [box("7", 51, 50, 20, 20), box("3", 0, 0, 10, 10)],
    "b.jpg": [box("7", 5, 5, 10, 30), box("3", 5, 5, 10, 30), box("3", 60, 5, 10, 16)],
}


@pytest.fixture
def shares(tmp_path, monkeypatch):
    monkeypatch.setattr(found_digits, "HEAVY", ())
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))

    def write(found):
        entries = [{"image": f"x/{name}", "detections": boxes} for name, boxes in found.items()]
        (tmp_path / "found.json").write_text(json.dumps(entries))
        return tmp_path / "truth.json", tmp_path / "found.json"

    return write


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [((0, 0, 2, 2), (0, 0, 2, 2), 1), ((0, 0, 2, 2), (1, 0, 2, 2), 1 / 3), ((0, 0, 2, 2), (2, 0, 2, 2), 0),
     ((0, 0, 4, 4), (1, 1, 2, 2), 1 / 4), ((0, 0, 2, 2), (9, 9, 2, 2), 0)],
)  # fmt: skip
def test_overlap(one, other, expected):
    assert overlap(one, other) == overlap(other, one) == pytest.approx(expected)


def test_what_is_found(shares, capsys):
    assert share_found(*shares(RIGHT)) == 1
    main(*shares(RIGHT))
    assert capsys.readouterr().out == "100% of the digits found\n"


DAMAGED = {
    "nothing": lambda name, boxes: [],
    "other names": lambda name, boxes: [b | {"class": "37"["73".index(b["class"])]} for b in boxes],
    "other places": lambda name, boxes: [b | {"bbox": [v + 30 for v in b["bbox"]]} for b in boxes],
    "every name at every place": lambda name, boxes: [
        b | {"class": c} for b in boxes for c in ("8", "3", "7")
    ],
    "one picture's": lambda name, boxes: boxes[:1] if name == "a.jpg" else [],
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_not(shares, damage):
    found = {name: DAMAGED[damage](name, boxes) for name, boxes in RIGHT.items()}
    with pytest.raises(SystemExit, match="expected at least 50%"):
        main(*shares(found))


def test_pictures_that_were_not_looked_at(shares):
    with pytest.raises(SystemExit, match="other pictures"):
        main(*shares({"a.jpg": []}))


def test_torch_beside_it_is_refused(shares, monkeypatch):
    monkeypatch.setattr(found_digits, "HEAVY", ("torch_that_is_not_there", "json"))
    with pytest.raises(SystemExit, match=r"^json installed, expected an environment without"):
        main(*shares(RIGHT))
