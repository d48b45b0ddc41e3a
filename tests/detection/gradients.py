"""Run by test_train.py, in its process and in two: gradients of one step on the same four pictures,
written to a file."""

import sys
from pathlib import Path

import torch
from torch import distributed as dist

import lightnas.detection  # noqa: F401 (registers)
from lightnas.detection.config import build_config
from lightnas.detection.distributed import launched, leave, process_group
from lightnas.detection.options import TrainOptions
from lightnas.detection.training import build_model

OBJECTS = (3, 0, 1, 2)


def batch(images):
    metas = [
        {
            "img_shape": (96, 96, 3),
            "pad_shape": (96, 96, 3),
            "ori_shape": (96, 96, 3),
            "scale_factor": 1.0,
        }
    ] * len(images)
    generator = torch.Generator().manual_seed(5)
    pictures = torch.randn(len(OBJECTS), 3, 96, 96, generator=generator)
    corners = torch.rand(len(OBJECTS), 3, 2, generator=generator) * 40
    boxes = [
        torch.cat([corners[i, : OBJECTS[i]], corners[i, : OBJECTS[i]] + 30], dim=1) for i in images
    ]
    labels = [torch.arange(OBJECTS[i]) for i in images]
    return {
        "img": pictures[list(images)],
        "img_metas": metas,
        "gt_bboxes": boxes,
        "gt_labels": labels,
    }


def run(structure, folder):
    from mmdet.apis.train import build_ddp

    options = TrainOptions(
        structure=structure, width=64, cfg_options=["model.backbone.norm_eval=True"]
    )
    cfg = build_config(options, "cpu")
    torch.manual_seed(0)
    model = build_model(cfg, "config").train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if not launched():
        model.train_step(batch(range(4)), optimizer)["loss"].backward()
    else:
        wrapped = build_ddp(model, "cpu", device_ids=[0], broadcast_buffers=False)
        mine = range(2) if dist.get_rank() == 0 else range(2, 4)
        wrapped.train_step(batch(mine), optimizer)["loss"].backward()
    if not launched() or dist.get_rank() == 0:
        gradients = {
            key: value.grad for key, value in model.named_parameters() if value.grad is not None
        }
        torch.save(gradients, folder / f"{2 if launched() else 1}.pth")


if __name__ == "__main__":
    with process_group("cpu"):
        run(Path(sys.argv[1]), Path(sys.argv[2]))
    leave(0)
