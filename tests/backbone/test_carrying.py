"""Weights in another structure: the function where the method keeps it, and always a network."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lightnas.backbone import CnnNet, Focus, carry  # noqa: E402 (needs torch)
from lightnas.backbone.wiring import wired  # noqa: E402
from lightnas.errors import InputError  # noqa: E402
from lightnas.network.blocks import BLOCKS  # noqa: E402
from lightnas.network.structure import Structure  # noqa: E402

from .carried import BLOCK, PLAIN, STEM, structure, structures, trained  # noqa: E402

DW, SE = "SuperResK1DWK1", "SuperResK1DWSEK1"
RELU = [kind for kind in BLOCKS if kind != SE]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def carried(source, target, seed=0):
    """The old network, the new one with its weights, and what was carried."""
    old, new = trained(source, seed), CnnNet(target, out_indices=range(5))
    found = carry(source, old.state_dict(), target, new.state_dict())
    new.load_state_dict(found.weights, strict=True)
    return old, new.eval(), found


@torch.no_grad()
def outputs(net, picture):
    return net(Focus()(picture) if net.focus else picture)


def keeps_the_function(old, new, picture=None):
    """The first channels of every stage are the old network's."""
    picture = torch.randn(1, 3, 64, 32) if picture is None else picture
    for before, after in zip(outputs(old, picture), outputs(new, picture), strict=True):
        scale = float(before.abs().max()) + 0.1  # rounding is all there is of a silent channel
        assert after.shape[1] >= before.shape[1]
        assert torch.allclose(after[:, : before.shape[1]], before, atol=1e-4 * scale)


@settings(max_examples=25)
@given(structures())
def test_a_network_carried_to_itself_is_the_same(any_structure):
    old, _, found = carried(any_structure, any_structure)
    assert found.share == found.used == 1
    for key, value in old.state_dict().items():
        assert torch.equal(found.weights[key], value), key
    assert all(torch.equal(kept, torch.arange(len(kept))) for kept in found.channels)


@settings(max_examples=25)
@given(structures(), structures())
@example(structure(PLAIN, focus=True), structure(PLAIN))
def test_any_pair_gives_a_network(source, target):
    old, new, found = carried(source, target)
    assert 0 < found.share <= 1 and 0 < found.used <= 1
    total = [sum(value.numel() for value in net.parameters()) for net in (old, new)]
    assert round(found.used * total[0]) == round(found.share * total[1])
    assert all(value.isfinite().all() for value in found.weights.values())
    assert all(feature.isfinite().all() for feature in outputs(new, torch.randn(1, 3, 64, 64)))
    if source.cost().params < target.cost().params:
        assert found.share < 1


@settings(max_examples=25)
@given(structures(), st.data())
def test_widening_and_larger_kernels_keep_the_function(source, data):
    """In every block type; where a shortcut stands only if in = out, it must go on to stand or not."""
    blocks = source.to_dicts()
    wider = [dict(block) for block in blocks]
    more = [data.draw(st.integers(0, 5)) for _ in blocks]
    for number, (block, new) in enumerate(zip(blocks, wider, strict=True)):
        same = number > 0 and block["in"] == block["out"] and block["class"] != BLOCK
        new["out"] += more[number - 1] if same else more[number]
        more[number] = new["out"] - block["out"]
        if number > 0:
            new["in"] = wider[number - 1]["out"]
            if block["in"] != block["out"] and new["in"] == new["out"]:
                new["out"] += 1
                more[number] += 1
        if "btn" in block:
            new["btn"] += data.draw(st.integers(0, 40))
        new["k"] += data.draw(st.sampled_from([0, 2]))
    old, new, found = carried(source, Structure.from_dicts(wider))
    keeps_the_function(old, new)
    assert found.used == 1


@settings(max_examples=25)
@given(structures(RELU), st.data())
def test_deepening_keeps_the_function(source, data):
    """By layers, and by blocks behind the ones that are there, plain convolutions among them."""
    blocks = []
    for block in source.to_dicts():
        blocks.append(dict(block))
        if "L" in block:
            blocks[-1]["L"] += data.draw(st.integers(0, 2))
        if data.draw(st.booleans()):
            width = block["out"]
            kind = data.draw(st.sampled_from([STEM, *([BLOCK] if "L" in block else [])]))
            added = {"class": kind, "in": width, "out": width, "s": 1, "k": 3}
            blocks.append(added | ({"L": 2, "btn": 5} if kind == BLOCK else {}))
    if any(a["class"] == STEM for a in source.to_dicts()[1:]):
        return
    old, new, found = carried(source, Structure.from_dicts(blocks))
    keeps_the_function(old, new)
    assert found.used == 1


def test_a_block_in_two_is_the_same_function():
    """Four layers as a block of four, as two of two: the second projection changes nothing."""
    one = structure([*PLAIN[:3], (BLOCK, 20, 3, 4, 10)])
    two = structure([*PLAIN[:3], (BLOCK, 20, 3, 2, 10), (BLOCK, 20, 3, 2, 10, 1)])
    old, new, found = carried(one, two)
    keeps_the_function(old, new)
    assert found.used == 1 and found.share < 1


def test_a_layer_takes_after_the_one_it_has_room_for():
    """Blocks of like types between the old ones: what is too small for an old layer is new."""
    before = [(BLOCK, 20, 3, 1, 7), (BLOCK, 20, 5, 3, 12, 1)]
    after = [before[0], (BLOCK, 20, 3, 2, 5, 1), before[1], (BLOCK, 20, 3, 2, 5, 1)]
    old, new, found = carried(structure([*PLAIN[:3], *before]), structure([*PLAIN[:3], *after]))
    keeps_the_function(old, new)
    assert found.used == 1


@pytest.mark.parametrize(("k", "behind"), [(3, 3), (5, 3), (7, 5), (1, 1)])
def test_a_stem_of_stride_two_behind_a_focus(k, behind):
    old, new, found = carried(structure(PLAIN, k=k), structure(PLAIN, k=behind, focus=True))
    keeps_the_function(old, new)
    assert found.used == 1


def test_a_focus_as_a_stem_of_stride_two():
    old, new, found = carried(structure(PLAIN, focus=True), structure(PLAIN, k=7))
    keeps_the_function(old, new)
    assert found.used == 1


def test_a_depthwise_convolution_is_the_diagonal_of_a_dense_one():
    """Where both have a shortcut or both have none beside a stage's first layer."""
    rows = [(8, 3, 2, 12), (12, 5, 2, 16), (16, 3, 1, 16), (20, 3, 3, 24)]
    old, new, found = carried(*(structure([(kind, *row) for row in rows]) for kind in (DW, BLOCK)))
    keeps_the_function(old, new)
    assert found.used == 1


def test_what_is_narrowed_is_what_is_carried():
    """Of the channels that do nothing none stays: the function is what it was."""
    wide = structure([(BLOCK, 12, 3, 2, 9), *PLAIN[1:]], stem=9)
    old = trained(wide)
    state = old.state_dict()
    dead = torch.tensor([0, 3, 4])
    for key in state:
        inside = "block_list.1." in key and (".conv1.bn1." in key or ".conv2.bn1." in key)
        if (inside or "block_list.0.bn1." in key) and key.endswith(("weight", "bias")):
            state[key][dead] = 0
    narrow = structure([(BLOCK, 12, 3, 2, 6), *PLAIN[1:]], stem=6)
    new = CnnNet(narrow, out_indices=range(5))
    found = carry(wide, state, narrow, new.state_dict())
    new.load_state_dict(found.weights)
    assert found.share == 1 and found.used < 1
    assert found.channels[0].tolist() == [1, 2, 5, 6, 7, 8]
    picture = torch.randn(1, 3, 64, 64)
    for before, after in zip(
        outputs(old, picture)[1:], outputs(new.eval(), picture)[1:], strict=True
    ):
        assert torch.allclose(before, after, atol=1e-4 * float(before.abs().max()))


def test_what_is_dropped_is_the_weakest_layer():
    deep, shallow = (structure([*PLAIN[:3], (BLOCK, 20, 3, n, 10)]) for n in (4, 3))
    old = trained(deep)
    state = old.state_dict()
    for name in ("weight", "bias"):
        state[f"block_list.4.block_list.2.conv3.bn1.{name}"].zero_()
    new = CnnNet(shallow, out_indices=range(5))
    new.load_state_dict(carry(deep, state, shallow, new.state_dict()).weights)
    keeps_the_function(old, new.eval())


def test_what_is_read_first_is_the_new_channels_weights():
    """New channels are not copies, and a step moves what reads them: they are of use at once."""
    source, target = structure(PLAIN), structure([(*row[:4], row[4] + 4) for row in PLAIN])
    _, new, _ = carried(source, target)
    key = "block_list.2.block_list.0.conv2.conv1.weight"
    assert not new.state_dict()[key][:8, 8:].any()
    assert new.state_dict()[key][8:].any()
    sum(feature.square().mean() for feature in new.train()(torch.randn(2, 3, 64, 64))).backward()
    assert dict(new.named_parameters())[key].grad[:8, 8:].abs().max() > 0


def test_a_folded_bn_is_carried_as_it_is():
    source = structure(PLAIN)
    old = trained(source)
    folded = CnnNet(source, out_indices=range(5))
    folded.load_state_dict(old.state_dict())
    new = CnnNet(source, out_indices=range(5))
    state = folded.eval().fuse().state_dict()
    assert not any(".bn1." in key for key in state)
    new.load_state_dict(carry(source, state, source, new.state_dict()).weights)
    keeps_the_function(old, new.eval())


def test_a_new_projection_is_about_itself_in_training_too():
    """Its BN begins with the moments that the channels have, as the BNs before it say them."""
    one = structure([*PLAIN[:3], (BLOCK, 20, 3, 2, 10)])
    two = structure([*PLAIN[:3], (BLOCK, 20, 3, 2, 10), (BLOCK, 20, 3, 1, 10, 1)])
    old, new = trained(one).train(), CnnNet(two, out_indices=range(5))
    x = torch.randn(8, 3, 128, 128)
    with torch.no_grad():
        for _ in range(3):
            old(x)
        new.load_state_dict(carry(one, old.state_dict(), two, new.state_dict()).weights)
        before, after = old(x)[-1], new.train()(x)[-1]
    error = (before - after).square().mean() / before.var()
    assert float(error) < 0.1


@pytest.mark.parametrize("kept", [1, 3])
def test_the_first_stages_alone(kept):
    """Of a network that ends early, or into one."""
    source = structure(PLAIN)
    whole, part = trained(source), CnnNet(source, out_indices=(kept,))
    found = carry(source, whole.state_dict(), source, part.state_dict())
    part.load_state_dict(found.weights, strict=True)
    assert found.share == 1 and found.channels[kept + 1 :] == (None,) * (4 - kept)
    again = carry(source, part.state_dict(), source, whole.state_dict())
    assert 0 < again.share < 1 and again.used == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.clear(), "no weights of a backbone"),
        (lambda w: w.pop("block_list.1.block_list.0.conv1.bn1.bias"), "bias is missing"),
        (lambda w: w.update({"block_list.0.conv1.weight": torch.zeros(6, 3, 5, 5)}), "as the str"),
        (lambda w: w.update({"block_list.0.bn1.bias": torch.zeros(6, dtype=int)}), "floating"),
        (lambda w: w.update({"block_list.0.bn1.bias": torch.zeros(1).expand(6)}), "claims more"),
    ],
)
def test_weights_of_another_structure(change, said):
    source = structure(PLAIN)
    weights = trained(source).state_dict()
    change(weights)
    with pytest.raises(InputError, match=said):
        carry(source, weights, source, CnnNet(source).state_dict())


@settings(max_examples=25)
@given(structures())
def test_the_wiring_is_the_networks(any_structure):
    """Every weight of the network has its convolution there, of the same shape."""
    state = CnnNet(any_structure).state_dict()
    ops = [op for layer in wired(any_structure) for op in layer.ops]
    shapes = {f"{op.key}conv1.weight": op.shape for op in ops}
    assert shapes == {key: tuple(v.shape) for key, v in state.items() if v.dim() == 4}
