"""What a training opens with."""

import pytest
from mmcv import Config

from lightnas.detection.training_log import more_processes


@pytest.mark.parametrize(
    ("device", "batch", "processes", "cores", "count"),
    [
        ("cpu", 8, 1, 2, "--gpus 2 --batch 4"),
        ("cpu", 8, 1, 64, "--gpus 4 --batch 2"),
        ("cpu", 16, 1, 3, "--gpus 3 --batch 5"),
        ("cpu", 8, 1, 1, None),
        ("cpu", 2, 1, 8, None),
        ("cpu", 4, 2, 8, None),
        ("cuda", 8, 1, 8, None),
    ],
)
def test_idle_cores_are_told_of(device, batch, processes, cores, count):
    """On a CPU alone, where one process has pictures for two, batch norm wanting two in each."""
    cfg = Config({"device": device, "data": {"samples_per_gpu": batch}})
    said = more_processes(cfg, processes, cores)
    assert count in said if count else said is None
