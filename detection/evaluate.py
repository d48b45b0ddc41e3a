"""AP of a checkpoint on a split, by COCO's own evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmcv import Config
from mmcv.parallel import MMDataParallel
from mmdet.apis import single_gpu_test
from mmdet.datasets import build_dataloader, build_dataset
from mmdet.models import build_detector
from numpy.typing import NDArray

from lightnas.errors import InputError

from .checkpoint import load_weights, read_checkpoint
from .madnas import MadNas

# Our key, mmdet's.
METRICS = {
    "ap": "mAP",
    "ap50": "mAP_50",
    "ap75": "mAP_75",
    "ap_s": "mAP_s",
    "ap_m": "mAP_m",
    "ap_l": "mAP_l",
}
Detections = list[list[NDArray[Any]]]


def load_detector(cfg: Config, checkpoint: Path, trust: bool = False) -> Any:
    """The trained detector of a config, in evaluation mode on the CPU. Every weight must fit.

    Raises:
        InputError: the checkpoint cannot be read, or holds weights of another structure or other classes.
    """
    content = read_checkpoint(checkpoint, trust)
    model = build_detector(cfg.model, test_cfg=cfg.get("test_cfg"))
    load_weights(model, content["state_dict"], str(checkpoint))
    model.CLASSES = tuple(content.get("meta", {}).get("CLASSES") or ())
    model.cfg = cfg
    model.eval()
    if isinstance(model.backbone, MadNas):
        model.backbone.body.fuse()
    return model


def evaluate(
    cfg: Config, checkpoint: Path, split: str, trust: bool = False
) -> tuple[dict[str, Any], Detections]:
    """AP, AP50, AP75 and AP of small, medium and large objects on a split, None where there are no such objects.

    Returns:
        the metrics, and of each picture the detections of each class (n, 5): corners in pixels, and score.

    Raises:
        InputError: as ``load_detector``; or the split has other categories than the checkpoint.
    """
    dataset = build_dataset(cfg.data[split], {"test_mode": True})
    model = load_detector(cfg, checkpoint, trust)
    if model.CLASSES and tuple(model.CLASSES) != tuple(dataset.CLASSES):
        raise InputError(
            f"{cfg.data[split].ann_file}: its categories are {tuple(dataset.CLASSES)}, expected those of "
            f"{checkpoint}: {tuple(model.CLASSES)}"
        )
    loader = build_dataloader(
        dataset,
        cfg.data.get("samples_per_gpu", 1),
        cfg.data.get("workers_per_gpu", 0),
        dist=False,
        shuffle=False,
    )
    on_gpu = cfg.get("device") == "cuda" and torch.cuda.is_available()
    wrapped = (
        MMDataParallel(model.cuda(), device_ids=[torch.cuda.current_device()])
        if on_gpu
        else MMDataParallel(model)
    )
    detections: Detections = single_gpu_test(wrapped, loader)
    found = dataset.evaluate(detections, metric="bbox")
    values = {ours: found.get(f"bbox_{theirs}", 0.0) for ours, theirs in METRICS.items()}
    return {key: None if value < 0 else float(value) for key, value in values.items()} | {
        "images": len(dataset)
    }, detections
