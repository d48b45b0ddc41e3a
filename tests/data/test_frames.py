"""Turned pictures and other formats of boxes: put right where the numbers say so, else refused with
the option that mends it."""

import json

import numpy as np
import pytest

pytest.importorskip("PIL")

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightnas.data.coco import CocoSplit, check_split
from lightnas.data.geometry import turn
from lightnas.errors import InputError
from tests.data.painted import (
    BOXES,
    SIZE,
    assert_canonical,
    assert_on_colours,
    canonical,
    coco,
    make,
)
from tests.data.test_canonical import DAMAGE, ONE_OF

TURNED = (5, 6, 7, 8)
W, H = SIZE


def into_stored(box, mark):
    """A box of the picture as shown, in the picture as stored: the mark's turn, undone."""
    undo = {6: 8, 8: 6}.get(mark, mark)
    back = turn(np.array([box], dtype=float), np.array([undo]), np.array([SIZE]))
    return back[0].tolist()


def turned_set(folder, marks, boxes="shown", sizes="shown", on=BOXES, outline=False, kinds=()):
    """Pictures with marks; boxes and sizes as of the picture as shown, or as stored."""
    content = coco(on)
    for entry, mark in zip(content["images"], marks, strict=True):
        if sizes == "stored" and mark in TURNED:
            entry["width"], entry["height"] = entry["height"], entry["width"]
        elif sizes is None:
            del entry["width"], entry["height"]
    for entry in content["annotations"]:
        mark = marks[entry["image_id"] - 1]
        if boxes == "stored":
            entry["bbox"] = into_stored(entry["bbox"], mark)
        if outline:
            x, y, w, h = entry["bbox"]
            entry["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    for kind in kinds:
        DAMAGE[kind](content)
    return make(folder, content, marks=marks, boxes=on)


def right(split, folder, **options):
    found = canonical(split, folder / "annotations", **options)
    assert_canonical(found)
    assert_on_colours(found, split.images)
    return found


@pytest.mark.parametrize("mark", TURNED)
@pytest.mark.parametrize("frame", ["stored", "shown"])
def test_sizes_say_the_frame(tmp_path, mark, frame):
    small = [{"cat": (2, 3, 10, 12)}, {"dog": (5, 9, 20, 11)}, {"7": (1, 1, 30, 20)}]
    split = turned_set(tmp_path, [mark, 1, mark], frame, frame, on=small)
    right(split, tmp_path)
    assert len([note for note in split.notes if "turned" in note]) == (frame == "stored")


@pytest.mark.parametrize("mark", TURNED)
@pytest.mark.parametrize("boxes", ["stored", "shown"])
@pytest.mark.parametrize("sizes", ["stored", "shown", None])
def test_boxes_that_leave_a_frame_belong_to_the_other(tmp_path, mark, boxes, sizes):
    """Whatever the sizes say: these boxes reach beyond the short side."""
    right(turned_set(tmp_path, [mark] * 4, boxes, sizes), tmp_path)


@pytest.mark.parametrize("mark", [2, 3, 4])
@pytest.mark.parametrize("boxes", ["stored", "shown"])
def test_marks_that_keep_the_size_follow_the_rest_of_the_file(tmp_path, mark, boxes):
    right(turned_set(tmp_path, [mark, 6, 8, 1], boxes, boxes), tmp_path)


@pytest.mark.parametrize("marks", [(3, 1, 1, 1), (2, 4, 3, 1)])
@pytest.mark.parametrize("boxes", ["stored", "shown"])
def test_what_is_open_is_asked_for(tmp_path, marks, boxes):
    split = turned_set(tmp_path, marks, boxes, boxes)
    with pytest.raises(InputError, match="expected boxes='stored' or boxes='shown'"):
        check_split(split)
    right(turned_set(tmp_path, marks, boxes, boxes), tmp_path, boxes=boxes)


def test_sizes_missing_and_boxes_that_fit_both_are_asked_for(tmp_path):
    on = [{"cat": (25, 18, 10, 12)}]
    with pytest.raises(InputError, match="expected boxes='stored' or boxes='shown'"):
        check_split(turned_set(tmp_path, [6], "stored", None, on=on))
    right(turned_set(tmp_path, [6], "stored", None, on=on), tmp_path, boxes="stored")


def test_frames_that_contradict_each_other_are_asked_for(tmp_path):
    content = json.loads(turned_set(tmp_path, [6] * 4, "shown", "shown").annotations.read_bytes())
    for entry in content["annotations"][:3]:
        entry["bbox"] = [*into_stored((2, 3, 10, 40), 6)[:3], 60]
    content["annotations"][0]["bbox"] = [1, 1, 10, 62]  # leaves the picture as shown alone
    split = make(tmp_path, content, marks=[6] * 4)
    with pytest.raises(InputError, match="expected boxes='stored' or boxes='shown'"):
        check_split(split)


def test_a_mark_without_objects_asks_nothing(tmp_path):
    on = [{}, BOXES[1]]
    found = right(turned_set(tmp_path, [3, 1], on=on), tmp_path)
    assert len(found["images"]) == 2


def test_outlines_are_turned_with_their_boxes(tmp_path):
    split = turned_set(tmp_path, [5, 6, 7, 8], "stored", "stored", outline=True)
    for entry in right(split, tmp_path)["annotations"]:
        points = np.array(entry["segmentation"][0]).reshape(-1, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        assert np.allclose([*low, *(high - low)], entry["bbox"])


@given(st.integers(1, 8), st.integers(1, 90), st.integers(1, 90), st.data())
def test_turning_agrees_with_pillow(mark, width, height, data):
    import io

    from PIL import Image, ImageOps

    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    picture = Image.new("L", (width, height))
    picture.paste(255, (x, y, x + w, y + h))
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = mark
    picture.save(file, "PNG", exif=exif)
    left, top, right_, bottom = ImageOps.exif_transpose(Image.open(file)).getbbox()
    box = turn(np.array([[x, y, w, h]], float), np.array([mark]), np.array([[width, height]]))
    assert box[0].tolist() == [left, top, right_ - left, bottom - top]


# --- formats --------------------------------------------------------------------------------------


def with_boxes(change, area=False):
    content = coco()
    for entry in content["annotations"]:
        entry["bbox"] = change(*entry["bbox"])
        if not area:
            del entry["area"]
    return content


def corners(x, y, w, h):
    return [x, y, x + w, y + h]


def fractions(x, y, w, h):
    return [x / W, y / H, w / W, h / H]


@pytest.mark.parametrize("area", [False, True])
@pytest.mark.parametrize(
    ("change", "name", "words"),
    [(corners, "xyxy", "look like corners"), (fractions, "normalised", "look like fractions")],
)
def test_other_formats_are_named_and_read_when_asked(tmp_path, change, name, words, area):
    content = with_boxes(change, area)
    for skip in (False, True):
        with pytest.raises(InputError) as error:
            check_split(make(tmp_path, content), _options(skip_bad_images=skip))
        assert words in str(error.value) and f"box_format='{name}'" in str(error.value)
        assert "skip_bad_images" not in str(error.value)
    right(make(tmp_path, content), tmp_path, box_format=name)


def _options(**options):
    from lightnas.data.coco import DataOptions

    return DataOptions(**options)


def test_corners_are_recognised_by_their_areas_alone(tmp_path):
    """Small boxes near the upper left corner lie inside the picture either way."""
    on = [{"cat": (2, 3, 10, 12)}, {"dog": (5, 9, 20, 11)}]
    content = coco(on)
    for entry in content["annotations"]:
        entry["bbox"] = corners(*entry["bbox"])
    with pytest.raises(InputError, match="look like corners"):
        check_split(make(tmp_path, content, boxes=on))


def test_boxes_that_reach_out_a_little_are_boxes(tmp_path):
    content = coco()
    content["annotations"][2]["bbox"] = [50, 2, 15, 30]  # by one pixel
    split = canonical(make(tmp_path, content), tmp_path / "annotations")
    assert split["annotations"][2]["bbox"] == [50, 2, 15, 30]


@pytest.mark.parametrize("mark", [6, 7])
@pytest.mark.parametrize("frame", ["stored", "shown"])
@pytest.mark.parametrize("name", ["xyxy", "normalised"])
def test_formats_of_turned_pictures(tmp_path, mark, frame, name):
    content = json.loads(turned_set(tmp_path, [mark] * 4, frame, frame).annotations.read_bytes())
    for entry in content["annotations"]:
        picture = content["images"][entry["image_id"] - 1]
        x, y, w, h = entry["bbox"]
        width, height = picture["width"], picture["height"]
        entry["bbox"] = (
            corners(x, y, w, h)
            if name == "xyxy"
            else [x / width, y / height, w / width, h / height]
        )
    right(make(tmp_path, content, marks=[mark] * 4), tmp_path, box_format=name)


def swapped_sizes(content, rows):
    for row in rows:
        entry = content["images"][row]
        entry["width"], entry["height"] = entry["height"], entry["width"]
    return content


def test_swapped_sizes_are_named(tmp_path):
    content = swapped_sizes(coco(), range(4))
    for skip in (False, True):
        with pytest.raises(InputError) as error:
            check_split(make(tmp_path, content), _options(skip_bad_images=skip))
        assert "width and height of 4 of 4 pictures are swapped" in str(error.value)
        assert "boxes='shown'" in str(error.value) and "skip_bad" not in str(error.value)
    right(make(tmp_path, content), tmp_path, boxes="shown")


def test_one_picture_of_another_size_is_a_bad_picture(tmp_path):
    split = make(tmp_path, swapped_sizes(coco(), [1]))
    with pytest.raises(InputError, match=r"2.png is 64 x 48, listed as 48 x 64.*skip_bad_images"):
        check_split(split)
    found = canonical(split, tmp_path / "annotations", skip_bad_images=True)
    assert [entry["file_name"] for entry in found["images"]] == ["1.png", "3.png", "4.png"]
    assert_on_colours(found, split.images)


# --- skipping -------------------------------------------------------------------------------------


def test_skipping_is_not_offered_where_all_pictures_fail_alike(tmp_path):
    split = make(tmp_path)
    for path in split.images.iterdir():
        path.unlink()
    for skip in (False, True):
        with pytest.raises(InputError) as error:
            check_split(split, _options(skip_bad_images=skip))
        assert "4 of 4 pictures" in str(error.value) and "all fail alike" in str(error.value)
        assert "skip_bad_images" not in str(error.value)


@pytest.mark.parametrize("box", [[500, 500, 9, 9], [2, 2, 0, 0], [2, 2, -5, -5], None])
def test_skipping_is_not_offered_where_most_boxes_fail_alike(tmp_path, box):
    content = coco()
    for entry in content["annotations"][:5]:
        entry["bbox"] = box
    for skip in (False, True):
        with pytest.raises(InputError) as error:
            check_split(make(tmp_path, content), _options(skip_bad_images=skip))
        assert "5 of 8 boxes" in str(error.value) and "most fail alike" in str(error.value)
        assert "skip_bad_images" not in str(error.value)


@pytest.mark.parametrize("box", [[500, 5, 9, 9], [2, 2, -5, 5], None, "box", [1, 2, 3, "x"]])
def test_skipping_makes_no_object_background(tmp_path, box):
    """The object of a bad box is somewhere on its picture, so the picture goes."""
    content = coco()
    content["annotations"][1]["bbox"] = box
    split = make(tmp_path, content)
    found = canonical(split, tmp_path / "annotations", skip_bad_images=True)
    assert [entry["file_name"] for entry in found["images"]] == ["2.png", "3.png", "4.png"]
    assert_on_colours(found, split.images)
    assert "1 of 4 pictures of train.json are left out for their bad boxes" in split.skipped[1]


def test_a_box_without_area_goes_alone(tmp_path):
    content = coco()
    content["annotations"].append(content["annotations"][0] | {"id": 90, "bbox": [9, 9, 0, 5]})
    split = make(tmp_path, content)
    found = canonical(split, tmp_path / "annotations", name="val", skip_bad_images=True)
    assert len(found["images"]) == 4 and len(found["annotations"]) == 8
    assert_on_colours(found, split.images)
    assert len(split.objects.boxes) == 8
    # A training passes over it by itself: nothing of COCO's size is written for its two such boxes.
    split = make(tmp_path, content)
    assert canonical(split, tmp_path / "annotations", skip_bad_images=True) == content
    assert split.annotations.is_symlink() and len(split.objects.boxes) == 8


def test_boxes_below_a_pixel_are_said(tmp_path):
    content = coco()
    content["annotations"].append(
        content["annotations"][0] | {"id": 90, "bbox": [9, 9, 0.5, 5], "area": 2.5}
    )
    split = check_split(make(tmp_path, content))
    assert split.notes == ["1 boxes of train.json are smaller than a pixel and not trained on"]


@pytest.mark.parametrize("name", ["boxes", "box_format"])
def test_unknown_options(name):
    with pytest.raises(InputError, match=f"{name} is 'tilted', expected one of"):
        _options(**{name: "tilted"})


def test_objects_are_what_the_canonical_file_holds(tmp_path):
    content = coco()
    content["annotations"][1]["bbox"] = [500, 5, 9, 9]
    split = make(tmp_path, content)
    found = canonical(split, tmp_path / "annotations", skip_bad_images=True)
    objects = split.objects
    assert objects.names == [entry["file_name"] for entry in found["images"]]
    assert (objects.sizes == SIZE).all() and split.n_images == 3
    for row, entry in enumerate(found["annotations"]):
        assert entry["bbox"] == objects.boxes[row].tolist()
        assert entry["image_id"] == objects.pictures[row] + 1
        assert entry["category_id"] == objects.classes[row] + 1
    assert isinstance(split, CocoSplit)


def test_boxes_of_larger_pictures(tmp_path):
    """Some lie outside and some do not show it: to skip the former would train on the latter."""
    content = coco()
    for entry in content["annotations"]:
        entry["bbox"] = [1.5 * value for value in entry["bbox"]]
    for skip in (False, True):
        with pytest.raises(InputError, match="6 of 8 boxes reach out of their pictures") as error:
            check_split(make(tmp_path, content), _options(skip_bad_images=skip))
        assert "skip_bad_images" not in str(error.value)


def test_boxes_that_reach_out_are_said(tmp_path):
    content = coco()
    content["annotations"][2]["bbox"] = [50, 2, 40, 30]
    content["annotations"][3]["bbox"] = [40, 25, 29, 20]
    del content["annotations"][2]["area"]
    split = check_split(make(tmp_path, content))
    assert split.notes == [
        "2 of 8 boxes of train.json reach out of their pictures: do they belong to them?"
    ]


def test_pictures_made_smaller_are_named_as_such(tmp_path):
    """All of half the size that is listed: the sizes say more than the boxes."""
    split = make(tmp_path)
    for path in split.images.iterdir():
        Image.new("RGB", (W // 2, H // 2)).save(path)
    with pytest.raises(InputError, match=r"is 32 x 24, listed as 64 x 48.*all fail alike"):
        check_split(split)


# These speak of the picture as shown.
UPRIGHT = {"sizes texts", "sizes floats", "runs alone", "compressed runs alone"}


@given(
    st.lists(st.sampled_from(sorted({*DAMAGE} - UPRIGHT)), unique=True, max_size=6),
    st.lists(st.integers(1, 8), min_size=4, max_size=4),
    st.sampled_from(["stored", "shown"]),
)
def test_any_mixture_of_kinds_and_marks(tmp_path_factory, chosen, marks, frame):
    for group in ONE_OF:
        of_group = [kind for kind in chosen if kind in group]
        chosen = [kind for kind in chosen if kind not in of_group[1:]]
    folder = tmp_path_factory.mktemp("data")
    right(turned_set(folder, marks, frame, frame, kinds=chosen), folder, boxes=frame)


@pytest.mark.parametrize("out", [1, 2])
def test_slips_of_the_hand_turn_no_file(tmp_path, out):
    """One box of 24 that reaches out of the frame that the sizes say is a slip; two are asked about."""
    on = [{"cat": (20, 18, 8, 6), "dog": (30, 30, 9, 5), "7": (40, 20, 5, 5)}] * 8
    content = json.loads(
        turned_set(tmp_path, [6] * 8, "stored", "stored", on=on).annotations.read_bytes()
    )
    for entry in content["annotations"][:out]:
        entry["bbox"] = [35, 20, 18, 20]  # in 64 x 48, not in 48 x 64
    split = make(tmp_path, content, marks=[6] * 8, boxes=on)
    if out == 2:
        with pytest.raises(InputError, match="expected boxes='stored' or boxes='shown'"):
            check_split(split)
    else:
        check_split(split)
        assert "boxes of 8 pictures of train.json are turned as their pictures are" in split.notes
