"""The structure txt: round trips, and every way to get it wrong."""

import ast
import pickle
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError
from lightnas.network.cost import cost
from lightnas.network.structure import Structure, format_structures, read_structures

from .. import oracle
from ..conftest import published

GOOD = {"space_arch": "CnnNet", "best_structures": [published("s")]}


def read(tmp_path, content):
    path = tmp_path / "s.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_structures(path)


def refusal(tmp_path, content):
    """The message, which must be one line that names the file."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert "\n" not in message
    assert "s.txt" in message
    assert "expected" in message or "did you mean" in message
    return message


def changed(block, **changes):
    blocks = published("s")
    blocks[block] = {
        key: value for key, value in (blocks[block] | changes).items() if value is not ...
    }
    return str({"space_arch": "CnnNet", "best_structures": [blocks]})


def test_round_trip(tmp_path):
    structures = [Structure.from_dicts(published(size)) for size in "sml"]
    text = format_structures(structures)
    assert read(tmp_path, text) == structures
    assert ast.literal_eval(text)["best_structures"] == [published(size) for size in "sml"]
    assert [s.to_dicts() for s in structures] == [published(size) for size in "sml"]


@pytest.mark.parametrize("form", [" \n{}\n ", "{}", "﻿{}"])
def test_space_around_is_allowed(tmp_path, form):
    assert read(tmp_path, form.replace("{}", str(GOOD))) == [Structure.from_dicts(published("s"))]


BROKEN = {
    "empty": "",
    "blank": " \n\n",
    "truncated": str(GOOD)[:-20],
    "not a literal": "hello there",
    "code": "__import__('os').system('touch hacked')",
    "code inside": "{'best_structures': [[__import__('os').getcwd()]]}",
    "nested": "[" * 100_000 + "]" * 100_000,
    "nested dicts": "{1:" * 100_000,
    "deep minus": "-" * 100_000 + "1",
    "deep sum": "+".join(["1"] * 100_000),
    "large": "#" * 3_000_000,
    "not UTF-8": b"\xff\xfe\x00{",
    "nul": b"{'best_structures': \x00}",
    "huge integer": "{'best_structures': " + "9" * 10_000 + "}",
    "unhashable": "{[]: 1}",
    "odd escape": r"'\d'",
    "list": "[]",
    "number": "1",
    "no key": "{}",
    "other arch": str(GOOD | {"space_arch": "MobileNet"}),
    "no structure": "{'best_structures': []}",
    "string": "{'best_structures': 'abc'}",
    "structure no list": "{'best_structures': [1]}",
    "structure empty": "{'best_structures': [[]]}",
    "block no dict": "{'best_structures': [[1, 2]]}",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refusal(tmp_path, BROKEN[name])
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("key", "value", "most"), [("k", 1025, 1023), ("L", 2001, 2000), ("L", 20_000, 2000)]
)
def test_sizes_that_no_network_has(tmp_path, key, value, most):
    said = refusal(tmp_path, changed(2, **{key: value}))
    assert f"{key} is {value}, expected a whole number from 1 to {most}" in said
    assert read(tmp_path, changed(2, **{key: most}))


def test_more_blocks_than_any_network_has(tmp_path):
    deep = published("s")
    deep += [{**deep[-1], "in": deep[-1]["out"], "s": 1}] * 196
    assert "holds 201 blocks, expected at most 200" in refusal(
        tmp_path, str({"best_structures": [deep]})
    )
    assert read(tmp_path, str({"best_structures": [deep[:-1]]}))


BAD_VALUES = [0, -8, 1.5, 8.0, True, False, "48", None, 65_537, 10**30, [48], {}]


@pytest.mark.parametrize("value", BAD_VALUES)
@pytest.mark.parametrize("key", ["in", "out", "s", "k", "L", "btn"])
def test_bad_sizes(tmp_path, key, value):
    if key == "s" and value in (1, 2):
        return
    message = refusal(tmp_path, changed(1, **{key: value}))
    assert "block 1" in message or "block 2" in message
    assert key in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 4}, "odd"),
        ({"s": 3}, "1 or 2"),
        ({"class": "SuperResK1KXK2"}, "did you mean 'SuperResK1KXK1'"),
        ({"class": 3}, "class"),
        ({"class": ...}, "no key 'class'"),
        ({"btn": ...}, "no key 'btn'"),
        ({"bnt": 3}, "did you mean 'btn'"),
        ({3: 3}, "unknown key 3"),
        ({"in": 40}, "block 1: in is 40, expected 32, the out of block 0"),
        ({"s": 1}, "4 blocks have stride 2, expected 5"),
    ],
)
def test_bad_blocks(tmp_path, change, said):
    blocks = published("s")
    blocks[1] = {key: value for key, value in (blocks[1] | change).items() if value is not ...}
    assert said in refusal(tmp_path, str({"best_structures": [blocks]}))


def test_files_that_are_none(tmp_path):
    for path in (tmp_path / "missing.txt", tmp_path, tmp_path / "a\0b", tmp_path / ("n" * 5000)):
        with pytest.raises(InputError, match="cannot be read"):
            read_structures(path)


@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory, content):
    with pytest.raises(InputError):
        read(tmp_path_factory.mktemp("any"), content)


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(string.printable)
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(LITERALS)
def test_any_literal(tmp_path_factory, value):
    with pytest.raises(InputError):
        read(tmp_path_factory.mktemp("any"), repr(value).encode("utf-8", "replace"))


KEYS = ("class", "in", "out", "s", "k", "L", "btn")


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), LITERALS, min_size=5), max_size=5))
def test_any_blocks(blocks):
    with pytest.raises(InputError):
        Structure.from_dicts(blocks)


channels = st.integers(1, 65_536)
stages = st.tuples(channels, st.sampled_from((1, 3, 5, 7)), st.integers(1, 100), channels)


@given(channels, st.lists(stages, min_size=4, max_size=4))
def test_any_valid_structure_round_trips(stem, stages):
    blocks = [{"class": "ConvKXBNRELU", "in": 3, "out": stem, "s": 2, "k": 3}]
    for out, k, depth, btn in stages:
        block = {
            "class": "SuperResK1KXK1",
            "in": blocks[-1]["out"],
            "out": out,
            "s": 2,
            "k": k,
            "L": depth,
            "btn": btn,
        }
        blocks.append(block)
    structure = Structure.from_dicts(blocks)
    text = format_structures([structure])
    assert Structure.from_dicts(ast.literal_eval(text)["best_structures"][0]) == structure


# --- a Structure ------------------------------------------------------------------------------------------------------

# Two blocks in C4, none of the widths alike.
BLOCKS = [
    {"class": "ConvKXBNRELU", "in": 3, "out": 8, "s": 2, "k": 3},
    {"class": "SuperResK1KXK1", "in": 8, "out": 16, "s": 2, "k": 3, "L": 1, "btn": 4},
    {"class": "SuperResK1KXK1", "in": 16, "out": 24, "s": 2, "k": 5, "L": 2, "btn": 6},
    {"class": "SuperResK1KXK1", "in": 24, "out": 32, "s": 2, "k": 3, "L": 1, "btn": 8},
    {"class": "SuperResK1KXK1", "in": 32, "out": 40, "s": 1, "k": 3, "L": 1, "btn": 8},
    {"class": "SuperResK1KXK1", "in": 40, "out": 48, "s": 2, "k": 5, "L": 3, "btn": 8},
]


@pytest.fixture
def structure():
    return Structure.from_dicts(BLOCKS)


def test_stages_of_a_structure(structure):
    assert structure.strides == [2, 2, 2, 2, 1, 2]
    assert structure.ends == [0, 1, 2, 4, 5]
    assert structure.stages == [1, 2, 3, 4, 4, 5]
    assert structure.widths == (8, 16, 24, 40, 48)


def test_a_structure_is_a_sequence_of_its_blocks(structure):
    assert len(structure) == 6 and list(structure) == list(structure.blocks)
    assert structure[0].c_out == 8 and structure[-1].depth == 3
    assert structure[1:3] == structure.blocks[1:3] and structure[4] in structure
    with pytest.raises(IndexError):
        structure[6]


def test_a_structure_is_a_value(structure):
    assert structure == Structure.from_dicts(BLOCKS) == Structure(structure.blocks)
    assert len({structure, Structure.from_dicts(BLOCKS)}) == 1
    assert structure != Structure.from_dicts(published("s")) and structure != BLOCKS
    with pytest.raises(AttributeError):
        structure.blocks = ()
    assert pickle.loads(pickle.dumps(structure)) == structure


@pytest.mark.parametrize("size", [(800, 1280), (64, 96), (33, 47)])
def test_cost_of_a_structure(structure, size):
    flops, params, layers = oracle.costs(BLOCKS, *size)
    assert structure.cost(size).known() == {"flops": flops, "params": params, "layers": layers}
    assert structure.cost(size) == cost(structure, size)


def test_cost_is_at_800_x_1280_unless_said_otherwise(structure):
    assert structure.cost() == structure.cost((800, 1280))
    assert structure.cost().latency is None


def test_how_a_structure_is_shown(structure):
    assert repr(structure) == "Structure(6 blocks, 25 layers, C1 to C5 8-16-24-40-48 wide)"
    assert str(structure) == format_structures([structure])


def test_from_file_by_rank(tmp_path, structure):
    path = tmp_path / "s.txt"
    best = Structure.from_dicts(published("s"))
    path.write_text(format_structures([best, structure]))
    assert Structure.from_file(path) == Structure.from_file(str(path), 0) == best
    assert Structure.from_file(path, rank=1) == structure
    for rank in (2, -1):
        with pytest.raises(InputError, match=f"s.txt: rank is {rank}, expected 0 to 1"):
            Structure.from_file(path, rank)
