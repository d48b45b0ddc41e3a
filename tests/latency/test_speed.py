"""What is noisy is called so and measured again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.latency.speed import ATTEMPTS, NOISY, Speed, noise, steadiest

SECONDS = st.floats(1e-7, 1e3)
SPEEDS = st.lists(SECONDS, min_size=1, max_size=9).map(Speed.of)


def spreading(share):
    return Speed(1.0, 1.0 - share / 2, 1.0 + share / 2)


def test_quartiles_by_hand():
    speed = Speed.of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert speed == Speed(3.0, 2.0, 4.0) and speed.spread == 2 / 3 and speed.noisy


@given(st.lists(SPEEDS, min_size=ATTEMPTS, max_size=ATTEMPTS))
def test_the_steadiest_is_kept_and_a_steady_one_ends_it(speeds):
    left = list(speeds)
    best = steadiest(lambda: left.pop(0))
    tried = speeds[: len(speeds) - len(left)]
    assert best.spread == min(speed.spread for speed in tried)
    assert all(speed.noisy for speed in tried[:-1])
    assert not tried[-1].noisy or len(tried) == ATTEMPTS


@given(SPEEDS, SECONDS)
def test_less_stays_positive_and_as_wide(speed, seconds):
    less = speed.less(seconds)
    assert 0 < less.median <= speed.median
    assert less.high - less.low == pytest.approx(speed.high - speed.low, abs=1e-9 * speed.high)


def test_noise_is_counted_in_one_line():
    assert noise([0.0, NOISY]) is None and noise([]) is None
    said = noise([0.0, 0.11, 3.0])
    assert said.startswith("2 of 3 measurements stayed noisy") and "\n" not in said


def test_measuring_again_is_what_a_measurement_does(measure, monkeypatch):
    speeds = [spreading(0.5), spreading(0.3), spreading(0.4)]
    monkeypatch.setattr(measure.Machine, "measured", lambda *_: speeds.pop(0))
    op = measure.Op("relu", 1, 1, (4, 4))
    assert measure.Machine().op_speed(op, 8, 0) == spreading(0.3) and not speeds
