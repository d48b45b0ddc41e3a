"""Whatever people's tools wrote, every box lies on the colour of its class once it is loaded."""

import json
import random

import pytest

pytest.importorskip("PIL")

from hypothesis import given
from hypothesis import strategies as st

from lightnas.data.canonical import original_ids
from lightnas.data.coco import CocoSplit, check_split, settle
from lightnas.errors import InputError
from tests.data.painted import (
    BOXES,
    NAMES,
    SIZE,
    assert_canonical,
    assert_on_colours,
    canonical,
    changed,
    coco,
    make,
)


def each(key, change):
    """A change of every entry of a list."""

    def of_all(content):
        for number, entry in enumerate(content[key]):
            change(number, entry)

    return of_all


def several(*changes):
    def all_of_them(content):
        for change in changes:
            change(content)

    return all_of_them


def put(name, *values):
    """Set a key, to the values in turn."""
    return lambda number, entry: entry.__setitem__(name, values[number % len(values)])


def drop(name):
    return lambda number, entry: entry.pop(name, None)


def as_ids(spell):
    def change(content):
        for entry in content["images"]:
            entry["id"] = spell(entry["id"])
        for entry in content["categories"]:
            entry["id"] = spell(entry["id"])
        for entry in content["annotations"]:
            entry["image_id"], entry["category_id"] = (
                spell(entry["image_id"]),
                spell(entry["category_id"]),
            )

    return change


def mixed_ids(content):
    """Numbers in one list are texts or floats in the other."""
    for number, entry in enumerate(content["annotations"]):
        entry["image_id"] = [str, float, int][number % 3](entry["image_id"])
        entry["category_id"] = [float, str][number % 2](entry["category_id"])


def from_zero(content):
    for key in ("images", "categories", "annotations"):
        for entry in content[key]:
            if type(entry.get("id")) is int:  # annotations may have lost theirs
                entry["id"] -= 1
    for entry in content["annotations"]:
        entry["image_id"] -= 1
        entry["category_id"] -= 1


def as_polygon(number, entry):
    x, y, w, h = entry.pop("bbox")
    points = [x, y, x + w, y, x + w, y + h, x, y + h]
    # Two parts, one part, pairs of numbers, and a box that is null or empty beside them.
    half = [x, y, x + w / 2, y, x + w / 2, y + h, x, y + h]
    pairs = [[points[i], points[i + 1]] for i in range(0, 8, 2)]
    entry["segmentation"] = [[half, points], [points], [pairs], points][number % 4]
    if number % 3:
        entry["bbox"] = [None, []][number % 2]


def as_runs(compressed):
    def change(number, entry):
        mask = pytest.importorskip("pycocotools.mask")
        import numpy as np

        x, y, w, h = entry.pop("bbox")
        pixels = np.zeros(SIZE[::-1], dtype=np.uint8, order="F")
        pixels[y : y + h, x : x + w] = 1
        runs = mask.encode(pixels)
        if compressed:
            entry["segmentation"] = {"size": runs["size"], "counts": runs["counts"].decode()}
            return
        flat = pixels.ravel(order="F")
        ends = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *ends, len(flat)]).tolist()
        entry["segmentation"] = {
            "size": list(pixels.shape),
            "counts": ([0] if flat[0] else []) + counts,
        }

    return change


def shuffled(content):
    for key in ("images", "annotations"):
        random.Random(1).shuffle(content[key])


def rooted(content):
    """As Roboflow writes it: a category 0 without boxes above all others."""
    for entry in content["categories"]:
        entry["supercategory"] = "things"
    content["categories"].insert(0, {"id": 0, "name": "things", "supercategory": "none"})


def absolute(content):
    content["absolute"] = True


def reordered_keys(content):
    for key in ("images", "categories", "info"):
        content[key] = content.pop(key)


DAMAGE = {
    "ids are floats": as_ids(float),
    "ids are texts": as_ids(str),
    "ids are words": as_ids(lambda value: f"a{value}"),
    "ids are of several kinds": mixed_ids,
    "ids from 0": from_zero,
    "large ids": as_ids(lambda value: 10**30 + value),
    "annotation ids from 0": each("annotations", lambda i, entry: entry.update(id=i)),
    "annotation ids twice": each("annotations", put("id", 5)),
    "annotation ids missing": each("annotations", drop("id")),
    "annotation ids texts": each("annotations", put("id", "x", "y", 1.5, None, [1])),
    "area 0": each("annotations", put("area", 0)),
    "area null": each("annotations", put("area", None)),
    "area text": each("annotations", put("area", "120")),
    "area odd": each("annotations", put("area", -1, float("nan"), True, [], 10**400)),
    "area missing": each("annotations", drop("area")),
    "iscrowd null": each("annotations", put("iscrowd", None)),
    "iscrowd missing": each("annotations", drop("iscrowd")),
    "iscrowd odd": each("annotations", put("iscrowd", False, "0", 0.0, "")),
    "names are numbers": each(
        "categories",
        lambda i, e: e.update(name=int(e["name"]) if e["name"].isdigit() else e["name"]),
    ),
    "sizes missing": several(each("images", drop("width")), each("images", drop("height"))),
    "sizes null": several(each("images", put("width", None)), each("images", put("height", None))),
    "one side missing": each("images", drop("height")),
    "sizes texts": each("images", put("width", "64", " 64 ", "64.0")),
    "sizes floats": each("images", put("height", 48.0)),
    "no info": lambda content: content.pop("info") and None,
    "info null": lambda content: content.update(info=None),
    "boxes as texts": each(
        "annotations", lambda i, e: "bbox" in e and e["bbox"] and e.update(bbox=[*map(str, e["bbox"])])
    ),
    "polygons alone": each("annotations", as_polygon),
    "runs alone": each("annotations", as_runs(False)),
    "compressed runs alone": each("annotations", as_runs(True)),
    "another order": shuffled,
    "a root category": rooted,
    "lists in another order": reordered_keys,
}  # fmt: skip
ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"",
    "utf-32": b"",
}
# Of these, one at a time.
ONE_OF = (
    ("polygons alone", "runs alone", "compressed runs alone", "boxes as texts"),
    ("ids are floats", "ids are texts", "ids are words", "ids from 0", "ids are of several kinds", "large ids"),
)  # fmt: skip


def damage(kinds):
    content = coco()
    for kind in kinds:
        DAMAGE[kind](content)
    return content


def loads_right(folder, content, encoding="utf-8"):
    text = json.dumps(content, ensure_ascii=False, indent=random.Random(2).choice([None, 1]))
    raw = ENCODINGS[encoding] + text.encode(encoding)
    split = make(folder, raw=raw)
    found = canonical(split, folder / "annotations")
    assert_canonical(found)
    assert_on_colours(found, split.images)
    assert len(found["annotations"]) == sum(map(len, BOXES))
    return found, original_ids(split.annotations)


@pytest.mark.parametrize("kind", DAMAGE)
def test_every_kind(tmp_path, kind):
    content = damage([kind])
    found, ids = loads_right(tmp_path, content)
    by_name = {entry["file_name"]: entry["id"] for entry in content["images"]}
    for entry in found["images"]:
        assert ids.image(entry["id"]) == by_name[entry["file_name"]]
    by_name = {str(entry["name"]): entry["id"] for entry in content["categories"]}
    for entry in found["categories"]:
        assert ids.category(entry["id"]) == by_name[entry["name"]]
    for entry in found["annotations"]:
        assert "lightnas" not in entry


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding(tmp_path, encoding):
    content = coco()
    content["info"] = {"description": "größe 猫"}
    found, _ = loads_right(tmp_path, content, encoding)
    assert found["info"] == content["info"]


@st.composite
def kinds(draw):
    chosen = draw(st.lists(st.sampled_from(sorted(DAMAGE)), unique=True, max_size=8))
    for group in ONE_OF:
        of_group = [kind for kind in chosen if kind in group]
        chosen = [kind for kind in chosen if kind not in of_group[1:]]
    return chosen


@given(kinds(), st.sampled_from(sorted(ENCODINGS)))
def test_any_mixture_of_kinds(tmp_path_factory, chosen, encoding):
    loads_right(tmp_path_factory.mktemp("data"), damage(chosen), encoding)


# --- what is canonical already --------------------------------------------------------------------


def test_a_canonical_source_is_linked_to(tmp_path):
    split = make(tmp_path)
    found = canonical(split, tmp_path / "annotations")
    assert split.annotations == tmp_path / "annotations" / "train.json"
    assert split.annotations.is_symlink() and found == coco()
    assert original_ids(split.annotations).image(3) == 3
    assert original_ids(split.annotations).category(2) == 2


def test_ids_with_gaps_are_canonical(tmp_path):
    content = coco()
    as_ids(lambda value: 7 * value + 100)(content)
    split = make(tmp_path, content)
    assert canonical(split, tmp_path / "annotations") == content
    assert split.annotations.is_symlink()


def test_a_link_is_never_written_through(tmp_path):
    """The source of the first check must survive a second one that has to write."""
    split = make(tmp_path)
    canonical(split, tmp_path / "annotations")
    before = (tmp_path / "train.json").read_bytes()
    other = make(tmp_path / "other", damage(["ids from 0"]))
    canonical(other, tmp_path / "annotations")
    assert (tmp_path / "train.json").read_bytes() == before
    assert not (tmp_path / "annotations" / "train.json").is_symlink()
    again = CocoSplit(tmp_path / "train.json", tmp_path / "pictures")
    canonical(again, tmp_path / "annotations")
    assert (tmp_path / "annotations" / "train.json").is_symlink()


def test_a_canonical_file_stays_as_it_is(tmp_path):
    """As when a run is resumed with the data that its config names: ids still lead to the source."""
    split = make(tmp_path, damage(["ids are words"]))
    canonical(split, tmp_path / "annotations")
    written = split.annotations.read_bytes()
    again = CocoSplit(split.annotations, split.images)
    canonical(again, tmp_path / "annotations")
    assert again.annotations.read_bytes() == written and not again.annotations.is_symlink()
    assert original_ids(again.annotations).image(1) == "a1"


def test_two_files_of_one_name_do_not_overwrite_each_other(tmp_path):
    boxes = {"train": BOXES, "val": BOXES[::-1], "test": BOXES[:2]}
    splits = {
        name: make(tmp_path / name, damage_of(boxes[name]), boxes=boxes[name], name="_annotations.coco")
        for name in boxes
    }  # fmt: skip
    for split in splits.values():
        check_split(split)
    settle(splits, tmp_path / "annotations")
    for name, split in splits.items():
        assert split.annotations == tmp_path / "annotations" / f"{name}.json"
        assert_on_colours(json.loads(split.annotations.read_bytes()), split.images)


def damage_of(boxes):
    content = coco(boxes)
    from_zero(content)
    return content


def test_content_from_another_layout(tmp_path):
    split = make(tmp_path)
    given_ = CocoSplit(
        tmp_path / "data.yaml", split.images, content=damage(["ids from 0", "no info"])
    )
    found = canonical(given_, tmp_path / "annotations")
    assert_canonical(found)
    assert_on_colours(found, split.images)


# --- categories -----------------------------------------------------------------------------------


def test_val_may_lack_classes_and_have_other_ids_and_order(tmp_path):
    boxes = [{"7": BOXES[2]["7"]}, {"dog": BOXES[1]["dog"]}]
    content = coco(boxes)
    content["categories"] = [{"id": 40, "name": "7"}, {"id": 3, "name": "dog"}]
    for entry in content["annotations"]:
        entry["category_id"] = {3: 40, 2: 3}[entry["category_id"]]
    split = make(tmp_path, content, boxes=boxes)
    found = canonical(split, tmp_path / "annotations", classes=NAMES)
    assert_canonical(found)
    assert_on_colours(found, split.images)
    assert split.classes == tuple(NAMES)
    ids = original_ids(split.annotations)
    assert [ids.category(number) for number in (1, 2, 3)] == [None, 3, 40]


def test_an_unknown_category_is_refused_by_name(tmp_path):
    split = make(tmp_path)
    with pytest.raises(InputError, match="not known: 7") as error:
        check_split(split, classes=("cat", "dog", "seven"))
    assert "missing: seven" in str(error.value)


def test_a_root_is_said_and_left_out_of_val_too(tmp_path):
    split = make(tmp_path, damage(["a root category"]))
    canonical(split, tmp_path / "annotations", classes=NAMES)
    assert "'things'" in split.notes[0] and split.classes == tuple(NAMES)
    kept = make(tmp_path / "b", damage(["a root category"]))
    check_split(kept, classes=("things", *NAMES))  # a run that was trained with it
    assert kept.classes == ("things", *NAMES)


@pytest.mark.parametrize("classes", [None, ("cat",)])
def test_a_root_may_be_named_as_the_class_below_it(tmp_path, classes):
    """As Roboflow names a project of one class."""
    boxes = [{"cat": BOXES[0]["cat"]}]
    content = coco(boxes)
    content["categories"] = [
        {"id": 0, "name": "cat", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "cat"},
    ]
    split = make(tmp_path, content, boxes=boxes)
    found = canonical(split, tmp_path / "annotations", classes)
    assert_canonical(found, ["cat"])
    assert_on_colours(found, split.images)


def test_a_root_with_objects_is_a_class(tmp_path):
    content = damage(["a root category"])
    content["annotations"][0]["category_id"] = 0
    split = check_split(make(tmp_path, content))
    assert split.classes == ("things", *NAMES)


# --- negatives and nothing ------------------------------------------------------------------------


def test_negatives_are_kept_and_counted(tmp_path):
    content = coco()
    content["annotations"] = [e for e in content["annotations"] if e["image_id"] != 3]
    split = make(tmp_path, content)
    found = canonical(split, tmp_path / "annotations")
    assert len(found["images"]) == 4
    assert split.notes == ["1 of 4 pictures of train.json hold no object"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(annotations=[]), "holds no object"),
        (lambda c: c.update(images=[], annotations=[]), "holds no usable picture"),
        (each("annotations", put("iscrowd", 1)), "holds 8 crowds and no object"),
        (each("annotations", put("ignore", True)), "holds 8 crowds and no object"),
    ],
)
def test_nothing_to_learn_from_is_refused(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        check_split(make(tmp_path, changed(change)))


def test_an_ignored_object_is_no_background(tmp_path):
    """mmdet drops what is marked ``ignore``, and would train its pixels as background."""
    content = coco()
    content["annotations"][0]["ignore"] = 1
    found = canonical(make(tmp_path, content), tmp_path / "annotations")
    assert [entry["iscrowd"] for entry in found["annotations"]] == [1] + [0] * 7


# --- refused in one line --------------------------------------------------------------------------


def one(key, number, **values):
    return lambda content: content[key][number].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (one("images", 1, id=True), "the id True of images"),
        (one("images", 1, id=None), "the id None of images"),
        (one("images", 1, id=1.5), "the id 1.5 of images"),
        (one("images", 1, id="1"), "the id 1, also '1', stands twice"),
        (one("images", 1, width="wide"), "has width and height ('wide', 48)"),
        (one("images", 1, width=-3), "has width and height (-3, 48)"),
        (one("images", 1, width=float("nan")), "has width and height (nan, 48)"),
        (one("images", 1, width=10**400), "has width and height"),
        (one("images", 1, file_name="1.png"), "lists the picture '1.png' 2 times (ids 1, 2)"),
        (one("images", 1, file_name="a\0b"), "file_name"),
        (one("categories", 1, id=1.0), "the id 1, also 1.0, stands twice"),
        (one("categories", 1, name=None), "has the name None"),
        (one("categories", 1, name=" "), "has the name ' '"),
        (one("categories", 1, name="cat"), "2 categories are named 'cat'"),
        (one("annotations", 1, image_id=99), "annotations[1] has image_id 99"),
        (one("annotations", 1, image_id=True), "annotations[1] has image_id True"),
        (one("annotations", 1, category_id=[]), "annotations[1] has category_id []"),
        (one("annotations", 1, iscrowd=7), "annotations[1] has iscrowd 7"),
        (one("annotations", 1, iscrowd=[]), "annotations[1] has iscrowd []"),
        (one("annotations", 1, bbox=[1, 2, 3, 10**400]), "annotation 2 has the box [1, 2, 3,"),
        (one("annotations", 1, bbox=[1, 2, 3, 1e999]), "annotation 2 has the box [1, 2, 3, inf]"),
        (one("annotations", 1, bbox=[1, 2, 3, float("nan")]), "has the box [1, 2, 3, nan]"),
        (one("annotations", 1, bbox=[[1, 2, 3, 4]]), "has the box [[1, 2, 3, 4]]"),
        (one("annotations", 1, bbox=[1, 2, 3, True]), "has the box [1, 2, 3, True]"),
        (one("annotations", 1, bbox=[1, 2, "wide", 3]), "has the box [1, 2, 'wide', 3]"),
        (one("annotations", 1, bbox={"x": 1}), "has the box {'x': 1}"),
        (one("annotations", 1, bbox=None, segmentation=[[1, 2]]), "has the box [[1, 2]]"),
        (one("annotations", 1, bbox=[70, 2, 5, 5]), "[70, 2, 5, 5] lies outside its picture of 64 x 48"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(tmp_path, change, words):
    with pytest.raises(InputError) as error:
        check_split(make(tmp_path, changed(change)))
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"images": [1,]}', "is not JSON"),
        (b'{"images": [1 2]}', "is not JSON"),
        (b'{"images": [', "is not JSON"),
        (b'{"images" 3}', "is not JSON"),
        (b"{3: 4}", "is not JSON"),
        (b'{"images": []} x', "is not JSON"),
        (b'{"images": [], "images": []}', "'images' stands in it twice"),
        (b'{"info": ' + b"[" * 100_000, "is not JSON"),
        (b'{"info": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"info": "\xe4"}', "byte 10 is not UTF-8"),
        (b"3", "holds a int"),
        (b'"text"', "holds a str"),
        (b'{"images": 3}', "no list 'images'"),
    ],
)
def test_what_is_no_coco_json(tmp_path, raw, words):
    with pytest.raises(InputError) as error:
        check_split(make(tmp_path, raw=raw))
    assert words in str(error.value) and "\n" not in str(error.value)


# --- names outside the folder ---------------------------------------------------------------------


def test_names_outside_the_folder(tmp_path):
    split = make(tmp_path)
    content = coco()
    inside, outside = content["images"][0], content["images"][1]
    inside["file_name"] = str(split.images.resolve() / "1.png")
    (split.images / "2.png").rename(tmp_path / "2.png")
    (tmp_path / "train.json").write_text(json.dumps(content | {"images": content["images"]}))
    outside["file_name"] = "../2.png"
    for name in ("../2.png", str(tmp_path.resolve() / "2.png")):
        outside["file_name"] = name
        (tmp_path / "train.json").write_text(json.dumps(content))
        split = CocoSplit(tmp_path / "train.json", tmp_path / "pictures")
        with pytest.raises(InputError, match=r"1 of 4 pictures lie outside .* allow_outside=True"):
            check_split(split)
        found = canonical(split, tmp_path / "annotations", allow_outside=True)
        assert [entry["file_name"] for entry in found["images"]][:2] == ["1.png", "../2.png"]
        assert_on_colours(found, split.images)


def test_ids_lead_to_the_first_source(tmp_path):
    """A canonical file that is the source of another, in another order of classes."""
    first = make(tmp_path, damage(["ids are words"]))
    canonical(first, tmp_path / "a")
    second = CocoSplit(first.annotations, first.images)
    found = canonical(second, tmp_path / "b", classes=NAMES[::-1])
    assert_canonical(found, NAMES[::-1])
    ids = original_ids(second.annotations)
    assert ids.image(2) == "a2" and [ids.category(i) for i in (1, 2, 3)] == ["a3", "a2", "a1"]


ODD_VALUES = (
    st.none() | st.booleans() | st.integers(-5, 70) | st.floats()
    | st.sampled_from(["1", "2.5", "x", 10**400, -(10**30), 1e308, [1, 2, 3, 4], [[1, 2, 3, 4, 5, 6]]])
    | st.sampled_from([{}, {"size": [48, 64], "counts": "abc"}, {"size": [48, 64], "counts": [3, 5]}])
    | st.lists(st.integers(-99, 99) | st.floats() | st.text(max_size=3), max_size=7)
)  # fmt: skip
KEYS = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "bbox", "bbox", "area", "iscrowd", "segmentation", "ignore", "image_id"),
    "categories": ("id", "name", "supercategory"),
}


@st.composite
def odd(draw):
    content = coco()
    for _ in range(draw(st.integers(1, 4))):
        key = draw(st.sampled_from(sorted(KEYS)))
        entry, name = draw(st.sampled_from(content[key])), draw(st.sampled_from(KEYS[key]))
        entry[name] = draw(ODD_VALUES)
    return content


@given(odd(), st.booleans(), st.sampled_from([None, "shown"]), st.sampled_from([None, "xywh"]))
def test_what_is_odd_is_canonical_or_refused(tmp_path_factory, content, skip, boxes, box_format):
    folder = tmp_path_factory.mktemp("data")
    split = make(folder, content)
    options = {"skip_bad_images": skip, "boxes": boxes, "box_format": box_format}
    try:
        found = canonical(split, folder / "annotations", **options)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert_canonical(found, split.classes)
    assert all(entry["bbox"][2] > 0 and entry["bbox"][3] > 0 for entry in found["annotations"])
