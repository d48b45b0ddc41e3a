"""The backbone in torch against measured references, the closed forms, and any size of picture."""

import json

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.cost import cost
from lightnas.network.entropy import entropies, score
from lightnas.network.structure import Structure, read_structures

from ..conftest import published

torch = pytest.importorskip("torch")

from lightnas.backbone.measured import measured_entropies  # noqa: E402
from lightnas.backbone.net import CnnNet  # noqa: E402 (needs torch)

SMALL = [
    {"class": "ConvKXBNRELU", "in": 3, "out": 4, "s": 2, "k": 3},
    {"class": "SuperResK1KXK1", "in": 4, "out": 8, "s": 2, "k": 3, "L": 1, "btn": 4},
    {"class": "SuperResK1KXK1", "in": 8, "out": 12, "s": 2, "k": 5, "L": 2, "btn": 6},
    {"class": "SuperResK1KXK1", "in": 12, "out": 12, "s": 1, "k": 3, "L": 1, "btn": 5},
    {"class": "SuperResK1KXK1", "in": 12, "out": 16, "s": 2, "k": 3, "L": 3, "btn": 8},
    {"class": "SuperResK1KXK1", "in": 16, "out": 24, "s": 2, "k": 5, "L": 1, "btn": 8},
]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def tiny(reference):
    with np.load(reference / "backbone_tiny.npz") as file:
        arrays = dict(file)
    net = CnnNet(json.loads(str(arrays["structure"])))
    weights = {
        key[3:]: torch.from_numpy(value) for key, value in arrays.items() if key.startswith("sd/")
    }
    net.load_state_dict(weights, strict=True)
    return net, torch.from_numpy(arrays["input"]), arrays


def furthest(output, expected):
    return float(np.abs(output.detach().numpy() - expected).max() / np.abs(expected).max())


def test_reference_in_evaluation(tiny):
    net, x, arrays = tiny
    with torch.no_grad():
        outputs = net.eval()(x)
    assert all(furthest(outputs[i], arrays[f"eval{i}"]) <= 1e-5 for i in range(4))


def test_reference_in_training(tiny):
    net, x, arrays = tiny
    outputs = net.train()(x)
    assert all(furthest(outputs[i], arrays[f"train{i}"]) <= 3e-4 for i in range(4))
    loss = sum(output.square().mean() for output in outputs)
    assert loss.item() == pytest.approx(float(arrays["train_loss"]), rel=1e-5)
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.norm().item() == pytest.approx(
            float(arrays[f"gradnorm/{name}"]), rel=3e-4
        ), name


@pytest.mark.parametrize("size", "sml")
def test_published_names_and_shapes(size, reference):
    expected = json.loads((reference / "state_dict_keys.json").read_text())[f"maedet_{size}"]
    net = CnnNet(published(size))
    assert {key: list(value.shape) for key, value in net.state_dict().items()} == expected


@pytest.mark.parametrize("size", "sml")
def test_parameters_are_those_of_the_closed_form(size):
    net = CnnNet(published(size))
    assert (
        sum(p.numel() for p in net.parameters())
        == cost(Structure.from_dicts(published(size))).params
    )


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (32, 32), (65, 127)])
def test_flops_are_those_of_the_closed_form(size):
    """Counted while the network runs: multiply-accumulates of each convolution and 2 per output of
    each BN."""
    net, counted = CnnNet(SMALL).eval(), []

    def count(module, _, output):
        if isinstance(module, torch.nn.Conv2d):
            counted.append(output.numel() * module.weight[0].numel())
        elif isinstance(module, torch.nn.BatchNorm2d):
            counted.append(2 * output.numel())

    for module in net.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        net(torch.randn(1, 3, *size))
    assert sum(counted) == cost(Structure.from_dicts(SMALL), size).flops


@pytest.mark.parametrize("size", [(32, 32), (33, 64), (63, 95), (100, 37)])
def test_any_size_of_picture(size):
    net = CnnNet(SMALL, out_indices=(0, 1, 2, 3, 4))
    outputs = net(torch.randn(2, 3, *size))
    assert net.strides == [2, 4, 8, 16, 32]
    assert net.out_channels == [4, 8, 12, 16, 24]
    for output, stride, channels in zip(outputs, net.strides, net.out_channels, strict=True):
        assert output.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))


def test_out_indices():
    net = CnnNet(SMALL, out_indices=(2, 4))
    assert [o.shape[1] for o in net(torch.randn(2, 3, 64, 64))] == net.out_channels == [12, 24]
    assert (
        len(CnnNet(SMALL, out_indices=(2,)).block_list) == 4
    )  # nothing runs that nobody asked for


def test_layers_begin_as_their_shortcuts():
    """The last BN of each residual path begins at 0, so layers after the first pass on what they
    get."""
    net = CnnNet(SMALL).eval()
    x = torch.rand(1, 16, 8, 8)
    assert torch.equal(net.block_list[4].block_list[2](x), x)


def test_frozen_stages_and_norm_eval():
    net = CnnNet(SMALL, frozen_stages=2, norm_eval=True).train()
    trains = [all(p.requires_grad for p in block.parameters()) for block in net.block_list]
    assert trains == [False, False, False, False, True, True]
    before = {name: value.clone() for name, value in net.named_buffers()}
    sum(o.sum() for o in net(torch.randn(2, 3, 64, 64))).backward()
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
    assert all((p.grad is not None) == p.requires_grad for p in net.parameters())


def test_activation_checkpointing_changes_nothing_but_memory():
    plain, saving = CnnNet(SMALL), CnnNet(SMALL, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 64)
    for net in (plain, saving):
        sum(o.square().mean() for o in net(x)).backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-5, atol=1e-7)


def test_fused_network_is_the_same_function():
    net = CnnNet(SMALL)
    with torch.no_grad():
        net(torch.randn(4, 3, 64, 64))  # statistics other than 0 and 1
    net.eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = net(picture)
        after = net.fuse()(picture)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(a.abs().max()))


def test_a_structure_and_its_block_dicts_give_the_same_network():
    nets = []
    for structure in (SMALL, Structure.from_dicts(SMALL)):
        torch.manual_seed(0)
        nets.append(CnnNet(structure).state_dict())
    assert all(torch.equal(value, nets[1][name]) for name, value in nets[0].items())
    assert nets[0].keys() == nets[1].keys()


@pytest.mark.parametrize(
    "wrong", [{"out_indices": ()}, {"out_indices": (5,)}, {"frozen_stages": 5}, {"structure": []}]
)
def test_bad_arguments(wrong):
    with pytest.raises(InputError, match="expected"):
        CnnNet(**{"structure": SMALL} | wrong)


@pytest.mark.parametrize("size", "sml")
def test_the_closed_form_is_what_the_network_measures(size):
    structure = Structure.from_dicts(published(size))
    measured = measured_entropies(structure, (320, 320))
    assert score(measured) == pytest.approx(score(entropies(structure)), rel=0.005)
    assert measured[1:] == pytest.approx(entropies(structure)[1:], rel=0.01)


def test_score_prints_both(tmp_path, capsys):
    from lightnas.cli.main import main
    from lightnas.network.structure import Structure, format_structures

    path = tmp_path / "small.txt"
    path.write_text(format_structures([Structure.from_dicts(SMALL)]))
    assert read_structures(path) == [Structure.from_dicts(SMALL)]
    words = ["score", str(path), "--measured", "--input-size", "320x320"]
    assert main([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["structures"][0]
    assert row["measured"]["score"] == pytest.approx(row["score"], rel=0.05)
    assert row["measured"]["entropies"] == measured_entropies(
        Structure.from_dicts(SMALL), (320, 320)
    )
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "measured" in out and "off by" in out


def test_score_without_torch_says_how_to_get_it(monkeypatch, tmp_path, capsys):
    from lightnas import errors
    from lightnas.cli.main import main
    from lightnas.network.structure import Structure, format_structures

    (tmp_path / "s.txt").write_text(format_structures([Structure.from_dicts(SMALL)]))
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    assert main(["score", str(tmp_path / "s.txt"), "--measured"]) == 2
    assert "pip install '.[torch]'" in capsys.readouterr().err
