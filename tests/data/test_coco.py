"""Data in COCO format: found where it usually lies, and every way in which it can be bad."""

import json

import pytest

pytest.importorskip("PIL")

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightnas.data.coco import DataOptions, check_split, find_split, settle
from lightnas.errors import InputError


def content(n=3, **changes):
    images = [
        {"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in range(1, n + 1)
    ]
    boxes = [
        {
            "id": i,
            "image_id": i,
            "category_id": 7,
            "bbox": [2, 3, 10, 12],
            "area": 120,
            "iscrowd": 0,
        }
        for i in range(1, n + 1)
    ]
    return {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
        **changes,
    }


def write(folder, value=None, name="instances_train2017", images="train2017"):
    value = content() if value is None else value
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / images).mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / f"{name}.json").write_text(
        value if isinstance(value, str) else json.dumps(value)
    )
    for i in range(1, 4):
        Image.new("RGB", (40, 30), (i, 50, 90)).save(folder / images / f"{i}.jpg")
    return folder


def check(folder, skip=False, classes=None):
    return check_split(find_split(folder, "train"), DataOptions(skip_bad_images=skip), classes)


def refused(folder, classes=None):
    with pytest.raises(InputError) as error:
        check(folder, classes=classes)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("instances_train2017", "train2017"),
        ("instances_train2017", "images/train2017"),
        ("train", "train"),
        ("train", "images/train"),
        ("my_train_set", "images"),
        ("train", "."),
    ],
)
def test_layouts(tmp_path, name, images):
    split = find_split(write(tmp_path, name=name, images=images), "train")
    assert split.annotations == tmp_path / "annotations" / f"{name}.json"
    assert split.images.resolve() == (tmp_path / images).resolve()
    assert find_split(tmp_path, "val") is None


def test_instances_win_over_captions(tmp_path):
    write(tmp_path, name="captions_train2017")
    write(tmp_path, name="person_keypoints_train2017")
    write(tmp_path)
    assert find_split(tmp_path, "train").annotations.name == "instances_train2017.json"


def test_explicit_paths(tmp_path):
    write(tmp_path, name="a", images="pics")
    split = find_split(None, "train", tmp_path / "annotations" / "a.json", tmp_path / "pics")
    assert check_split(split).classes == ("cat", "dog")


def test_good_data_is_used_as_it_is(tmp_path):
    split = check(write(tmp_path))
    assert split.content is None and split.skipped == [] and split.n_images == 3


def test_no_annotations(tmp_path):
    assert "holds no annotations" in refused(tmp_path)
    with pytest.raises(InputError, match="no directory"):
        find_split(tmp_path / "nowhere", "train")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds a list"),
        ('{"images": []}', "no list 'annotations'"),
        (content(images=[{"id": 1}]), "images[0]"),
        (
            content(images=[{"id": 1, "file_name": "1.jpg", "width": 0, "height": 3}]),
            "width and height",
        ),
        (content(annotations=[{"id": 1}]), "annotations[0]"),
        (
            content(
                annotations=[{"id": 1, "image_id": 77, "category_id": 7, "bbox": [1, 1, 2, 2]}]
            ),
            "image_id 77",
        ),
        (
            content(annotations=[{"id": 1, "image_id": 1, "category_id": 8, "bbox": [1, 1, 2, 2]}]),
            "category_id 8",
        ),
        (content(categories=[]), "no categories"),
        (
            content(categories=[{"id": 7, "name": "cat"}, {"id": 9, "name": "cat"}]),
            "2 categories are named 'cat'",
        ),
        (content(categories=[{"id": 7, "name": "cat"}, {"id": 7, "name": "dog"}]), "stands twice"),
    ],
)
def test_not_coco(tmp_path, value, message):
    assert message in refused(write(tmp_path, value))


def test_missing_truncated_and_foreign_pictures(tmp_path):
    write(tmp_path)
    whole = (tmp_path / "train2017" / "1.jpg").read_bytes()
    (tmp_path / "train2017" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "train2017" / "2.jpg").unlink()
    Image.new("RGB", (41, 30)).save(tmp_path / "train2017" / "3.jpg")
    message = refused(tmp_path)
    assert "3 of 3 pictures" in message and "skip_bad_images=True" in message
    for part in (
        "1.jpg cannot be decoded",
        "2.jpg is missing",
        "3.jpg is 41 x 30, listed as 40 x 30",
    ):
        assert part in message
    with pytest.raises(InputError, match="no usable picture"):
        check(tmp_path, skip=True)


def test_trailing_bytes_are_no_fault(tmp_path):
    """Some cameras write more after the end; such a picture is decoded to be sure."""
    write(tmp_path)
    with open(tmp_path / "train2017" / "1.jpg", "ab") as file:
        file.write(b"\0" * 500)
    assert check(tmp_path).n_images == 3


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ([1, 1, 0, 5], "is 0 x 5 large"),
        ([1, 1, 5, -2], "is 5 x -2 large"),
        ([40, 1, 5, 5], "outside its picture of 40 x 30"),
        ([-9, 1, 5, 5], "outside"),
        ([1, 2, 3], "has the box"),
        ([1, 2, 3, None], "has the box"),
        ("box", "has the box"),
    ],
)
def test_bad_boxes(tmp_path, box, why):
    value = content()
    value["annotations"][1]["bbox"] = box
    message = refused(write(tmp_path, value))
    assert "1 of 3 boxes" in message and "annotation 2" in message and why in message


def test_not_a_number(tmp_path):
    value = json.dumps(content()).replace("[2, 3, 10, 12]", "[2, NaN, 10, Infinity]", 1)
    assert "1 of 3 boxes" in refused(write(tmp_path, value))


def test_skipping_leaves_the_rest(tmp_path):
    value = content()
    value["annotations"][1]["bbox"] = [1, 1, 0, 0]
    write(tmp_path, value)
    (tmp_path / "train2017" / "3.jpg").unlink()
    split = check(tmp_path, skip=True)
    assert len(split.skipped) == 2 and split.n_images == 2
    settle({"train": split}, tmp_path / "settled")
    again = json.loads(split.annotations.read_text())
    assert [image["id"] for image in again["images"]] == [1, 2]
    assert [annotation["id"] for annotation in again["annotations"]] == [1]
    assert check_split(split).skipped == []


def test_other_categories(tmp_path):
    message = refused(write(tmp_path), classes=("cat", "dig"))
    assert (
        "not known: dog" in message
        and "missing: dig" in message
        and "did you mean 'dig'" in message
    )


def test_categories_in_another_order(tmp_path):
    """mmdet numbers classes by their order in the file, so the file is written anew."""
    split = check(write(tmp_path), classes=("dog", "cat"))
    assert split.classes == ("dog", "cat")
    settle({"train": split}, tmp_path / "settled")
    assert [
        category["name"] for category in json.loads(split.annotations.read_text())["categories"]
    ] == ["dog", "cat"]


def test_missing_keys_that_mmdet_needs_are_filled(tmp_path):
    value = content()
    for annotation in value["annotations"]:
        del annotation["iscrowd"], annotation["area"]
    split = check(write(tmp_path, value))
    settle({"train": split}, tmp_path / "settled")
    first = json.loads(split.annotations.read_text())["annotations"][0]
    assert first["iscrowd"] == 0 and first["area"] == 120


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 50)
    | st.floats()
    | st.sampled_from(["1.jpg", "cat", "", "\0", "x" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "images",
                    "annotations",
                    "categories",
                    "id",
                    "file_name",
                    "width",
                    "height",
                    "bbox",
                    "name",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


ODD = JSON | st.just(1)


@st.composite
def almost_coco(draw):
    """COCO's three lists with all their keys, and one odd value."""
    value = content()
    key = draw(st.sampled_from(["images", "annotations", "categories"]))
    item = draw(st.sampled_from(value[key]))
    item[draw(st.sampled_from(sorted(item)))] = draw(ODD)
    return value


@given(almost_coco())
def test_an_odd_value_is_read_or_refused(tmp_path_factory, value):
    folder = write(tmp_path_factory.mktemp("data"), value)
    try:
        check(folder, skip=True)
    except InputError as error:
        assert "\n" not in str(error)


@given(JSON, JSON, JSON)
def test_any_json_is_read_or_refused(tmp_path_factory, images, annotations, categories):
    folder = tmp_path_factory.mktemp("data")
    write(folder, {"images": images, "annotations": annotations, "categories": categories})
    try:
        check(folder, skip=True)
    except InputError as error:
        assert "\n" not in str(error)
