"""Pictures read from files: the one reader of every check, training and detection.

What is read: JPEG, PNG, BMP, GIF, TIFF, WebP, AVIF (with Pillow 11.3 and later), JPEG 2000 and PNM.
Of several frames or pages the first; as RGB of 8 bits; upright, as the file's orientation mark says
(EXIF, XMP, or AVIF's own). Grey is repeated, palettes and CMYK become RGB without colour profiles,
transparency is left out (the colour stored below it is what is seen). Of 16 bits the upper 8 are
kept, for grey as for colour. Refused by name: floating-point and 32-bit values, Lab colours, and
16-bit grey that leaves the upper three quarters of its range empty (data of 14 bits or fewer,
which would be seen as nearly black).
"""

from __future__ import annotations

import logging
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from ..errors import InputError

try:
    from PIL import AvifImagePlugin  # Pillow 11.3
except ImportError:
    AvifImagePlugin = None  # type: ignore[assignment]

# A file is tried as these, whatever its suffix; others run foreign programs (EPS) or hold no
# picture of a camera.
PLUGINS = {
    "JPEG": JpegImagePlugin, "PNG": PngImagePlugin, "BMP": BmpImagePlugin, "GIF": GifImagePlugin,
    "TIFF": TiffImagePlugin, "WEBP": WebPImagePlugin, "AVIF": AvifImagePlugin,
    "JPEG2000": Jpeg2KImagePlugin, "PPM": PpmImagePlugin,
}  # fmt: skip
FORMATS = tuple(name for name, plugin in PLUGINS.items() if plugin and name in Image.OPEN)
SUFFIXES = tuple(
    sorted(suffix for suffix, name in Image.EXTENSION.items() if name in (*FORMATS, "MPO"))
)

# Room for 12,000 x 12,000. At 7 bytes a pixel while one is read, 1.1 GB; larger claims are refused
# before anything is decoded.
MAX_PIXELS = 12_500**2
STRIP = 2**20  # pixels converted at once
TOO_LARGE = f"more than {MAX_PIXELS / 1e6:g} million pixels"

# Everything that Pillow's decoders raise on damaged files: found by reading mutated ones.
READ_ERRORS = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError,
    AttributeError, AssertionError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip

# The last bytes of a file that was written to its end.
END_MARKS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
MAGIC = {
    b"\xff\xd8": "JPEG", b"\x89PNG": "PNG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"BM": "BMP",
    b"GIF8": "GIF", b"RIFF": "WebP",
}  # fmt: skip
ORIENTATION = 0x0112
WIDTH, LENGTH, PHOTOMETRIC, BITS = 256, 257, 262, 258  # TIFF's tags
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
LEAST_PEAK = 2**14

# Pillow logs what it refuses as well; without a handler that would reach the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Result = TypeVar("Result")


class PictureError(InputError):
    """A picture that cannot be read.

    Attributes:
        why: short, to stand behind the picture's name: ``is missing``.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


class _Refusal(Exception):
    """Why a picture is not read, in words that stand behind its name."""


@dataclass(frozen=True)
class Header:
    """What a picture is.

    Attributes:
        stored: width and height of the pixels in the file.
        shown: width and height once it is upright, as every reader here returns it.
        orientation: EXIF's mark, 1 (upright) to 8.
        mode: Pillow's name of how pixels are stored: RGB, L, CMYK, I;16 ...
    """

    stored: tuple[int, int]
    shown: tuple[int, int]
    orientation: int
    mode: str


def header(path: str | Path) -> Header:
    """Sizes and orientation of a picture, and whether it can be read.

    JPEGs are whole where their end is there, PNGs where every checksum holds too; what is not, other
    kinds and 16-bit grey are decoded.

    Raises:
        PictureError: it is missing, damaged, too large or of a kind that is not read.
    """
    return _read(path, _header)


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """The pixels of a picture: RGB, upright, (H, W, 3).

    Raises:
        PictureError: it is missing, damaged, too large or of a kind that is not read.
    """
    return _read(path, lambda file, picture: _decoded(picture, _described(picture, file)))


def pixels_in(picture: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a picture of Pillow, as ``read_picture`` gives those of its file: RGB, upright,
    (H, W, 3). Of several frames the one that it stands at.

    Raises:
        PictureError: it is damaged, closed, too large or of a kind that is not read.
    """
    with _refusing("picture"):
        _refuse_size(*picture.size)  # before it is decoded
        _load(picture)
        return _decoded(picture, _described(picture), in_memory=True)


def _read(path: str | Path, use: Callable[[IO[bytes], Image.Image], Result]) -> Result:
    """What ``use`` makes of an open picture that is of a kind and size that are read."""
    with _refusing(path), _open(path) as file, _opened(file, path) as picture:
        return use(file, picture)


def _load(picture: Image.Image) -> None:
    """Have the pixels of a picture in memory. TIFFs are turned then, and have no mark any more; Pillow
    takes height for width where it maps a turned one from its file, so it is kept from that."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        picture.load()
        return
    name, picture.filename = picture.filename, ""
    try:
        picture.load()
    finally:
        picture.filename = name


@contextmanager
def _refusing(source: str | Path) -> Iterator[None]:
    """Around reading: what Pillow raises becomes one line that names the source.

    Raises:
        PictureError: that line.
    """
    try:
        with _quiet():
            yield
        return
    except _Refusal as error:
        why = str(error)
    except FileNotFoundError:
        why = "is missing"
    except Image.DecompressionBombError:
        why = f"has {TOO_LARGE}"
    except READ_ERRORS as error:
        why = f"cannot be decoded ({_reason(error)})"
    raise PictureError(
        f"{source} {why}, expected a whole picture: {', '.join(FORMATS)}; 8 or 16 bits", why
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings: what matters here is refused, and the rest is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(path: str | Path) -> IO[bytes]:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):  # reading from a pipe would wait for ever
        raise _Refusal("is a folder" if stat.S_ISDIR(mode) else "is no file")
    return open(path, "rb")


def _opened(file: IO[bytes], path: str | Path) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _Refusal(_unidentified(path)) from error


def _unidentified(path: str | Path) -> str:
    """Why no plugin opens a file: the words of Pillow are the same for all."""
    with open(path, "rb") as file:
        start = file.read(8)
    known = next((name for magic, name in MAGIC.items() if start.startswith(magic)), None)
    if known is None:
        return "cannot be decoded (no known kind of picture)"
    return f"cannot be decoded (a damaged {known}, or one whose values are not read, as floats)"


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "more memory needed than there is"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:60]


def _described(picture: Image.Image, file: IO[bytes] | None = None) -> Header:
    """The header of a picture: one that is open, of which nothing has been decoded; or without a
    ``file``, one that is in memory.

    Raises:
        _Refusal: it is too large, or of a kind that is not read.
    """
    stored = picture.size
    if file and isinstance(picture, TiffImagePlugin.TiffImageFile):  # its size is the shown one
        stored = (int(picture.tag_v2[WIDTH]), int(picture.tag_v2[LENGTH]))
    _refuse_size(*stored)
    _refuse_mode(picture)
    orientation = _orientation(picture, file)
    shown = stored[::-1] if orientation >= 5 else stored
    return Header(stored, shown, orientation, picture.mode)


def _refuse_size(width: int, height: int) -> None:
    if min(width, height) < 1:
        raise _Refusal(f"is {width} x {height} large")
    if width * height > MAX_PIXELS:
        raise _Refusal(f"is {width} x {height}, {TOO_LARGE}")


def _refuse_mode(picture: Image.Image) -> None:
    mode = picture.mode
    if mode == "F":
        raise _Refusal("holds floating-point values, whose range is not known")
    if mode == "I" and picture.format in ("TIFF", None):
        raise _Refusal("holds 32-bit or signed whole numbers")
    if mode in ("LAB", "HSV"):
        raise _Refusal(f"holds {mode} colours")


def _header(file: IO[bytes], picture: Image.Image) -> Header:
    described = _described(picture, file)
    here = file.tell()
    file.seek(0, os.SEEK_END)
    file.seek(-min(64, file.tell()), os.SEEK_END)
    mark = END_MARKS.get(str(picture.format))
    whole = mark is not None and mark in file.read()
    if whole and picture.format == "PNG":
        whole = _checksums_hold(file)
    file.seek(here)
    if not whole or picture.mode in (*SIXTEEN_BITS, "I"):
        _decoded(picture, described)
    return described


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Of every chunk of a PNG its type and length, with the file at its data."""
    at = 8
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length
        at += length + 12


def _checksums_hold(file: IO[bytes]) -> bool:
    """Whether every chunk of a PNG is as it was written."""
    for kind, length in _chunks(file):
        data = file.read(length)
        if len(data) < length or file.read(4) != zlib.crc32(kind + data).to_bytes(4, "big"):
            return False
    return True


def _orientation(picture: Image.Image, file: IO[bytes] | None) -> int:
    """The orientation mark, 1 where there is none or none that can be understood: a picture is
    shown as stored then, as by every viewer."""
    read: Callable[[], Image.Exif] = picture.getexif
    if file and isinstance(picture, PngImagePlugin.PngImageFile) and not _has_late_mark(file):
        # Its own would decode the whole picture to look for a mark behind the pixels.
        read = partial(Image.Image.getexif, picture)
    with suppress(*READ_ERRORS):
        mark = read().get(ORIENTATION)
        if mark in range(1, 9):
            return int(mark)  # type: ignore[arg-type]
    return 1


def _has_late_mark(file: IO[bytes]) -> bool:
    """Whether a PNG has a chunk behind its pixels that can hold an orientation mark."""
    here = file.tell()
    try:
        kinds = [kind for kind, _ in _chunks(file)]
    finally:
        file.seek(here)
    late = kinds[kinds.index(b"IDAT") :] if b"IDAT" in kinds else []
    return not {b"eXIf", b"iTXt", b"tEXt", b"zTXt"}.isdisjoint(late)


def _decoded(
    picture: Image.Image, described: Header, *, in_memory: bool = False
) -> NDArray[np.uint8]:
    # Pillow turns TIFFs as it loads them.
    turned = picture.format == "TIFF" and not in_memory
    picture.load()
    if picture.size != (described.shown if turned else described.stored):
        raise _Refusal(f"decodes to {picture.size}, its header says {described.stored}")
    width, height = described.shown
    pixels = np.empty((height, width, 3), np.uint8)
    back = 1 if turned else {6: 8, 8: 6}.get(described.orientation, described.orientation)
    as_stored = _turned(pixels, back)
    rgb = _upper_bits(picture) if picture.mode in (*SIXTEEN_BITS, "I") else _rgb
    for rows, strip in _strips(picture):
        as_stored[rows] = rgb(strip)
    return pixels


def _strips(picture: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """A picture in parts of whole rows: what is converted at once stays small."""
    step = max(1, STRIP // picture.width)
    for top in range(0, picture.height, step):
        bottom = min(top + step, picture.height)
        whole = bottom - top == picture.height
        part = picture if whole else picture.crop((0, top, picture.width, bottom))
        yield slice(top, bottom), part


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A view of pixels (H, W, 3) turned as EXIF's orientation mark says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _rgb(strip: Image.Image) -> NDArray[np.uint8]:
    if strip.mode in ("RGBa", "La"):  # colours multiplied by their transparency
        strip = strip.convert(strip.mode.upper())
    return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _upper_bits(picture: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """How strips of this picture, grey of 16 bits, become grey of 8.

    Raises:
        _Refusal: its values are so small that it would be nearly black, or are none of 16 bits.
    """
    tags = picture.tag_v2 if picture.format == "TIFF" else {}  # type: ignore[attr-defined]
    factor = 16 if tags.get(BITS) == (12,) else 1
    inverted = tags.get(PHOTOMETRIC) == 0  # white is 0, which Pillow heeds for 8 bits only

    def values(strip: Image.Image) -> NDArray[np.int32]:
        found = np.asarray(strip).astype(np.int32) * factor
        return 65535 - found if inverted else found

    extremes = [(int(v.min()), int(v.max())) for _, s in _strips(picture) for v in (values(s),)]
    least, peak = min(low for low, _ in extremes), max(high for _, high in extremes)
    if 0 < peak < LEAST_PEAK or least < 0 or peak > 65535:
        raise _Refusal(
            f"is 16-bit grey with values from {least} to {peak} of 65535, nearly black: stretch "
            "them, or save 8 bits"
        )
    return lambda strip: (values(strip) >> 8).astype(np.uint8)[..., None]
