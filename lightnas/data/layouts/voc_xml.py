"""One XML file of Pascal VOC's, read without trust: no document type, hence no entities to expand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ...errors import InputError, shown

MAX_BYTES = 2**24


class Item(NamedTuple):
    """An object as the XML has it.

    Attributes:
        name: of its class.
        corners: xmin, ymin, xmax, ymax, as they stand.
        difficult: whether it is marked so.
    """

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool


@dataclass
class Labelled:
    """What an XML file says of a picture.

    Attributes:
        filename: of the picture, where it was drawn on; empty where there is none.
        size: width and height, pixels; None where they are missing or 0.
    """

    filename: str
    size: tuple[int, int] | None
    objects: list[Item] = field(default_factory=list)


def is_voc(path: Path) -> bool:
    """Whether an XML file begins as VOC's do; CVAT's own begins with ``<annotations>``."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return b"<annotation>" in head.replace(b"\0", b"").replace(b"<annotation ", b"<annotation>")


def read_voc(path: Path) -> Labelled:
    """The size and the objects of a picture.

    Raises:
        InputError: it is no XML, has a document type, or an object lacks its name or box.
    """
    root = _parsed(path)
    labelled = Labelled(_text(root, "filename"), _size(root))
    for number, node in enumerate(root.findall("object"), start=1):
        name = _text(node, "name")
        if not name:
            raise InputError(f"{path}: object {number} has no name, expected one")
        corners = [
            _number(_text(node, f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax")
        ]
        x1, y1, x2, y2 = corners
        if x1 is None or y1 is None or x2 is None or y2 is None:
            kind = " (a rotated box)" if node.find("robndbox") is not None else ""
            raise InputError(
                f"{path}: object {number} ({shown(name)}) has no bndbox of four numbers{kind}, "
                "expected xmin, ymin, xmax and ymax"
            )
        difficult = _text(node, "difficult") not in ("", "0")
        labelled.objects.append(Item(name, (x1, y1, x2, y2), difficult))
    return labelled


def _parsed(path: Path) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise InputError(
            f"{path}: has a document type (<!DOCTYPE), which could expand without end, expected "
            "plain XML"
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{path}: is larger than {MAX_BYTES} bytes, expected a small XML file")
        parser.Parse(content, True)
        root = builder.close()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected an XML file"
        ) from error
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is no XML ({shown(str(error))}), expected VOC's") from error
    if root.tag != "annotation":
        raise InputError(f"{path}: holds <{root.tag[:40]}>, expected VOC's <annotation>")
    return root


def _text(node: Element, path: str) -> str:
    return " ".join((node.findtext(path) or "").split())


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _size(root: Element) -> tuple[int, int] | None:
    width, height = (_number(_text(root, f"size/{key}")) for key in ("width", "height"))
    if not width or not height or width < 1 or height < 1:
        return None
    return int(width), int(height)
