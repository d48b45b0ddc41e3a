"""What a training is given: splits of a data set, and how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, shown

if TYPE_CHECKING:
    from .boxes import Objects
    from .canonical import Canonical

SPLITS = ("train", "val", "test")
FRAMES = ("stored", "shown")
BOX_FORMATS = ("xywh", "xyxy", "normalised")


@dataclass(frozen=True)
class DataOptions:
    """How data are to be read, where they do not say it themselves.

    Attributes:
        skip_bad_images: leave out bad pictures, and pictures whose boxes are bad, instead of
            refusing them.
        boxes: the frame of boxes of pictures that a camera marked as turned: ``stored``, as the
            pixels lie in the file, or ``shown``, as a viewer turns them; None decides from the
            numbers.
        box_format: ``xywh`` (COCO's own), ``xyxy`` (two corners), ``normalised`` (x, y, w, h as
            fractions of the picture); None takes COCO's own and refuses what looks like another.
        allow_outside: take pictures that lie outside the folder of pictures.

    Raises:
        InputError: an unknown frame or format.
    """

    skip_bad_images: bool = False
    boxes: str | None = None
    box_format: str | None = None
    allow_outside: bool = False

    def __post_init__(self) -> None:
        for name, valid in (("boxes", FRAMES), ("box_format", BOX_FORMATS)):
            value = getattr(self, name)
            if value is not None and value not in valid:
                raise InputError(f"{name} is {shown(value)}, expected one of {', '.join(valid)}")


@dataclass
class CocoSplit:
    """One set of pictures with their objects: as found, then as checked.

    Attributes:
        annotations: the COCO JSON; where ``content`` is given, the path that messages name.
        images: the directory that ``file_name`` starts from.
        content: ``images``, ``annotations`` and ``categories`` as COCO's, of a split that stands in
            no COCO JSON; whoever reads another layout hands it over so.
        classes: names of the categories, in the order that the network numbers them.
        skipped: what is left out because it is bad, in words.
        notes: what else is worth knowing, in words: pictures without objects, boxes turned.
        n_images: pictures that are left.
        objects: every object that is left, once checked.
        canonical: how its canonical file comes about, once checked.
    """

    annotations: Path
    images: Path
    classes: tuple[str, ...] = ()
    content: dict[str, Any] | None = None
    skipped: list[str] = field(default_factory=list)
    n_images: int = 0
    notes: list[str] = field(default_factory=list)
    objects: Objects | None = None
    canonical: Canonical | None = None
