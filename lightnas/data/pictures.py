"""Pictures with boxes, names and scores."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..files import write_whole

# Told apart on dark and on bright pictures, by colour-blind eyes too (Okabe and Ito 2008).
PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")

# Of a picture with boxes; JPEG ends at 65,535.
MOST = 4096
# Of a JPEG; and what it is made of where it has too many bytes: coarser, then smaller too.
QUALITY = 92
COARSER = ((85, 1.0), (75, 1.0), (60, 1.0), (45, 1.0), (45, 0.7), (45, 0.5), (45, 0.25), (45, 0.1))

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Box:
    """A box (x1, y1, x2, y2) in pixels, the name of its class, and the score of a detection."""

    name: str
    corners: tuple[float, float, float, float]
    score: float | None = None


def draw_boxes(
    picture: Image.Image, boxes: Sequence[Box], most: int = MOST, lines: int = 40
) -> Image.Image:
    """A copy in RGB with the boxes on it, the best on top; small pictures are enlarged so that
    names can be read, large ones reduced to ``most`` pixels a side. Of the letters so many ``lines``
    would fill the longer side."""
    longest = max(picture.size)
    zoom = math.ceil(384 / longest) if longest < 384 else min(1.0, most / longest)
    copy = (picture if picture.mode == "RGB" else picture.convert("RGB")).resize(
        (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))),
        Image.Resampling.BICUBIC,
    )
    draw = ImageDraw.Draw(copy)
    size = max(13, round(min(max(copy.size) / lines, min(copy.size) / 4)))
    font = ImageFont.load_default(size)
    for box in sorted(boxes, key=lambda box: box.score or 0):
        colour = PALETTE[sum(box.name.encode()) % len(PALETTE)]
        x1, y1, x2, y2 = (value * zoom for value in box.corners)
        draw.rectangle(
            (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=max(2, size // 8)
        )
        text = box.name if box.score is None else f"{box.name} {box.score:.2f}"
        _label(draw, text, (x1, y1 - size - 3 if y1 > size + 3 else y2), colour, font)
    return copy


def _label(
    draw: ImageDraw.ImageDraw, text: str, at: tuple[float, float], colour: str, font: Font
) -> None:
    left, top, right, bottom = draw.textbbox(at, text, font=font)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=colour)
    draw.text(at, text, fill="black", font=font)


def grid(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures side by side in rows, each in a cell of the largest width and height."""
    width, height = (
        max(size) for size in zip(*(picture.size for picture in pictures), strict=True)
    )
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (min(columns, len(pictures)) * width, rows * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % columns * width, i // columns * height))
    return sheet


def titled(picture: Image.Image, titles: Sequence[str]) -> Image.Image:
    """A copy with a line above it that has the titles of as many columns."""
    size = max(13, picture.width // 50)
    sheet = Image.new("RGB", (picture.width, picture.height + 2 * size), "white")
    sheet.paste(picture, (0, 2 * size))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size)
    for i, title in enumerate(titles):
        draw.text((i * picture.width // len(titles) + size / 2, size / 3), title, "black", font)
    return sheet


def save_picture(picture: Image.Image, path: Path, most_bytes: int | None = None) -> None:
    """Write a picture whole, in the format of its suffix: .jpg, .jpeg or .png. A JPEG gets as good,
    and only then as large, as ``most_bytes`` allow."""
    content = encode(picture, path.suffix)
    for quality, share in COARSER:
        if most_bytes is None or len(content) <= most_bytes:
            break
        size = max(1, int(picture.width * share)), max(1, int(picture.height * share))
        content = encode(picture.resize(size), path.suffix, quality)
    write_whole(path, content)


def encode(picture: Image.Image, suffix: str, quality: int = QUALITY) -> bytes:
    """The bytes of a picture file; ``quality`` is that of a JPEG."""
    buffer = io.BytesIO()
    if suffix.lower() == ".png":
        picture.save(buffer, "PNG")
    else:
        picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
