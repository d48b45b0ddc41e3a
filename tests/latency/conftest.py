import json

import pytest
import yaml

from lightnas.latency.table_file import load_table
from lightnas.search.space_file import parse_space

from .. import oracle
from ..conftest import TINY
from .tables import made_up, made_up_seconds, network_of
from .tables import steady as steadily


@pytest.fixture(scope="session")
def space():
    return parse_space(TINY, "tiny")


@pytest.fixture(scope="session")
def table(space):
    return load_table(made_up(space))


@pytest.fixture(scope="session")
def every():
    return list(oracle.all_structures(TINY))


@pytest.fixture
def folder(tmp_path, monkeypatch, space):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (tmp_path / "table.json").write_text(json.dumps(made_up(space)))
    return tmp_path


@pytest.fixture
def measure():
    """The module that measures, where there is torch."""
    return pytest.importorskip("lightnas.latency.measure", exc_type=ImportError)


@pytest.fixture
def quick(measure, monkeypatch):
    """One repeat a measurement, from the cache."""

    class Once(measure.Timer):
        def adaptive_autorange(self, *_, **__):
            return self.timeit(1)

    monkeypatch.setattr(measure, "Timer", Once)
    monkeypatch.setattr(measure, "COLD_BYTES", 2**16)
    return measure


@pytest.fixture
def steady(quick, monkeypatch):
    """Everything is run and timed, but what the clock of a busy machine says of it is replaced by
    made-up seconds."""
    operation, network = quick.Machine.op_speed, quick.Machine.network_speed

    def op_speed(self, op, c_in, c_out):
        assert operation(self, op, c_in, c_out).median > 0
        return steadily(made_up_seconds(op.kind, c_in, c_out))

    def network_speed(self, structure, input_size):
        assert network(self, structure, input_size).median > 0
        return steadily(network_of(made_up_seconds, structure))

    monkeypatch.setattr(quick.Machine, "op_speed", op_speed)
    monkeypatch.setattr(quick.Machine, "network_speed", network_speed)
    return quick
