"""Pictures made of pictures: every box stays around its object, whatever is cut and joined."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightnas.data.coco import check_split, find_split
from lightnas.detection.loading import CocoPictures, training_data
from lightnas.detection.mixing import GREY, VISIBLE, MosaicCrop, SometimesMixUp

SIDES = st.integers(1, 60)


def painted(width, height, colour, box):
    """A picture of one colour with one object, a rectangle of another: ``colour`` and half of it."""
    image = np.full((height, width, 3), colour, np.float32)
    x0, y0, x1, y1 = box
    image[y0:y1, x0:x1] = colour + 0.5
    return {
        "img": image,
        "gt_bboxes": np.array([box], np.float32),
        "gt_labels": np.array([colour]),
        "gt_bboxes_ignore": np.zeros((0, 4), np.float32),
    }


@st.composite
def pictures(draw, colour):
    width, height = draw(SIDES), draw(SIDES)
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    return painted(width, height, colour, (x0, y0, x1, y1))


@settings(max_examples=300)
@given(
    st.tuples(*(pictures(colour) for colour in (1, 2, 3, 4))),
    st.booleans(),
    st.tuples(st.integers(8, 64), st.integers(8, 64)),
    st.integers(0, 2**32 - 1),
)
def test_a_box_is_around_what_is_left_of_its_object(parts, mosaic, size, seed):
    np.random.seed(seed)
    first, *others = parts
    results = first | {"mix_results": others if mosaic else []}
    found = MosaicCrop(size)(results)
    high, wide = first["img"].shape[:2]
    shape = (min(size), max(size)) if wide > high else (max(size), min(size))
    image = found["img"]
    assert image.shape == found["img_shape"] == (*shape, 3) and image.dtype == np.float32
    used = parts if mosaic else [first]
    assert set(np.unique(image)) <= {GREY, *(c + half for c in (1, 2, 3, 4) for half in (0, 0.5))}
    boxes = dict(zip(found["gt_labels"].tolist(), found["gt_bboxes"], strict=True))
    for part in used:
        colour = int(part["gt_labels"][0])
        rows, columns = np.nonzero(image[:, :, 0] == colour + 0.5)
        x0, y0, x1, y1 = part["gt_bboxes"][0]
        if len(rows) <= VISIBLE * (x1 - x0) * (y1 - y0):
            assert colour not in boxes
            continue
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert boxes.pop(colour).tolist() == around
    assert not boxes


def test_partners_are_of_the_set_and_asked_for_where_they_are_needed():
    np.random.seed(0)
    data = range(3)
    for step, count in ((MosaicCrop((32, 32), 1.0), 3), (SometimesMixUp(1.0), 1)):
        drawn = [step.get_indexes(data) for _ in range(200)]
        assert all(len(indexes) == count for indexes in drawn)
        assert {index for indexes in drawn for index in indexes} == {0, 1, 2}
    assert MosaicCrop((32, 32), 0.0).get_indexes(data) == []
    share = np.mean([len(SometimesMixUp(0.25).get_indexes(data)) for _ in range(4000)])
    assert share == pytest.approx(0.25, abs=0.03)


def test_mixup_is_half_of_each_and_keeps_all_boxes():
    random.seed(0)
    step = SometimesMixUp(1.0, img_scale=(32, 32), ratio_range=(1.0, 1.0), flip_ratio=0.0)
    one, other = painted(32, 32, 10, (2, 2, 9, 9)), painted(32, 32, 20, (20, 20, 30, 30))
    found = step(one | {"mix_results": [other]})
    assert found["img"].dtype == np.float32 and found["img"][0, 0, 0] == 15
    assert sorted(found["gt_labels"].tolist()) == [10, 20]
    alone = painted(32, 32, 10, (2, 2, 9, 9)) | {"mix_results": []}
    assert step(alone) is alone


def test_the_picture_behind_the_last_one_is_the_first(digits):
    """mmdet's own mosaic asks for it now and then."""
    split = check_split(find_split(digits, "train"))
    data = CocoPictures(
        ann_file=str(split.annotations), img_prefix=str(split.images), classes=split.classes,
        pipeline=training_data([{"type": "LoadImageFromFile"}]),
    )  # fmt: skip
    assert data[len(data)]["filename"] == data[0]["filename"] != data[1]["filename"]
    behind, first = (data.get_ann_info(i)["bboxes"] for i in (len(data), 0))
    assert (behind == first).all()
