"""Photographs that scikit-learn and scikit-image ship, as grounds for demo data: no network.

scikit-learn's china and flower are under CC BY 2.0 (their README.txt names the photographers).
scikit-image's are in the public domain or under CC0, as `skimage.data` says of each, but for the
motorcycle, of which only the source is told (Scharstein et al., GCPR 2014).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError, installs

# Of each split its own. None of them shows what the emoji of a set are of, but for the motorcycle,
# and that is where its being no object can be learned.
GROUNDS = {
    "train": ("china.jpg", "astronaut.png", "chelsea.png", "motorcycle_left.png", "brick.png"),
    "val": ("coins.png", "rocket.jpg", "grass.png"),
    "test": ("flower.jpg", "coffee.png", "camera.png", "gravel.png"),
}
OF_SKLEARN = ("china.jpg", "flower.jpg")
LEAST = 160  # of a crop, in pixels of the photograph


def photographs(split: str) -> list[Image.Image]:
    """The photographs of a split, in RGB.

    Raises:
        InputError: scikit-image is not installed, or ships one of them no more.
    """
    return [_photograph(name) for name in GROUNDS[split]]


def _photograph(name: str) -> Image.Image:
    if name in OF_SKLEARN:
        from sklearn.datasets import load_sample_image

        return Image.fromarray(load_sample_image(name))
    # Not skimage.data's functions: they would ask a network for a file that is not there.
    with Image.open(shipped("skimage", f"data/{name}")) as picture:
        return picture.convert("RGB")


def shipped(package: str, name: str) -> Path:
    """A file of an installed package, which is not loaded for the question.

    Raises:
        InputError: the package is not installed, or another version of it, without the file.
    """
    remedy = installs("emoji", "--upgrade ")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(f"{package} is not installed, expected it: {remedy}")
    path = Path(spec.origin).parent / name
    if not path.is_file():
        raise InputError(f"{path} is missing, expected a {package} that ships it: {remedy}")
    return path


def ground(photos: list[Image.Image], side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A piece of one of the photographs, (side, side, 3) from 0 to 1: at a place and a scale of its
    own, mirrored or not, in a light of its own. A grey one is toned."""
    photo = photos[int(rng.integers(len(photos)))]
    crop = int(rng.integers(LEAST, min(photo.size) + 1))
    x, y = (int(rng.integers(length - crop + 1)) for length in photo.size)
    piece = photo.resize((side, side), Image.Resampling.LANCZOS, (x, y, x + crop, y + crop))
    values = np.asarray(piece, dtype=float) / 255
    if rng.random() < 0.5:
        values = values[:, ::-1]
    return in_light(values, rng)


def in_light(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A picture (h, w, 3) from 0 to 1 under another light: its colour, its strength, its contrast."""
    toned = values ** rng.uniform(0.7, 1.4) * rng.uniform(0.85, 1.1, 3) * rng.uniform(0.85, 1.1)
    return np.clip(toned, 0, 1)
