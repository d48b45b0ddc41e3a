"""Inputs made from integers, the same on every machine, and what mmcv's operators give for them
through either extension.

``python -m tests.detection.ops.cases`` records the answers of the compiled one in compiled.json,
for machines without.
"""

import json
from pathlib import Path

import torch

RECORDED = Path(__file__).parent / "compiled.json"


def whole(shape, below, seed):
    """Integers in 0 ... below - 1, scattered by two rounds of the mixing that ends MurmurHash3."""
    k = torch.arange(int(torch.tensor(shape).prod())) + 7919 * seed
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        k = (k ^ k >> 16) * factor & 0xFFFFFFFF
    return ((k ^ k >> 16) % below).reshape(shape)


def sixteenths(shape, seed):
    """float32 in -2 ... 2, exact."""
    return (whole(shape, 65, seed) - 32) / 16


def boxes_and_scores(n, seed, ties=True):
    """Boxes of 1 ... 16 pixels in a picture of 40, on quarters of a pixel, with few different
    scores."""
    corner = whole((n, 2), 160, seed) / 4
    size = whole((n, 2), 61, seed + 1) / 4 + 1
    return torch.cat([corner, corner + size], dim=1), whole(
        (n,), 12 if ties else 2**16, seed + 2
    ) / (12 if ties else 2**16)


def regions(k, seed):
    """Of two pictures, some of them partly outside of 32 by 32 pixels."""
    corner = whole((k, 2), 100, seed) / 3 - 4
    size = whole((k, 2), 60, seed + 1) / 3
    return torch.cat([whole((k, 1), 2, seed + 2), corner, corner + size], dim=1)


def suppression(ext):
    """Lists of indices by name; of soft suppression scores too."""
    answers = {}
    boxes, scores = boxes_and_scores(70, 1)
    for offset in (0, 1):
        for threshold in (0.1, 0.3, 0.6):
            kept = ext.nms(boxes, scores, iou_threshold=threshold, offset=offset)
            answers[f"nms {offset} {threshold}"] = kept.tolist()
        for method in (0, 1, 2):
            dets = torch.zeros(len(boxes), 5)
            settings = {
                "iou_threshold": 0.3,
                "sigma": 0.5,
                "min_score": 0.2,
                "method": method,
                "offset": offset,
            }
            kept = ext.softnms(boxes.clone(), scores.clone(), dets, **settings)
            answers[f"softnms {offset} {method}"] = kept.tolist()
            answers[f"softnms {offset} {method} scores"] = dets[: len(kept), 4].tolist()
    answers["nms_match"] = [
        list(group)
        for group in ext.nms_match(torch.cat([boxes, scores[:, None]], 1), iou_threshold=0.4)
    ]
    return answers


def align(ext, maps, rois, bins, scale, sampling_ratio, aligned):
    """Pooled regions, and the gradient of their sum weighted with numbers from -2 to 2."""
    settings = {
        "aligned_height": bins[0], "aligned_width": bins[1], "spatial_scale": scale,
        "sampling_ratio": sampling_ratio, "pool_mode": 1, "aligned": aligned,
    }  # fmt: skip
    pooled, grad, empty = (
        maps.new_zeros(len(rois), maps.shape[1], *bins),
        torch.zeros_like(maps),
        maps.new_zeros(0),
    )
    ext.roi_align_forward(maps, rois, pooled, empty, empty, **settings)
    weights = sixteenths(pooled.shape, 9).to(maps.dtype)
    ext.roi_align_backward(weights, rois, empty, empty, grad, **settings)
    return pooled, grad


def convolve(
    ext, x, offset, mask, weight, bias, stride=1, padding=1, dilation=1, groups=1, parts=1
):
    """Both deformable convolutions, and the gradients of their sums, through mmcv's own
    wrappers."""
    import sys

    import mmcv.ops

    for name in ("deform_conv", "modulated_deform_conv"):
        sys.modules[f"mmcv.ops.{name}"].ext_module = ext
    settings = (stride, padding, dilation, groups, parts)
    leaves = [tensor.clone().requires_grad_() for tensor in (x, offset, weight, mask, bias)]
    x, offset, weight, mask, bias = leaves
    plain = mmcv.ops.deform_conv2d(x, offset, weight, *settings)
    masked = mmcv.ops.modulated_deform_conv2d(x, offset, mask, weight, bias, *settings)
    grads = [
        *torch.autograd.grad(plain.sum(), leaves[:3]),
        *torch.autograd.grad(masked.sum(), leaves),
    ]
    return [plain.detach(), masked.detach(), *grads]


def numbers(ext):
    """Tensors by name."""
    answers = {}
    maps = sixteenths((2, 1, 6, 7), 3)
    for sampling_ratio, aligned in ((0, True), (0, False), (2, True)):
        name = f"roi_align {sampling_ratio} {aligned}"
        answers[name], answers[f"{name} gradient"] = align(
            ext, maps, regions(5, 4), (2, 3), 0.25, sampling_ratio, aligned
        )
    x, offset, mask = (
        sixteenths((1, 2, 4, 4), 5),
        sixteenths((1, 8, 3, 3), 6) * 1.1,
        sixteenths((1, 4, 3, 3), 7),
    )
    weight, bias = sixteenths((2, 2, 2, 2), 8), sixteenths((2,), 2)
    results = convolve(ext, x, offset, mask, weight, bias, padding=0)
    names = (
        "output",
        "masked",
        "x",
        "offset",
        "weight",
        "masked x",
        "masked offset",
        "masked weight",
        "mask",
        "bias",
    )
    return answers | {
        f"deform_conv {name}": result for name, result in zip(names, results, strict=True)
    }


def main():
    import mmcv._ext

    import lightnas.detection  # noqa: F401 (before mmcv: where torchvision is missing, mmcv cannot be imported without it)

    listed = {name: tensor.flatten().tolist() for name, tensor in numbers(mmcv._ext).items()}
    rounded = {
        name: [float(f"{number:.6g}") for number in values] for name, values in listed.items()
    }
    exact = suppression(mmcv._ext)
    for name, values in exact.items():
        if name.endswith("scores"):
            exact[name] = [float(f"{number:.8g}") for number in values]
    lines = [
        f"{json.dumps(name)}: {json.dumps(values)}" for name, values in (exact | rounded).items()
    ]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
