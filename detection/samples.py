"""Some pictures of a split, looked at again and again while a training goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from mmcv.parallel import collate, scatter
from mmcv.runner import get_dist_info
from mmdet.datasets import build_dataset
from numpy.typing import NDArray

from .boxes import boxes_alone
from .loading import with_reader


class Sample:
    """Pictures of a split, always the same.

    Args:
        data: a section of an mmdet config that reads for testing.
        most: how many.
        spread: evenly over the split, instead of the first ones.
    """

    def __init__(self, data: Any, most: int, spread: bool = False) -> None:
        self.data, self.most, self.spread = data, most, spread
        self._dataset: Any = None

    @property
    def dataset(self) -> Any:
        """mmdet's data set of these pictures alone; read once, when it is first asked for."""
        if self._dataset is None:
            dataset = build_dataset(with_reader(self.data), {"test_mode": True})
            count = len(dataset)
            last = count if self.spread else min(count, self.most)
            chosen = np.linspace(0, last - 1, min(count, self.most)).round().astype(int)
            dataset.data_infos = [dataset.data_infos[i] for i in chosen]
            dataset.img_ids = [dataset.img_ids[i] for i in chosen]
            self._dataset = dataset
        return self._dataset

    def found_by(self, model: Any, together: bool = False) -> list[list[NDArray[Any]]]:
        """What a detector finds, which is left in training mode; no random number is drawn.

        Args:
            together: all processes call this, and each looks at its share of the pictures.

        Returns:
            of every picture and class, boxes and scores, shape (n, 5).
        """
        rank, processes = get_dist_info() if together else (0, 1)
        device = next(model.parameters()).get_device()  # -1 is the CPU, to scatter too
        model.eval()
        try:
            with torch.no_grad():
                batches = (
                    collate([self.dataset[i]], samples_per_gpu=1)
                    for i in range(rank, len(self.dataset), processes)
                )
                own = [
                    boxes_alone(
                        model(return_loss=False, rescale=True, **scatter(batch, [device])[0])[0]
                    )
                    for batch in batches
                ]
        finally:
            model.train()
        if processes == 1:
            return own
        parts: list[Any] = [None] * processes
        dist.all_gather_object(parts, own)
        return [parts[i % processes][i // processes] for i in range(len(self.dataset))]
