"""Results as coco, csv and yolo have them, read back by plain readers."""

import csv
import json
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.data.export import (
    Category,
    FoundPicture,
    ResultFile,
    check_output,
    label_name,
    write_results,
)
from lightnas.data.pictures import Box
from lightnas.errors import InputError

CATEGORIES = [Category(7, "cat"), Category("n02", 'dog, "big"')]
coordinate = st.floats(-5, 400, width=32)
boxes = st.lists(
    st.builds(
        lambda category, x, y, w, h, score: Box(category.name, (x, y, x + w, y + h), score),
        st.sampled_from(CATEGORIES),
        coordinate,
        coordinate,
        st.floats(1, 90, width=32),
        st.floats(1, 90, width=32),
        st.floats(0, 1, width=32),
    ),
    max_size=4,
)
IDS = {category.name: category.id for category in CATEGORIES}


def pictures_of(found):
    return [
        FoundPicture(f"id-{i}" if i % 2 else 1000 + i, f"sub {i}/päge,{i}.jpg", 640, 480, drawn)
        for i, drawn in enumerate(found)
    ]


def expected(pictures):
    """Of every box: picture, name of it, category, name of it, score, x, y, width, height."""
    return [
        (p.id, p.file_name, IDS[b.name], b.name, b.score, b.corners[0], b.corners[1],
         b.corners[2] - b.corners[0], b.corners[3] - b.corners[1])
        for p in pictures for b in p.boxes
    ]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@given(st.lists(boxes, max_size=4))
def test_coco(folder, found):
    pictures = pictures_of(found)
    write_results(pictures, "coco", folder / "r.json", CATEGORIES)
    rows = json.loads((folder / "r.json").read_text())
    wanted = [
        {"image_id": w[0], "category_id": w[2], "bbox": list(w[5:]), "score": w[4]}
        for w in expected(pictures)
    ]
    assert rows == wanted


@given(st.lists(boxes, max_size=4))
def test_csv(folder, found):
    pictures = pictures_of(found)
    write_results(pictures, "csv", folder / "r.csv", CATEGORIES)
    with open(folder / "r.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head[:4] == ["image_id", "file_name", "category_id", "class"] and len(head) == 9
    read = [(*row[:4], *map(float, row[4:])) for row in rows]
    assert read == [(str(w[0]), w[1], str(w[2]), *w[3:]) for w in expected(pictures)]


@given(found=st.lists(boxes, min_size=1, max_size=4))
def test_yolo(tmp_path_factory, found):
    pictures, path = pictures_of(found), tmp_path_factory.mktemp("yolo")
    write_results(pictures, "yolo", path, CATEGORIES)
    assert (path / "classes.txt").read_text() == 'cat\ndog, "big"\n'
    read = []
    for picture in pictures:
        for line in (path / "labels" / label_name(picture.file_name)).read_text().splitlines():
            number, *shares = line.split()
            x, y, w, h, score = map(float, shares)
            read += [CATEGORIES[int(number)].id, score, (x - w / 2) * 640, (y - h / 2) * 480,
                     w * 640, h * 480]  # fmt: skip
    wanted = [v for w in expected(pictures) for v in (w[2], *w[4:])]
    assert read == [pytest.approx(v, abs=1e-3) if not isinstance(v, str) else v for v in wanted]


@pytest.mark.parametrize("form", ["coco", "csv"])
@given(found=st.lists(boxes, max_size=4))
def test_a_growing_file_is_whole_after_every_picture(folder, form, found):
    pictures = pictures_of(found)
    with ResultFile(folder / "grows", form, CATEGORIES) as results:
        for i, picture in enumerate([None, *pictures]):
            if picture is not None:
                results.add(picture)
            write_results(pictures[:i], form, folder / "whole", CATEGORIES)
            assert (folder / "grows").read_bytes() == (folder / "whole").read_bytes()


@given(st.text(st.sampled_from("ab./\\:äC "), min_size=1))
def test_labels_stay_in_their_folder(name):
    path = PurePosixPath(label_name(name))
    assert not path.is_absolute() and ".." not in path.parts and path.suffix == ".txt"


def test_yolo_keeps_apart(tmp_path):
    twins = [FoundPicture(i, name, 9, 9, ()) for i, name in enumerate(("a.jpg", "a.png"))]
    with pytest.raises(InputError, match=r"a\.jpg and a\.png would share"):
        write_results(twins, "yolo", tmp_path / "out", CATEGORIES)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/old.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        check_output(tmp_path / "full", "yolo")
    with pytest.raises(InputError, match="lies in no folder"):
        check_output(tmp_path / "missing/r.json", "coco")
    assert check_output(tmp_path / "new", "yolo") == tmp_path / "new"
    assert check_output(tmp_path, "csv") == tmp_path / "results.csv"
