"""The runner of a training, and the evaluation of several processes: as mmcv and mmdet have them,
without their sleep."""

import importlib
import inspect
import logging
import time
from types import SimpleNamespace

from mmcv.runner import EpochBasedRunner, Hook, epoch_based_runner
from torch import nn

from lightnas.detection.runners import WholeEpochRunner

POINTS = ("before_run", "before_train_epoch", "before_train_iter", "after_train_iter",
          "after_train_epoch", "after_run")  # fmt: skip


class Counting(nn.Module):
    """Says which batch it is given."""

    def train_step(self, batch, optimizer, **kwargs):
        return {"log_vars": {"batch": float(batch)}, "num_samples": 1}


class Watching(Hook):
    """Notes where the runner stands at every point."""

    def __init__(self):
        self.seen = []
        for point in POINTS:
            setattr(self, point, lambda runner, point=point: self.note(runner, point))

    def note(self, runner, point):
        place = runner.epoch, runner.iter, runner.inner_iter, runner.max_iters, runner.mode
        self.seen.append((point, *place, runner.model.training, dict(runner.log_buffer.output)))


def seen_by(kind, path):
    runner = kind(Counting(), work_dir=str(path), logger=logging.getLogger("quiet"), max_epochs=3)
    watching = Watching()
    runner.register_hook(watching)
    runner.run([[1, 2, 3]], [("train", 1)])
    return watching.seen, runner.log_buffer.val_history


def test_it_does_what_mmcvs_does_without_its_sleep(tmp_path, monkeypatch):
    """But for the second at the very end."""
    slept = []
    monkeypatch.setattr(epoch_based_runner, "time", SimpleNamespace(sleep=slept.append))
    theirs = seen_by(EpochBasedRunner, tmp_path / "theirs")
    assert slept == [2, 2, 2, 1]
    slept.clear()
    assert seen_by(WholeEpochRunner, tmp_path / "ours") == theirs
    assert slept == [1]


def test_the_evaluation_of_several_processes_does_not_sleep_either(monkeypatch):
    """mmdet's own sleeps for two seconds before it looks at a picture."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    module = importlib.import_module("mmdet.apis.test")
    assert "time.sleep(2)" in inspect.getsource(module.multi_gpu_test)
    module.time.sleep(2)
    assert not slept
