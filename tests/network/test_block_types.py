"""Blocks beyond the bottleneck: k1kx, kxkx, two blocks in a stage, and the one that docs/blocks.md
adds."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from lightnas.network import blocks
from lightnas.network.cost import cost
from lightnas.network.entropy import block_entropy
from lightnas.network.structure import Structure
from lightnas.search.engine import Limits, search
from lightnas.search.space_file import load_space, parse_space

from .. import oracle
from ..conftest import STEM, S

PAIRS = ("SuperResK1KX", "SuperResKXKX")
SIZE = (64, 96)


def tiny(kind):
    """Small enough to list, with two blocks in stage C4."""
    stage = {S: kind, "s": 2, "k": [3], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 2]}
    return {
        "name": "tiny",
        "in": 3,
        "step": 8,
        "max_channels": 32,
        "blocks": [
            {S: STEM, "s": 2, "k": [3], "out": [8, 16]},
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


@pytest.fixture(scope="module", params=PAIRS)
def listed(request):
    document = tiny(request.param)
    every = list(oracle.all_structures(document))
    assert len(every) > 10_000
    costs = np.array([oracle.costs(s, *SIZE) for s in every], float)
    return document, every, costs, np.array([oracle.score(s) for s in every])


@pytest.mark.parametrize(
    "mix",
    [
        {"flops": 2.1e6},
        {"params": 9_000},
        {"layers": 12},
        {"flops": 3e6, "params": 14_000},
        {"flops": 1e9},
    ],
)
def test_search_finds_and_proves_the_optimum(listed, mix):
    document, every, costs, scores = listed
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


@pytest.mark.parametrize("kind", PAIRS)
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
    code, space = ("\n".join(line[4:] for line in text.splitlines()) for text in indented)
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
