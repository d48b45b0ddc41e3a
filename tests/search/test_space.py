"""Spaces: files, genomes, and what repair promises."""

import copy
import pickle

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError
from lightnas.network.structure import Structure
from lightnas.search.space_file import load_space, parse_space

from .. import oracle
from ..conftest import TINY


def within(space, structure):
    """The rules of the k1kxk1 space, said again."""
    stem, *stages = structure
    assert oracle.chained(structure)
    assert 8 <= stem["out"] <= 128 and stem["k"] == 3
    for block, depth in zip(stages, (3, 10, 10, 10), strict=True):
        assert block["out"] % 8 == block["btn"] % 8 == 0
        assert block["in"] <= block["out"] <= min(4 * block["in"], 2048)
        assert block["out"] / 10 <= block["btn"] <= block["out"]
        assert block["k"] in (3, 5)
        assert 1 <= block["L"] <= depth


def test_random_and_repaired_genomes_are_inside():
    space = load_space("k1kxk1")
    rng = np.random.default_rng(0)
    wild = rng.integers(-50, 400, size=(500, len(space.genes)))
    for genomes in (space.random(rng, 500), space.repair(wild)):
        for structure in space.structures(genomes):
            within(space, structure.to_dicts())
        assert (space.repair(genomes) == genomes).all()
        assert (space.encode(space.structures(genomes)) == genomes).all()


def test_random_genomes_meet_every_value():
    space = parse_space(TINY, "tiny")
    genomes = space.random(np.random.default_rng(0), 5000)
    low, high = space.bounds
    for column in range(len(low)):
        met = set(genomes[:, column].tolist())
        assert met == set(range(low[column], high[column] + 1))


def test_every_structure_is_a_genome_and_back():
    """And there are no other genomes: any row of integers is repaired to one of them."""
    space = parse_space(TINY, "tiny")
    every = list(oracle.all_structures(TINY))
    genomes = space.encode([Structure.from_dicts(s) for s in every])
    assert [s.to_dicts() for s in space.structures(genomes)] == every
    rows = {row.tobytes() for row in genomes}
    assert len(rows) == len(every)
    wild = np.random.default_rng(0).integers(-2, 8, size=(5000, genomes.shape[1]))
    assert {row.tobytes() for row in space.repair(wild)} <= rows


def test_smallest_is_smallest_in_every_gene():
    for space in (load_space("k1kxk1"), parse_space(TINY, "tiny")):
        genomes = space.random(np.random.default_rng(3), 2000)
        assert (space.smallest <= genomes).all()
        assert (space.repair(space.smallest[None]) == space.smallest).all()


def test_a_space_travels_without_its_tables():
    """Every piece of work that goes to a worker carries the space."""
    space = load_space("k1kxk1")
    genomes = space.repair(space.random(np.random.default_rng(0), 10))
    content = pickle.dumps(space)
    assert len(content) < 5000
    again = pickle.loads(content)
    assert again == space
    assert again.structures(genomes) == space.structures(genomes)


def test_layer_budget_sets_depth():
    space = load_space("k1kxk1")
    depths = {
        layers: [b.depth[1] for b in space.under_layers(layers).blocks[1:]]
        for layers in (None, 79, 91, 109, 5)
    }
    assert depths == {
        None: [3, 10, 10, 10],
        79: [3, 8, 8, 8],
        91: [3, 10, 10, 10],
        109: [3, 12, 12, 12],
        5: [3, 1, 1, 1],
    }


def test_ratios_that_are_no_exact_floats():
    """0.1 * 560 is 56.00000000000001 in binary; a btn of 56 is allowed all the same."""
    space = load_space("k1kxk1")
    low, _ = space.btn_range(1)
    assert [int(low[out // 8]) * 8 for out in (80, 240, 560, 640, 568)] == [8, 24, 56, 64, 64]


def test_growth_with_holes():
    """Steps of 8 with a growth of 1.5 to 1.6 leave some ins without an out: no genome goes
    there."""
    document = copy.deepcopy(TINY) | {"max_channels": 128}
    document["blocks"][1]["growth"] = [1.5, 1.6]
    space = parse_space(document, "holes")
    for structure in space.structures(space.random(np.random.default_rng(0), 200)):
        stem, block = structure.to_dicts()[:2]
        assert 1.5 * stem["out"] <= block["out"] <= 1.6 * stem["out"]


def test_a_space_without_any_structure():
    document = copy.deepcopy(TINY)
    document["blocks"][2]["out"] = [256, 256]
    with pytest.raises(InputError, match="no out fits"):
        parse_space(document, "f.yaml")


def put(path, value):
    """TINY with one place changed; ... removes it."""
    document = copy.deepcopy(TINY)
    *parents, last = path
    at = document
    for key in parents:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (put(["step"], 0), "step is 0"),
        (put(["step"], True), "step is True"),
        (put(["step"], "8"), "step is '8'"),
        (put(["step"], 1.5), "step is 1.5"),
        (put(["max_channels"], 10**9), "max_channels is 1000000000"),
        (put(["max_channels"], 4), "max_channels is 4"),
        (put(["name"], ...), "no key 'name'"),
        (put(["stepp"], 8), "unknown key 'stepp', did you mean 'step'"),
        (
            put(["blocks", 1, "growht"], [1, 2]),
            "unknown key 'blocks[1].growht', did you mean 'growth'",
        ),
        (put(["blocks", 1, "btn"], ...), "needs 'btn'"),
        (put(["blocks", 0, "btn"], [0.1, 1]), "has no 'btn'"),
        (put(["blocks", 0, "layers_per_L"], 9), "has no 'L'"),
        (put(["blocks", 1, "growth"], [4, 1]), "smaller bound first"),
        (put(["blocks", 1, "growth"], [float("nan"), 1]), "blocks[1].growth[0]"),
        (put(["blocks", 1, "growth"], 4), "blocks[1].growth is 4"),
        (put(["blocks", 1, "k"], [4]), "odd"),
        (put(["blocks", 1, "k"], []), "blocks[1].k"),
        (put(["blocks", 1, "s"], 3), "blocks[1].s is 3"),
        (put(["blocks", 1, "s"], 1), "4 blocks have s 2"),
        (put(["blocks", 1, "class"], "SuperResK1KXK"), "did you mean 'SuperResK1KXK1'"),
        (put(["blocks"], []), "blocks"),
        (put(["blocks"], 3), "blocks is 3"),
        (put(["initial"], [1]), "initial, block 0"),
        ([1, 2], "expected keys and values"),
        ("text", "expected keys and values"),
    ],
)
def test_bad_space_files(tmp_path, document, said):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as caught:
        load_space(str(path))
    message = str(caught.value)
    assert said in message and "mine.yaml" in message and "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [1",
        "a: !!python/object/apply:os.getcwd []",
        "[" * 50_000,
        "a: 2026-99-99",
        "\x00",
        "&a [*a, *a]",
        "? {a: b}",
    ],
)
def test_broken_yaml(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_space(str(path))
    assert "mine.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_space():
    with pytest.raises(InputError, match="did you mean 'k1kxk1'"):
        load_space("k1kxk")


@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("space") / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_space(str(path))
