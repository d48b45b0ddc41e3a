"""A picture of Pillow is seen as the file that it is saved to, or refused in the same words."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

Image = pytest.importorskip("PIL.Image")

from PIL import ImageOps, TiffImagePlugin  # noqa: E402

from lightnas.data.reading import ORIENTATION, PictureError, pixels_in, read_picture  # noqa: E402

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "LAB", "I;16", "I;16B", "I", "F")
# Without loss, and with the mark that says how a picture is turned.
FORMS = {
    "png": {"format": "PNG"},
    "mapped.tiff": {"format": "TIFF"},
    "packed.tiff": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
}
OF_16_BITS = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}


def picture(mode, width, height, orientation, seed):
    """Noise of a mode; its palette, where it has one, is noise too."""
    draw = np.random.default_rng(seed)
    if mode in OF_16_BITS:
        values = draw.integers(0, 65_536, (height, width)).astype(OF_16_BITS[mode])
        made = Image.frombytes(mode, (width, height), values.tobytes())
    elif mode == "F":
        made = Image.fromarray(draw.random((height, width)).astype(np.float32))
    elif mode == "1":
        made = Image.fromarray(draw.integers(0, 2, (height, width)).astype(bool))
    else:
        n = len(Image.new(mode, (1, 1)).getbands())
        made = Image.frombytes(mode, (width, height), draw.bytes(width * height * n))
    if mode in ("P", "PA"):
        made.putpalette(draw.bytes(768))
    if mode == "P":
        made.info["transparency"] = 3
    made.getexif()[ORIENTATION] = orientation
    return made


def seen(read, source):
    """Its pixels, or why it is refused."""
    try:
        return read(source)
    except PictureError as error:
        return error.why


def assert_same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
    else:
        np.testing.assert_array_equal(one, other)


@given(
    mode=st.sampled_from(MODES), form=st.sampled_from(sorted(FORMS)), orientation=st.integers(1, 8),
    width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 99),
)  # fmt: skip
@example("L", "mapped.tiff", 6, 13, 7, 0)  # Pillow's own way to open it takes height for width
@example("I;16", "mapped.tiff", 5, 13, 7, 0)
@example("I", "packed.tiff", 1, 4, 4, 0)
@example("F", "mapped.tiff", 1, 4, 4, 0)
def test_in_memory_as_in_its_file(tmp_path_factory, mode, form, orientation, width, height, seed):
    if form == "png" and mode == "I":  # Pillow below 13 keeps 16 of the 32 bits
        return
    made = picture(mode, width, height, orientation, seed)
    path = tmp_path_factory.mktemp("p") / form
    try:
        made.save(path, exif=made.getexif(), **FORMS[form])
    except OSError:  # PNG has no such mode
        assert form == "png" and mode in ("PA", "RGBX", "CMYK", "LAB", "F")
        return
    expected = seen(read_picture, path)
    assert_same(seen(pixels_in, made), expected)
    with Image.open(path) as opened:
        assert_same(seen(pixels_in, opened), expected)
        assert_same(seen(pixels_in, opened), expected)  # it has been loaded by now
        assert_same(seen(pixels_in, opened.copy()), expected)
    refused = mode in ("LAB", "I", "F")
    assert isinstance(expected, str) == (refused or "nearly black" in str(expected))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["jpg", "webp", "gif", "bmp", "ppm", "jp2"])
def test_every_other_kind_of_file_once_it_is_open(tmp_path, form, orientation):
    made = picture("RGB", 13, 7, orientation, 0)
    made.save(tmp_path / f"a.{form}", exif=made.getexif())
    expected = read_picture(tmp_path / f"a.{form}")
    with Image.open(tmp_path / f"a.{form}") as opened:
        assert_same(pixels_in(opened), expected)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            upright = ImageOps.exif_transpose(opened)
        assert_same(pixels_in(upright), expected)


def test_of_several_frames_the_one_that_it_stands_at(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (0, 80, 160)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.gif") as opened:
        for number in (0, 2, 1):
            opened.seek(number)
            assert (pixels_in(opened) == 80 * number).all()
    assert (read_picture(tmp_path / "a.gif") == 0).all()


def test_what_it_says_of_itself_stays(tmp_path):
    made = picture("L", 13, 7, 6, 0)
    made.save(tmp_path / "a.tiff", exif=made.getexif())
    with Image.open(tmp_path / "a.tiff") as opened:
        assert isinstance(opened, TiffImagePlugin.TiffImageFile)
        name = opened.filename
        pixels_in(opened)
        assert opened.filename == name


def test_what_is_no_picture_any_more(tmp_path):
    Image.new("RGB", (400, 400), "red").save(tmp_path / "a.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-500])
    closed = Image.open(tmp_path / "a.jpg")
    closed.close()
    with Image.open(tmp_path / "cut.jpg") as cut:
        for bad in (closed, cut, Image.new("RGB", (0, 5)), Image.new("HSV", (2, 2))):
            with pytest.raises(
                PictureError, match=r"^picture .*, expected a whole picture"
            ) as said:
                pixels_in(bad)
            assert "\n" not in str(said.value)


def test_more_than_is_ever_read(monkeypatch, tmp_path):
    """It is refused before it is decoded."""
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr("lightnas.data.reading.MAX_PIXELS", 99)
    with Image.open(tmp_path / "a.png") as opened:
        monkeypatch.setattr(opened, "load", None)
        for large in (Image.new("RGB", (10, 10)), opened):
            with pytest.raises(PictureError, match="is 10 x 10, more than"):
                pixels_in(large)
