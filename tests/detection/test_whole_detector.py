"""What is counted of a detector against mmdet's: every convolution that runs, by a forward hook."""

import pytest
import torch
from mmdet.models import build_detector
from torch import nn

from lightnas.backbone import whole
from lightnas.backbone.whole import WholeNet
from lightnas.detection.config import read_config, use_structure
from lightnas.files import data_folder
from lightnas.network.detector import Detector
from lightnas.network.structure import Structure, read_structures

from .conftest import SMALL

SIZES = [(256, 320), (96, 160), (65, 161)]


@pytest.fixture(scope="module", params=[256, 192, 32])
def model(request, structure):
    cfg = read_config(data_folder("configs") / "detection" / "gfl_maedet_m.py")
    cfg.model.backbone.structure_txt = str(structure)
    cfg.model.neck.out_channels = request.param
    cfg.model.bbox_head.update(in_channels=request.param, feat_channels=request.param)
    use_structure(cfg)
    return request.param, build_detector(cfg.model).eval()


def test_it_is_tested_as_published():
    tested = read_config(data_folder("configs") / "detection" / "gfl_maedet_m.py").model.test_cfg
    assert (tested.nms_pre, tested.max_per_img) == (whole.PLACES, whole.MAX_BOXES)
    assert (tested.nms.iou_threshold, tested.score_thr) == (whole.IOU, whole.SCORE)


def counted(model, size):
    """(multiply-accumulates, FLOPs as they are counted, output elements) of what runs, in backbone
    and beyond."""
    macs = {True: 0, False: 0}
    flops, elements, hooks = dict(macs), dict(macs), []

    def hook(inside):
        def count(module, inputs, output):
            pixels = output.shape[2] * output.shape[3]
            flops[inside] += pixels * sum(p.numel() for p in module.parameters())
            if isinstance(module, nn.Conv2d):
                macs[inside] += pixels * module.weight.numel()
                elements[inside] += output.numel()

        return count

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.GroupNorm | nn.modules.batchnorm._BatchNorm):
            hooks.append(module.register_forward_hook(hook(name.startswith("backbone"))))
    with torch.no_grad():
        model.forward_dummy(torch.zeros(1, 3, *size))
    for handle in hooks:
        handle.remove()
    return macs, flops, elements


@pytest.mark.parametrize("size", SIZES)
def test_every_convolution_of_the_real_model(model, size):
    width, built = model
    structure, detector = Structure.from_dicts(SMALL), Detector(width)
    macs, flops, elements = counted(built, size)
    whole = structure.cost(size, None, detector, activations=True)
    alone = structure.cost(size, activations=True)
    assert alone.flops == flops[True] and alone.activations == elements[True]
    assert whole.flops == flops[True] + flops[False]
    assert whole.activations == elements[True] + elements[False]
    assert whole.params == sum(p.numel() for p in built.parameters())
    # Norms and biases are a sliver of it.
    assert macs[False] == pytest.approx(detector.on(structure.widths[2:], size).flops, rel=0.01)


def test_what_is_measured_is_the_same_network(model, structure):
    """``WholeNet``, without mmdet, given mmdet's weights, says what mmdet's model says."""
    width, built = model
    whole = WholeNet(read_structures(structure)[0], Detector(width)).eval()
    state = {}
    for name, value in built.state_dict().items():
        name = name.replace("backbone.body.", "backbone.")
        if not name.startswith(("bbox_head.scales", "bbox_head.integral")):
            state[name] = value
    scales = [0.5, 0.7, 1.0, 1.5, 2.0]
    for scale, value in zip(built.bbox_head.scales, scales, strict=True):
        scale.scale.data.fill_(value)
    whole.load_state_dict(state | {"bbox_head.scales": torch.tensor(scales)})
    picture = torch.randn(1, 3, 96, 160)
    with torch.no_grad():
        theirs = zip(*built.forward_dummy(picture), strict=True)
        for ours, expected in zip(whole(picture), theirs, strict=True):
            for a, b in zip(ours, expected, strict=True):
                torch.testing.assert_close(a, b)
