"""Processes that train side by side share the cores, and what the user set stays as it is."""

import os

import pytest

from lightnas.cores import cores, threads_each


@pytest.mark.parametrize(
    ("own", "processes", "threads"), [(8, 2, 4), (8, 3, 2), (2, 2, 1), (2, 5, 1)]
)
def test_the_cores_are_shared(monkeypatch, own, processes, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(own)), raising=False)
    assert cores() == own
    assert threads_each(processes) == {
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "passive",
    }


@pytest.mark.parametrize("given", [None, "3"])
def test_processes_of_one_training_share_them(monkeypatch, given):
    pytest.importorskip("torch")
    pytest.importorskip("mmdet")
    from torch.distributed.launcher import api

    from lightnas.detection.distributed import start_processes

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    seen = {}
    monkeypatch.setattr(api, "elastic_launch", lambda *_: lambda *_: seen.update(os.environ))
    with pytest.MonkeyPatch.context() as context:
        context.setattr(os, "environ", dict(os.environ))
        assert start_processes(2, ["train-det"]) == 0
    assert seen["OMP_NUM_THREADS"] == (given or "2")
