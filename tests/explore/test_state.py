"""What the page shows, against the search itself and sums by hand."""

import pytest

from lightnas.explore.drawing import draw_design, draw_moved, draw_pins
from lightnas.explore.jobs import answers, files, front
from lightnas.explore.settings import Offered, Settings, config_of, preset_settings, unlimited
from lightnas.explore.state import (
    AROUND,
    front_axis,
    is_final,
    moved,
    neighbours,
    side_by_side,
    slider_ranges,
    stage_rows,
)
from lightnas.network.structure import Structure, parse_structures
from lightnas.resources import RESOURCES
from lightnas.runs.config import load_config, preset_names
from lightnas.search.engine import Search

from ..conftest import TINY, published

OFFERED = Offered(preset_settings("maedet-m"), {"tiny.yaml": TINY})
SMALL = "budget-flops=3M&space=tiny.yaml&input-size=64x64"


def told(query):
    """The events of a setting, without the moments in which there is nothing to say."""
    return [event for event in answers(Settings.parse(query), OFFERED) if event is not None]


def design(query):
    """The final state of a setting."""
    return [event["state"] for event in told(query) if "state" in event][-1]


def test_an_answer_is_coarse_first_and_ends_in_what_the_search_finds():
    events = told(SMALL)
    (sliders,) = [event for event in events if "ranges" in event]
    assert sliders["limits"] == {"flops": 3e6}
    states = [event["state"] for event in events if "state" in event]
    assert [is_final(state) for state in states] == [False] * (len(states) - 1) + [True]
    assert states[0]["found"]["score"] <= states[-1]["found"]["score"]
    bounds = [state["found"].get("upper_bound") for state in states]
    known = [bound for bound in bounds if bound is not None]
    assert known == sorted(known, reverse=True) and bounds[-1] is not None

    config = config_of(Settings.parse(SMALL), OFFERED)
    search = Search(config.problem, config.seed, config.limits, config.top)
    for _ in search.steps():
        pass
    result, found = search.result(), states[-1]["found"]
    for key, value in result.document.items():
        assert "second" in key or found[key] == value, key
    assert parse_structures(states[-1]["txt"]) == [result.structure]
    assert states[-1]["phase"] == "proven"


def test_budgets_with_use_and_price():
    budgets = {row["name"]: row for row in design(SMALL + "&budget-layers=1000")["budgets"]}
    assert budgets["flops"]["share"] <= 100 and budgets["flops"]["limit"] == "3M"
    assert budgets["flops"]["binds"] and " a G of FLOPs" in budgets["flops"]["price"]
    assert not budgets["layers"]["binds"]


@pytest.mark.parametrize("detector", ["", "&detector=gflv2:64"])
def test_stages_add_up_to_the_whole(detector):
    query = f"budget-flops=900G&budget-activations=900M{detector}"
    problem = config_of(Settings.parse(query), OFFERED).problem
    structure = Structure.from_dicts(published("m"))
    rows = stage_rows(problem, structure)
    assert [row["name"] for row in rows] == ["C1", "C2", "C3", "C4", "C5"] + (
        ["neck and head"] if detector else []
    )
    whole = structure.cost(problem.input_size, None, problem.detector, activations=True).known()
    for i, (name, total) in enumerate(whole.items()):
        cells = [row["costs"][i] for row in rows]
        assert {cell[0] for cell in cells} == {RESOURCES[name].label}
        assert sum(cell[2] for cell in cells) == pytest.approx(100)
        for _, text, share in cells:
            if share:
                value = RESOURCES[name].parse(text, name)
                assert value == pytest.approx(total * share / 100, rel=1e-3)
    assert sum(row["entropy"] for row in rows) == pytest.approx(100)


def test_how_the_optimum_moved():
    before, after = design(SMALL), design(SMALL.replace("3M", "4M"))
    rows = {name: rest for name, *rest in moved(before, after)}
    assert rows["FLOPs at most"] == ["3M", "4M", ""]
    then, now, change = rows["score"]
    assert float(now) > float(then)
    assert float(change) == pytest.approx(float(now) - float(then), abs=0.002)
    assert rows["FLOPs"][2].endswith(" %") and "space" not in rows
    assert moved(before, before) == []
    assert ">4M<" in draw_moved(before, after)["moved"]


def test_pins_beside_each_other_with_differences_marked():
    one, two = design(SMALL), design("budget-flops=8G&space=k1kx&budget-layers=40")
    rows = dict(side_by_side([one, two]))
    assert rows["space"] == ["tiny.yaml", "k1kx"] and rows["layers at most"] == ["-", "40"]
    assert rows["block 6"][0] == "-" and rows["block 6"][1] != "-"
    names = list(rows)
    assert names.index("layers at most") < names.index("score") < names.index("block 1")
    html = draw_pins(one, [one, two])["pins"]
    differing = sum(a != b for a, b in rows.values())
    assert html.count("&ne;") - 1 == html.count('class="differs"') == differing


def test_the_front_around_a_design():
    settings = Settings.parse(SMALL)
    parts = [event["parts"]["front"] for event in front(settings, OFFERED) if event]
    assert 2 <= len(parts) <= len(AROUND)
    assert "<svg" in parts[-1] and f"{len(parts) + 1} budgets" in parts[-1]
    problem = config_of(settings, OFFERED).problem
    assert front_axis(problem) == "flops"
    assert sorted(neighbours(problem, "flops")) == sorted(share * 3e6 for share in AROUND)
    layers = config_of(Settings.parse("budget-layers=13"), OFFERED).problem
    assert front_axis(layers) == "layers"
    assert all(value == int(value) for value in neighbours(layers, "layers"))
    assert front_axis(config_of(Settings.parse("budget-rho=0.3&space=kxkx"), OFFERED).problem) == "rho"  # fmt: skip


@pytest.mark.parametrize("name", preset_names())
def test_sliders_reach_the_presets(name):
    settings = preset_settings(name)
    ranges = slider_ranges(unlimited(settings, OFFERED))
    for resource, limit in config_of(settings, OFFERED).problem.limits.items():
        assert ranges[resource]["low"] < limit < ranges[resource]["high"]
    whole = slider_ranges(unlimited(Settings.of(settings.values | {"detector": "gflv2"}), OFFERED))
    assert whole["flops"]["low"] > ranges["flops"]["low"]
    assert all(one["low"] < one["high"] for one in [*ranges.values(), *whole.values()])


def test_names_are_escaped():
    offered = Offered(OFFERED.first, {"<b>.yaml": TINY | {"name": "<b>&\x1b[31m"}})
    query = Settings.of({"budget-flops": "3M", "space": "<b>.yaml", "input-size": "64x64"})
    state = [event["state"] for event in answers(query, offered) if event and "state" in event][-1]
    pages = "".join(draw_design(state).values()) + draw_pins(state, [state])["pins"]
    assert "<b>." not in pages and "<b>&" not in pages and "\x1b" not in pages


def test_files_of_a_design(tmp_path):
    settings, state = Settings.parse(SMALL), design(SMALL)

    def made(kind):
        (event,) = files(kind, settings, state, OFFERED)
        return event["content"]

    assert made("structure.txt").decode() == state["txt"]
    (tmp_path / "config.yaml").write_bytes(made("config.yaml"))
    again = load_config(tmp_path / "config.yaml", {})
    assert again.document == config_of(settings, OFFERED).document
