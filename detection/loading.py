"""How pictures enter mmdet's pipelines: read by the one reader, and never scaled to nothing.

``LoadPicture`` and ``ResizePicture`` take the place of mmdet's ``LoadImageFromFile`` and ``Resize``
whenever data or a pipeline is built here, from a user's own config too: check, training, testing
and detecting see the same pixels.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterator
from contextlib import contextmanager
from os import path as osp
from typing import Any

import cv2
import numpy as np
from mmcv.image.geometric import rescale_size
from mmdet.datasets import DATASETS, PIPELINES, CocoDataset
from mmdet.datasets.pipelines import LoadImageFromFile, Resize
from numpy.typing import NDArray

from lightnas.data.reading import PictureError, read_picture
from lightnas.errors import InputError, shown

READERS = {"LoadImageFromFile": "LoadPicture", "Resize": "ResizePicture"}


@PIPELINES.register_module()
class LoadPicture(LoadImageFromFile):  # type: ignore[misc]
    """Reads a picture as ``lightnas.data.reading`` does; for the rest mmdet's own.

    Args:
        to_float32: pixels as float32 instead of uint8.
        channel_order: ``bgr`` or ``rgb``.
    """

    def __init__(self, to_float32: bool = False, channel_order: str = "bgr") -> None:
        super().__init__(to_float32, "color", channel_order)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the picture that ``results`` names.

        Raises:
            PictureError: it cannot be read.
        """
        name = results["img_info"]["filename"]
        results["filename"] = osp.join(results["img_prefix"] or "", name)
        results["ori_filename"] = name
        return self.loaded(results, read_picture(results["filename"]))

    def loaded(self, results: dict[str, Any], pixels: NDArray[np.uint8]) -> dict[str, Any]:
        """``results`` with these pixels, RGB (H, W, 3), as the picture that was read."""
        image: NDArray[Any] = pixels
        if self.channel_order == "bgr":
            image = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        if self.to_float32:
            image = image.astype(np.float32)
        results |= {"img": image, "img_fields": ["img"]}
        results |= {"img_shape": image.shape, "ori_shape": image.shape}
        return results


@PIPELINES.register_module()
class ResizePicture(Resize):  # type: ignore[misc]
    """mmdet's ``Resize``, but every side keeps at least one pixel: a line of 1 x 5000 would else be
    scaled to 0 x 1333, which is no picture."""

    def _resize_img(self, results: dict[str, Any]) -> None:
        height, width = results["img"].shape[:2]
        size = rescale_size((width, height), results["scale"])
        if self.keep_ratio and min(size) < 1:
            results["scale"] = tuple(max(1, side) for side in size)
            self._stretched()._resize_img(results)
        else:
            super()._resize_img(results)

    def _resize_masks(self, results: dict[str, Any]) -> None:
        if self.keep_ratio and not results["keep_ratio"]:
            self._stretched()._resize_masks(results)
        else:
            super()._resize_masks(results)

    def _stretched(self) -> ResizePicture:
        other = copy.copy(self)
        other.keep_ratio = False
        return other


@DATASETS.register_module()
class CocoPictures(CocoDataset):  # type: ignore[misc]
    """mmdet's ``CocoDataset``, which trains on small pictures too: mmdet leaves out those with a
    side below 32 pixels without a word, and which may be asked for the picture behind the last one:
    mmdet's ``Mosaic`` and ``MixUp`` do that now and then."""

    def __getitem__(self, idx: int) -> Any:
        """The picture of that number, and the first one behind the last."""
        return super().__getitem__(idx % len(self))

    def get_ann_info(self, idx: int) -> Any:
        """What is on it."""
        return super().get_ann_info(idx % len(self))

    def _filter_imgs(self, min_size: int = 1) -> list[int]:
        return list(super()._filter_imgs(min_size))


def with_reader(section: Any, source: str = "config") -> Any:
    """A copy of a data section, or of a pipeline, that reads as everything here does.

    Configs keep mmdet's words; this stands between them and what is built.

    Raises:
        InputError: a step would read other pixels than check and detection see.
    """
    copied = copy.deepcopy(section)
    for step in _named(copied, READERS):
        if step["type"] == "LoadImageFromFile":
            colours = step.pop("color_type", "color")
            files = step.pop("file_client_args", {}).get("backend", "disk")
            if colours != "color" or files != "disk":
                raise InputError(
                    f"{source}: LoadImageFromFile has color_type {shown(colours)} and reads from "
                    f"{shown(files)}, expected 'color' and 'disk': pictures are read in one way, as RGB"
                )
        step["type"] = READERS[step["type"]]
    return copied


def training_data(section: Any, source: str = "config") -> Any:
    """``with_reader`` for what is trained on: no picture of the data is too small.

    Raises:
        InputError: as ``with_reader``.
    """
    copied = with_reader(section, source)
    for dataset in _named(copied, ("CocoDataset",)):
        dataset["type"] = CocoPictures.__name__
    return copied


def _named(node: Any, types: Container[str]) -> Iterator[dict[str, Any]]:
    """The parts of a config that are of one of these types."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str) and node["type"] in types:
            yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for value in node:
            yield from _named(value, types)


@contextmanager
def loader_errors() -> Iterator[None]:
    """A picture that cannot be read in a process of a loader comes with that process's traceback:
    only what is said of the picture goes on.

    Raises:
        PictureError: one line.
    """
    try:
        yield
    except PictureError as error:
        if "\n" not in str(error):
            raise
        line = str(error).strip().splitlines()[-1]
        raise PictureError(line.split(f"{PictureError.__name__}: ", 1)[-1]) from None
