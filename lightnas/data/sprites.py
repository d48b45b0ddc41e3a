"""Flat pictures of things made to look as if they stood in a photograph: turned, squeezed, toned,
shaded, grained and blurred.

A sprite is an array (h, w, 4) from 0 to 1: colours times coverage, and coverage.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.float64]
# Degrees to both sides, and sides' ratio: what is on its feet stays on them.
TURNED, SQUEEZED = 35, 1.3
GREYS = np.array([0.299, 0.587, 0.114])


def sprite(picture: Image.Image, size: int, grain: Floats, rng: np.random.Generator) -> Floats:
    """A sprite (h, w, 4) of a picture in RGBA, the longer side of its ink ``size`` pixels.

    Args:
        picture: cut to its ink.
        size: in pixels.
        grain: a piece (g, g, 3) of a photograph, whose structure shows faintly.
        rng: how it is turned, toned, lit and blurred.
    """
    posed = _posed(picture, size, rng)
    values = np.asarray(posed, dtype=float) / 255
    colours, cover = _toned(values[..., :3], rng), values[..., 3:]
    colours = np.clip(
        colours * _light(cover[..., 0], size, rng) * _grained(grain, posed, rng), 0, 1
    )
    margin = 3
    flat = np.pad(
        np.concatenate([colours * cover, cover], axis=2),
        ((margin, margin), (margin, margin), (0, 0)),
    )
    blur = rng.uniform(0.2, min(1.2, 0.3 + size / 100))
    return np.asarray(gaussian_filter(flat, (blur, blur, 0), truncate=margin / blur))


def _posed(picture: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """Squeezed, turned and perhaps mirrored: the ink of it, ``size`` pixels long."""
    squeeze = SQUEEZED ** rng.uniform(-1, 1)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # Turning twice as many pixels as are kept is fine enough.
    fine = min(1.0, 2 * size / max(picture.size))
    wide = (max(2, round(picture.width * squeeze * fine)), max(2, round(picture.height * fine)))
    turned = picture.resize(wide, Image.Resampling.LANCZOS).rotate(
        rng.uniform(-TURNED, TURNED), Image.Resampling.BICUBIC, expand=True
    )
    turned = turned.crop(turned.getchannel("A").getbbox())
    scale = size / max(turned.size)
    return turned.resize(
        (max(2, round(turned.width * scale)), max(2, round(turned.height * scale))),
        Image.Resampling.LANCZOS,
    )


def _toned(colours: Floats, rng: np.random.Generator) -> Floats:
    """Colours (h, w, 3) turned a little in hue, paler, hazier, and of another light."""
    hue, pale, haze = np.radians(rng.normal(0, 10)), rng.uniform(0.1, 0.6), rng.uniform(0.04, 0.3)
    grey = (colours @ GREYS)[..., None]
    # A turn about the grey axis (Rodrigues): c cos + (axis x c) sin + axis (axis . c)(1 - cos).
    around = np.cross(np.full(3, 1 / math.sqrt(3)), colours)
    mean = colours.mean(axis=2, keepdims=True)
    turned = colours * math.cos(hue) + around * math.sin(hue) + mean * (1 - math.cos(hue))
    lit = (turned * (1 - pale) + grey * pale) * rng.uniform(0.7, 1.05, 3)
    return np.asarray(haze + (1 - haze) * lit)


def _light(cover: Floats, size: int, rng: np.random.Generator) -> Floats:
    """How bright each pixel of a sprite is, (h, w, 1): round, it faces the light or turns away from it;
    and light falls off across it."""
    angle = rng.uniform(0, 2 * math.pi)
    across = np.array([math.sin(angle), math.cos(angle)])
    padded = np.pad(cover, size // 4)
    height = gaussian_filter(padded, size / 9) * size
    slope = np.stack(np.gradient(height))[:, size // 4 :, size // 4 :]
    slope = slope[:, : cover.shape[0], : cover.shape[1]]
    round_ = np.tensordot(across, slope / np.hypot(1, np.hypot(*slope)), axes=1)
    place = [np.linspace(-0.5, 0.5, side) for side in cover.shape]
    ramp = across[0] * place[0][:, None] + across[1] * place[1]
    shade = 1 + rng.uniform(0.1, 0.5) * round_ + rng.uniform(0, 0.6) * ramp
    return np.asarray(shade[..., None])


def _grained(grain: Floats, posed: Image.Image, rng: np.random.Generator) -> Floats:
    """What a piece of a photograph adds to a surface, (h, w, 1), about 1."""
    side = max(posed.size)
    reach = min(side, len(grain))
    y, x = (int(rng.integers(len(grain) - reach + 1)) for _ in range(2))
    piece = Image.fromarray((grain[y : y + reach, x : x + reach] @ GREYS).astype(np.float32))
    bright = np.asarray(piece.resize(posed.size, Image.Resampling.BICUBIC), dtype=float)
    strength = rng.uniform(0.05, 0.35)
    return np.asarray(1 + strength * (bright - bright.mean())[..., None])
