"""``lightnas.deploy.Detector``: pictures of every kind in, arrays out."""

import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
Image = pytest.importorskip("PIL.Image")

from lightnas.deploy import Detector  # noqa: E402
from lightnas.deploy.detecting import detect  # noqa: E402
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


@pytest.mark.parametrize("mark", range(1, 9))
def test_pictures_of_pillow_are_upright(file, tmp_path, mark):
    """As a file that a camera marked as turned is."""
    turned = Image.fromarray(red(60, 40))
    turned.getexif()[0x0112] = mark
    turned.save(tmp_path / "a.png", exif=turned.getexif())
    detector = Detector(file)
    expected = [[0, 0, 40, 60] if mark > 4 else [0, 0, 60, 40]]
    for picture in (turned, Image.open(tmp_path / "a.png"), tmp_path / "a.png"):
        np.testing.assert_allclose(detector(picture).boxes, expected, atol=1e-4)


def test_pictures_of_pillow_of_16_bits(file, tmp_path):
    """The upper 8 bits count, as in a file; floating-point values are refused, as there."""
    deep = Image.fromarray(np.full((40, 60), 51_400, np.uint16))
    assert Detector(file)(deep).scores == pytest.approx([(51_400 >> 8) / 255])
    with pytest.raises(InputError, match=r"^picture holds floating-point values"):
        Detector(file)(Image.new("F", (9, 9)))


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


# What people give by mistake: of any kind, to any argument.
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.binary(max_size=9),
    st.complex_numbers(), st.fractions(), st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(["cpu", "gpu", "CUDA", "cat", ["cat", 5], [b"cat"], {"cat"}, ("dog", "cat"), object(), 10**400,
                     Path("a"), type]),
    st.sampled_from([np.zeros(3), np.array(0.5), np.array(["cat"]), np.bool_(True), np.float32(0.5),
                     np.int64(3), np.float64("nan"), np.zeros((0, 4, 3), np.uint8)]),
)  # fmt: skip


def plainly_good(name, value):
    """Whether an argument is one that the signature allows, said in another way than the code does."""
    is_bool = isinstance(value, bool | np.bool_)
    if name == "threshold":
        kinds = (int, float, Fraction, np.floating, np.integer)
        return isinstance(value, kinds) and not is_bool and value >= 0 and value <= 1
    if name == "most":
        return value is None or (
            isinstance(value, int | np.integer) and not is_bool and value in range(1, 10**6 + 1)
        )
    if name == "device":
        return value is None or (isinstance(value, str) and value in ("cpu", "cuda"))
    if name == "trust":
        return value is True or value is False
    listed = isinstance(value, list | tuple | set) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )
    return value is None or (
        listed and all(isinstance(one, str) and one in CLASSES for one in value)
    )


@given(name=st.sampled_from(["threshold", "classes", "most", "device", "trust"]), value=ANYTHING)
def test_every_argument_is_taken_or_refused_by_its_name(file, name, value):
    try:
        found = Detector(file, **{name: value})(red(9, 9))
    except InputError as error:
        said = str(error)
        known = name == "device" and isinstance(value, str) and value == "cuda"
        assert known or not plainly_good(name, value), said
        assert said.startswith(f"{name} ") and "\n" not in said and len(said) < 400, said
    else:
        assert plainly_good(name, value) and len(found) <= 1


@given(value=ANYTHING)
def test_every_source_and_picture_is_taken_or_refused_in_one_line(file, value):
    with pytest.raises(InputError) as refusal:
        Detector(file)(value)
    if not isinstance(value, str | Path) or value == "":
        assert str(refusal.value).startswith("picture is ") and "\n" not in str(refusal.value)
        with pytest.raises(InputError, match=r"^source is .*, expected the path of"):
            Detector(value)


def test_names_that_no_file_can_have(file):
    pytest.importorskip("mmdet")
    for name in ("x" * 300, "x" * 300 + ".onnx", "a\0.onnx", "a\0", "gone", ""):
        for use in (Detector, Detector(file)):
            with pytest.raises(InputError):
                use(name)


@given(value=ANYTHING)
def test_functions_that_keep_boxes_refuse_the_same(file, tmp_path_factory, value):
    """``detect`` of Python asks before it opens anything."""
    output = tmp_path_factory.mktemp("found") / "o"
    for name in ("threshold", "most"):
        if not plainly_good(name, value):
            with pytest.raises(InputError, match=rf"^{name} is "):
                detect(Path("gone.onnx"), ["gone.png"], output, **{name: value})
    assert not output.exists()
