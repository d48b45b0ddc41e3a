"""The table's file, and the commands that read one: a search and a front under a latency, and what
is refused."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError
from lightnas.latency.table_file import load_table

from ..conftest import refused, run
from .tables import SEARCH, made_up


def test_search_under_a_latency(capsys, folder):
    under = (*SEARCH, "--latency-table", "table.json", "--budget-latency", "150us")
    result = json.loads(run(capsys, *under, "--output", "a"))
    assert 0 < result["latency"] <= 150e-6
    config = yaml.safe_load((folder / "a" / "config.yaml").read_text())
    assert (
        config["input_size"] == "64x64" and config["budget"]["latency"] == 150e-6
    )  # the size is the table's
    (folder / "table.json").unlink()
    again = json.loads(
        run(capsys, "search", "--config", "a/config.yaml", "--output", "b", "--json")
    )  # it holds the table
    assert again["structure"] == result["structure"]
    assert (folder / "a" / "config.yaml").read_bytes() == (
        folder / "b" / "config.yaml"
    ).read_bytes()
    assert "latency" in run(
        capsys, "search", "--config", "a/config.yaml", "--output", "b", "--resume"
    )


def test_front_over_latency(capsys, folder):
    row = (
        "--latency-table",
        "table.json",
        "--budget-latency",
        "100us:200us:3",
        "--axis",
        "latency",
    )
    arguments = ("pareto", "--space", "tiny.yaml", "--evaluations", "2000", "--workers", "1", *row)
    content = json.loads(run(capsys, *arguments, "--json"))
    assert [point["budget"] for point in content["points"]] == pytest.approx([1e-4, 1.5e-4, 2e-4])
    assert all(point["latency"] <= point["budget"] for point in content["points"])
    assert "100 us" in run(capsys, "pareto", "--resume")
    assert "latency" in (folder / "outputs/front/front.csv").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        ({}, ("--budget-latency", "30"), "expected a time with its unit"),
        ({}, ("--budget-latency", "1us"), "expected at least"),
        ({}, ("--budget-latency", "1ms", "--input-size", "96x96"), "measured at 64x64"),
        ({"complete": False}, ("--budget-latency", "1ms"), "is not finished"),
        ({"batch": 0}, ("--budget-latency", "1ms"), "batch is 0"),
        ({"ops": []}, ("--budget-latency", "1ms"), "has no conv 3x3 stride 2 at 64x64"),
        ({"speed": 1}, ("--budget-latency", "1ms"), "unknown key 'speed'"),
    ],
)
def test_bad_tables(capsys, folder, change, arguments, said):
    document = json.loads((folder / "table.json").read_text()) | change
    (folder / "table.json").write_text(json.dumps(document))
    assert said in refused(capsys, *SEARCH, "--latency-table", "table.json", *arguments)
    assert not (folder / "outputs").exists()


leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
level = leaf | st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=5), leaf, max_size=3)
junk = level | st.lists(level, max_size=3) | st.dictionaries(st.text(max_size=5), level, max_size=3)


@given(st.data())
def test_damaged_tables_are_refused_in_one_line(space, data):
    """Any key of the table, or of one of its operations, replaced by anything."""
    document = made_up(space)
    target = data.draw(st.sampled_from([document, document["ops"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(junk)
    try:
        load_table(document).require(space.every_kernel()[0])
    except InputError as error:
        assert "\n" not in str(error)


def test_no_table(capsys, folder):
    assert "without a latency table" in refused(capsys, *SEARCH, "--budget-latency", "1ms")
    assert "cannot be read" in refused(
        capsys, *SEARCH, "--budget-latency", "1ms", "--latency-table", "none.json"
    )
    (folder / "table.json").write_text("{")
    assert "is not JSON" in refused(
        capsys, *SEARCH, "--budget-latency", "1ms", "--latency-table", "table.json"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fit": [1e308, 0, 0, 0]}, "ops[0].fit[0] is 1e+308"),
        ({"points": [[1, 1, 1e308]]}, "ops[0].points[0]"),
        ({"points": [[10**400, 1, 1.0]]}, "ops[0].points[0]"),
        ({"points": [[1, 1, 1.0]] * 2001}, "ops[0].points is"),
        ({"points": [[]] * 2000}, "ops[0].points[0]"),
    ],
)
def test_figures_and_lists_beyond_any_measurement(space, change, said):
    document = made_up(space)
    document["ops"][0] |= change
    with pytest.raises(InputError) as caught:
        load_table(document)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_table_of_too_many_operations_or_bytes(space, tmp_path):
    document = made_up(space)
    with pytest.raises(InputError, match=r"ops is .* at most 2000 items"):
        load_table(document | {"ops": document["ops"][:1] * 2001})
    (tmp_path / "table.json").write_text(json.dumps(document) + " " * 2**21)
    with pytest.raises(InputError, match="is larger than 2097152 bytes"):
        load_table(tmp_path / "table.json")
