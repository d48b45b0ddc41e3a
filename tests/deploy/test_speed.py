"""Things are run in turns, and what is noisy is called so."""

from lightnas.deploy import speed
from lightnas.deploy.speed import side_by_side, steadily
from lightnas.latency.speed import Speed


def test_in_turns(monkeypatch):
    """By a clock that goes on by what each run takes: 1, 2, 3 ... and 10 seconds."""
    clock, order = [0.0], []
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock[0])

    def run(name, seconds):
        def call():
            order.append(name)
            clock[0] += next(seconds)

        return call

    rising = run("a", iter(range(1, 99)))
    steady = run("b", iter([10] * 99))
    found = side_by_side({"a": rising, "b": steady}, rounds=5)
    assert order == ["a", "b"] * (speed.WARM_UP + 5)
    first = speed.WARM_UP + 1
    assert found["a"] == Speed(first + 2, first + 1, first + 3) and found["b"] == Speed(10, 10, 10)
    assert found["a"].noisy and not found["b"].noisy and found["a"].spread == 2 / (first + 2)


def test_again_while_one_of_them_is_noisy(monkeypatch):
    """All rows of the attempt whose worst spreads least, and a steady one ends it."""
    noisy, worse, steady = Speed(1, 1, 1.3), Speed(1, 1, 1.5), Speed(1, 1, 1.05)
    for attempts, best in (
        ([(steady, noisy), (steady, worse), (worse, steady)], 0),
        ([(worse, steady), (noisy, noisy), (worse, worse)], 1),
        ([(worse, steady), (steady, steady)], 1),
    ):
        left = [dict(zip("ab", pair, strict=True)) for pair in attempts]
        rows = list(left)
        monkeypatch.setattr(speed, "side_by_side", lambda runs, rounds, left=left: left.pop(0))
        assert steadily({}) is rows[best] and not left
    assert noisy.of_each(2) == Speed(0.5, 0.5, 0.65) and noisy.of_each(2).noisy
