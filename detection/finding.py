"""What a detector finds in pixels, whatever they came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv import Config
from mmcv.parallel import collate, scatter
from mmdet.datasets import PIPELINES
from mmdet.datasets.pipelines import Compose
from mmdet.datasets.utils import replace_ImageToTensor
from numpy.typing import NDArray

from lightnas.errors import InputError, shown

from .boxes import boxes_alone
from .loading import LoadPicture, with_reader


class Finder:
    """A detector behind the test pipeline of its config, which begins where pixels are there."""

    def __init__(self, model: Any) -> None:
        """``model``: as ``testing.load_detector`` gives it.

        Raises:
            InputError: its test pipeline does not begin with reading a picture.
        """
        steps = replace_ImageToTensor(model.cfg.data.test.pipeline)
        first, *others = with_reader(steps)
        if first["type"] != LoadPicture.__name__:
            raise InputError(
                f"the config's test pipeline begins with {shown(first['type'])}, expected {LoadPicture.__name__}"
            )
        self._model = model
        self._load = PIPELINES.build(first)
        self._prepare = Compose(others)

    def __call__(self, pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Of every class boxes and scores (n, 5), corners in pixels, in a picture: RGB (H, W, 3)."""
        named = {"filename": None, "ori_filename": None}
        batch = collate([self._prepare(self._load.loaded(named, pixels))], samples_per_gpu=1)
        batch = {key: [part.data[0] for part in value] for key, value in batch.items()}
        device = next(self._model.parameters()).device
        if device.type == "cuda":
            batch = scatter(batch, [device])[0]
        with torch.no_grad():
            found = self._model(return_loss=False, rescale=True, **batch)[0]
        return boxes_alone(found)


def admit(cfg: Config, threshold: float, most: int | None) -> None:
    """Let a detector report what was asked for, where its own limits would hide it."""
    settings = cfg.model.get("test_cfg") or cfg.get("test_cfg") or {}
    for part in (settings, settings.get("rcnn")):  # of two stages the second decides
        if isinstance(part, dict) and "score_thr" in part:
            part["score_thr"] = min(part["score_thr"], threshold)
            if most is not None and "max_per_img" in part:
                part["max_per_img"] = max(part["max_per_img"], most)
