"""Check, training, testing and detection see the same pixels."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import Config, ConfigDict
from mmdet.datasets import build_dataset
from PIL import Image
from torch import nn

from lightnas.data.coco import check_split, find_split
from lightnas.data.reading import PictureError, read_picture
from lightnas.detection import loading
from lightnas.detection.config import read_config
from lightnas.detection.finding import Finder
from lightnas.detection.loading import (
    LoadPicture,
    ResizePicture,
    loader_errors,
    training_data,
    with_reader,
)
from lightnas.errors import InputError
from lightnas.files import data_file

from ..data.test_reading import COLOURS, KINDS, STORE, H, W, middles, paint, quarters

CASES = [(suffix, mode, 6) for suffix, mode in KINDS] + [
    (suffix, "RGB", turn) for suffix in ("jpg", "png", "tif", "webp") for turn in STORE
]
MEAN = [103.0, 116.0, 123.0]


def pipelines():
    """Reading and normalising, in the words of mmdet."""
    steps = [
        {"type": "Resize", "keep_ratio": True},
        {"type": "RandomFlip", "flip_ratio": 0.0},
        {"type": "Normalize", "mean": MEAN, "std": [2.0, 2.0, 2.0], "to_rgb": True},
        {"type": "DefaultFormatBundle"},
    ]
    read = {"type": "LoadImageFromFile"}
    train = [{"type": "LoadAnnotations", "with_bbox": True}, {**steps[0], "img_scale": (W, H)}]
    last = {"type": "Collect", "keys": ["img", "gt_bboxes", "gt_labels"]}
    test = {"type": "MultiScaleFlipAug", "img_scale": (W, H), "flip": False,
            "transforms": [*steps, {"type": "Collect", "keys": ["img"]}]}  # fmt: skip
    return [read, *train, *steps[1:], last], [read, test]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder in COCO format with a picture of every mode and orientation, each with a box on its
    first quarter."""
    folder = tmp_path_factory.mktemp("mixed")
    images, boxes = [], []
    for number, (suffix, mode, turn) in enumerate(CASES, start=1):
        name = f"{number}.{suffix}"
        paint(folder / name, mode, turn)
        images.append({"id": number, "file_name": name, "width": W, "height": H})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "area": W * H / 4,
                      "bbox": [0, 0, W / 2, H / 2], "iscrowd": 0})  # fmt: skip
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "first"}]}
    (folder / "annotations").mkdir()
    (folder / "annotations/train.json").write_text(json.dumps(content))
    return folder


def dataset(folder, pipeline, test_mode=False):
    annotations = str(folder / "annotations/train.json")
    section = {"type": "CocoDataset", "ann_file": annotations, "img_prefix": f"{folder}/",
               "pipeline": pipeline, "classes": ("first",), "test_mode": test_mode}  # fmt: skip
    section = ConfigDict(section)
    return build_dataset(with_reader(section) if test_mode else training_data(section))


def pixels_of(tensor):
    """RGB (H, W, 3) from what a network is given."""
    return tensor.numpy().transpose(1, 2, 0) * 2 + MEAN


def test_training_testing_and_detection_see_what_is_read(mixed):
    assert check_split(find_split(mixed, "train"), False).n_images == len(CASES)
    train, test = pipelines()
    training, testing = dataset(mixed, train), dataset(mixed, test, test_mode=True)
    seen = []
    model = nn.Linear(1, 1)
    model.cfg = Config({"data": {"test": {"pipeline": test}}})
    model.forward = lambda img, **_: (seen.append(img[0][0]), [[np.zeros((0, 5))]])[1]
    find = Finder(model)
    for number, (suffix, mode, _) in enumerate(CASES):
        path = mixed / f"{number + 1}.{suffix}"
        read = read_picture(path)
        find(read)
        for tensor in (training[number]["img"].data, testing[number]["img"][0].data, seen[-1]):
            assert np.abs(pixels_of(tensor) - read).max() < 1e-3
        if mode == "RGB":
            assert np.abs(middles(read) - COLOURS).max() <= 12


def test_boxes_lie_on_their_objects_after_turning(mixed):
    """The box of the first quarter covers its colour in what is trained on."""
    training = dataset(mixed, pipelines()[0])
    for number, (_, mode, _) in enumerate(CASES):
        if mode != "RGB":
            continue
        sample = training[number]
        x1, y1, x2, y2 = sample["gt_bboxes"].data[0].round().int().tolist()
        inside = pixels_of(sample["img"].data)[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2]
        assert np.abs(inside - COLOURS[0]).max() <= 25  # JPEG's colours bleed a little


def types(node):
    if isinstance(node, dict):
        yield node.get("type")
        node = list(node.values())
    if isinstance(node, list | tuple):
        for value in node:
            yield from types(value)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_every_config_is_read_with_it(tmp_path, part):
    """However deep it stands; the config itself keeps mmdet's words."""
    (tmp_path / "own.py").write_text(
        "model = dict(backbone=dict())\n"
        "read = dict(type='LoadImageFromFile', to_float32=True, file_client_args=dict(backend='disk'))\n"
        "inner = dict(type='CocoDataset', pipeline=[read, dict(type='Resize', img_scale=(9, 9))])\n"
        "data = dict(train=dict(type='RepeatDataset', times=2, dataset=inner), val=inner, test=inner)\n"
    )
    own = read_config(tmp_path / "own.py")
    recipe = read_config(data_file("configs", "detection/gfl_maedet_s.py"))
    for cfg in (own, recipe):
        before = repr(cfg.data)
        for build in (with_reader, training_data):
            found = set(types(build(cfg.data[part])))
            assert {"LoadPicture", "ResizePicture"} <= found
            assert not {"LoadImageFromFile", "Resize"} & found
            assert ("CocoDataset" in found) == (build is with_reader)
        assert repr(cfg.data) == before
    step = with_reader(own.data.test).pipeline[0]
    assert step == {"type": "LoadPicture", "to_float32": True}


@pytest.mark.parametrize(
    "option", [{"color_type": "grayscale"}, {"file_client_args": {"backend": "petrel"}}]
)
def test_another_way_of_reading_is_refused(option):
    section = ConfigDict({"pipeline": [{"type": "LoadImageFromFile", **option}]})
    with pytest.raises(InputError, match=r"own\.py: LoadImageFromFile has color_type"):
        with_reader(section, "own.py")


def test_every_data_set_is_built_with_it():
    for path in Path(loading.__file__).parent.glob("*.py"):
        calls = re.findall(r"build_dataset\((?!with_reader|training_data).*", path.read_text())
        assert not calls, f"{path.name} reads pictures in mmdet's way: {calls}"


def test_orders_of_colours_and_floats(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    named = {"img_info": {"filename": "a.png"}, "img_prefix": str(tmp_path)}
    blue = LoadPicture(to_float32=True)(dict(named))["img"]
    red = LoadPicture(channel_order="rgb")(dict(named))
    assert (middles(red["img"]) == COLOURS).all() and (blue[..., ::-1] == red["img"]).all()
    assert blue.dtype == np.float32 and red["img_shape"] == red["ori_shape"] == (H, W, 3)
    assert red["filename"] == str(tmp_path / "a.png") and red["ori_filename"] == "a.png"


@pytest.mark.parametrize(
    "size", [(1, 5000), (5000, 1), (1, 1), (17_000, 60), (31, 20), (40, 65_000)]
)
def test_no_side_is_scaled_to_nothing(size):
    """Boxes follow, and masks where there are any."""
    from mmdet.core import BitmapMasks

    width, height = size
    results = {
        "img": np.zeros((height, width, 3), np.uint8), "img_fields": ["img"],
        "bbox_fields": ["gt_bboxes"], "gt_bboxes": np.array([[0, 0, width, height]], np.float32),
        "mask_fields": ["gt_masks"],
        "gt_masks": BitmapMasks(np.ones((1, height, width), np.uint8), height, width),
    }  # fmt: skip
    found = ResizePicture(img_scale=(1333, 800), keep_ratio=True)(results)
    new_height, new_width = found["img"].shape[:2]
    assert min(new_height, new_width) >= 1 and max(new_height, new_width) <= 1333
    assert found["gt_bboxes"][0] == pytest.approx([0, 0, new_width, new_height], rel=1e-5)
    assert found["gt_masks"].masks.shape == (1, new_height, new_width)


def test_what_a_loader_process_says_is_one_line(tmp_path):
    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return read_picture(tmp_path / "gone.jpg")

    with pytest.raises(PictureError) as error, loader_errors():
        next(iter(torch.utils.data.DataLoader(Pictures(), num_workers=1)))
    assert str(error.value).startswith(f"{tmp_path}/gone.jpg is missing, expected")
    assert "\n" not in str(error.value)
    again = pickle.loads(pickle.dumps(PictureError("a.jpg is missing", "is missing")))
    assert str(again) == "a.jpg is missing" and again.why == "is missing"
