"""What was found in a folder of data, whatever its layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import printable
from ..split import CocoSplit


@dataclass
class Found:
    """The splits of a folder, before they are checked.

    Attributes:
        layout: what the folder is laid out as, in words.
        folder: where it begins.
        splits: by name, ``train``, ``val`` and ``test``, those that there are.
        unsplit: a set that says of no picture which split it is of.
        notes: what was understood that people should know of, in words.
    """

    layout: str
    folder: Path
    splits: dict[str, CocoSplit] = field(default_factory=dict)
    unsplit: CocoSplit | None = None
    notes: list[str] = field(default_factory=list)


class Object(NamedTuple):
    """A labelled object.

    Attributes:
        where: the file and the place in it, for messages.
        label: number of its class.
        box: x, y, width, height, in pixels or in fractions of the picture.
    """

    where: str
    label: int
    box: tuple[float, float, float, float]


@dataclass
class Picture:
    """A picture and its objects.

    Attributes:
        path: of its file.
        size: width and height that its labels were drawn at, pixels; None where they do not say.
    """

    path: Path
    objects: Sequence[Object] = ()
    size: tuple[int, int] | None = None


def as_split(
    pictures: Sequence[Picture], names: Mapping[int, str], source: Path, fractions: bool = False
) -> CocoSplit:
    """Pictures and their objects in COCO's words.

    Args:
        names: of the classes, by their numbers.
        source: what messages name.
        fractions: whether boxes are fractions of the picture.
    """
    folder = _common([picture.path for picture in pictures]) if pictures else source
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        image = {"id": number, "file_name": picture.path.relative_to(folder).as_posix()}
        if picture.size is not None:
            image |= {"width": picture.size[0], "height": picture.size[1]}
        images.append(image)
        annotations += [
            {
                "id": item.where,
                "image_id": number,
                "category_id": item.label,
                "bbox": list(item.box),
            }
            for item in picture.objects
        ]
    categories = [{"id": number, "name": name} for number, name in sorted(names.items())]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return CocoSplit(source, folder, content=content, fractions=fractions)


def _common(paths: Sequence[Path]) -> Path:
    """The folder that all paths are below."""
    folder = paths[0].parent
    for path in paths:
        while folder not in path.parents:
            folder = folder.parent
    return folder


def told(count: int, one: str, many: str, examples: Sequence[str]) -> str:
    """``3 pictures have no label file (a.jpg, b.jpg, ...)``: a count, what it counts, and a few."""
    few = ", ".join(map(printable, examples[:3])) + (", ..." if len(examples) > 3 else "")
    return f"{count:,} {one if count == 1 else many}" + (f" ({few})" if few else "")
