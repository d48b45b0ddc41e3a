"""The backbone in other people's detectors: torchvision's where it is installed."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lightnas.backbone import CnnNet, Focus, features_only  # noqa: E402
from lightnas.errors import InputError  # noqa: E402

from ..network.test_stages import FOCUS  # noqa: E402
from .test_backbone import SMALL  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs/backbone.md"


def torchvision():
    """torchvision, or a skip: where it does not fit to torch, its operators are missing."""
    pytest.importorskip("torchvision")
    try:
        from torchvision.ops import nms

        nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError, AttributeError):
        pytest.skip("torchvision does not work here")


@pytest.mark.parametrize("stages", [(1, 2, 3, 4), (0, 4), (2,)])
def test_the_same_features_with_published_names(stages):
    torch.manual_seed(0)
    net = CnnNet(SMALL, out_indices=stages).eval()
    whole = CnnNet(SMALL).state_dict() | net.state_dict()
    features = features_only(SMALL, stages, weights=whole).eval()
    picture = torch.randn(2, 3, 70, 97)
    with torch.no_grad():
        pairs = list(zip(features(picture), net(picture), strict=True))
    assert all(torch.equal(one, other) for one, other in pairs)
    info = features.feature_info
    assert info.channels() == net.out_channels == features.out_channels
    assert info.reduction() == net.strides == [one["reduction"] for one in info.get_dicts()]
    assert info.module_name() == [f"c{i + 1}" for i in stages] and len(info) == len(stages)
    assert info[0]["num_chs"] == net.out_channels[0]


def test_a_focus_stem_is_in_the_first_stage():
    net = CnnNet(FOCUS).eval()
    features = features_only(FOCUS, weights=net.state_dict()).eval()
    picture = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        pairs = zip(features(picture), net(Focus()(picture)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_stages_that_are_none():
    with pytest.raises(InputError):
        features_only(SMALL, (5,))


def test_a_step_of_training():
    """Every weight of the stages that are used has a gradient, and an optimiser moves it."""
    features = features_only(SMALL, (2, 3, 4), with_cp=True)
    loss = sum(one.square().mean() for one in features(torch.randn(2, 3, 64, 64)))
    loss.backward()
    assert all(weight.grad is not None for weight in features.parameters())
    before = features.c5[0].block_list[0].residual_proj.conv1.weight.detach().clone()
    torch.optim.SGD(features.parameters(), lr=1.0).step()
    assert not torch.equal(before, features.c5[0].block_list[0].residual_proj.conv1.weight)


def examples():
    """The blocks of code of docs/backbone.md, with the headings that they stand under."""
    text = PAGE.read_text()
    return re.findall(
        r"^## (.*)\n(?:(?!##|    ).*\n)*((?:    .*\n|\n(?=    ))+)", text, re.MULTILINE
    )


@pytest.mark.parametrize(("heading", "code"), examples(), ids=lambda text: text[:20].split("\n")[0])
def test_documented_detectors_train(heading, code):
    """Each in under ten lines, for one step."""
    lines = [line[4:] for line in code.splitlines() if line.strip()]
    assert len(lines) < 10
    if "torchvision" in code:
        torchvision()
    names = {"structure": SMALL}
    torch.manual_seed(0)
    # The size that pictures are brought to is no part of what is tried, and costs most.
    exec("\n".join(lines).replace("800", "64").replace("1333", "96"), names)
    model = names["model"]
    assert isinstance(model, nn.Module)
    model.train()
    pictures = [torch.rand(3, 64, 64), torch.rand(3, 64, 96)]
    targets = [
        {"boxes": torch.tensor([[4.0, 4, 40, 50]]), "labels": torch.tensor([1])} for _ in pictures
    ]
    if "torchvision" in code:
        loss = sum(model(pictures, targets).values())
    else:
        loss = sum(one.mean() for one in model(torch.stack([pictures[0]] * 2)))
    assert loss.isfinite()
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
