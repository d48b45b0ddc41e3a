"""Things are run in turns, and what is noisy is called so."""

from lightnas.deploy import speed
from lightnas.deploy.speed import side_by_side
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
