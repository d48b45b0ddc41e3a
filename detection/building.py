"""Detectors of configs, built and run; what mmdet says of a config that does not fit is one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
from mmcv import Config
from mmdet.models import build_detector

from lightnas.errors import InputError, WorkError, out_of_memory, shown

# What mmdet and torch raise of a config that names what does not exist or does not fit together.
UNFIT = (
    KeyError, TypeError, ValueError, AssertionError, AttributeError, IndexError, ZeroDivisionError,
    NotImplementedError, OverflowError, RuntimeError, StopIteration, cv2.error,
)  # fmt: skip


@contextmanager
def fitting(
    source: str, what: str, expected: str, errors: tuple[type[Exception], ...] = UNFIT
) -> Iterator[None]:
    """Around what mmdet builds or runs of a config.

    Args:
        what: what went wrong, e.g. ``its model cannot be built``.
        errors: those that are the config's fault.

    Raises:
        InputError: it could not; one line with mmdet's own words.
    """
    try:
        yield
    except (InputError, WorkError, FloatingPointError):
        raise
    except errors as error:
        if out_of_memory(error):
            raise  # the machine's fault, not the config's
        said = shown(str(error)) if str(error) else type(error).__name__
        raise InputError(f"{source}: {what} ({said}), expected {expected}") from error


def detector_of(cfg: Config, source: str) -> Any:
    """The detector of a config, not yet initialised.

    Raises:
        InputError: the config asks for something that does not exist or does not fit together.
    """
    with fitting(source, "its model cannot be built", "an mmdet detector"):
        return build_detector(
            cfg.model, train_cfg=cfg.get("train_cfg"), test_cfg=cfg.get("test_cfg")
        )


def number_of_classes(model: Any) -> int | None:
    """How many classes a detector tells apart, None where it does not say."""
    roi_head = getattr(model, "roi_head", None)
    head = getattr(model if roi_head is None else roi_head, "bbox_head", None)
    number = getattr(head, "num_classes", None)
    return number if isinstance(number, int) else None
