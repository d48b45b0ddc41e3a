"""The presets damo-t, s and m: rules, weights and budgets of DAMO-YOLO, and what its own structures
score."""

import pytest

from lightnas.errors import InputError
from lightnas.network.score import score_structures
from lightnas.network.structure import parse_structures
from lightnas.runs import load_config, preset_path, structures
from lightnas.search import Search

from .. import oracle

# Kind, stem and (btn, L, out, s) of tinynas_L20_k1kx.txt, of the tutorial's result, and of
# tinynas_L35_kxkx.txt; the proven optimum of what each uses, which for S is known: 1399.976.
PUBLISHED = {
    "damo-t": ("SuperResK1KX", 24, 1034.158, [
        (24, 2, 64, 2), (64, 2, 96, 2), (96, 2, 192, 2), (152, 2, 192, 1), (192, 1, 384, 2),
    ]),
    "damo-s": ("SuperResK1KX", 32, 1399.976, [
        (24, 1, 96, 2), (96, 2, 96, 2), (128, 3, 256, 2), (144, 3, 256, 1), (224, 3, 512, 2),
    ]),
    "damo-m": ("SuperResKXKX", 32, 2313.246, [
        (64, 2, 128, 2), (64, 4, 128, 2), (256, 4, 256, 2), (256, 4, 256, 1), (256, 3, 512, 2),
    ]),
}  # fmt: skip


def published(name):
    kind, stem, _, rows = PUBLISHED[name]
    blocks = [{"class": "ConvKXBNRELU", "in": 12, "k": 3, "out": stem, "s": 1}]
    for btn, depth, out, s in rows:
        sizes = {"in": blocks[-1]["out"], "out": out, "s": s, "k": 3, "L": depth, "btn": btn}
        blocks.append({"class": kind} | sizes)
    (structure,) = parse_structures(str(blocks))
    return structure


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_has_the_cost_of_the_published_structure_and_proves_a_better_one(name):
    config = load_config(preset_path(name), {})
    problem, structure = config.problem, published(name)
    (row,) = score_structures([structure], problem.input_size, problem.alpha)
    budget = problem.budget.limits
    assert {key: row[key] for key in ("flops", "params")} == {
        key: budget[key] for key in ("flops", "params")
    }
    assert budget["layers"] - 1 <= row["layers"] <= budget["layers"]
    # Its own space has it, to the gene.
    (genome,) = problem.searched.encode([structure])
    assert problem.searched.structures(genome[None]) == [structure]
    search = Search(problem, config.seed, config.limits)
    for _ in search.steps():
        pass
    result = search.result()
    assert result.proven_optimal
    assert result.score == pytest.approx(PUBLISHED[name][2], abs=5e-4)
    assert result.score > row["score"]
    blocks = result.structure.to_dicts()
    assert oracle.score(blocks, problem.alpha) == pytest.approx(result.score, rel=1e-12)
    assert oracle.costs(blocks, 640, 640) == (result.flops, result.params, result.layers)
    outs = [block["out"] for block in blocks]
    assert outs == sorted(outs) and outs[0] <= 32
    assert {block["k"] for block in blocks} == {3} and blocks[1]["L"] <= 2
    assert max(block["L"] for block in blocks[2:]) <= budget["layers"] // 8


@pytest.mark.parametrize("name", PUBLISHED)
def test_there_is_a_search_and_no_structure_of_that_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=rf"{name} is a preset .* `lightnas search --preset {name}`"
    ):
        structures(name)


def test_the_small_one_scores_what_the_tutorial_logs():
    (row,) = score_structures([published("damo-s")], (640, 640), (0, 0, 1, 1, 16))
    assert row["score"] == pytest.approx(1399.2675807481487, rel=1e-12)
