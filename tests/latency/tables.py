"""Made-up latency tables and seconds, and the plain loop that a table's sum is compared with."""

import numpy as np

from lightnas.latency.speed import Speed
from lightnas.latency.table import chain_uses

from ..conftest import TINY

SIZE = (64, 64)


def made_up(space, size=SIZE, seed=0):
    """The document of a finished table for all that a space can ask for, with random
    coefficients."""
    rng = np.random.default_rng(seed)
    ops = {use.op for chain in space.every_kernel() for use in chain_uses(chain, size)}
    return {
        "device": "cpu", "name": "made up", "precision": "fp32", "batch": 1, "threads": 1, "complete": True,
        "input_size": f"{size[0]}x{size[1]}", "space": TINY, "most_flops": 1e9, "versions": {},
        "ops": [
            {**op._asdict(), "size": "{}x{}".format(*op.size), "off": 0.0, "points": [],
             "fit": [float(x) for x in rng.uniform(0, 1, 4) * (1e-6, 1e-8, 1e-8, 1e-9)]}
            for op in sorted(ops)
        ],
    }  # fmt: skip


def plain_seconds(structure, table):
    """Convolution by convolution from the block dicts; ReLU, sum and pool as the published block
    has them."""
    fits = {
        (op["kind"], op["k"], op["stride"], op["size"]): op["fit"] for op in table.document["ops"]
    }
    total, side = 0.0, SIZE[0]

    def add(kind, side, c_in, c_out=0, k=1, stride=1):
        nonlocal total
        a, b, c, d = fits[kind, k, stride, f"{side}x{side}"]
        total += a + b * c_in + c * c_out + d * c_in * c_out

    for block in structure:
        c_in, out, k, s = block["in"], block["out"], block["k"], block["s"]
        if "btn" not in block:
            add("conv", side, c_in, out, k, s)
            side //= s
            add("relu", side, out)
            continue
        btn = block["btn"]
        for layer in range(block["L"]):
            after = side // (s if layer == 0 else 1)
            add("conv", side, c_in, btn)
            add("relu", side, btn)
            add("conv", side, btn, btn, k, side // after)
            add("relu", after, btn)
            add("conv", after, btn, out)
            if layer == 0 and s == 2:
                add("pool", side, c_in, stride=2)
            if layer == 0:
                add("conv", after, c_in, out)
            add("add", after, out)
            side, c_in = after, out
    return total


def made_up_seconds(kind, c_in, c_out):
    """Of an operation: what depends on the machine is left out."""
    return (
        {"conv": 1e-5, "relu": 2e-6, "add": 3e-6, "pool": 4e-6}[kind]
        + 1e-8 * c_in
        + 1e-10 * c_in * c_out
    )


def steady(seconds):
    """Seconds that do not spread."""
    return Speed(seconds, seconds, seconds)


def network_of(operations, structure, beyond=2e-6):
    """Seconds of a network: 1.1 times the sum of its operations, and ``beyond`` for every
    convolution."""
    uses = list(chain_uses(structure, SIZE))
    convs = sum(use.times for use in uses if use.kind == "conv")
    return (
        1.1 * sum(use.times * operations(use.kind, use.c_in, use.c_out) for use in uses)
        + beyond * convs
    )


SEARCH = ("search", "--space", "tiny.yaml", "--evaluations", "3000", "--json")
PROFILE = (
    "profile",
    "--device",
    "cpu",
    "--space",
    "tiny.yaml",
    "--input-size",
    "64x64",
    "--most-flops",
    "20M",
)
