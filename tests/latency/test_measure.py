"""Measuring: what is repeated, and what of it counts."""

from functools import partial

import pytest


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
    assert measure.Machine().median_seconds(run, arguments) == 2.5
    assert seen == ["a", "b", "c", "d", "e"]


def test_what_is_short_is_repeated_until_enough_time_has_passed(measure, monkeypatch):
    runs = 0

    def run():
        nonlocal runs
        runs += 1

    on_a_clock(measure, monkeypatch, lambda: 1e-3 * runs)
    assert measure.Machine().median_seconds(run, [()]) == pytest.approx(1e-3)
    assert 1e-3 * runs >= measure.SECONDS


def test_a_coarse_clock_gives_no_time_of_0(measure, monkeypatch):
    """It stands still for a thousand runs of 10 us, then moves by a hundredth of a second."""
    runs = 0

    def run():
        nonlocal runs
        runs += 1

    on_a_clock(measure, monkeypatch, lambda: 0.01 * (runs // 1000))
    assert measure.Machine().median_seconds(run, [()]) == pytest.approx(1e-5)


def test_fused_network_is_the_same_function(quick):
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet

    from ..backbone.test_backbone import SMALL

    torch.manual_seed(0)
    net = CnnNet(SMALL)
    with torch.no_grad():
        net(torch.randn(4, 3, 64, 64))  # statistics other than 0 and 1
    net.eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = net(picture)
        after = net.fuse()(picture)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(a.abs().max()))
