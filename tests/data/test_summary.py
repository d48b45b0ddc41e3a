"""What a set holds and what may be wrong with it, as ``lightnas data`` says it."""

import json

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image

from lightnas.data.boxes import Objects
from lightnas.data.coco import CocoSplit
from lightnas.data.summary import lines_of, summarise

from ..conftest import refused, run
from .laid_out import CLASSES, COLOURS, SIZE, coco, objects, paint, write_json
from .test_layouts import COUNTS, SPLITS, coco_set, names, one_file


def split_of(tmp_path, boxes, sizes=((640, 480),), pictures=None, labels=None, classes=("a", "b")):
    """A checked split of these boxes; by default all on the first picture and of the first class."""
    n = len(boxes)
    split = CocoSplit(tmp_path / "x.json", tmp_path, classes)
    split.objects = Objects(
        [f"{i}.png" for i in range(len(sizes))], np.array(sizes), np.array(boxes, float).reshape(-1, 4),
        np.array(pictures or [0] * n, int), np.array(labels or [0] * n, int), np.zeros(n, bool),
    )  # fmt: skip
    return split


def test_sizes_are_cocos(tmp_path):
    boxes = [(0, 0, 31, 33), (0, 0, 32, 32), (0, 0, 95, 97), (0, 0, 96, 96), (0, 0, 500, 2)]
    part = summarise({"train": split_of(tmp_path, boxes)})["splits"]["train"]
    assert part["sizes"] == {"small": 2, "medium": 2, "large": 1}
    assert part["objects"] == 5 and part["classes"] == {"a": 5, "b": 0}


def test_objects_a_picture_and_sizes_of_pictures(tmp_path):
    sizes = [(100, 50), (10, 20), (300, 200), (40, 40)]
    split = split_of(
        tmp_path, [(0, 0, 5, 5), (5, 5, 5, 5), (1, 1, 5, 5)], sizes, [0, 0, 2], [0, 1, 1]
    )
    part = summarise({"train": split})["splits"]["train"]
    assert part["objects_a_picture"] == {"mean": 0.75, "median": 0.5, "most": 2}
    assert part["picture_sizes"] == {
        "smallest": [10, 20],
        "median": [100, 50],
        "largest": [300, 200],
    }
    assert part["pictures"] == 4 and part["without_objects"] == 2


def test_likely_mistakes(tmp_path):
    boxes = [(0, 0, 640, 480), (3, 3, 20, 20), (3, 3, 20, 20), (3, 3, 20, 20), (3, 3, 20, 21)]
    split = split_of(
        tmp_path, boxes, [(640, 480), (640, 480)], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0], "abc"
    )
    found = summarise({"train": split})["mistakes"]
    assert found == [
        "1 class has no object in train: c",
        "1 picture of train has no object: 1.png",
        "1 box of train covers its whole picture: 0.png",
        "1 box of train stands twice: 0.png",
    ]


def test_duplicates_between_splits_are_found_by_content(tmp_path):
    coco_set(tmp_path)
    for copy in ("6.png", "7.png"):
        (tmp_path / "val2017" / copy).write_bytes((tmp_path / "train2017/3.png").read_bytes())
    write_json(
        tmp_path / "annotations/instances_val2017.json",
        coco(["6.png", "7.png", "8.png"], numbers=[3, 3, 8]),
    )
    (tmp_path / "test2017/9.png").write_bytes((tmp_path / "test2017/10.png").read_bytes())
    write_json(tmp_path / "annotations/instances_test2017.json", coco(["9.png"], numbers=[10]))
    found = data_of(tmp_path)["mistakes"]
    assert [line for line in found if " too" in line] == [
        "1 picture of val is in train too: 3.png is 6.png"
    ]


def data_of(folder, *options, capsys=None):
    from lightnas.data.coco import DataOptions, check_split
    from lightnas.data.layouts import find_data

    found = find_data(folder)
    for split in found.splits.values():
        check_split(split, DataOptions(skip_bad_images=True), CLASSES)
    return summarise(found.splits, found.layout, found.notes)


def test_one_split_for_two_is_counted_once(tmp_path):
    split = split_of(tmp_path, [(0, 0, 5, 5)], classes=("a",))
    train = split_of(tmp_path, [(0, 0, 9, 9), (9, 9, 50, 50)], classes=("a",))
    summary = summarise({"train": train, "val": split, "test": split})
    assert summary["splits"]["test"] == {"same_as": "val"} and summary["mistakes"] == []
    assert lines_of(summary) == [
        "train: 1 picture, 2 objects of 1 class (1 small, 1 medium)",
        "val: 1 picture, 1 object of 1 class (1 small)",
        "test: the same as val",
    ]


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_data_as_json(capsys, tmp_path, here):
    coco_set(tmp_path / "set")
    summary = json.loads(run(capsys, "data", tmp_path / "set", "--json"))
    assert summary["layout"] == "COCO" and summary["classes"] == CLASSES
    assert summary["folder"] == str(tmp_path / "set") and summary["sheet"] == "outputs/set-data.jpg"
    for name, part in summary["splits"].items():
        assert part["pictures"] == len(SPLITS[name]) and part["objects"] == COUNTS[name]
        assert part["classes"] == {
            label: sum(found == label for n in SPLITS[name] for found, _ in objects(n))
            for label in CLASSES
        }
    with Image.open(here / summary["sheet"]) as sheet:
        assert sheet.size == (4 * 384, 3 * 288)


def test_data_in_words(capsys, tmp_path):
    out = run(capsys, "data", one_file(tmp_path / "set"), "--val-share", 0.25, "--seed", 3)
    assert "COCO" in out and "pictures" in out and "small, below 32² pixels" in out
    assert "no val split: 5 of 20 pictures are set aside for it (val_share=0.25, seed 3)" in out
    assert out.rstrip().endswith("outputs/set-data.jpg")


def test_what_would_be_left_out_is_said(capsys, tmp_path):
    coco_set(tmp_path / "set")
    (tmp_path / "set/train2017/0.png").unlink()
    out = run(capsys, "data", tmp_path / "set")
    assert "left out: " in out and "0.png is missing" in out


def test_the_sheet_shows_the_boxes(capsys, tmp_path):
    """Every picture of the sheet has its rectangles framed: no colour of a class reaches beyond."""
    coco_set(tmp_path / "set")
    run(capsys, "data", tmp_path / "set", "--sheet", tmp_path / "a/sheet.png")
    with Image.open(tmp_path / "a/sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    for colour in COLOURS.values():
        assert (abs(pixels - colour).sum(axis=2) < 12).any()
    assert pixels.shape == (3 * 288, 4 * 384, 3)
    assert SIZE[0] * 288 == SIZE[1] * 384


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sheet", "a.gif"], "--sheet a.gif ends in '.gif', expected .jpg or .png"),
        (["--val-share", "2"], "--val-share is 2, expected a share between 0 and 1"),
        (["--layout", "yolo"], "nothing that names the classes"),
        (["--layout", "voc"], "no object in any of 0 XML files"),
    ],
)
def test_options_that_are_wrong(capsys, tmp_path, options, message):
    assert message in refused(capsys, "data", one_file(tmp_path / "set"), *options)


def test_unknown_folders(capsys, tmp_path, here):
    line = refused(capsys, "data", tmp_path / "nowhere")
    assert f"--data {tmp_path / 'nowhere'} is no directory" in line or "data" in line
    (tmp_path / "set").mkdir()
    assert "holds nothing, expected one of" in refused(capsys, "data", tmp_path / "set")
    assert not (here / "outputs").exists()


def test_a_large_picture_is_drawn_small(capsys, tmp_path):
    write_json(tmp_path / "set/labels.json", coco(names(range(2))))
    for n in range(2):
        paint(tmp_path / "set" / f"{n}.png", n)
    content = json.loads((tmp_path / "set/labels.json").read_text())
    for image in content["images"]:
        image |= {"width": 3000, "height": 40}
        Image.new("RGB", (3000, 40), "gray").save(tmp_path / "set" / image["file_name"])
    write_json(tmp_path / "set/labels.json", content)
    run(capsys, "data", tmp_path / "set", "--sheet", tmp_path / "s.jpg")
    with Image.open(tmp_path / "s.jpg") as sheet:
        assert max(sheet.size) <= 4 * 384
