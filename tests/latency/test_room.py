"""What the room hands out by name, and what it loads for it."""

import subprocess
import sys

import pytest

import lightnas.latency

HEAVY = {"torch", "pydantic", "scipy.optimize", "numpy"}


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_room_costs_nothing():
    assert not HEAVY & loaded_by("import lightnas.latency")


def test_the_model_needs_numpy_alone():
    assert HEAVY & loaded_by("from lightnas.latency import LatencyTable") == {"numpy"}
    assert "pydantic" in loaded_by("from lightnas.latency import load_table")  # the check can fail


def test_search_loads_no_table():
    assert not {"lightnas.latency", "torch"} & loaded_by("import lightnas.search")


def test_every_export_is_there():
    pytest.importorskip("torch")
    for name in lightnas.latency.__all__:
        assert getattr(lightnas.latency, name).__name__ == name
        assert name in dir(lightnas.latency)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lightnas.latency.nothing  # noqa: B018 (looking it up is the test)
