"""Measuring: what is repeated, and what of it counts."""

from functools import partial

import pytest

from lightnas.errors import InputError
from lightnas.latency.agreement import measure_structures
from lightnas.latency.runtimes import check_pictures

from ..conftest import refused
from .tables import PROFILE


def on_a_clock(measure, monkeypatch, clock):
    """The timer on a clock of ours."""
    monkeypatch.setattr(measure, "Timer", partial(measure.Timer, timer=clock))


def test_median_of_cold_repeats(measure, monkeypatch):
    """The first run does not count; enough repeats, each with the next arguments."""
    now, seen = 0.0, []

    def run(argument, seconds):
        nonlocal now
        now += seconds
        seen.append(argument)

    on_a_clock(measure, monkeypatch, lambda: now)
    arguments = [("a", 7.0), ("b", 1.0), ("c", 3.0), ("d", 2.0), ("e", 10.0)]
    assert measure.Machine().measured(run, arguments).median == 2.5
    assert seen == ["a", "b", "c", "d", "e"]


def test_what_is_short_is_repeated_until_enough_time_has_passed(measure, monkeypatch):
    runs = 0

    def run():
        nonlocal runs
        runs += 1

    on_a_clock(measure, monkeypatch, lambda: 1e-3 * runs)
    assert measure.Machine().measured(run, [()]).median == pytest.approx(1e-3)
    assert 1e-3 * runs >= measure.SECONDS


def test_a_coarse_clock_gives_no_time_of_0(measure, monkeypatch):
    """It stands still for a thousand runs of 10 us, then moves by a hundredth of a second."""
    runs = 0

    def run():
        nonlocal runs
        runs += 1

    on_a_clock(measure, monkeypatch, lambda: 0.01 * (runs // 1000))
    assert measure.Machine().measured(run, [()]).median == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("size", "batch"), [((65_536, 65_536), 1), ((2**13, 2**14), 2), ((1, 65_536), 2**11 + 1)]
)
def test_more_pixels_than_any_network_is_given_at_once(measure, size, batch):
    machine = measure.Machine(batch=batch)
    for asked in (partial(check_pictures, batch=batch), partial(measure_structures, [], machine)):
        with pytest.raises(
            InputError, match=rf"^input_size is .* and batch {batch}, .* 134217728 pixels at once$"
        ):
            asked(size)
    check_pictures((size[0], size[1] // batch // 32), batch)


def test_such_pictures_on_the_command_line(capsys, folder, quick):
    large = ("--input-size", "65536x65536")
    for arguments in (("latency", "maedet-s"), (*PROFILE, "--output", "new.json")):
        said = refused(capsys, *arguments, *large)
        assert said.startswith(
            "lightnas: --input-size is 65536x65536 and batch 1, expected at most"
        )
    assert not (folder / "new.json").exists()
