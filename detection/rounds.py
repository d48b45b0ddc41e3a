"""A training in rounds: so many steps, then an evaluation, however large the set is.

mmcv's runner knows epochs. To it a round is one: ``Rounds`` is as long as the steps of a round need,
and draws its pictures from one endless row of shuffled passes over the set, so that a small set is
seen several times a round, a large one in part, and every picture as often as any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.runner import HOOKS, Hook, get_dist_info
from mmdet.datasets import DATASETS, build_dataset
from numpy.typing import NDArray

from .loading import training_data


@DATASETS.register_module()
class Rounds:
    """A data set of ``steps`` batches, others in every round.

    Args:
        dataset: what is drawn from, or its config, which reads as ``training_data`` says.
        steps: batches a round.
        batch: pictures of a batch, of each process.
    """

    def __init__(self, dataset: Any, steps: int, batch: int) -> None:
        self.dataset = (
            build_dataset(training_data(dataset)) if isinstance(dataset, dict) else dataset
        )
        self.CLASSES = self.dataset.CLASSES
        self.PALETTE = getattr(self.dataset, "PALETTE", None)
        flags = np.asarray(self.dataset.flag)
        groups = [np.flatnonzero(flags == flag) for flag in np.unique(flags)]
        batches = apportioned(steps, [len(group) for group in groups])
        if min(batches) == 0:  # too few steps for pictures that stand and that lie, each apart
            groups, batches = [np.arange(len(flags))], [steps]
        pictures = batch * get_dist_info()[1]
        self.groups, self.counts = groups, [n * pictures for n in batches]
        # mmdet's samplers make batches of pictures of one flag.
        self.flag = np.repeat(np.arange(len(groups)), self.counts).astype(np.uint8)
        self.places: NDArray[np.int64] = np.zeros(0, np.int64)
        self.begin(0, 0)

    def begin(self, seed: int, number: int) -> None:
        """Draw the pictures of a round, which depend on its number and the seed alone."""
        drawn = [
            row_of_passes(group, number * count, count, (seed, i))
            for i, (group, count) in enumerate(zip(self.groups, self.counts, strict=True))
        ]
        self.places = np.concatenate(drawn)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Any:
        """The picture at a place of this round."""
        return self.dataset[int(self.places[index])]


def row_of_passes(
    group: NDArray[np.int64], start: int, count: int, key: tuple[int, ...]
) -> NDArray[np.int64]:
    """A part of an endless row of shuffled passes over a group.

    Returns:
        members of the group (count,): those at ``start`` and behind it.
    """
    length = len(group)
    passes = range(start // length, -(-(start + count) // length))
    row = np.concatenate(
        [group[np.random.default_rng([*key, number]).permutation(length)] for number in passes]
    )
    skipped = start - passes[0] * length
    return row[skipped : skipped + count]


def apportioned(total: int, weights: list[int]) -> list[int]:
    """A total shared out by weights: whole numbers, the largest remainders rounded up."""
    exact = total * np.array(weights, float) / sum(weights)
    shares = np.floor(exact).astype(int)
    behind = np.argsort(shares - exact, kind="stable")[: total - int(shares.sum())]
    shares[behind] += 1
    return [int(share) for share in shares]


@HOOKS.register_module()
class BeginRound(Hook):
    """Has ``Rounds`` draw, and ends the mixing of pictures for the last rounds, as YOLOX does.

    mmdet's ``YOLOXModeSwitchHook`` acts in one epoch only: a run that is resumed behind it would mix
    on.

    Args:
        plain: so many rounds at the end are of pictures as they are.
        steps: types of the steps that are then left out.
    """

    def __init__(
        self, plain: int = 0, steps: tuple[str, ...] = ("MosaicCrop", "SometimesMixUp")
    ) -> None:
        self.plain, self.steps = plain, list(steps)

    def before_train_epoch(self, runner: Any) -> None:
        """Before the loader starts its processes."""
        dataset, skipped = runner.data_loader.dataset, []
        if runner.epoch >= runner.max_epochs - self.plain:
            skipped = self.steps
        while dataset is not None:
            if isinstance(dataset, Rounds):
                dataset.begin(int((runner.meta or {}).get("seed") or 0), runner.epoch)
            if hasattr(dataset, "update_skip_type_keys"):
                dataset.update_skip_type_keys(skipped)
            dataset = getattr(dataset, "dataset", None)
