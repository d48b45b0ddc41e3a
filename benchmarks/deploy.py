"""What an exported detector costs a picture, beside torch: ``python -m benchmarks.deploy WORK_DIR``.

From the pixels of a picture of the test size to boxes, on one thread, everything in turns in this
process, so that a busy machine slows all alike. The detector of WORK_DIR (``make demo``) with AP on its
val split, and an untrained GFLV2 detector on maedet-s at 320 x 320. OpenVINO is a row where it is
installed; nothing else here needs it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

import lightnas.detection  # noqa: F401 (where torchvision is missing, mmcv cannot be imported before it)
from lightnas.data.demo_data import Splits, write_demo_data
from lightnas.data.reading import read_picture
from lightnas.deploy.contents import read_model
from lightnas.deploy.detector import finder
from lightnas.deploy.metadata import Compared, Metadata
from lightnas.deploy.network import IMAGE, Network, settings_arrays
from lightnas.deploy.precision import lowered
from lightnas.deploy.resize import resized
from lightnas.deploy.sample import pictures_of
from lightnas.deploy.speed import side_by_side
from lightnas.detection import export_detector
from lightnas.detection.config import build_config, data_of
from lightnas.detection.decoding import BoxOutputs, check_head
from lightnas.detection.detecting import load_finder
from lightnas.detection.embedded import config_of_checkpoint
from lightnas.detection.finding import Finder
from lightnas.detection.flops import count_flops
from lightnas.detection.onnx import traced
from lightnas.detection.options import TrainOptions
from lightnas.detection.prepared import prepared
from lightnas.detection.testing import checkpoint_in
from lightnas.detection.training import build_model
from lightnas.latency.runtimes import OPENVINO, opened

THRESHOLD = 0.05
PRODUCT = 1536  # rows and columns


def openvino_find(model, metadata):
    """What finds with OpenVINO: the same file, the same pixels."""
    network = opened(model, OPENVINO, threads=1)
    defaults = settings_arrays(metadata.defaults.model_dump())
    given = {name: defaults[name] for name in network.inputs if name in defaults}

    def find(pixels):
        picture = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        return network.run({IMAGE: picture, **given})

    return find


def compared(title, torch_find, model, small, metadata, pixels, aps):
    """Print the table of one detector, and how many FLOPs it does in a second beside a large matrix
    product, which a convolution that does as many exceeds by little."""
    networks = {
        "onnxruntime fp32": Network(model, metadata, title),
        "onnxruntime int8": Network(small, metadata, title),
    }
    finds = {"torch eager": torch_find}
    finds |= {name: finder(network, THRESHOLD) for name, network in networks.items()}
    if find_spec("openvino"):
        finds["openvino fp32"] = openvino_find(model, metadata)
        finds["openvino int8"] = openvino_find(small, metadata)
    left, right = np.random.default_rng(0).random((2, PRODUCT, PRODUCT), np.float32)
    runs = {name: (lambda f=find: f(pixels)) for name, find in finds.items()}
    speeds = side_by_side(runs | {"product": lambda: left @ right})
    product = PRODUCT**3 / speeds.pop("product").median
    first = speeds["torch eager"].median
    print(f"\n{title}, one thread, a picture of {pixels.shape[1]} x {pixels.shape[0]}\n")
    print(
        "| | ms | interquartile range | times as fast as torch | AP |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for name, speed in speeds.items():
        ap = aps.get(name.split()[-1])
        row = (name, f"{1e3 * speed.median:.1f}", f"{100 * speed.spread:.0f} %",
               f"{first / speed.median:.2f}", "-" if ap is None else f"{ap:.4f}")  # fmt: skip
        print(f"| {' | '.join(row)} |", flush=True)
    total = metadata.flops.detector
    rates = {name: total / speed.median for name, speed in speeds.items() if "int8" not in name}
    rates["a matrix product"] = product
    said = ", ".join(f"{name} {rate / 1e9:.0f} G" for name, rate in rates.items())
    print(f"\n{total / 1e9:.2f} GFLOPs; in a second: {said}", flush=True)


def demo(work_dir):
    """The detector of a work directory."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.onnx" for name in ("fp32", "int8")}
        for name, path in paths.items():
            loss = None if name == "fp32" else 1
            export_detector(work_dir, path, precision=name, max_ap_loss=loss)
        (model, metadata), (small, said) = map(read_model, paths.values())
    checkpoint = checkpoint_in(work_dir)
    split = data_of(config_of_checkpoint(checkpoint, False), checkpoint.parent)["val"]
    pixels = read_picture(pictures_of(split, "expected those of the run")[0])
    pixels = resized(pixels, metadata.resize.size(pixels.shape[1], pixels.shape[0]))
    aps = {"eager": said.ap["fp32"], **said.ap}
    find, _ = load_finder(checkpoint, THRESHOLD, device="cpu")
    compared(f"The detector of {work_dir}", find, model, small, metadata, pixels, aps)


def untrained(size, side):
    """A published size, as it stands before its training; int8 is calibrated on digits."""
    cfg = build_config(TrainOptions(structure=None, size=size, input_size=(side, side)), "cpu")
    torch.manual_seed(0)
    detector = build_model(cfg, size).eval()
    detector.backbone.body.fuse()
    detector.cfg = cfg
    rule, normalisation = prepared(cfg, size)
    defaults = check_head(detector, size)
    model = traced(BoxOutputs(detector, normalisation), (side, side), defaults)
    metadata = Metadata(
        format=1, precision="fp32", classes=[str(i) for i in range(80)], normalisation=normalisation,
        resize=rule, defaults=defaults, flops=count_flops(detector, (side, side), None), structure=None,
        max_batch=1, compared=Compared(pictures=0, boxes=0, pixels=0.0, scores=0.0), versions={},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        write_demo_data(Path(folder) / "digits", Splits(train=16, val=1, test=1))
        pictures = sorted((Path(folder) / "digits/train").glob("*.jpg"))
        small = lowered(model, metadata, "int8", pictures)
        pixels = resized(read_picture(pictures[0]), (side, side))
    title = f"GFLV2 on maedet-{size}, untrained"
    compared(title, Finder(detector), model, small, metadata, pixels, {})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work_dir", type=Path, help="of a training, as outputs/demo/detector")
    parser.add_argument("--side", type=int, default=320, help="of the untrained detector's picture")
    parser.add_argument("--size", default="s", choices=["s", "m", "l"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    demo(arguments.work_dir)
    untrained(arguments.size, arguments.side)


if __name__ == "__main__":
    main()
