"""One reader: every kind of picture is read right, upright, or refused by name."""

import os
import random
import struct
import zlib

import pytest

pytest.importorskip("PIL")

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from lightnas.data.reading import (
    FORMATS,
    MAX_PIXELS,
    STRIP,
    PictureError,
    header,
    read_picture,
)
from lightnas.errors import InputError

W, H = 40, 24
COLOURS = ((250, 10, 20), (10, 240, 30), (0, 0, 200), (240, 230, 10))  # of the quarters, by rows
# How the stored pixels come to be from those shown: what a camera held that way has written.
STORE = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}
MODES = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpg": ("L", "RGB", "CMYK"),
    "tif": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"),
    "webp": ("RGB", "RGBA"),
    "avif": ("RGB", "RGBA"),
}
if not features.check("avif"):
    del MODES["avif"]
KINDS = [(suffix, mode) for suffix, modes in MODES.items() for mode in modes]
LOSSY = {"jpg": 12, "webp": 12, "avif": 12}


def quarters():
    """Pixels (H, W, 3), a colour a quarter."""
    pixels = np.empty((H, W, 3), np.uint8)
    for number, colour in enumerate(COLOURS):
        row, column = divmod(number, 2)
        pixels[row * H // 2 : (row + 1) * H // 2, column * W // 2 : (column + 1) * W // 2] = colour
    return pixels


def converted(pixels, mode):
    return Image.fromarray(pixels).convert(
        mode, dither=Image.Dither.NONE, palette=Image.Palette.ADAPTIVE
    )


def paint(path, mode, orientation=1):
    """Write the quarters in a mode, turned; returns the pixels that are to be seen."""
    shown = quarters()
    if mode == "I;16":
        grey = shown[..., 0].astype(np.uint16) * 257
        picture = Image.fromarray(np.ascontiguousarray(STORE[orientation](grey)))
        shown = np.repeat(shown[..., :1], 3, axis=2)
    else:
        stored = np.ascontiguousarray(STORE[orientation](shown))
        picture, upright = (converted(pixels, mode) for pixels in (stored, shown))
        shown = np.asarray(upright.convert("RGB"))
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"quality": 95, "exif": exif} if path.suffix != ".png" else {"exif": exif}
    if path.suffix == ".tif":
        more = {"exif": exif}
    picture.save(path, **more)
    return shown


def middles(pixels):
    """The colours in the middle of the quarters, (4, 3), and of no borders between them."""
    height, width = pixels.shape[:2]
    return pixels[[height // 4, height // 4, -height // 4, -height // 4],
                  [width // 4, -width // 4, width // 4, -width // 4]].astype(int)  # fmt: skip


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), orientation=st.sampled_from(sorted(STORE)))
def test_every_mode_upright(tmp_path, kind, orientation):
    suffix, mode = kind
    path = tmp_path / f"{orientation}.{suffix}"
    shown = paint(path, mode, orientation)
    found = header(path)
    assert found.orientation == orientation and found.shown == (W, H)
    assert found.stored == ((H, W) if orientation >= 5 else (W, H))
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8 and pixels.shape == (H, W, 3) and pixels.flags.writeable
    assert np.abs(middles(pixels) - middles(shown)).max() <= LOSSY.get(suffix, 1)


@pytest.mark.parametrize("suffix", ["gif", "bmp", "jp2", "ppm"])
def test_formats_without_a_mark(tmp_path, suffix):
    Image.fromarray(quarters()).save(tmp_path / f"a.{suffix}")
    assert np.abs(middles(read_picture(tmp_path / f"a.{suffix}")) - COLOURS).max() <= 3


def test_a_mark_behind_the_pixels(tmp_path):
    """Where some programs put it into a PNG; and a name that says another kind of picture."""
    paint(tmp_path / "a.png", "RGB", 6)
    content = (tmp_path / "a.png").read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    chunk, rest = content[start:end], content[:start] + content[end:]
    last = rest.index(b"IEND") - 4
    (tmp_path / "late.jpg").write_bytes(rest[:last] + chunk + rest[last:])
    assert header(tmp_path / "late.jpg").shown == (W, H)
    assert (middles(read_picture(tmp_path / "late.jpg")) == COLOURS).all()


def test_a_mark_that_is_none(tmp_path):
    for value in (0, 9, 255):
        exif = Image.Exif()
        exif[0x0112] = value
        Image.fromarray(quarters()).save(tmp_path / "a.png", exif=exif)
        assert header(tmp_path / "a.png").orientation == 1
        assert (middles(read_picture(tmp_path / "a.png")) == COLOURS).all()


def test_what_is_converted_in_strips(tmp_path):
    """More pixels than are converted at once, in whole rows and turned."""
    height = STRIP // 900 + 70
    grey = np.arange(height * 900, dtype=np.uint32).reshape(height, 900) % 251
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert (read_picture(tmp_path / "a.png")[..., 1] == np.rot90(grey, 1)).all()


def tiff(bits, photometric, content):
    """A TIFF of one row of grey, little-endian."""
    width = 8 * len(content) // bits
    tags = [(256, 3, width), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
            (273, 4, 8 + 2 + 9 * 12 + 4), (277, 3, 1), (278, 3, 1), (279, 4, len(content))]  # fmt: skip
    entries = b"".join(struct.pack("<HHIHH", tag, kind, 1, value, 0) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + content


def test_grey_of_more_bits(tmp_path):
    """The upper 8 bits, of packed 12-bit data too, and where white is 0."""
    (tmp_path / "12.tif").write_bytes(
        tiff(12, 1, bytes.fromhex("abc 123 fff 000".replace(" ", "")))
    )
    assert read_picture(tmp_path / "12.tif")[0, :, 0].tolist() == [0xAB, 0x12, 0xFF, 0]
    values = struct.pack("<4H", 0, 257, 32768, 65535)
    (tmp_path / "black.tif").write_bytes(tiff(16, 1, values))
    (tmp_path / "white.tif").write_bytes(tiff(16, 0, values))
    assert read_picture(tmp_path / "black.tif")[0, :, 2].tolist() == [0, 1, 128, 255]
    assert read_picture(tmp_path / "white.tif")[0, :, 2].tolist() == [255, 254, 127, 0]


def save(picture, path):
    picture.save(path)


def huge(path):
    """A PNG that claims a size."""
    content = struct.pack(">IIBBBBB", MAX_PIXELS // 12_000 + 1, 12_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", content), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks))  # fmt: skip


def cut(path):
    Image.effect_noise((W, H), 50).save(path)
    path.write_bytes(path.read_bytes()[:-200])


GREY = np.linspace(0, 1, W * H).reshape(H, W)
REFUSED = {
    "float.tif": (lambda p: save(Image.fromarray(GREY.astype(np.float32)), p), "floating-point"),
    "long.tif": (lambda p: save(Image.fromarray((GREY * 1e6).astype(np.int32)), p), "32-bit"),
    "lab.tif": (lambda p: save(Image.new("LAB", (W, H)), p), "LAB"),
    "12-bit.png": (lambda p: save(Image.fromarray((GREY * 4095).astype(np.uint16)), p), "4095"),
    "12-bit.tif": (lambda p: save(Image.fromarray((GREY * 4095).astype(np.uint16)), p), "stretch"),
    "huge.png": (huge, "million pixels"),
    "cut.jpg": (cut, "cannot be decoded"),
    "cut.png": (cut, "cannot be decoded"),
    "empty.jpg": (lambda p: p.write_bytes(b""), "cannot be decoded"),
    "text.png": (lambda p: p.write_text("no picture"), "no known kind"),
    "missing.jpg": (lambda p: None, "is missing"),
    "folder.jpg": (lambda p: p.mkdir(), "is a folder"),
    "pipe.jpg": (lambda p: os.mkfifo(p), "is no file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(tmp_path, name):
    make, reason = REFUSED[name]
    make(tmp_path / name)
    for read in (header, read_picture):
        with pytest.raises(InputError) as error:
            read(tmp_path / name)
        assert isinstance(error.value, PictureError) and reason in error.value.why
        assert name in str(error.value) and "\n" not in str(error.value)


def test_black_is_a_picture(tmp_path):
    Image.fromarray(np.zeros((H, W), np.uint16)).save(tmp_path / "a.png")
    assert header(tmp_path / "a.png").mode == "I;16" and not read_picture(tmp_path / "a.png").any()


def mutated(content, draw):
    """A file as a bad disk, a bad network or a bad person leaves it."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 5)):
        at = draw.randrange(min(len(changed), draw.choice((64, 10**6))))
        kind = draw.randrange(4)
        if kind == 0:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[at : at + 4] = draw.choice((0, 1, 2**31 - 1, 2**32 - 1)).to_bytes(4, "big")
        elif kind == 2:
            del changed[at + 1 : at + draw.randint(1, 40)]
        else:
            changed[at:at] = changed[at : at + draw.randint(1, 40)]
    return bytes(changed)


def test_damaged_files(tmp_path):
    """No exception but ours, and where there are pixels, they have the size that was said."""
    draw = random.Random(0)
    for suffix, mode in (*KINDS, ("gif", "P"), ("bmp", "RGB"), ("jp2", "RGB"), ("ppm", "RGB")):
        path = tmp_path / f"a.{suffix}"
        if suffix in MODES:
            paint(path, mode, 6)
        else:
            Image.fromarray(quarters()).convert(mode).save(path)
        content = path.read_bytes()
        for _ in range(25):
            path.write_bytes(mutated(content, draw))
            sizes = set()
            for read in (header, read_picture):
                try:
                    found = read(path)
                    sizes.add(found.shown if read is header else found.shape[1::-1])
                except PictureError as error:
                    assert error.why and "\n" not in str(error)
            assert len(sizes) <= 1


def test_formats_are_those_that_are_installed():
    assert {"JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"} <= set(FORMATS)
