"""A small sample of every attack of ``benchmarks.attack``: nothing falls."""

import importlib

import pytest

SAMPLES = {"enumeration": 4}


@pytest.mark.parametrize("kind", SAMPLES)
def test_nothing_falls(kind):
    module = importlib.import_module(f"benchmarks.attack.{kind}")
    tallies = module.attack(SAMPLES[kind], 1)
    assert all(tally.tried for tally in tallies)
    assert not [line for tally in tallies for line in tally.fallen]
