"""``lightnas.deploy.Detector``: pictures of every kind in, arrays out."""

import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
Image = pytest.importorskip("PIL.Image")

from lightnas.deploy import Detector  # noqa: E402
from lightnas.errors import InputError  # noqa: E402

from .made_up import CLASSES, write  # noqa: E402


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("onnx") / "detector.onnx")


def red(width, height, value=200):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = value
    return pixels


def test_boxes_are_in_pixels_of_the_picture(file, tmp_path):
    """The file finds one dog, the whole picture: whatever size it was brought to."""
    detector = Detector(file)
    assert list(detector.classes) == CLASSES
    Image.fromarray(red(200, 50)).save(tmp_path / "a.png")
    for picture in (
        red(200, 50),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.open(tmp_path / "a.png"),
    ):
        found = detector(picture)
        boxes, scores, labels = found
        np.testing.assert_allclose(boxes, [[0, 0, 200, 50]], atol=1e-4)
        assert scores == pytest.approx([200 / 255]) and labels.tolist() == [1]
        assert found.names == ["dog"] and len(found) == 1
        assert boxes.dtype == scores.dtype == np.float32 and labels.dtype == np.int64


def test_thresholds_and_classes(file):
    faint = red(60, 40, value=10)  # a score of 0.039, below the file's own threshold
    assert len(Detector(file)(faint)) == 0
    assert len(Detector(file, threshold=0.0)(faint)) == 1
    assert len(Detector(file, classes=["cat"])(red(60, 40))) == 0
    empty = Detector(file)(faint)
    assert empty.boxes.shape == (0, 4) and empty.names == []
    with pytest.raises(InputError, match="did you mean 'cat'"):
        Detector(file, classes=["cet"])


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), 5]
)
def test_no_pictures(file, bad):
    with pytest.raises(InputError, match="expected a path"):
        Detector(file)(bad)


def test_supervision(file, monkeypatch):
    theirs = ModuleType("supervision")
    theirs.Detections = lambda **given: given
    monkeypatch.setitem(sys.modules, "supervision", theirs)
    monkeypatch.setattr("lightnas.deploy.detector.require", lambda *_: None)
    given = Detector(file)(red(60, 40)).to_supervision()
    assert given["xyxy"].shape == (1, 4) and given["class_id"].tolist() == [1]
    assert given["confidence"].shape == (1,) and given["data"]["class_name"].tolist() == ["dog"]


def test_the_real_supervision(file):
    supervision = pytest.importorskip("supervision")
    found = Detector(file)(red(60, 40))
    theirs = found.to_supervision()
    assert isinstance(theirs, supervision.Detections) and len(theirs) == 1
    assert (theirs.xyxy == found.boxes).all() and (theirs.confidence == found.scores).all()
    assert theirs.class_id.tolist() == [1] and theirs["class_name"].tolist() == ["dog"]


def test_without_supervision(file, monkeypatch):
    monkeypatch.setattr("lightnas.errors.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\["):
        Detector(file)(red(60, 40)).to_supervision()


def test_no_gpu(file):
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(InputError, match="device cuda: onnxruntime sees no GPU"):
            Detector(file, device="cuda")
