"""Checkpoints: read without running code, loaded without silence, written whole or not at all."""

import pickle
import random
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmcv.utils import get_logger
from torch import nn

from lightnas.detection.checkpoint import load_weights, read_checkpoint
from lightnas.detection.hooks import ReseedEpochs
from lightnas.detection.runners import WholeEpochRunner, WholeIterRunner
from lightnas.errors import InputError


def net(width=4):
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))


class Code:
    """Unpickling this would run code."""

    def __reduce__(self):
        return (print, ("ran",))


@pytest.mark.parametrize(
    "wrap", [lambda weights: weights, lambda weights: {"state_dict": weights, "meta": {"epoch": 1}}]
)
def test_round_trip(tmp_path, wrap):
    model, other = net(), net()
    weights = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save(wrap(weights), tmp_path / "c.pth")
    assert (
        load_weights(other, read_checkpoint(tmp_path / "c.pth", trust=False)["state_dict"], "c.pth")
        == ""
    )
    assert all(
        torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items()
    )


@pytest.mark.parametrize("meta", [{"x": Code()}, {"x": np.float64(1.0)}, {"x": SimpleNamespace()}])
def test_more_than_weights_is_refused(tmp_path, capsys, meta):
    torch.save({"state_dict": net().state_dict(), "meta": meta}, tmp_path / "c.pth")
    with pytest.raises(InputError, match="trust_checkpoint=True"):
        read_checkpoint(tmp_path / "c.pth", trust=False)
    assert capsys.readouterr().out == ""
    assert "state_dict" in read_checkpoint(tmp_path / "c.pth", trust=True)


@pytest.mark.parametrize(
    "content", [b"", b"hello", pickle.dumps({"a": 1}), b"PK\x03\x04 nothing more"]
)
def test_no_checkpoint(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.pth"):
        read_checkpoint(tmp_path / "c.pth", trust=False)


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {}}, {"state_dict": {"a": 3}}])
def test_no_weights(tmp_path, content):
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(InputError, match="expected a checkpoint with a state_dict"):
        read_checkpoint(tmp_path / "c.pth", trust=False)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_checkpoint(tmp_path / "c.pth", trust=False)


def test_truncated(tmp_path):
    torch.save(net().state_dict(), tmp_path / "c.pth")
    whole = (tmp_path / "c.pth").read_bytes()
    (tmp_path / "c.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_checkpoint(tmp_path / "c.pth", trust=False)


@pytest.mark.parametrize("zipped", [True, False])
def test_damage_anywhere_is_one_line(tmp_path, zipped):
    """Bytes changed, lost and inserted, in both formats of torch.save."""
    path, draw = tmp_path / "c.pth", random.Random(0)
    content = {"state_dict": net().state_dict(), "meta": {"epoch": 1, "CLASSES": ("a", "b")}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    whole, refused = path.read_bytes(), 0
    for _ in range(400):
        broken = bytearray(whole)
        for _ in range(draw.choice([1, 2, 8])):
            at = draw.randrange(min(len(broken), 2500))
            broken[at : at + draw.randrange(3)] = draw.randbytes(draw.randrange(3))
        path.write_bytes(broken)
        try:
            read_checkpoint(path, trust=False)
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 200


def test_every_disagreement_is_named_and_nothing_is_loaded():
    model = net()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    weights = {
        "0.weight": torch.ones(5, 3, 1, 1),
        "1.weight": torch.ones(4),
        "1.bias": torch.ones(4),
        "extra": torch.ones(1),
    }
    with pytest.raises(InputError) as error:
        load_weights(model, weights, "c.pth")
    message = str(error.value)
    assert "3 missing (0.bias, 1.running_mean, 1.running_var)" in message
    assert "1 unexpected (extra)" in message
    assert "1 of another shape (0.weight: (5, 3, 1, 1), expected (4, 3, 1, 1))" in message
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert "missing" in load_weights(model, weights, "c.pth", allow_mismatch=True)
    assert torch.equal(model[1].weight, torch.ones(4)) and torch.equal(
        model[0].weight, before["0.weight"]
    )


def test_nothing_fits():
    with pytest.raises(InputError, match="none of its 1 weights fits"):
        load_weights(net(), {"x": torch.ones(1)}, "c.pth", allow_mismatch=True)


def runner(path, kind=WholeEpochRunner):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    limit = {"max_epochs": 3} if kind is WholeEpochRunner else {"max_iters": 3}
    model.train_step = model.val_step = lambda *_: {}
    return kind(
        model,
        optimizer=optimizer,
        work_dir=str(path),
        logger=get_logger("test"),
        meta={"seed": 3},
        **limit,
    )


@pytest.mark.parametrize("kind", [WholeEpochRunner, WholeIterRunner])
def test_checkpoint_and_link(tmp_path, kind):
    run = runner(tmp_path, kind)
    for _ in range(2):
        run.save_checkpoint(str(tmp_path), create_symlink=True)
        run._epoch, run._iter = run._epoch + 1, run._iter + 1
    names = sorted(path.name for path in tmp_path.iterdir())
    assert (
        names[-1] == "latest.pth"
        and len(names) == 3
        and not any(name.startswith(".") for name in names)
    )
    assert (tmp_path / "latest.pth").resolve().name == names[1]
    assert all(zipfile.is_zipfile(path) for path in tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "full")])
def test_what_was_there_survives_a_failure(tmp_path, monkeypatch, error):
    run = runner(tmp_path)
    run.save_checkpoint(str(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    whole = torch.save

    def half(content, file, *args, **kwargs):
        whole({"half": 1}, file)
        raise error

    monkeypatch.setattr(torch, "save", half)
    run._epoch += 1
    with pytest.raises((KeyboardInterrupt, OSError)):
        run.save_checkpoint(str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_epochs_are_seeded_by_their_number():
    """A resumed epoch draws what it would have drawn; two epochs and two seeds draw differently."""

    def draws(seed, epoch):
        loader = SimpleNamespace(num_workers=2, worker_init_fn=None)
        ReseedEpochs().before_train_epoch(
            SimpleNamespace(meta={"seed": seed}, epoch=epoch, data_loader=loader)
        )
        here = (np.random.random(), float(torch.rand(1)))
        loader.worker_init_fn(1)
        return (*here, np.random.random())

    assert draws(0, 4) == draws(0, 4)
    assert len({draws(0, 4), draws(0, 5), draws(1, 4)}) == 3
