"""Structure txts as LightNAS, TinyNAS and DAMO-YOLO write them: read as ours, or refused by class."""

import itertools

import pytest

from lightnas.errors import InputError
from lightnas.network.score import score_structures
from lightnas.network.structure import parse_structures

from .. import oracle

# The searched k1kx structure of DAMO-YOLO's tutorial: its log says score 1399.2675807481487 (weights
# 0, 0, 1, 1, 16), 5831696 params and 25 layers.
TUTORIAL = [  # btn, in, L, out, s
    (24, 32, 1, 96, 2), (96, 96, 2, 96, 2), (128, 96, 3, 256, 2), (144, 256, 3, 256, 1), (224, 256, 3, 512, 2),
]  # fmt: skip
STEM = {"class": "ConvKXBNRELU", "in": 12, "k": 3, "out": 32, "s": 1}


def tutorial(kind="SuperResK1KX", stem=(), **more):
    return [STEM | dict(stem)] + [
        {"class": kind, "in": c_in, "out": out, "s": s, "k": 3, "L": depth, "btn": btn} | more
        for btn, c_in, depth, out, s in TUTORIAL
    ]


def test_the_tutorials_structure_scores_what_its_log_says():
    (structure,) = parse_structures(str(tutorial("SuperResConvK1KX", inner_class="ResConvK1KX")))
    (row,) = score_structures([structure], (640, 640), (0, 0, 1, 1, 16))
    assert row["score"] == pytest.approx(1399.2675807481487, rel=1e-12)
    assert (row["params"], row["layers"]) == (5831696, 25)


@pytest.mark.parametrize("kind", ["SuperResK1KX", "SuperResConvK1KX"])
@pytest.mark.parametrize("words", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("bare", [False, True])
def test_others_words_change_nothing(kind, words, bare):
    inner, bits, counts_pixels = words
    more = {"inner_class": "ResConvK1KX" if "Conv" in kind else "ResK1KX"} if inner else {}
    more |= {"nbitsA": [8, 8], "nbitsW": [8, 8]} if bits else {}
    stem = {"in": 3} if counts_pixels else {}
    stem |= {"nbitsA": 8, "nbitsW": 8} if bits else {}
    blocks = tutorial(kind, stem, **more)
    content = blocks if bare else {"space_arch": "CnnNet", "best_structures": [blocks]}
    assert parse_structures(str(content)) == parse_structures(str([*tutorial()]))


def test_a_stem_of_three_channels_and_stride_two_is_no_focus():
    blocks = [
        {"class": "ConvKXBNRELU", "in": 3, "k": 3, "out": 8, "s": 2},
        *({"class": "SuperResKXKX", "in": 8, "out": 8, "s": 2, "k": 3, "L": 1, "btn": 8},) * 4,
        {"class": "ConvKXBNRELU", "in": 8, "k": 1, "out": 16, "s": 1},
    ]
    (structure,) = parse_structures(str(blocks))
    assert structure[0].c_in == 3
    assert structure.widths == (8, 8, 8, 8, 16)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("SuperQuantResK1DWK1", "a quantised block"),
        ("SuperRes3DK1DWK1", "a block for video"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_class(kind, what):
    with pytest.raises(InputError, match=f"structure 0, block 1: class is .{kind}., .*{what}"):
        parse_structures(str(tutorial(kind)))


@pytest.mark.parametrize("key", ["nbitsA", "nbitsW"])
@pytest.mark.parametrize("bits", [[8, 5, 8], 4])
def test_a_block_of_ours_with_fewer_bits_is_quantised(key, bits):
    """As in TinyNAS 1, whose quantised networks have the classes of the others."""
    said = rf"block 1: class is 'SuperResK1DWK1' with {key} .*, a quantised block"
    with pytest.raises(InputError, match=said):
        parse_structures(str(tutorial("SuperResK1DWK1", **{key: bits})))


# The structures of DeepMAD, configs/classification/models/deepmad-*.txt of LightNAS 2: widths of stem
# and of a last 1 x 1 convolution, and (btn, k, L, out, s) of what is between.
DEEPMAD = {
    "29M": (40, 1792, [
        (240, 5, 2, 40, 1), (512, 5, 4, 85, 2), (800, 5, 6, 134, 2), (1208, 5, 6, 201, 2), (1872, 5, 5, 312, 2),
    ]),
    "50M": (48, 2048, [
        (672, 5, 7, 112, 2), (1008, 5, 9, 168, 2), (1512, 5, 7, 252, 2), (2272, 5, 3, 378, 2), (3456, 3, 1, 576, 1),
    ]),
    "89M": (56, 2560, [
        (816, 5, 10, 136, 2), (1224, 5, 9, 204, 2), (1952, 5, 7, 326, 2), (2944, 5, 4, 490, 2), (4464, 3, 1, 744, 1),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEPMAD)
def test_deepmads_structures_have_the_sizes_of_their_names(name):
    stem, last, rows = DEEPMAD[name]
    blocks = [{"class": "ConvKXBNRELU", "in": 3, "k": 3, "out": stem, "s": 2}]
    for btn, k, depth, out, s in rows:
        blocks.append(
            {"class": "SuperResK1DWSEK1", "inner_class": "ResK1DWSEK1", "in": blocks[-1]["out"]}
            | {"btn": btn, "k": k, "L": depth, "out": out, "s": s}
        )
    blocks.append({"class": "ConvKXBNRELU", "in": blocks[-1]["out"], "k": 1, "out": last, "s": 1})
    (structure,) = parse_structures(str({"best_structures": [blocks], "space_arch": "CnnNet"}))
    (row,) = score_structures([structure], (224, 224))
    classifier = 1001 * last
    assert row["params"] + classifier == pytest.approx(float(name[:-1]) * 1e6, rel=0.02)
    assert row["params"] == oracle.costs(structure.to_dicts())[1]
    assert row["layers"] == 2 + 3 * sum(depth for _, _, depth, _, _ in rows)
    assert structure.widths[-1] == last


def test_an_inner_class_of_another_block_is_refused():
    with pytest.raises(InputError, match=r"block 1: inner_class is 'ResKXKX', expected ResK1KX"):
        parse_structures(str(tutorial(inner_class="ResKXKX")))


def test_another_kind_of_network_is_refused():
    with pytest.raises(InputError, match="space_arch is 'Cnn3DNet'"):
        parse_structures(str({"space_arch": "Cnn3DNet", "best_structures": [tutorial()]}))
