"""Blocks beyond the bottleneck: k1kx, kxkx, two blocks in a stage, and the one that docs/blocks.md
adds."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from lightnas.errors import InputError
from lightnas.network import blocks
from lightnas.network.cost import cost
from lightnas.network.entropy import block_entropy
from lightnas.network.structure import Structure
from lightnas.search.engine import Limits, search
from lightnas.search.space_file import load_space, parse_space

from .. import oracle
from ..conftest import STEM, S

PAIRS = ("SuperResK1KX", "SuperResKXKX")
INVERTED = ("SuperResK1DWK1", "SuperResK1DWSEK1")
SIZE = (64, 96)


def tiny(kind):
    """Small enough to list, with two blocks in stage C4."""
    stage = {S: kind, "s": 2, "k": [3], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 2]}
    step = 32 if kind == "SuperResK1DWSEK1" else 8
    return {
        "name": "tiny",
        "in": 3,
        "step": step,
        "max_channels": 4 * step,
        "blocks": [
            {S: STEM, "s": 2, "k": [3], "out": [step, 2 * step]},
            {**stage, "k": [3, 5], "L": [1, 1]},
            stage,
            {**stage, "L": [1, 1]},
            {**stage, "s": 1, "growth": [1, 1], "L": [1, 1]},
            stage,
        ],
    }


def chain(kind):
    """Equal and unequal channels, strides 1 and 2, depths 1 to 3."""
    sizes = [
        (8, 8, 2, 3, 1, 4),
        (8, 16, 2, 5, 3, 12),
        (16, 16, 1, 3, 2, 8),
        (16, 24, 2, 3, 2, 16),
        (24, 24, 2, 5, 1, 8),
    ]
    rest = [
        {S: kind, "in": a, "out": b, "s": s, "k": k, "L": depth, "btn": btn}
        for a, b, s, k, depth, btn in sizes
    ]
    return [{S: STEM, "in": 3, "out": 8, "s": 2, "k": 3}, *rest]


@pytest.fixture(scope="module", params=[*PAIRS, *INVERTED])
def listed(request):
    document = tiny(request.param)
    every = list(oracle.all_structures(document))
    assert len(every) > 10_000
    costs = np.array([oracle.costs(s, *SIZE) for s in every], float)
    return document, every, costs, np.array([oracle.score(s) for s in every])


@pytest.mark.parametrize(
    "shares",
    [
        {"flops": 0.1},
        {"params": 0.1},
        {"layers": 0.2},
        {"flops": 0.3, "params": 0.2},
        {"flops": 2},
    ],
)
def test_search_finds_and_proves_the_optimum(listed, shares):
    """Budgets between the least and the most that a structure uses."""
    document, every, costs, scores = listed
    least, most = costs.min(axis=0), costs.max(axis=0)
    limits = {at: least + share * (most - least) for at, share in shares.items()}
    mix = {
        name: float(limits[name][at])
        for at, name in enumerate(("flops", "params", "layers"))
        if name in limits
    }
    fits = (costs <= [mix.get(name, np.inf) for name in ("flops", "params", "layers")]).all(axis=1)
    result = search(
        parse_space(document, "tiny"), **mix, input_size=SIZE, limits=Limits(evaluations=5_000)
    )
    assert result.proven_optimal and result.structure.to_dicts() in every
    assert result.score == pytest.approx(scores[fits].max(), rel=1e-12)


def test_arrays_agree_with_the_plain_loop(listed):
    document, every, costs, _ = listed
    space = parse_space(document, "tiny")
    some = every[:: len(every) // 500]
    genomes = space.encode([Structure.from_dicts(s) for s in some])
    assert [s.to_dicts() for s in space.structures(genomes)] == some
    found = np.stack(
        [np.broadcast_to(c, len(some)) for c in cost(space.decode(genomes), SIZE)[:3]], axis=1
    )
    assert (found == costs[:: len(every) // 500]).all()


@pytest.mark.parametrize("kind", PAIRS)
def test_closed_form(kind):
    """1x1 + kxk adds 1/2 log c_in + 1/2 log(btn k^2); kxk + kxk adds 1/2 log(c_in k^2) + 1/2
    log(btn k^2)."""
    for block in Structure.from_dicts(chain(kind))[1:]:
        expected = 0.0
        for layer in range(block.depth):
            c_in = block.c_in if layer == 0 else block.c_out
            expected += 0.5 * math.log(c_in) + 0.5 * math.log(block.btn * block.k**2)
            expected += math.log(block.k) if kind == "SuperResKXKX" else 0
        assert float(block_entropy(block)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", INVERTED)
def test_closed_form_of_inverted_bottlenecks(kind):
    """1/2 log c_in + 1/2 log k^2 + 1/2 log btn: a depthwise convolution reads one channel."""
    for block in Structure.from_dicts(chain(kind))[1:]:
        inner = block.depth - 1
        expected = 0.5 * math.log(block.c_in) + 0.5 * inner * math.log(block.c_out)
        expected += block.depth * (math.log(block.k) + 0.5 * math.log(block.btn))
        assert float(block_entropy(block)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", INVERTED)
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
def test_torch_agrees_on_inverted_bottlenecks(kind, size):
    """Convolutions, shortcuts only where in = out, and squeeze-and-excitation on one pixel."""
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet

    torch.manual_seed(0)
    structure = chain(kind)
    net, counted, elements = CnnNet(structure).eval(), [], []

    def count(module, _, output):
        per_output = module.weight[0].numel() if isinstance(module, torch.nn.Conv2d) else 2
        counted.append(output.numel() * per_output)
        elements.append(output.numel() * isinstance(module, torch.nn.Conv2d))

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            module.register_forward_hook(count)
    picture = torch.randn(2, 3, *size)
    with torch.no_grad():
        outputs = net(picture[:1])
    flops, params, layers, *_ = cost(Structure.from_dicts(structure), size)
    assert Structure.from_dicts(structure).cost(size, activations=True).activations == sum(elements)
    assert sum(counted) == flops == oracle.costs(structure, *size)[0]
    assert sum(p.numel() for p in net.parameters()) == params
    assert layers == oracle.costs(structure)[2] == 1 + 3 * 9
    assert [o.shape[1] for o in outputs] == [8, 16, 24, 24]
    blocks = [
        (i, layer) for i, block in enumerate(net.block_list) if i for layer in block.block_list
    ]
    firsts = dict(reversed(blocks))
    assert {i for i, layer in firsts.items() if layer.joined} == {
        i for i, block in enumerate(structure) if i and block["in"] == block["out"]
    }
    keys = net.state_dict()
    assert keys["block_list.2.block_list.0.conv2.conv1.weight"].shape == (12, 1, 5, 5)
    assert ("block_list.2.block_list.0.se2.conv2.bn1.weight" in keys) == ("SE" in kind)
    assert not any("residual_proj" in key for key in keys)
    # A layer without a shortcut must not begin at zero, and all of it trains.
    for output in net.train()(picture):
        assert output.detach().abs().max() > 0
    sum(output.square().mean() for output in net(picture)).backward()
    fused = net.eval()(picture)
    for before, after in zip(fused, net.fuse()(picture), strict=True):
        assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("kind", INVERTED)
def test_onnx_agrees_with_torch_on_inverted_bottlenecks(kind, tmp_path):
    pytest.importorskip("onnxruntime")
    from lightnas.backbone.onnx import export_backbone

    structure = Structure.from_dicts(chain(kind))
    assert export_backbone(structure, tmp_path / "net.onnx", (64, 96)) < 1e-4


def test_a_space_of_squeeze_and_excitation_has_steps_that_nothing_rounds():
    with pytest.raises(InputError, match=r"step is 8, expected a multiple of 32 for blocks\[1\]"):
        parse_space(tiny("SuperResK1DWSEK1") | {"step": 8}, "tiny")


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
def test_torch_agrees_with_the_closed_forms(kind, size):
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet

    torch.manual_seed(0)
    structure = chain(kind)
    net, counted = CnnNet(structure).eval(), []

    def count(module, _, output):
        per_output = module.weight[0].numel() if isinstance(module, torch.nn.Conv2d) else 2
        counted.append(output.numel() * per_output)

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        outputs = net(torch.randn(1, 3, *size))
    flops, params, layers, *_ = cost(Structure.from_dicts(structure), size)
    assert sum(counted) == flops == oracle.costs(structure, *size)[0]
    assert sum(p.numel() for p in net.parameters()) == params
    assert layers == oracle.costs(structure)[2] == 1 + 2 * 9
    assert [o.shape[1] for o in outputs] == [8, 16, 24, 24]
    projected = {int(key.split(".")[1]) for key in net.state_dict() if "residual_proj" in key}
    assert projected == {
        i for i, block in enumerate(structure) if i and block["in"] != block["out"]
    }
    strides = [
        m.stride[0]
        for m in net.block_list[2].block_list[0].modules()
        if isinstance(m, torch.nn.Conv2d)
    ]
    assert strides[:2] == [1, 2]  # the last convolution of a layer carries the stride


@pytest.mark.parametrize("kind", [*PAIRS, *INVERTED])
def test_measured_entropy(kind):
    pytest.importorskip("torch")
    from lightnas.backbone.measured import measured_entropies
    from lightnas.network.entropy import entropies

    structure = Structure.from_dicts(chain(kind))
    measured = measured_entropies(structure, (256, 256))
    assert measured == pytest.approx([float(h) for h in entropies(structure)], rel=0.03)


@pytest.mark.parametrize("name", ["k1kx", "kxkx"])
def test_spaces_that_come_along(name):
    result = search(load_space(name), flops=20e9, params=10e6)
    assert result.proven_optimal
    assert result.structure.strides == [1, 2, 2, 2, 1, 2] and result.structure[0].c_in == 12
    assert oracle.costs(result.structure.to_dicts())[:2] == (result.flops, result.params)
    assert oracle.score(result.structure.to_dicts()) == pytest.approx(result.score, rel=1e-12)


# --- docs/blocks.md -------------------------------------------------------------------------------------------------


@pytest.fixture
def added():
    """The page's code and space file, as they stand there."""
    page = (Path(__file__).parents[2] / "docs" / "blocks.md").read_text()
    indented = [
        text for text in re.findall(r"(?:^(?:    .*)?\n)+", page, re.MULTILINE) if text.strip()
    ]
    code, space, _ = ("\n".join(line[4:] for line in text.splitlines()) for text in indented)
    assert len(code.splitlines()) < 40
    exec(code, {})
    yield yaml.safe_load(space)
    del blocks.BLOCKS["ResKX"]


def test_the_page_adds_a_block(added):
    result = search(parse_space(added, "docs/blocks.md"), flops=2e9, params=1e6)
    assert result.proven_optimal
    flops = params = 0
    height, width = 400, 640
    stem, *stages = result.structure.to_dicts()
    for c_in, out, k, h, w in [(3, stem["out"], 3, height, width)]:
        flops, params = (c_in * k * k + 2) * out * h * w, (c_in * k * k + 2) * out
    for block in stages:
        height, width = height // 2, width // 2
        convs = [
            (block["in"], block["k"]),
            (block["in"], 1),
            *[(block["out"], block["k"])] * (block["L"] - 1),
        ]
        weights = sum((c_in * k * k + 2) * block["out"] for c_in, k in convs)
        flops, params = flops + weights * height * width, params + weights
    assert (result.flops, result.params) == (flops, params)
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet

    net = CnnNet(result.structure)
    assert sum(p.numel() for p in net.parameters()) == params
    assert len(net(torch.randn(1, 3, 64, 64))) == 4
