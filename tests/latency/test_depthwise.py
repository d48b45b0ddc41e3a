"""Latency of depthwise blocks: an operation of its own, measured, written, read back and summed."""

import json

import numpy as np
import pytest

from lightnas.latency import load_table
from lightnas.latency.fit import table_document
from lightnas.latency.plan import POINTS, plan
from lightnas.latency.table import Op, chain_uses
from lightnas.network.blocks import BLOCKS, DEPTHWISE, BlockType, Conv, Layer
from lightnas.network.structure import Structure
from lightnas.search.space_file import parse_space

from ..conftest import STEM, S
from .tables import SIZE, made_up


def space_of(kind):
    step = BLOCKS[kind].btn_step
    step = max(step, 8)
    block = {S: kind, "s": 2, "k": [3, 5], "growth": [1, 2], "btn": [1, 4], "L": [1, 3]}
    return {
        "name": "inverted", "in": 3, "step": step, "max_channels": 8 * step,
        "blocks": [{S: STEM, "s": 2, "k": [3], "out": [step, 2 * step]}, *[block] * 4],
    }  # fmt: skip


def chain(kind):
    """Layers with a shortcut, with a pooled one, and without one."""
    rows = [(8, 2, 1), (8, 2, 2), (16, 2, 3), (16, 1, 2), (24, 2, 1)]
    blocks = [{S: STEM, "in": 3, "out": 8, "s": 2, "k": 3}]
    for out, s, depth in rows:
        blocks.append(
            {S: kind, "in": blocks[-1]["out"], "out": out, "s": s, "k": 3, "L": depth, "btn": 48}
        )
    return blocks


def plain_sum(structure, table):
    """Operation by operation, from the block dicts."""
    fits = {
        (op["kind"], op["k"], op["stride"], op["size"], op.get("groups", 1)): op["fit"]
        for op in table.document["ops"]
    }
    total, side = 0.0, SIZE[0]

    def add(kind, side, c_in, c_out=0, k=1, stride=1, groups=1):
        nonlocal total
        a, b, c, d = fits[kind, k, stride, f"{side}x{side}", groups]
        total += a + b * c_in + c * c_out + d * c_in * c_out

    for block in structure:
        c_in, out, s = block["in"], block["out"], block["s"]
        if "btn" not in block:
            add("conv", side, c_in, out, block["k"], s)
            side //= s
            add("relu", side, out)
            continue
        se, btn = "SE" in block[S], block["btn"]
        act, add_act = ("silu", "add_silu") if se else ("relu", "add")
        for layer in range(block["L"]):
            stride = s if layer == 0 else 1
            after = side // stride
            add("conv", side, c_in, btn)
            add(act, side, btn)
            add("conv", side, btn, 0, block["k"], stride, DEPTHWISE)
            add(act, after, btn)
            if se:
                hidden = 8 * max(1, round(btn / 4) // 8)
                add("excite", after, btn)
                add("conv", 1, btn, hidden)
                add("silu", 1, hidden)
                add("conv", 1, hidden, btn)
            add("conv", after, btn, out)
            if c_in == out:
                if stride == 2:
                    add("pool", side, c_in, stride=2)
                add(add_act, after, out)
            else:
                add(act, after, out)
            side, c_in = after, out
    return total


INVERTED = ("SuperResK1DWK1", "SuperResK1DWSEK1")


@pytest.mark.parametrize("kind", INVERTED)
def test_a_tables_sum_is_the_plain_one(kind):
    document = made_up(parse_space(space_of(kind), "x"), SIZE)
    table = load_table(document)
    structure = Structure.from_dicts(chain(kind))
    stride_one = {use.op for use in chain_uses(structure, SIZE)} - {
        Op(op["kind"], op["k"], op["stride"], tuple(map(int, op["size"].split("x"))), op.get("groups", 1))
        for op in document["ops"]
    }  # fmt: skip
    assert not stride_one
    assert table.chain(structure) == pytest.approx(plain_sum(chain(kind), table), rel=1e-12)


@pytest.mark.parametrize("kind", INVERTED)
def test_only_several_groups_are_spelled_out_and_read_back(kind):
    document = made_up(parse_space(space_of(kind), "x"), SIZE)
    again = load_table(json.loads(json.dumps(load_table(document).document)))
    ops = again.document["ops"]
    assert {op["groups"] for op in ops if "groups" in op} == {DEPTHWISE}
    structure = Structure.from_dicts(chain(kind))
    assert again.chain(structure) == load_table(document).chain(structure)


@pytest.mark.parametrize("kind", INVERTED)
def test_what_is_planned_can_be_measured(kind):
    torch = pytest.importorskip("torch")
    from lightnas.latency.measure import Machine

    torch.set_num_threads(1)
    machine, seen = Machine("cpu"), set()
    planned = plan(parse_space(space_of(kind), "x"), SIZE, 1e9)
    measured = {}
    for op, points in planned.items():
        assert 1 <= len(points) <= POINTS[op.kind]
        if op.groups == DEPTHWISE:
            assert {c_out for _, c_out in points} == {0} and str(op).startswith("conv ")
        if (op.kind, op.groups) not in seen:
            seen.add((op.kind, op.groups))
            c_in, c_out = points[0]
            measured[op] = [(c_in, c_out, machine.op_speed(op, c_in, c_out).median)]
            assert measured[op][0][2] > 0
    assert ("conv", DEPTHWISE) in seen
    assert ({"silu", "excite", "add_silu"} <= {kind for kind, _ in seen}) == ("SE" in kind)
    written = table_document(measured, SIZE)["ops"]
    assert [op.get("groups", 1) for op in written] == [op.groups for op in measured]


def test_a_fixed_number_of_groups(monkeypatch):
    """Cost, torch and latency of a convolution in four groups."""
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet
    from lightnas.network.entropy import block_entropy

    def layer(block, first):
        c_in, stride = (block.c_in, block.stride) if first else (block.c_out, 1)
        return Layer((Conv("conv1", c_in, block.c_out, block.k, stride, groups=4),), residual=True,
                     pool=stride, joined=1.0 * np.equal(c_in, block.c_out))  # fmt: skip

    monkeypatch.setitem(BLOCKS, "grouped", BlockType(("in", "out", "s", "k", "L"), layer))
    block = {"in": 8, "out": 8, "s": 2, "k": 3, "L": 2, S: "grouped"}
    structure = Structure.from_dicts([{S: STEM, "in": 3, "out": 8, "s": 2, "k": 3}, *[block] * 4])
    net = CnnNet(structure)
    assert structure.cost((64, 64)).params == sum(p.numel() for p in net.parameters())
    assert float(block_entropy(structure[1])) == pytest.approx(2 * 0.5 * np.log(9 * 8 / 4))
    assert [out.shape[1] for out in net(torch.randn(2, 3, 64, 64))] == [8, 8, 8, 8]
    table = load_table(
        {"device": "cpu", "name": "x", "precision": "fp32", "batch": 1, "threads": 1, "complete": True,
         "input_size": "64x64", "ops": [use.op.document() | {"fit": [1.0, 0, 0, 0]} for use in
                                        {use.op: use for use in chain_uses(structure, SIZE)}.values()]}
    )  # fmt: skip
    assert {op["groups"] for op in table.document["ops"] if "groups" in op} == {4}
    assert table.chain(structure) > 8
