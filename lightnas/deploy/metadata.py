"""What an exported detector says of itself, in the metadata of its ONNX file.

Two entries: ``lightnas``, a JSON document, and behind everything else ``lightnas_sha256``, the hash
of all bytes before it, so that a file that is cut off or changed is known.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import Field

from ..documents import Amount, Count, Document, Real, check
from ..found.boxes import MAX_BOXES
from ..json_file import json_text, parse_json
from .resize import ResizeRule
from .wire import text_field

KEY, HASH_KEY = "lightnas", "lightnas_sha256"
FORMAT = 1
# Of ONNX's ModelProto and StringStringEntryProto.
METADATA_PROPS, ENTRY_KEY, ENTRY_VALUE = 14, 1, 2
MAX_CLASSES, MAX_BATCH = 10_000, 64

Channels = Annotated[list[Real], Field(min_length=3, max_length=3)]
Size = Annotated[list[Count], Field(min_length=2, max_length=2)]


class Normalisation(Document):
    """What is done in the graph: ``(picture - mean) / std`` of the channels in ``order``, then
    ``pad_value`` up to sides that ``pad_divisor`` divides."""

    order: str
    mean: Channels
    std: Channels
    pad_divisor: Annotated[int, Field(ge=1, le=256)]
    pad_value: Real


class Flops(Document):
    """Multiply-accumulates at a size (height, width): of the backbone, and of all convolutions."""

    input_size: Size
    backbone: Amount | None = None
    detector: Amount | None = None


class Defaults(Document):
    """What the graph's optional inputs are where they are not given."""

    score_threshold: Annotated[float, Field(ge=0, le=1)]
    iou_threshold: Annotated[float, Field(ge=0, le=1)]
    max_boxes: Annotated[int, Field(ge=1, le=MAX_BOXES)]


class Compared(Document):
    """How the file was compared before it was written: pictures, boxes that both found, and the largest
    differences of their corners (pixels) and scores.

    Attributes:
        against: ``mmdet``, of a file in fp32; ``fp32``, of one in another precision, which finds other
            boxes than mmdet.
        missed, extra: of the latter, boxes that fp32 alone found, and that the file alone found.
    """

    pictures: Count
    boxes: Count
    pixels: Amount
    scores: Amount
    against: str = "mmdet"
    missed: Count | None = None
    extra: Count | None = None


class Metadata(Document):
    """The document under ``lightnas``.

    Attributes:
        precision: ``fp32``, ``fp16`` or ``int8``.
        structure: the blocks of the backbone, None where it is none of ours.
        max_batch: pictures that may be given to the graph at once.
        ap: AP by precision, where it was lowered, on the split ``ap_split``: ``val`` or ``test``.
        versions: of the packages that wrote it.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    precision: str
    classes: Annotated[list[str], Field(min_length=1, max_length=MAX_CLASSES)]
    normalisation: Normalisation
    resize: ResizeRule
    defaults: Defaults
    flops: Flops
    structure: list[dict[str, Any]] | None
    max_batch: Annotated[int, Field(ge=1, le=MAX_BATCH)]
    compared: Compared
    versions: dict[str, str]
    ap: dict[str, Real | None] | None = None
    ap_split: str | None = None


def with_metadata(model: bytes, metadata: Metadata) -> bytes:
    """The bytes of a file: an ONNX model that has none of our metadata, and these behind it."""
    document = json_text(metadata.model_dump()).encode()
    content = model + _entry(KEY.encode(), document)
    return content + _hash_entry(content)


def sealed(content: bytes) -> bytes:
    """The bytes of a file, whatever stands in them, with the hash that belongs to them."""
    body = content[: -len(_hash_entry(b""))]
    return body + _hash_entry(body)


def is_whole(content: memoryview) -> bool:
    """Whether the bytes of a file are those that were written."""
    end = len(content) - len(_hash_entry(b""))
    return end > 0 and content[end:] == _hash_entry(content[:end])


def parse_metadata(text: str, source: str) -> Metadata:
    """The document.

    Raises:
        InputError: it is none.
        ValueError: it is no JSON.
    """
    return check(Metadata, parse_json(text, 200_000), f"{source}: its metadata")


def _entry(key: bytes, value: bytes) -> bytes:
    return text_field(METADATA_PROPS, text_field(ENTRY_KEY, key) + text_field(ENTRY_VALUE, value))


def _hash_entry(content: bytes | memoryview) -> bytes:
    return _entry(HASH_KEY.encode(), hashlib.sha256(content).hexdigest().encode())
