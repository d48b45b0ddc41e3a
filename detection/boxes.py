"""What mmdet's detectors return, as boxes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def boxes_alone(found: Any) -> list[NDArray[Any]]:
    """What mmdet found in a picture, of each class corners and scores (n, 5), without the masks that
    some detectors find as well."""
    return list(found[0] if isinstance(found, tuple) else found)
