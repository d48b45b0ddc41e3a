"""A few of the kills of ``make attack``; the exact moments are in the tests of each command."""

import pytest

from benchmarks.attack import kills


@pytest.mark.parametrize("kind", ["search", "front"])
def test_kills(kind):
    (tally,) = kills.attack(2, 0, [kind])
    assert (tally.tried, tally.fallen) == (2, [])


def test_what_differs_falls(tmp_path):
    """The comparison can fail."""
    for name, score in (("whole/search", 1.0), ("attacked/s", 2.0)):
        (tmp_path / name / "run").mkdir(parents=True)
        (tmp_path / name / "run/result.json").write_text(
            f'{{"score": {score}, "seconds": {score}}}'
        )
    whole, here = (
        dict(kills.outcome("search", tmp_path / n)) for n in ("whole/search", "attacked/s")
    )
    assert whole == {"result.json": {"score": 1.0}} and here == {"result.json": {"score": 2.0}}
