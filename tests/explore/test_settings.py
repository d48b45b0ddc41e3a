"""Addresses: what they say, that nothing else is taken from them, and the command that does the same."""

import json
import shlex
from urllib.parse import urlencode

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightnas.cli.main import cli
from lightnas.cli.search import _config
from lightnas.errors import InputError
from lightnas.explore.settings import (
    KEYS,
    MAX_LENGTH,
    MAX_PINS,
    Offered,
    Settings,
    View,
    command_of,
    config_of,
    preset_settings,
    unlimited,
)
from lightnas.latency.table_file import load_table
from lightnas.runs.config import load_config, preset_names, preset_path
from lightnas.search.space_file import load_space

from ..conftest import TINY
from ..latency.tables import made_up

OFFERED = Offered(preset_settings("maedet-m"), {"tiny.yaml": TINY})
VALUES = st.dictionaries(st.sampled_from(KEYS), st.text(max_size=20))


@given(VALUES, VALUES, st.lists(VALUES, max_size=3))
def test_an_address_says_it_all(values, since, pins):
    """What is written into one is read from it again."""
    view = View(
        Settings.of(values),
        Settings.of(since) if Settings.of(since).given else None,
        tuple(dict.fromkeys(map(Settings.of, pins))),
    )
    fields = [*view.settings.given]
    fields += [("since", str(view.since))] if view.since else []
    fields += [("pin", str(pin)) for pin in view.pins]
    assert View.parse(urlencode(fields)) == view


@given(st.text(max_size=200) | VALUES.map(urlencode))
def test_any_text_is_read_or_refused_in_one_line(query):
    try:
        config_of(View.parse(query).settings, OFFERED)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("budget-flopz=3M", "did you mean 'budget-flops'"),
        ("budget-flops=3M&budget-flops=4M", "twice"),
        ("budget-flops=many", "budget-flops is 'many'"),
        ("", "no budget"),
        ("budget-flops=3", "expected at least"),
        ("budget-flops=3G&space=/etc/passwd", "space is '/etc/passwd'"),
        ("budget-flops=3G&space=../tiny.yaml", "space is '../tiny.yaml'"),
        ("budget-flops=3G&score=os:system", "no setting 'score'"),
        ("budget-flops=3G&max-channels=0", "max-channels is '0', expected 1 to 65536"),
        ("budget-flops=3G&max-channels=1e3", "max-channels is '1e3'"),
        ("budget-flops=3G&input-size=3", "input-size is '3'"),
        ("budget-flops=3G&alpha=1,2", "alpha is '1,2'"),
        ("budget-flops=3G&detector=yolo", "detector is 'yolo'"),
        ("budget-flops=3G&budget-latency=3ms", "latency table"),
        ("budget-flops=3G&pin=pin%3Dx", "no setting 'pin'"),
        ("x" * (MAX_LENGTH + 1), "characters, expected at most"),
        ("&" * 64, "too many fields"),
        ("&".join(f"pin=budget-flops%3D{n}G" for n in range(MAX_PINS + 1)), "are pinned"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_address(query, said):
    with pytest.raises(InputError) as error:
        config_of(View.parse(query).settings, OFFERED)
    assert said in str(error.value) and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_that_of_the_command_line(name):
    expected = load_config(preset_path(name), {})
    found = config_of(preset_settings(name), OFFERED)
    assert found.problem == expected.problem
    weights = {"alpha": list(found.document["alpha"])}
    assert found.document | weights == expected.document


@pytest.mark.parametrize(
    "query",
    [
        "budget-flops=resnet50&budget-params=25.6M",
        "budget-layers=40&budget-rho=0.3&space=k1kx&max-channels=512&input-size=320x320",
        "budget-flops=300G&detector=gflv2:128&alpha=0,1,1,1,3",
        "budget-flops=3M&space=tiny.yaml&input-size=64x64&budget-activations=1M",
        "budget-flops=3M&space=tiny.yaml&input-size=64x64&budget-latency=30ms",
    ],
)
def test_the_command_does_the_same(query, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    table = made_up(load_space("tiny.yaml"), (64, 64))
    (tmp_path / "a table.json").write_text(json.dumps(table))
    document = load_table("a table.json").document
    offered = Offered(OFFERED.first, {"tiny.yaml": TINY}, document, "a table.json")
    settings = Settings.parse(query)
    typed, command, *words = shlex.split(command_of(settings, offered))
    assert (typed, command) == ("lightnas", "search")
    given_ = cli.commands["search"].make_context("search", words).params
    for name in ("workers", "output", "resume", "overwrite", "as_json"):
        del given_[name]
    assert _config(None, **given_).document == config_of(settings, offered).document


def test_a_table_that_does_not_know_the_space_is_left_to_others(tmp_path):
    table = made_up(load_space("k1kxk1"), (320, 320))
    document = load_table(table).document
    offered = Offered(OFFERED.first, {"tiny.yaml": TINY}, document, "cpu.json")
    assert unlimited(Settings.parse("input-size=320x320"), offered).table is not None
    assert unlimited(Settings.parse("input-size=640x640"), offered).table is None
    config = config_of(Settings.parse("budget-flops=3G&space=tiny.yaml"), offered)
    assert config.problem.table is None
