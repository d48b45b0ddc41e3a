"""Slow, plain answers to compare with: one structure, one layer, one number at a time, from the
block dicts.

Nothing here uses the block description of lightnas.
"""

import math
from itertools import pairwise, product


def up(n):
    return (n + 1) // 2


def convs_of(structure, height=800, width=1280):
    """(c_in that an output channel reads, c_out, k, output pixels, on the main path, stage) of every
    convolution."""
    stage = 0
    if structure[0]["s"] == 1:  # a Focus stem: 2 x 2 pixels in its channels
        stage, height, width = 1, up(height), up(width)
    for block in structure:
        stage += block["s"] == 2
        for layer in range(block.get("L", 1)):
            first = layer == 0
            c_in, c_out, k = block["in"] if first else block["out"], block["out"], block["k"]
            before = height * width
            if first and block["s"] == 2:
                height, width = up(height), up(width)
            after = height * width
            if block["class"] == "ConvKXBNRELU":
                yield c_in, c_out, k, after, True, stage
                continue
            btn = block["btn"]
            if block["class"] in ("SuperResK1DWK1", "SuperResK1DWSEK1"):
                yield c_in, btn, 1, before, True, stage
                yield 1, btn, k, after, True, stage
                if block["class"] == "SuperResK1DWSEK1":
                    hidden = 8 * max(1, round(btn / 4) // 8)
                    yield btn, hidden, 1, 1, False, stage
                    yield hidden, btn, 1, 1, False, stage
                yield btn, c_out, 1, after, True, stage
                continue
            if block["class"] != "SuperResK1KXK1":
                yield (
                    c_in,
                    btn,
                    {"SuperResK1KX": 1, "SuperResKXKX": k}[block["class"]],
                    before,
                    True,
                    stage,
                )
                yield btn, c_out, k, after, True, stage
                if first and c_in != c_out:
                    yield c_in, c_out, 1, after, False, stage
                continue
            yield c_in, btn, 1, before, True, stage
            yield btn, btn, k, after, True, stage
            yield btn, c_out, 1, after, True, stage
            if first:
                yield c_in, c_out, 1, after, False, stage


def costs(structure, height=800, width=1280):
    """(flops, params, layers), exact integers."""
    flops = params = layers = 0
    for c_in, c_out, k, pixels, main, _ in convs_of(structure, height, width):
        flops += c_in * c_out * k * k * pixels + 2 * c_out * pixels
        params += c_in * c_out * k * k + 2 * c_out
        layers += main
    return flops, params, layers


def activations(structure, height=800, width=1280):
    """Output elements of every convolution."""
    return sum(c_out * pixels for _, c_out, _, pixels, _, _ in convs_of(structure, height, width))


def detector_convs(c3_to_c5, width, height=800, width_of_picture=1280):
    """(c_in, c_out, k, output pixels, parameters a channel beside the weights) of every convolution
    of neck and head."""
    h, w, sizes = height, width_of_picture, {}
    for level in range(1, 8):
        h, w = up(h), up(w)
        sizes[level] = h * w
    for channels, level in zip(c3_to_c5, (3, 4, 5), strict=True):
        yield channels, width, 1, sizes[level], 1
    for level in (3, 4, 5, 6, 7):
        yield width, width, 3, sizes[level], 1
        for _ in range(8):
            yield width, width, 3, sizes[level], 2
        yield width, 80, 3, sizes[level], 1
        yield width, 4 * 17, 3, sizes[level], 1
        yield 20, 64, 1, sizes[level], 1
        yield 64, 1, 1, sizes[level], 1


def score(structure, alpha=(0, 0, 1, 1, 6)):
    total = 0.0
    for stage, weight in enumerate(alpha, start=1):
        logs = [
            0.5 * math.log(k * k * c_in)
            for c_in, _, k, _, main, at in convs_of(structure)
            if main and at <= stage
        ]
        channels = [
            c_out for _, c_out, _, _, main, at in convs_of(structure) if main and at <= stage
        ][-1]
        total += weight * (math.fsum(logs) + math.log(channels))
    return total


def rhos(structure):
    """Convolutions over the geometric mean of the fan-ins, at every stage end."""
    found = []
    for stage in range(1, 6):
        fan_ins = [
            k * k * c_in for c_in, _, k, _, main, at in convs_of(structure) if main and at <= stage
        ]
        mean = math.exp(math.fsum(map(math.log, fan_ins)) / len(fan_ins))
        found.append(len(fan_ins) / mean)
    return found


def all_structures(document):
    """Every structure of a space document whose bounds are all spelled out."""
    step, most = document["step"], document["max_channels"]
    channels = range(step, most + 1, step)

    def ways(spec, c_in):
        low, high = spec.get("out", (0, most))
        for out, k in product((c for c in channels if low <= c <= high), spec["k"]):
            block = {"class": spec["class"], "in": c_in, "out": out, "s": spec["s"], "k": k}
            if "growth" in spec and not spec["growth"][0] * c_in <= out <= spec["growth"][1] * c_in:
                continue
            if "btn" not in spec:
                yield block
                continue
            for btn, depth in product(channels, range(spec["L"][0], spec["L"][1] + 1)):
                if spec["btn"][0] * out <= btn <= spec["btn"][1] * out:
                    yield block | {"L": depth, "btn": btn}

    def chains(specs, c_in):
        if not specs:
            yield []
            return
        for block in ways(specs[0], c_in):
            for rest in chains(specs[1:], block["out"]):
                yield [block, *rest]

    yield from chains(document["blocks"], document["in"])


def chained(structure):
    return all(before["out"] == after["in"] for before, after in pairwise(structure))
