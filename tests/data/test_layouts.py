"""Every layout that people have: found, said, and each box on the colour of its class; and how each
can be wrong."""

import json
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("PIL")

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lightnas.data.coco import DataOptions, check_split
from lightnas.data.layouts import find_data
from lightnas.data.layouts.tree import Tree, locate
from lightnas.data.layouts.words import WORDS, split_of
from lightnas.errors import InputError

from .laid_out import (
    CLASSES,
    SIZE,
    coco,
    objects,
    on_their_colours,
    paint,
    write_json,
    write_labels,
    write_voc,
)

SPLITS = {"train": range(6), "val": range(6, 9), "test": range(9, 11)}
COUNTS = {split: sum(len(objects(n)) for n in numbers) for split, numbers in SPLITS.items()}


def names(numbers):
    return [f"{number}.png" for number in numbers]


def coco_set(folder, json_name="annotations/instances_{}2017.json", images="{}2017"):
    for split, numbers in SPLITS.items():
        write_json(
            folder / json_name.format(split), coco(names(numbers), numbers=numbers, first_id=7)
        )
        for number in numbers:
            paint(folder / images.format(split) / f"{number}.png", number)
    return folder


def yolo_set(folder, images="images/{}", labels="labels/{}", polygon=False):
    for split, numbers in SPLITS.items():
        for number in numbers:
            paint(folder / images.format(split) / f"{number}.png", number)
            write_labels(folder / labels.format(split) / f"{number}.txt", number, polygon)
    return folder


def voc_set(folder, first=1, **more):
    for split, numbers in SPLITS.items():
        for number in numbers:
            paint(folder / "JPEGImages" / f"{number}.png", number)
            write_voc(folder / "Annotations" / f"{number}.xml", number, f"{number}.jpg", first, **more)  # fmt: skip
        path = folder / "ImageSets" / "Main" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{number}\n" for number in numbers))
    return folder


def check(found):
    """That each split holds its boxes on their colours, and passes the check."""
    assert list(found.splits) == list(SPLITS)
    for split, count in COUNTS.items():
        assert on_their_colours(found.splits[split]) == count
    for split in found.splits.values():
        assert check_split(split).skipped == []
        assert set(split.classes) == set(CLASSES)


def refused(data, *args, **options):
    with pytest.raises(InputError) as error:
        find_data(data, *args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- COCO and exports in its format ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json_name", "images"),
    [
        ("annotations/instances_{}2017.json", "{}2017"),
        ("annotations/instances_{}2017.json", "images/{}2017"),
        ("annotations/{}.json", "{}"),
        ("annotations/{}.json", "images/{}"),
        ("annotations/my_{}_set.json", "images"),
        ("annotations/{}.json", "."),
        ("{}.json", "{}"),
        ("{}/annotations.json", "{}/images"),
        ("{}/_annotations.json", "{}"),
    ],
)
def test_coco(tmp_path, json_name, images):
    found = find_data(coco_set(tmp_path, json_name, images))
    assert found.layout == "COCO" and found.notes == []
    assert all(split.content is None for split in found.splits.values())  # used as they are
    check(found)


def test_companions_of_cocos_files_are_no_candidates(tmp_path):
    coco_set(tmp_path)
    for name in ("captions", "person_keypoints", "panoptic", "stuff", "image_info"):
        for split in ("train", "val", "test", "test-dev"):
            write_json(tmp_path / f"annotations/{name}_{split}2017.json", {})
    check(find_data(tmp_path))


def test_roboflow(tmp_path):
    folders = {"train": "train", "val": "valid", "test": "test"}
    for split, numbers in SPLITS.items():
        content = coco([f"{n}_png.rf.0a1b.png" for n in numbers], numbers=numbers)
        root = {"id": 0, "name": "shapes", "supercategory": "none"}
        content["categories"] = [root] + [
            category | {"supercategory": "shapes"} for category in content["categories"]
        ]
        write_json(tmp_path / folders[split] / "_annotations.coco.json", content)
        for n in numbers:
            paint(tmp_path / folders[split] / f"{n}_png.rf.0a1b.png", n)
    found = find_data(tmp_path)
    assert found.layout == "Roboflow's COCO export"
    check(found)  # without the category


def test_cvat(tmp_path):
    write_json(tmp_path / "annotations/instances_default.json", coco(names(range(9))))
    for n in range(9):
        paint(tmp_path / "images" / f"{n}.png", n)
    found = find_data(tmp_path)
    assert found.layout == "CVAT's COCO export"
    assert list(found.splits) == ["train", "val"]
    total = sum(on_their_colours(split) for split in found.splits.values())
    assert total == sum(len(objects(n)) for n in range(9))


def test_cvat_with_subsets(tmp_path):
    for split, subset in (("train", "Train"), ("val", "Validation"), ("test", "Test")):
        files = [f"{subset}/{n}.png" for n in SPLITS[split]]
        write_json(
            tmp_path / f"annotations/instances_{subset}.json", coco(files, numbers=SPLITS[split])
        )
        for n in SPLITS[split]:
            paint(tmp_path / "images" / subset / f"{n}.png", n)
    check(find_data(tmp_path))


def nfd(text):
    return unicodedata.normalize("NFD", text)


LABEL_STUDIO = {  # what result.json says: where the picture is below images/
    r"images\3fae12bc-a.png": "3fae12bc-a.png",
    "images/1/3fae12bc-b.png": "3fae12bc-b.png",
    r"..\..\label-studio\media\upload\4\cb0618f6-c.png": "cb0618f6-c.png",
    "C:\\Users\\me\\d.png": "d.png",
    "/data/local-files/?d=pics%5Ce.png": "e.png",
    "/data/upload/1/8f0ab3c2-f%20g.png": "f g.png",
    "http://localhost:8080/data/upload/1/h.png?token=1": "h.png",
    "I.PNG": "i.png",
    "images/j.png": "J.PNG",
    "4fae12bc-k.png": "k.png",
    "l.png": "5fae12bc-l.png",
    "images/\u00e9t\u00e9.png": nfd("\u00e9t\u00e9.png"),
    nfd("na\u00efve.png"): "na\u00efve.png",
    "m.png": "m.png",
    "images/sub/n.png": "sub/n.png",
    "o%2520p.png": "o p.png",
}


def label_studio(folder, named):
    write_json(folder / "result.json", coco(list(named), first_id=0))
    for number, name in enumerate(named.values()):
        paint(folder / "images" / name, number)
    return folder


def test_label_studio(tmp_path):
    found = find_data(label_studio(tmp_path, LABEL_STUDIO))
    assert found.layout == "Label Studio's COCO export"
    total = sum(on_their_colours(split) for split in found.splits.values())
    assert total == sum(len(objects(n)) for n in range(len(LABEL_STUDIO)))
    note = next(note for note in found.notes if "found by name" in note)
    assert note.startswith("result.json: ") and "pictures were found by name" in note
    for split in found.splits.values():
        assert check_split(split).skipped == []


@pytest.mark.parametrize(("said", "file"), LABEL_STUDIO.items())
def test_each_form_of_a_name(tmp_path, said, file):
    other = "yet-another.png"
    found = find_data(label_studio(tmp_path, {said: file, other: other}), val_share=0.5)
    assert sum(on_their_colours(split) for split in found.splits.values()) == len(objects(0)) + len(
        objects(1)
    )


def test_the_wrong_picture_is_never_taken(tmp_path):
    label_studio(tmp_path, {"a.png": "1/a.png", "b.png": "2/a.png"})
    assert "picture 'a.png' may be 1/a.png or 2/a.png" in refused(tmp_path)
    label_studio(tmp_path / "two", {"x/a.png": "a.png", "y/a.png": "a.png"})
    assert "'x/a.png' and 'y/a.png' are both a.png" in refused(tmp_path / "two")


def test_a_picture_of_its_split_wins(tmp_path):
    """Splits may use the same names."""
    for split in ("train", "val"):
        paint(tmp_path / "images" / split / "a.png", len(split))
        content = coco(["D:\\x\\A.png"], numbers=[len(split)])
        write_json(tmp_path / f"annotations/{split}.json", content)
    found = find_data(tmp_path)
    for split, part in found.splits.items():
        assert on_their_colours(part) == len(objects(len(split)))


def test_a_picture_of_another_split_is_never_taken(tmp_path):
    """A missing picture is missing, also where val has one of its name."""
    coco_set(tmp_path)
    for split in ("val", "test"):
        content = json.loads((tmp_path / f"annotations/instances_{split}2017.json").read_text())
        for i, image in enumerate(content["images"]):
            (tmp_path / f"{split}2017" / image["file_name"]).rename(
                tmp_path / f"{split}2017/{i}.png"
            )
            image["file_name"] = f"{i}.png"
        write_json(tmp_path / f"annotations/instances_{split}2017.json", content)
    (tmp_path / "train2017/2.png").unlink()
    found = find_data(tmp_path)
    assert found.notes == []
    with pytest.raises(InputError, match="1 of 6 pictures"):
        check_split(found.splits["train"])
    for n in SPLITS["train"]:
        (tmp_path / f"train2017/{n}.png").unlink(missing_ok=True)
    assert "picture '0.png' is in none of" in refused(tmp_path)


def test_missing_pictures_are_left_to_the_check(tmp_path):
    coco_set(tmp_path)
    (tmp_path / "train2017/2.png").unlink()
    with pytest.raises(InputError, match="1 of 6 pictures"):
        check_split(find_data(tmp_path).splits["train"])
    for number in SPLITS["train"]:
        (tmp_path / f"train2017/{number}.png").unlink(missing_ok=True)
    assert "picture '0.png' is in none of" in refused(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_other_encodings(tmp_path, encoding):
    content = coco(names(range(4)))
    path = write_json(tmp_path / "result.json", content)
    path.write_bytes(json.dumps(content).encode(encoding))
    for n in range(4):
        paint(tmp_path / "images" / f"{n}.png", n)
    found = find_data(tmp_path)
    assert sum(map(on_their_colours, found.splits.values())) == sum(
        len(objects(n)) for n in range(4)
    )


# --- splits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017", "train"),
        ("val2017", "val"),
        ("instances_Validation", "val"),
        ("valid", "val"),
        ("TEST", "test"),
        ("training-set", "train"),
        ("trainval", None),
        ("train_val", None),
        ("minitrain", None),
        ("minitrain2017", None),
        ("validate_me", None),
        ("latest", None),
        ("contest_1", None),
        ("interval", None),
        ("", None),
    ],
)
def test_split_of_a_name(name, split):
    assert split_of(name) == split


@given(
    st.lists(
        st.sampled_from(["train", "val", "valid", "test", "mini", "set", "instances", "trainval"]),
        max_size=4,
    ),
    st.sampled_from(["_", "-", " ", ".", "2017", "_1_"]),
    st.booleans(),
)
def test_splits_are_whole_words(parts, between, upper):
    name = between.join(parts)
    said = {split for split, forms in WORDS.items() if set(forms) & set(parts)}
    expected = said.pop() if len(said) == 1 else None
    assert split_of(name.upper() if upper else name) == expected


@given(
    st.text(st.characters(categories=["Ll", "Lo"]), min_size=1),
    st.sampled_from(["train", "val", "test"]),
)
def test_letters_around_a_word_make_another(letters, word):
    for name in (letters + word, word + letters):
        expected = [split for split, forms in WORDS.items() if name.lower() in forms]
        assert split_of(name) == (expected[0] if expected else None)


def test_trainval_is_never_both(tmp_path):
    coco_set(tmp_path)
    (tmp_path / "annotations/instances_train2017.json").rename(
        tmp_path / "annotations/trainval.json"
    )
    message = refused(tmp_path)
    assert "trainval.json, which says no split" in message and "--train-json" in message
    # It is train where val is not in it, and given apart.
    found = find_data(tmp_path, ("train", "test"))
    assert found.splits["train"].annotations.name == "trainval.json"


def test_trainval_alone_is_shared(tmp_path):
    write_json(tmp_path / "annotations/trainval.json", coco(names(range(9))))
    for n in range(9):
        paint(tmp_path / "images" / f"{n}.png", n)
    assert list(find_data(tmp_path).splits) == ["train", "val"]


def test_minitrain_is_not_train(tmp_path):
    coco_set(tmp_path)
    write_json(tmp_path / "annotations/instances_minitrain2017.json", coco(names(range(2))))
    found = find_data(tmp_path)
    check(found)
    assert found.notes == [
        "left alone: annotations/instances_minitrain2017.json names no single split"
    ]


def test_several_candidates_are_refused_by_name(tmp_path):
    coco_set(tmp_path)
    write_json(tmp_path / "annotations/train_fixed.json", coco(names(range(2))))
    message = refused(tmp_path)
    assert "annotations/instances_train2017.json and annotations/train_fixed.json" in message
    assert "train-det takes it as --train-json" in message
    assert list(find_data(tmp_path, ("val", "test")).splits) == ["val", "test"]


def test_several_files_of_no_split(tmp_path):
    for name in ("a", "b"):
        write_json(tmp_path / f"annotations/{name}.json", coco(names(range(2))))
    message = refused(tmp_path)
    assert "annotations/a.json and annotations/b.json" in message


# --- a share for val ------------------------------------------------------------------------------------------------


def one_file(folder, numbers=range(20), order=None):
    content = coco(names(numbers), numbers=numbers)
    if order:
        content["images"] = [content["images"][i] for i in order]
    write_json(folder / "labels.json", content)
    for n in numbers:
        paint(folder / "data" / f"{n}.png", n)
    return folder


def shared(found):
    return {split: set(file_names(part)) for split, part in found.splits.items()}


def file_names(split):
    return [image["file_name"] for image in split.content["images"]]


def test_one_unsplit_file(tmp_path):
    found = find_data(one_file(tmp_path), val_share=0.25, seed=3)
    parts = shared(found)
    assert len(parts["val"]) == 5 and len(parts["train"]) == 15
    assert not parts["val"] & parts["train"]
    assert found.notes == [
        "no val split: 5 of 20 pictures are set aside for it (val_share=0.25, seed 3)"
    ]
    total = sum(on_their_colours(split) for split in found.splits.values())
    assert total == sum(len(objects(n)) for n in range(20))


def test_the_share_is_the_seeds_and_the_names(tmp_path):
    """Another order of the file moves no picture; one more moves none from val to train and back."""
    first = shared(find_data(one_file(tmp_path / "a"), seed=1))
    again = shared(find_data(one_file(tmp_path / "b", order=list(range(19, -1, -1))), seed=1))
    other = shared(find_data(tmp_path / "a", seed=2))
    more = shared(find_data(one_file(tmp_path / "c", range(21)), seed=1))
    assert first == again != other
    assert len(first["val"]) == 2
    assert len(first["val"] - more["val"]) <= 1


def test_copies_of_one_picture_stay_together(tmp_path):
    files = [f"{n // 3}_jpg.rf.{n:04x}.png" for n in range(30)]
    write_json(tmp_path / "train/_annotations.coco.json", coco(files))
    for n, name in enumerate(files):
        paint(tmp_path / "train" / name, n)
    parts = shared(find_data(tmp_path))
    sources = [{name.split(".rf.")[0] for name in part} for part in parts.values()]
    assert not sources[0] & sources[1] and len(parts["val"]) == 3


def test_only_train(tmp_path):
    coco_set(tmp_path)
    (tmp_path / "annotations/instances_val2017.json").unlink()
    found = find_data(tmp_path)
    assert list(found.splits) == ["train", "val", "test"] and len(found.notes) == 1
    assert len(file_names(found.splits["val"])) == 1


@pytest.mark.parametrize("share", [0, 1, -0.5, 2, float("nan")])
def test_shares_that_are_none(tmp_path, share):
    assert "val_share is" in refused(one_file(tmp_path), val_share=share)


def test_a_share_of_what_has_a_val_split(tmp_path):
    assert "has a val split" in refused(coco_set(tmp_path), val_share=0.1)


def test_one_picture_cannot_be_shared(tmp_path):
    assert "expected at least two" in refused(one_file(tmp_path, range(1)))


# --- YOLO -----------------------------------------------------------------------------------------------------------

YAML_FORMS = {
    "folders": "path: .\ntrain: images/train\nval: images/val\ntest: images/test\n",
    "another machine": "path: /content/datasets/set\ntrain: images/train\nval: images/val\ntest: images/test\n",
    "above": "train: ../images/train\nval: ../images/val\ntest: ../images/test\n",
    "Windows": "path: C:\\data\\set\ntrain: images\\train\nval: images\\val\ntest: images\\test\n",
    "lists of folders": "train: [images/train]\nval:\n- images/val\ntest: [images/test]\n",
    "list files": "train: train.txt\nval: val.txt\ntest: test.txt\n",
    "valid": "train: images/train\nvalid: images/val\ntest: images/test\n",
    "only names": "",
}


@pytest.mark.parametrize("form", YAML_FORMS)
@pytest.mark.parametrize("polygon", [False, True])
def test_yolo(tmp_path, form, polygon):
    yolo_set(tmp_path, polygon=polygon)
    (tmp_path / "data.yaml").write_text(YAML_FORMS[form] + "nc: 3\nnames: [red, green, blue]\n")
    if form == "list files":
        for split, numbers in SPLITS.items():
            lines = [f"./images/{split}/{n}.png" for n in numbers]
            (tmp_path / f"{split}.txt").write_text("\n".join(lines) + "\n")
    found = find_data(tmp_path)
    assert found.layout == "YOLO"
    assert [*found.notes] == (
        [f"{sum(COUNTS.values())} objects are polygons: the boxes around them are trained on"]
        if polygon
        else []
    )
    check(found)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images/{}", "labels/{}"),
        ("{}/images", "{}/labels"),
        ("{}", "{}"),
        ("images/{}", "images/{}"),
        ("Images/{}", "Labels/{}"),
    ],
)
@pytest.mark.parametrize("where", [".", "train"])
def test_yolo_without_a_yaml(tmp_path, images, labels, where):
    yolo_set(tmp_path, images, labels)
    (tmp_path / where).mkdir(exist_ok=True)
    (tmp_path / where / "classes.txt").write_text("red\ngreen\nblue\n")
    check(find_data(tmp_path))


def test_label_studios_yolo_export(tmp_path):
    yolo_set(tmp_path, "images", "labels")
    (tmp_path / "classes.txt").write_text("red\ngreen\nblue")
    write_json(tmp_path / "notes.json", {"categories": [], "info": {}})
    found = find_data(tmp_path)
    assert list(found.splits) == ["train", "val"]
    assert sum(map(on_their_colours, found.splits.values())) == sum(COUNTS.values())


def test_cvats_yolo_export(tmp_path):
    yolo_set(tmp_path, "obj_{}_data", "obj_{}_data")
    (tmp_path / "obj.names").write_text("red\ngreen\nblue\n")
    keys = {"train": "train", "val": "valid", "test": "test"}
    (tmp_path / "obj.data").write_text(
        "classes = 3\nnames = data/obj.names\nbackup = backup/\n"
        + "".join(f"{key} = data/{split}.txt\n" for split, key in keys.items())
    )
    for split, numbers in SPLITS.items():
        lines = [f"data/obj_{split}_data/{n}.png" for n in numbers]
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    check(find_data(tmp_path))


YOLO_HEAD = "train: images/train\nval: images/val\ntest: images/test\n"


@pytest.mark.parametrize(
    ("names_", "said"),
    [
        ("names: [yes, no, 1.0]", ["yes", "no", "1.0"]),
        ("names: {0: a, 1: b, 2: c}", ["a", "b", "c"]),
        ("names:\n  2: c\n  0: a\n  1: b", ["a", "b", "c"]),
        ("nc: 3", ["class_0", "class_1", "class_2"]),
        ("names: ['01', \"null\", \u00e9t\u00e9]", ["01", "null", "\u00e9t\u00e9"]),
    ],
)
def test_names_of_yolos_classes(tmp_path, names_, said):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + names_, encoding="utf-8")
    content = find_data(tmp_path).splits["val"].content
    assert [category["name"] for category in content["categories"]] == said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2", "line 2 is '0 0.5 0.5 0.2', expected class x y w h"),
        ("0 32 24 10 10", "these look like pixels"),
        ("3 0.5 0.5 0.2 0.2", "has class 3, expected one of 0 to 2, which data.yaml names"),
        ("-1 0.5 0.5 0.2 0.2", "has class -1"),
        ("red 0.5 0.5 0.2 0.2", "is 'red 0.5 0.5 0.2 0.2'"),
        ("0 0.5 0.5 0.2 0.2 0.9", "as predictions with their scores have"),
        ("0 0.5 0.5 0.2 0.2 0.1 0.1 0.3", "has 7 numbers behind the class"),
        ("0 0.5 nan 0.2 0.2", "expected class x y w h"),
        ("0.5 0.5 0.5 0.2 0.2", "has class 0.5"),
    ],
)
def test_lines_that_are_no_boxes(tmp_path, line, message):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    (tmp_path / "labels/train/0.txt").write_text("0 0.5 0.5 0.1 0.1\n" + line + "\n")
    said = refused(tmp_path)
    assert f"{Path('labels/train/0.txt')} line 2" in said and message in said


def test_boxes_of_no_size_are_left_to_the_check(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    (tmp_path / "labels/train/0.txt").write_text("0 0.5 0.5 0 0.1\n")
    with pytest.raises(InputError, match=re.escape("labels/train/0.txt line 1")):
        check_split(find_data(tmp_path).splits["train"])


def test_a_picture_without_labels_has_no_objects_and_labels_without_a_picture_are_said(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    (tmp_path / "labels/train/0.txt").rename(tmp_path / "labels/train/zero.txt")
    (tmp_path / "labels/train/1.txt").write_text("")
    found = find_data(tmp_path)
    assert len(found.splits["train"].content["images"]) == 6
    assert found.notes == [
        "1 picture has no label file, hence no objects (0.png)",
        "1 label file belongs (labels/train/zero.txt) to no picture of a split",
    ]


def test_label_files_in_another_form_of_the_name(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    (tmp_path / "images/train/0.png").rename(tmp_path / "images/train/\u00e9.png")
    (tmp_path / "labels/train/0.txt").rename(tmp_path / "labels/train" / nfd("\u00c9.txt"))
    check(find_data(tmp_path))


def test_keypoints_behind_the_box(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(
        YOLO_HEAD + "names: [red, green, blue]\nkpt_shape: [2, 3]\n"
    )
    for path in tmp_path.glob("labels/*/*.txt"):
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{line} 0.5 0.5 2 0.1 0.2 1\n" for line in lines))
    check(find_data(tmp_path))


def test_four_corners_are_said(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    for path in tmp_path.glob("labels/*/*.txt"):
        path.write_text("1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5\n")
    found = find_data(tmp_path)
    assert "four corners, as oriented boxes have" in found.notes[0]
    box = found.splits["val"].content["annotations"][0]["bbox"]
    assert box == pytest.approx([0.1, 0.1, 0.8, 0.8])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_yolo_boxes_are_of_the_picture_as_shown(tmp_path, orientation):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    turned = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # Pillow's transpositions that undo the mark
    for path in tmp_path.glob("images/*/*.png"):
        picture = Image.open(path)
        picture.load()
        if orientation > 1:
            picture = picture.transpose(Image.Transpose(turned[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(path, exif=exif)
    found = find_data(tmp_path)
    for split, count in COUNTS.items():
        assert on_their_colours(found.splits[split]) == count


def test_yolo_boxes_of_the_picture_as_stored(tmp_path):
    """Drawn by a tool that heeds no mark: said with ``boxes``, to which the check turns them."""
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    for path in tmp_path.glob("images/*/*.png"):
        exif = Image.Exif()
        exif[0x0112] = 6
        with Image.open(path) as picture:
            picture.save(path, exif=exif)
    found = find_data(tmp_path)
    stored = DataOptions(boxes="stored")
    assert on_their_colours(found.splits["val"], stored) == COUNTS["val"]


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("train: images/nowhere\nnames: [a]", "train is 'images/nowhere', which is nowhere"),
        ("train: images/train\nnames: [a, b]\nnc: 3", "nc is 3, but names has 2"),
        ("train: images/train\nnames: a", "names is 'a', expected a list"),
        ("train: {a: b}\nnames: [a]", "expected paths"),
        ("train: labels/train\nnames: [red, green, blue]", "holds no picture"),
        ("train: images/train\nnames: [[a], b]", "expected texts"),
    ],
)
def test_data_yaml_that_is_wrong(tmp_path, yaml, message):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(yaml)
    assert message in refused(tmp_path)


def test_labels_without_names(tmp_path):
    yolo_set(tmp_path)
    assert "nothing that names the classes, expected a data.yaml or a classes.txt" in refused(
        tmp_path
    )


def test_no_labels_at_all(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    for path in tmp_path.glob("labels/*/*.txt"):
        path.unlink()
    assert "none of 11 pictures has a label file, expected 0.txt" in refused(tmp_path)


def test_val_that_is_train_is_said(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [red, green, blue]")  # fmt: skip
    assert "val is the same pictures as train" in find_data(tmp_path).notes[0]


# --- Pascal VOC -----------------------------------------------------------------------------------------------------


def test_voc(tmp_path):
    found = find_data(voc_set(tmp_path))
    assert found.layout == "Pascal VOC"
    assert found.notes == ["corners count from 1: as VOC's do"]
    check(found)


def test_voc_that_counts_from_zero(tmp_path):
    voc_set(tmp_path, first=0)
    path = tmp_path / "Annotations/0.xml"
    path.write_text(
        path.read_text().replace("</xmin>", ".0</xmin>").replace(".0</xmin>", ".5</xmin>", 1)
    )
    found = find_data(tmp_path)
    assert found.notes == ["corners count from 0: a corner is below 1 or between pixels"]
    for split in ("val", "test"):
        assert on_their_colours(found.splits[split]) == COUNTS[split]


@pytest.mark.parametrize("folders", [("train", "valid", "test"), ("a/train", "a/val", "a/test")])
def test_xml_beside_pictures(tmp_path, folders):
    for folder, numbers in zip(folders, SPLITS.values(), strict=True):
        for n in numbers:
            paint(tmp_path / folder / f"{n}.png", n)
            write_voc(tmp_path / folder / f"{n}.xml", n, f"C:\\old\\{n}.jpg")
    check(find_data(tmp_path))


def test_labelimg_in_one_folder(tmp_path):
    for n in range(12):
        paint(tmp_path / f"{n}.png", n)
        write_voc(tmp_path / f"{n}.xml", n, f"{n}.png")
    paint(tmp_path / "unlabelled.png", 12)
    found = find_data(tmp_path)
    assert list(found.splits) == ["train", "val"]
    assert "1 picture has (unlabelled.png) no XML file: left out" in found.notes[1]
    total = sum(on_their_colours(split) for split in found.splits.values())
    assert total == sum(len(objects(n)) for n in range(12))


def test_vocs_trainval(tmp_path):
    voc_set(tmp_path)
    lists = tmp_path / "ImageSets/Main"
    (lists / "train.txt").unlink()
    (lists / "trainval.txt").write_text("".join(f"{n}\n" for n in range(9)))
    (lists / "cat_train.txt").write_text("0 1\n1 -1\n")
    check(find_data(tmp_path))
    (lists / "val.txt").unlink()
    found = find_data(tmp_path)
    assert sum(len(found.splits[split].content["images"]) for split in ("train", "val")) == 9
    assert on_their_colours(found.splits["test"]) == COUNTS["test"]


def test_voc_without_sizes_and_with_masks_of_the_same_names(tmp_path):
    voc_set(tmp_path, difficult=1, truncated=0)
    for path in tmp_path.glob("Annotations/*.xml"):
        path.write_text(path.read_text().replace(f"<width>{SIZE[0]}<", "<width>0<"))
        paint(tmp_path / "SegmentationClass" / f"{path.stem}.png", 3)
    found = find_data(tmp_path)
    check(found)
    total = sum(COUNTS.values())
    assert f"{total} objects marked difficult are objects as others are" in found.notes


def test_the_same_stems_in_each_split(tmp_path):
    for split, numbers in SPLITS.items():
        for i, n in enumerate(numbers):
            paint(tmp_path / "images" / split / f"{i}.png", n)
            write_voc(tmp_path / "annotations" / split / f"{i}.xml", n, f"{i}.png")
    check(find_data(tmp_path))


def test_a_picture_of_another_split_is_no_xmls(tmp_path):
    for split, numbers in SPLITS.items():
        for i, n in enumerate(numbers):
            paint(tmp_path / split / f"{i}.png", n)
            write_voc(tmp_path / split / f"{i}.xml", n, f"{i}.png")
    (tmp_path / "test/1.png").unlink()
    (tmp_path / "val/1.png").unlink()
    found = find_data(tmp_path)
    assert not (found.splits["test"].images / "1.png").exists()
    with pytest.raises(InputError, match="1 of 2 pictures"):
        check_split(found.splits["test"])


def test_xml_of_two_pictures(tmp_path):
    voc_set(tmp_path)
    paint(tmp_path / "JPEGImages/0.bmp", 0)
    message = refused(tmp_path)
    assert "0.xml: may belong to JPEGImages/0.bmp or JPEGImages/0.png" in message
    path = tmp_path / "Annotations/0.xml"
    path.write_text(path.read_text().replace("0.jpg", "0.png"))
    check(find_data(tmp_path))


def test_unpacked_into_a_folder_of_its_own(tmp_path):
    voc_set(tmp_path / "VOCdevkit/VOC2007")
    found = find_data(tmp_path)
    assert found.notes[0] == f"the set lies in {tmp_path / 'VOCdevkit/VOC2007'}"
    check(found)
    voc_set(tmp_path / "VOCdevkit/VOC2012")
    assert f"{tmp_path / 'VOCdevkit/VOC2007'} has one" in refused(tmp_path / "VOCdevkit")


EXPANDING = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EXPANDING + "<annotation><object><name>&c;</name></object></annotation>", "document type"),
        (OUTSIDE + "<annotation><filename>&b;</filename></annotation>", "document type"),
        ("<annotation><object>", "is no XML"),
        ("<annotation>" + "<a>" * 100_000, "is no XML"),
        ("<a><annotation></annotation></a>", "holds <a>"),
        ("<annotation><object><name> </name></object></annotation>", "object 1 has no name"),
        ("<annotation><object><name>red</name></object></annotation>", "no bndbox of four numbers"),
        (
            "<annotation><object><name>red</name><robndbox><cx>1</cx></robndbox></object></annotation>",
            "a rotated box",
        ),
        (
            "<annotation><object><name>red</name><bndbox><xmin>a</xmin></bndbox></object></annotation>",
            "no bndbox",
        ),
        ('<?xml version="1.0" encoding="gbk"?><annotation></annotation>', "is no XML"),
    ],
)
def test_xml_that_is_wrong(tmp_path, text, message):
    voc_set(tmp_path)
    (tmp_path / "Annotations/0.xml").write_text(text)
    said = refused(tmp_path)
    assert message in said and "0.xml" in said


def test_entities_in_utf_16(tmp_path):
    voc_set(tmp_path)
    (tmp_path / "Annotations/0.xml").write_bytes(
        (EXPANDING + "<annotation></annotation>").encode("utf-16")
    )
    assert "document type" in refused(tmp_path)


# --- none, and several ----------------------------------------------------------------------------------------------


def test_an_unknown_layout_says_what_was_looked_for_and_found(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name in ("a.doc", "b.doc", "readme"):
        (tmp_path / name).write_text("x")
    message = refused(tmp_path)
    assert "holds pictures/, 2 *.doc, 1 readme, expected one of: annotations/*.json" in message
    for looked_for in ("result.json", "data.yaml", "Annotations/*.xml"):
        assert looked_for in message
    assert "holds nothing" in refused(tmp_path / "pictures")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("set.zip", "PK", "unpack it first"),
        ("annotations.xml", "<annotations><image/></annotations>", "export the task as COCO 1.0"),
        ("a.json", '{"shapes": [{"points": []}]}', "is LabelMe's"),
        ("project.json", '[{"annotations": [{"result": []}]}]', "export the project as COCO"),
        ("boxes.csv", "a,b", "convert it to COCO's format"),
    ],
)
def test_what_helps_with_other_kinds(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    paint(tmp_path / "images/a.png", 1)
    said = refused(tmp_path)
    assert name in said and message in said


def test_no_folder(tmp_path):
    assert "is no directory" in refused(tmp_path / "nowhere")
    (tmp_path / "a.zip").write_text("PK")
    assert "is a file, unpack it first" in refused(tmp_path / "a.zip")


def test_several_layouts_are_refused_by_name(tmp_path):
    coco_set(tmp_path)
    voc_set(tmp_path)
    message = refused(tmp_path)
    assert "has the layout of coco (" in message and "and of voc (" in message
    assert "layout='coco' says which" in message
    check(find_data(tmp_path, layout="coco"))
    check(find_data(tmp_path, layout="voc"))
    assert "layout is 'vco', did you mean 'voc'?" in refused(tmp_path, layout="vco")


# --- names of pictures ----------------------------------------------------------------------------------------------

PARTS = st.text(st.characters(categories=["L", "N"], include_characters=" -_()%+#&"), min_size=1, max_size=6)  # fmt: skip


@given(st.lists(PARTS, min_size=1, max_size=3), st.integers(0, 5))
def test_a_name_in_another_form_means_its_file(tmp_path_factory, parts, form):
    if any(part.strip(" .") != part or part.startswith(".") for part in parts):
        return
    folder = tmp_path_factory.mktemp("names")
    path = folder.joinpath(*parts[:-1], f"{parts[-1]}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    name = path.relative_to(folder).as_posix()
    forms = (name, name.replace("/", "\\"), quote(name), "C:\\x\\" + name, nfd(name), f"1a2b3c4d-{path.name}")  # fmt: skip
    said = forms[form]
    located = locate([said], [folder], "x.json")
    assert located.renamed.get(said, said) == name


def test_links_are_followed_and_circles_are_not(tmp_path):
    paint(tmp_path / "set/a.png", 1)
    (tmp_path / "data").mkdir()
    os.symlink(tmp_path / "set", tmp_path / "data/train")
    os.symlink(tmp_path / "data", tmp_path / "set/round")
    assert "train/a.png" in Tree(tmp_path / "data").files
    paint(tmp_path / "data/.hidden/b.png", 1)
    paint(tmp_path / "data/__MACOSX/c.png", 1)
    (tmp_path / "data/._a.png").write_bytes(b"x")
    assert all("b.png" not in f and "c.png" not in f and "._" not in f for f in Tree(tmp_path / "data").files)  # fmt: skip


# --- whatever lies there --------------------------------------------------------------------------------------------

SETS = {
    "coco": coco_set,
    "roboflow": lambda folder: coco_set(folder, "{}/_annotations.coco.json", "{}"),
    "label studio": lambda folder: label_studio(folder, LABEL_STUDIO),
    "yolo": yolo_set,
    "voc": voc_set,
}


@pytest.fixture(scope="module")
def whole_sets(tmp_path_factory):
    base = tmp_path_factory.mktemp("sets")
    for name, make in SETS.items():
        make(base / name)
    (base / "yolo/data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    return base


@settings(max_examples=150)
@given(st.sampled_from(list(SETS)), st.data())
def test_a_damaged_file_is_read_or_refused(whole_sets, name, data):
    """Never another exception, whatever stands in one of the files that are no pictures."""
    files = sorted(p for p in (whole_sets / name).rglob("*") if p.is_file() and p.suffix != ".png")
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before)))
    length = data.draw(st.sampled_from([0, 1, 5, len(before)]))
    new = data.draw(
        st.binary(max_size=6)
        | st.sampled_from([b"", b"null", b"[", b"1e999", b"\xff\xfe", b"<a>", b"&b;", b": ", b"\0", b"- x\n"])
    )  # fmt: skip
    path.write_bytes(before[:at] + new + before[at + length :])
    try:
        found = find_data(whole_sets / name)
        classes = None
        for split in found.splits.values():
            classes = check_split(split, DataOptions(skip_bad_images=True), classes).classes
    except InputError as error:
        assert "\n" not in str(error)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    "name", ["x.json", "data.yaml", "a.xml", "annotations", "labels", "classes.txt"]
)
def test_odd_entries(tmp_path, name):
    """A folder, a pipe or a link to nowhere under the name of a file."""
    coco_set(tmp_path / "set", "labels_{}.json", "{}")
    (tmp_path / "set" / name).mkdir()
    check(find_data(tmp_path / "set"))
    (tmp_path / "set" / name).rmdir()
    os.mkfifo(tmp_path / "set" / name)
    check(find_data(tmp_path / "set"))
    (tmp_path / "set" / name).unlink()
    os.symlink("nowhere", tmp_path / "set" / name)
    check(find_data(tmp_path / "set"))


def test_names_that_are_no_utf_8(tmp_path, capsys):
    yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(YOLO_HEAD + "names: [red, green, blue]")
    (tmp_path / "labels/train/0.txt").unlink()
    os.rename(tmp_path / "images/train/0.png", os.fsencode(tmp_path) + b"/images/train/\xe9.png")
    for note in find_data(tmp_path).notes:
        note.encode()


def test_a_folder_of_sets_is_none(tmp_path):
    label_studio(tmp_path / "one", LABEL_STUDIO)
    voc_set(tmp_path / "two")
    message = refused(tmp_path)
    assert (
        "holds one/, two/, expected one of" in message and f"{tmp_path / 'one'} has one" in message
    )
