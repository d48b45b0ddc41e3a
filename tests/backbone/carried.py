"""Structures to carry weights between, and networks whose every number is drawn."""

import torch
from hypothesis import strategies as st

from lightnas.backbone.net import CnnNet
from lightnas.network.blocks import BLOCKS
from lightnas.network.structure import Structure

STEM, BLOCK = "ConvKXBNRELU", "SuperResK1KXK1"
# Stem and four blocks: kind, out, k, L, btn.
PLAIN = [(BLOCK, 8, 3, 1, 6), (BLOCK, 12, 3, 2, 8), (BLOCK, 16, 3, 3, 8), (BLOCK, 20, 5, 2, 10)]


def structure(rows, stem=6, k=3, focus=False):
    """Rows are (kind, out, k, L, btn), each a stage of its own, or with a stride behind."""
    first = {"class": STEM, "in": 12 if focus else 3, "out": stem, "s": 1 if focus else 2, "k": k}
    blocks = [first]
    for kind, out, kernel, depth, btn, *stride in rows:
        block = {"class": kind, "in": blocks[-1]["out"], "out": out}
        block |= {"s": stride[0] if stride else 2, "k": kernel}
        if "L" in BLOCKS[kind].keys:
            block |= {"L": depth, "btn": btn}
        blocks.append(block)
    return Structure.from_dicts(blocks)


def drawn(net, seed=0):
    """The network, in evaluation, every weight and statistic drawn, so that none is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for key, value in net.state_dict().items():
        if key.endswith("num_batches_tracked"):
            value.fill_(7)
        elif key.endswith(("running_var", "bn1.weight")):
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
        else:
            scale = value[0].numel() ** -0.5 if value.dim() == 4 else 0.3
            value.copy_(torch.randn(value.shape, generator=generator) * scale)
    return net.eval()


def trained(structure, seed=0):
    return drawn(CnnNet(structure, out_indices=range(5)), seed)


@st.composite
def structures(draw, kinds=tuple(BLOCKS), most=12):
    """Any structure of up to two blocks a stage."""
    width = st.integers(1, most)
    rows = []
    for _ in range(4):
        for stride in (2, 1)[: draw(st.integers(1, 2))]:
            kernel = draw(st.sampled_from([1, 3, 5]))
            kind = draw(st.sampled_from(kinds))
            rows.append((kind, draw(width), kernel, draw(st.integers(1, 3)), draw(width), stride))
    stem = draw(st.sampled_from([1, 3, 5, 7]))
    return structure(rows, draw(width), stem, draw(st.booleans()))
