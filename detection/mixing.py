"""Pictures made of pictures, for small sets: mosaics, and one picture laid over another.

mmdet's own ``Mosaic`` draws four whole pictures at twice the size and needs ``RandomAffine`` to cut
the input out of that, four times the work; and it may ask for a picture behind the last one. Here a
mosaic is made at the size of the input, of pictures that are scaled already, and where none is
made the same size is cut out of the one picture, so that every batch is of one shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet.datasets import PIPELINES
from mmdet.datasets.pipelines import MixUp
from numpy.typing import NDArray

GREY = 114.0  # where there is no picture, as YOLOX has it
VISIBLE = 0.3  # a box of which less is left is none any more: what it is cannot be told
CENTRE = (0.25, 0.75)  # where four pictures meet, in shares of the sides

Region = tuple[int, int, int, int]  # x and y from, x and y to


@PIPELINES.register_module()
class MosaicCrop:
    """Four pictures around one point, or a crop of one, at the size of the input.

    Mosaic: YOLOv4 (arXiv 2004.10934). ``MultiImageMixDataset`` supplies the other three.

    Args:
        size: height and width for pictures that lie; those that stand get width and height.
        prob: of a mosaic.
    """

    def __init__(self, size: tuple[int, int], prob: float = 0.5) -> None:
        self.size, self.prob = (min(size), max(size)), prob

    def get_indexes(self, dataset: Any) -> list[int]:
        """Three pictures of the data set, or none where one is cut out of this."""
        count = 3 if np.random.uniform() < self.prob else 0
        return [int(index) for index in np.random.randint(0, len(dataset), count)]

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """``results`` with the picture ``img`` (H, W, 3), float32, and the boxes and labels on it."""
        parts = [results, *results.get("mix_results", ())]
        high, wide = results["img"].shape[:2]
        height, width = self.size if wide > high else self.size[::-1]
        if len(parts) == 4:
            x = round(width * np.random.uniform(*CENTRE))
            y = round(height * np.random.uniform(*CENTRE))
            regions = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        else:
            regions = [(0, 0, width, height)]
        image = np.full((height, width, 3), GREY, np.float32)
        placed = [_place(image, part, at) for part, at in zip(parts, regions, strict=True)]
        return results | {
            "img": image,
            "img_shape": image.shape,
            "gt_bboxes": np.concatenate([boxes for boxes, _ in placed]),
            "gt_labels": np.concatenate([labels for _, labels in placed]),
            "gt_bboxes_ignore": np.zeros((0, 4), np.float32),  # crowds: no part of a training here
        }


def _place(
    image: NDArray[np.float32], part: dict[str, Any], region: Region
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw a random window of a picture into a region, or all of it somewhere in there.

    Returns:
        boxes (n, 4) and labels (n,) of what can be seen.
    """
    left, top, right, bottom = region
    pixels = part["img"]
    from_x, to_x, width = _slide(pixels.shape[1], right - left)
    from_y, to_y, height = _slide(pixels.shape[0], bottom - top)
    window = pixels[from_y : from_y + height, from_x : from_x + width]
    x, y = left + to_x, top + to_y
    image[y : y + height, x : x + width] = window
    boxes = np.asarray(part["gt_bboxes"], np.float32).reshape(-1, 4)
    moved = boxes + np.array([x - from_x, y - from_y] * 2, np.float32)
    moved[:, 0::2] = moved[:, 0::2].clip(x, x + width)
    moved[:, 1::2] = moved[:, 1::2].clip(y, y + height)
    seen = _areas(moved) > VISIBLE * _areas(boxes)
    return moved[seen], np.asarray(part["gt_labels"])[seen]


def _slide(length: int, room: int) -> tuple[int, int, int]:
    """Along one side: where the window begins in the picture, where in its room, and how long it
    is."""
    spare = length - room
    place = int(np.random.randint(0, abs(spare) + 1))
    return (place, 0, room) if spare > 0 else (0, place, length)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(sides[:, 0] * sides[:, 1])


@PIPELINES.register_module()
class SometimesMixUp(MixUp):  # type: ignore[misc]
    """mmdet's ``MixUp`` (YOLOX, arXiv 2107.08430) for some of the pictures.

    Args:
        prob: of it.
        others: as mmdet's.
    """

    def __init__(self, prob: float = 0.5, **others: Any) -> None:
        super().__init__(**others)
        self.prob = prob

    def get_indexes(self, dataset: Any) -> list[int]:
        """Another picture, or none where this one stays as it is."""
        return [int(np.random.randint(0, len(dataset)))] if np.random.uniform() < self.prob else []

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """``results`` with ``img`` (H, W, 3) in float32, as the steps behind it want it."""
        if not results.get("mix_results"):
            return results
        mixed: dict[str, Any] = super().__call__(results)
        mixed["img"] = mixed["img"].astype(np.float32)
        return mixed
