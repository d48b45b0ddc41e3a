"""Stages, and the Focus stem: 2 x 2 pixels in the channels of a first block of stride 1."""

import numpy as np
import pytest

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.network.cost import cost
from lightnas.network.entropy import entropies, score
from lightnas.network.stages import fault, fed_size, has_focus, stage_ends
from lightnas.network.structure import Structure, format_structures
from lightnas.search.engine import Limits, search
from lightnas.search.space_file import parse_space

from .. import oracle
from ..conftest import STEM, S

FOCUS = [
    {S: STEM, "in": 12, "out": 16, "s": 1, "k": 3},
    {S: "SuperResK1KX", "in": 16, "out": 24, "s": 2, "k": 3, "L": 1, "btn": 16},
    {S: "SuperResK1KX", "in": 24, "out": 32, "s": 2, "k": 5, "L": 2, "btn": 16},
    {S: "SuperResKXKX", "in": 32, "out": 48, "s": 2, "k": 3, "L": 1, "btn": 24},
    {S: "SuperResKXKX", "in": 48, "out": 48, "s": 1, "k": 3, "L": 1, "btn": 24},
    {S: "SuperResK1KXK1", "in": 48, "out": 64, "s": 2, "k": 3, "L": 1, "btn": 16},
]
STRUCTURE = Structure.from_dicts(FOCUS)


@pytest.mark.parametrize(
    ("strides", "focus", "ends"),
    [
        ([2, 2, 2, 2, 2], False, [0, 1, 2, 3, 4]),
        ([1, 2, 2, 2, 2], True, [0, 1, 2, 3, 4]),
        ([1, 1, 2, 2, 1, 2, 2], True, [1, 2, 4, 5, 6]),
        (
            [1, 2, 2, 2, 2, 2],
            False,
            [1, 2, 3, 4, 5],
        ),  # a stem of stride 1 before five stages is part of the first
    ],
)
def test_stage_ends(strides, focus, ends):
    assert (has_focus(strides), stage_ends(strides), fault(strides, 12, "s")) == (focus, ends, None)
    assert fed_size((33, 64), strides) == ((17, 32) if focus else (33, 64))


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (800, 1280)])
def test_cost_and_score_against_the_plain_loop(size):
    assert cost(STRUCTURE, size)[:3] == oracle.costs(FOCUS, *size)
    assert float(score(entropies(STRUCTURE))) == pytest.approx(oracle.score(FOCUS), rel=1e-12)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ({"in": 3}, "a Focus stem with in 3, expected a multiple of 4, such as 12"),
        ({"s": 2, "in": 3}, None),
    ],
)
def test_bad_stems(first, said):
    blocks = [FOCUS[0] | first, *FOCUS[1:]]
    if said is None:
        Structure.from_dicts(blocks)
        return
    with pytest.raises(InputError, match=said):
        Structure.from_dicts(blocks)


def test_search_proves_the_optimum_of_a_space_with_a_focus_stem():
    stage = {S: "SuperResK1KX", "s": 2, "k": [3], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 2]}
    stem = {S: STEM, "s": 1, "k": [3], "out": [8, 16]}
    document = {
        "name": "tiny",
        "in": 12,
        "step": 8,
        "max_channels": 24,
        "blocks": [stem, stage, stage, stage, stage],
    }
    every = list(oracle.all_structures(document))
    costs = np.array([oracle.costs(s, 64, 96)[0] for s in every])
    assert len(every) > 2_000
    for budget in (2.5e6, 5e6):
        result = search(
            parse_space(document, "tiny"),
            flops=budget,
            input_size=(64, 96),
            limits=Limits(evaluations=3_000),
        )
        best = max(
            oracle.score(s) for s, flops in zip(every, costs, strict=True) if flops <= budget
        )
        assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
def test_torch_runs_what_was_counted(size):
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet, Focus

    torch.manual_seed(0)
    net, counted = CnnNet(FOCUS).eval(), []
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda conv, _, output: counted.append(
                    output.numel() * (conv.weight[0].numel() + 2)
                )
            )
    with torch.no_grad():
        outputs = net(Focus()(torch.randn(1, 3, *size)))
    assert (
        net.focus and net.strides == [4, 8, 16, 32] and sum(counted) == cost(STRUCTURE, size).flops
    )
    assert [tuple(o.shape[2:]) for o in outputs] == [
        tuple(-(-side // s) for side in size) for s in net.strides
    ]


def test_focus_lays_pixels_into_channels():
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import Focus

    picture = torch.arange(1.0, 7.0).reshape(
        1, 1, 2, 3
    )  # 1 2 3 over 4 5 6; the third column is filled with zeros
    laid = Focus()(picture)
    assert laid.shape == (1, 4, 1, 2)
    assert laid.flatten().tolist() == [
        1,
        3,
        4,
        6,
        2,
        0,
        5,
        0,
    ]  # top left, bottom left, top right, bottom right


def test_measured_entropy_of_a_focus_stem():
    pytest.importorskip("torch")
    from lightnas.backbone.measured import measured_entropies

    assert measured_entropies(STRUCTURE, (256, 256)) == pytest.approx(
        [float(h) for h in entropies(STRUCTURE)], rel=0.03
    )


def test_onnx_takes_the_picture(tmp_path):
    torch = pytest.importorskip("torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    from lightnas.backbone.net import CnnNet, Focus

    run = tmp_path / "run"
    run.mkdir()
    (run / "structure.txt").write_text(format_structures([STRUCTURE]))
    arguments = ["--format", "onnx", "--input-size", "64x96", "--output", str(tmp_path / "n.onnx")]
    assert main(["export-structure", str(run), *arguments]) == 0
    picture = torch.randn(2, 3, 71, 64)
    torch.manual_seed(0)
    net = CnnNet(FOCUS).eval()
    with torch.no_grad():
        expected = net(Focus()(picture))
    session = onnxruntime.InferenceSession(
        str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"]
    )
    for found, value in zip(session.run(None, {"image": picture.numpy()}), expected, strict=True):
        assert found == pytest.approx(value.numpy(), abs=1e-4 * float(value.abs().max()))
