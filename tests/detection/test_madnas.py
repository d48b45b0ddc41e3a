"""MadNas: published names, structure as a path or as a text, and weights that are never lost."""

import json

import pytest
import torch
from mmdet.models import build_backbone

from lightnas.backbone.net import Focus
from lightnas.detection.config import one_line
from lightnas.errors import InputError
from lightnas.network.structure import Structure

from ..conftest import published
from .conftest import SMALL


def madnas(structure, **settings):
    return build_backbone({"type": "MadNas", "structure_txt": structure, **settings})


@pytest.mark.parametrize("size", "sml")
def test_names_of_parameters_are_published(reference, size):
    expected = json.loads((reference / "state_dict_keys.json").read_text())
    expected = {
        f"body.{key}": shape
        for key, shape in expected[next(k for k in expected if k.lower().endswith(size))].items()
    }
    net = madnas(str(reference / f"maedet_{size}.txt"))
    assert {key: list(value.shape) for key, value in net.state_dict().items()} == expected


def test_path_and_text_give_the_same_net(structure):
    from_path, from_text = madnas(str(structure)), madnas(one_line(Structure.from_dicts(SMALL)))
    assert from_path.out_channels == from_text.out_channels == [16, 24, 32, 40]
    assert from_path.strides == [4, 8, 16, 32]
    from_text.load_state_dict(from_path.state_dict())
    picture = torch.randn(1, 3, 70, 97)
    for a, b in zip(from_path.eval()(picture), from_text.eval()(picture), strict=True):
        assert torch.equal(a, b)


def test_focus_stem():
    """MadNas takes the picture; what it lays into channels it hands to CnnNet."""
    blocks = [{**SMALL[0], "in": 12, "s": 1}, *SMALL[1:]]
    net = madnas(one_line(Structure.from_dicts(blocks))).eval()
    picture = torch.randn(1, 3, 70, 97)
    found = net(picture)
    assert net.strides == [4, 8, 16, 32] and tuple(found[0].shape[2:]) == (18, 25)
    for a, b in zip(found, net.body(Focus()(picture)), strict=True):
        assert torch.equal(a, b)


def test_out_indices(structure):
    net = madnas(str(structure), out_indices=(2, 4))
    assert net.out_channels == [24, 40]
    assert [tuple(c.shape[1:]) for c in net(torch.randn(1, 3, 64, 64))] == [(24, 8, 8), (40, 2, 2)]


def test_init_weights_does_not_overwrite(structure):
    net = madnas(str(structure))
    weights = {
        key: torch.rand_like(value, dtype=torch.float) for key, value in net.state_dict().items()
    }
    net.load_state_dict(weights)
    net.init_weights()
    assert all(
        torch.equal(value.float(), weights[key])
        for key, value in net.state_dict().items()
        if "tracked" not in key
    )


def test_pretrained(structure, tmp_path):
    net = madnas(str(structure))
    torch.save(
        {"state_dict": {f"backbone.{k}": v for k, v in net.state_dict().items()}},
        tmp_path / "w.pth",
    )
    other = madnas(
        str(structure),
        init_cfg={
            "type": "Pretrained",
            "checkpoint": str(tmp_path / "w.pth"),
            "prefix": "backbone.",
        },
    )
    other.init_weights()
    assert all(
        torch.equal(value, net.state_dict()[key]) for key, value in other.state_dict().items()
    )


def test_pretrained_of_another_structure(structure, tmp_path):
    torch.save(madnas(str(structure)).state_dict(), tmp_path / "w.pth")
    large = madnas(
        one_line(Structure.from_dicts(published("s"))),
        init_cfg={"type": "Pretrained", "checkpoint": str(tmp_path / "w.pth")},
    )
    with pytest.raises(InputError, match="weights and model disagree"):
        large.init_weights()


@pytest.mark.parametrize("wrong", ["nowhere.txt", "{", 5])
def test_bad_structure(wrong):
    with pytest.raises(InputError, match=r"structure_txt|nowhere"):
        madnas(wrong)
