"""Speed and memory of the backbone against mmdet's ResNet at equal FLOPs: ``python -m
benchmarks.detector``.

Everything that is compared is measured in turns in this process, so that a busy machine slows both
alike; memory is the growth of the peak of a process of its own. FLOPs are those of the backbone
alone, as everywhere in lightnas.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

import lightnas.detection  # noqa: F401 (where torchvision is missing, mmcv cannot be imported before it)

# isort: split
from mmcv.cnn import fuse_conv_bn

from lightnas.detection import cpu
from lightnas.detection.config import read_config
from lightnas.detection.flops import count_flops
from lightnas.detection.training import build_model
from lightnas.files import data_file

OURS, THEIRS = "maedet_m", "resnet50"
CONFIGS = {OURS: "gfl_maedet_m", THEIRS: "gfl_r50"}


def detector(name):
    cfg = read_config(data_file("configs", f"detection/{CONFIGS[name]}.py"))
    return build_model(cfg, CONFIGS[name])


def backbone_flops(model, side):
    """FLOPs of the backbone, of any: those of the detector less those of what follows."""
    whole, behind = (count_flops(model, (side, side), own).detector for own in (None, 0.0))
    return whole - behind


def train_backbone(model, x):
    sum(out.mean() for out in model.backbone(x)).backward()


def train_detector(model, x):
    size = x.shape[-1]
    metas = [
        {"img_shape": (size, size, 3), "pad_shape": (size, size, 3), "scale_factor": 1.0}
    ] * len(x)
    boxes = [torch.tensor([[10.0, 10, 80, 90], [100, 60, 200, 200]], device=x.device)] * len(x)
    labels = [torch.tensor([1, 2], device=x.device)] * len(x)
    losses = model(x, metas, gt_bboxes=boxes, gt_labels=labels, return_loss=True)
    sum(sum(values) for values in losses.values()).backward()


def infer_backbone(model, x):
    with torch.no_grad():
        model.backbone(x)


WORK = {
    "inference, conv and BN fused": (infer_backbone, False),
    "backbone forward + backward": (train_backbone, True),
    "detector training step": (train_detector, True),
}


def prepared(name, work, device):
    model = detector(name)
    if WORK[work][1]:
        model.train()
    else:
        model.eval()
        fuse_conv_bn(model.backbone)
    return cpu.prepare(model) if device == "cpu" else model.cuda()


def once(model, work, x):
    start = time.perf_counter()
    WORK[work][0](model, x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def bf16(model):
    """The backbone's convolutions in bfloat16, where the processor multiplies them."""
    forward = model.backbone.forward

    def rounded(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return tuple(out.float() for out in forward(x))

    model.backbone.forward = rounded
    return model


def compiled(model):
    model.backbone = torch.compile(model.backbone)
    return model


def channels_last(model):
    return model.to(memory_format=torch.channels_last)


def fused(model):
    fuse_conv_bn(model.backbone)
    return model


# What can be done to a backbone on a CPU, one after another; each is a list of changes.
VARIANTS = {
    "as it is built (NCHW)": [],
    "channels last": [channels_last],
    "channels last, BN fused": [fused, channels_last],
    "channels last, BN fused, bf16": [fused, channels_last, bf16],
    "channels last, BN fused, torch.compile": [fused, channels_last, compiled],
}


def changed(name, changes, train):
    model = detector(name)
    for change in changes:
        if not (train and change is fused):  # BN learns
            model = change(model)
    return model.train() if train else model.eval()


def variants(arguments, flops):
    """A row for each way to run the backbone on a CPU: time of the processor over that of
    ResNet-50's as it is built."""
    print(
        "| backbone on a CPU | inference | training | inference of ResNet-50 | training of ResNet-50 |"
    )
    print("| --- | ---: | ---: | ---: | ---: |")
    x = torch.randn(arguments.batch, 3, arguments.side, arguments.side)
    ways = {name: way for name, way in VARIANTS.items() if compiler() or compiled not in way}
    seconds = {}
    for train in (False, True):
        work = train_backbone if train else infer_backbone
        models = {
            (way, name): changed(name, changes, train)
            for way, changes in ways.items()
            for name in (OURS, THEIRS)
        }
        times = {key: [] for key in models}
        for _ in range(arguments.repeats + 1):
            for key, model in models.items():
                start = time.process_time()
                work(model, x)
                times[key].append(time.process_time() - start)
        for (way, name), taken in times.items():
            seconds[way, name, train] = statistics.median(taken[1:]) / flops[name]
    plain = next(iter(VARIANTS))
    for way in ways:
        ratios = [
            seconds[way, name, train] / seconds[plain, THEIRS, train]
            for name in (OURS, THEIRS)
            for train in (False, True)
        ]
        print(f"| {way} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)
    if not compiler():
        print("torch.compile needs a C++ compiler, and there is none here")


def compiler():
    return shutil.which(os.environ.get("CXX", "g++"))


def peak_mb(name, work, arguments):
    """Peak memory of one name and work, less that of a process that only builds the model."""
    if arguments.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        model = prepared(name, work, "cuda")
        once(
            model,
            work,
            torch.randn(arguments.batch, 3, arguments.side, arguments.side, device="cuda"),
        )
        return torch.cuda.max_memory_allocated() / 2**20
    command = [sys.executable, "-m", "benchmarks.detector", "--memory-of", name, work]
    command += ["--side", str(arguments.side), "--batch", str(arguments.batch)]
    return float(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
    )


def memory_of(name, work, arguments):
    model = prepared(name, work, "cpu")
    x = torch.randn(arguments.batch, 3, arguments.side, arguments.side)
    gc.collect()
    Path("/proc/self/clear_refs").write_text(
        "5"
    )  # the peak starts anew: building the model has its own
    before = peak_kb()
    once(model, work, x)
    print((peak_kb() - before) / 1024)


def peak_kb():
    """Peak resident memory of this process (Linux)."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory-of", nargs=2)
    arguments = parser.parse_args()
    if arguments.memory_of:
        memory_of(*arguments.memory_of, arguments)
        return
    flops = {name: backbone_flops(detector(name), arguments.side) for name in (OURS, THEIRS)}
    print(", ".join(f"{name} {value / 1e9:.2f} GFLOPs" for name, value in flops.items()))
    pictures = f"{arguments.batch} pictures of {arguments.side} x {arguments.side}"
    print(f"{pictures}, {arguments.device}, median of {arguments.repeats}")
    print(
        f"| work | {OURS}, ms | {THEIRS}, ms | time, ratio | time per FLOP, ratio | memory, MB | memory, ratio |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for work in WORK:
        models = {name: prepared(name, work, arguments.device) for name in (OURS, THEIRS)}
        x = torch.randn(arguments.batch, 3, arguments.side, arguments.side, device=arguments.device)
        times = {name: [] for name in models}
        for repeat in range(arguments.repeats + 1):
            for name, model in models.items():
                seconds = once(model, work, x)
                if repeat:
                    times[name].append(seconds)
        ms = {name: 1000 * statistics.median(values) for name, values in times.items()}
        del models
        mb = {name: peak_mb(name, work, arguments) for name in (OURS, THEIRS)}
        ratio = ms[OURS] / ms[THEIRS]
        per_flop = ratio * flops[THEIRS] / flops[OURS]
        row = [work, *(f"{value:.0f}" for value in ms.values()), f"{ratio:.2f}", f"{per_flop:.2f}"]
        row += [f"{mb[OURS]:.0f} / {mb[THEIRS]:.0f}", f"{mb[OURS] / mb[THEIRS]:.2f}"]
        print(f"| {' | '.join(row)} |", flush=True)
    if arguments.device == "cpu":
        variants(arguments, flops)


if __name__ == "__main__":
    main()
