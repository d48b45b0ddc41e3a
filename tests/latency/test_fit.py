"""Fitting: the coefficients that the seconds were made from."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError, WorkError
from lightnas.latency.fit import calibration, fit_seconds, table_document
from lightnas.latency.table import chain_uses
from lightnas.latency.table_file import load_table
from lightnas.network.structure import Structure

from .tables import SIZE, made_up, plain_seconds

positive = st.floats(1e-3, 1e3)


@given(st.tuples(positive, positive, positive, positive))
def test_fit_recovers_coefficients(true):
    a, b, c, d = (x * unit for x, unit in zip(true, (1e-5, 1e-7, 1e-7, 1e-9), strict=True))
    points = [
        (i, o, a + b * i + c * o + d * i * o) for i in (8, 32, 128, 512) for o in (8, 64, 512)
    ]
    fit, off = fit_seconds(points)
    assert min(fit) >= 0 and off < 1e-9
    for i, o, seconds in points:
        assert fit[0] + fit[1] * i + fit[2] * o + fit[3] * i * o == pytest.approx(seconds, rel=1e-6)


def test_calibration_recovers_what_networks_take_beyond_their_operations(space, table, every):
    document = made_up(space)
    networks = []
    for structure in every[:: len(every) // 12]:
        convs = sum(3 * block["L"] + 1 if "btn" in block else 1 for block in structure)
        networks.append(
            (Structure.from_dicts(structure), 1.1 * plain_seconds(structure, table) + 2e-6 * convs)
        )
    found = calibration(document["ops"], SIZE, networks)
    assert found == pytest.approx({"scale": 1.1, "per_conv": 2e-6}, rel=1e-9)
    calibrated = load_table(document | found)
    for structure, seconds in networks:
        assert calibrated.chain(structure) == pytest.approx(seconds, rel=1e-9)


noisy = st.floats(1e-9, 1e3)


@given(st.data())
def test_whatever_was_measured_a_table_that_is_written_can_be_read(space, every, data):
    """Seconds that have nothing to do with the work: a table that the reader takes, or one line."""
    head = {key: value for key, value in made_up(space).items() if key not in ("ops", "complete")}
    ops = {
        op: None
        for chain in space.every_kernel()
        for op in (use.op for use in chain_uses(chain, SIZE))
    }
    channels = [(8, 8), (8, 32), (32, 32)]
    measured = {op: [(*at, data.draw(noisy)) for at in channels] for op in ops}
    networks = [(Structure.from_dicts(s), data.draw(noisy)) for s in every[:: len(every) // 4]]
    load = json.loads(json.dumps(head | table_document(measured, SIZE)))
    with pytest.raises(InputError, match="is not finished"):
        load_table(load)
    try:
        document = json.loads(json.dumps(head | table_document(measured, SIZE, networks)))
    except WorkError as error:
        assert "\n" not in str(error)
    else:
        assert load_table(document).chain(networks[0][0]) > 0
