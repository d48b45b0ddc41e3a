"""A small sample of ``make attack``: mutated files of every kind are read or refused in one line, in
ten seconds and a gigabyte at most."""

import numpy as np
import pytest

pytest.importorskip("resource", reason="limits of processes are Unix's")

from benchmarks.attack import mutations
from benchmarks.attack.mutate import mutated_json
from benchmarks.attack.readers import READERS


def test_mutated_files():
    tallies = mutations.attack(60, 0)
    assert [tally.tried for tally in tallies] == [60] * len(READERS)
    assert not [line for tally in tallies for line in tally.lines()[1:]]


def test_a_mutation_is_one_and_comes_again():
    whole = b'{"score": 1.5, "structure": [{"in": 3}, {"in": 8}], "seed": 0}'
    for reader in READERS[:1]:
        made = [mutations.mutated(reader, whole, 0, i) for i in range(40)]
        assert made == [mutations.mutated(reader, whole, 0, i) for i in range(40)]
        assert len(set(made)) > 30
    assert mutated_json(whole, np.random.default_rng(0)) != whole


def test_what_is_no_error_of_ours_falls(tmp_path):
    (tmp_path / "x").write_text("1")

    def read(folder):
        raise KeyError("score")

    reader = READERS[0]._replace(read=read)
    assert mutations._read_one(reader, tmp_path) == "KeyError: 'score'"
