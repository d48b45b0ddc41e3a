"""The average of a training's weights: measured and saved in their place, and resumed with them."""

from __future__ import annotations

from typing import Any

from mmcv.parallel import is_module_wrapper
from mmcv.runner import HOOKS
from mmdet.core.hook import ExpMomentumEMAHook
from torch import Tensor

from lightnas.errors import InputError

# The prefix of mmcv's and mmdet's hooks: at the end of an epoch these are the weights as they are
# trained, and the average stands in their place.
PREFIX = "ema_"


@HOOKS.register_module()
class AverageWeights(ExpMomentumEMAHook):  # type: ignore[misc]
    """mmdet's ``ExpMomentumEMAHook``, with which a resumed run goes on as the unbroken one.

    mmdet's begins the average anew, and takes the average of before for the weights, unless it is told
    a checkpoint to read a second time. It stands in configs under mmdet's name.
    """

    def before_run(self, runner: Any) -> None:
        """Begin the average, or go on with that of the checkpoint.

        Raises:
            InputError: the checkpoint has none, or one of other shapes.
        """
        super().before_run(runner)
        kept: dict[str, Tensor] | None = getattr(runner, "averages", None)
        if kept is None:
            return
        model = runner.model.module if is_module_wrapper(runner.model) else runner.model
        buffers = dict(model.named_buffers())
        for name in self.param_ema_buffer.values():
            value = kept.get(name)
            if value is None or value.shape != buffers[name].shape or not value.isfinite().all():
                raise InputError(
                    f"{runner.resumed_from}: its average of the weights ({name}) is missing or "
                    "damaged, expected a checkpoint of this run"
                )
            buffers[name].copy_(value)


def averages_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a checkpoint holds beside its weights where they are an average: of each weight one of
    its shape."""
    return {key: value for key, value in weights.items() if key.startswith(PREFIX)}
