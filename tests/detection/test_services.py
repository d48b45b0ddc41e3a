"""Logs for services: mmcv's hooks as docs/detection.md puts them in, and files that call no service."""

import sys
from types import ModuleType

import pytest

from lightnas.cli.main import main
from lightnas.detection.allowed import rebuild, service_loggers
from lightnas.detection.allowed.training import SERVICES
from lightnas.errors import InputError

from .. import pages
from ..conftest import refused
from .hostile import good_config

SMALL = [
    "--schedule",
    "1",
    "--width",
    "64",
    "--input-size",
    "64x64",
    "--batch",
    "4",
    "--workers",
    "0",
]


@pytest.fixture
def service(monkeypatch):
    """wandb and mlflow as far as mmcv's hooks call them; what was said to them, in order."""
    said = []

    def tell(name):
        return lambda *arguments, **named: said.append((name, arguments))

    wandb, mlflow, pytorch = (ModuleType(name) for name in ("wandb", "mlflow", "mlflow.pytorch"))
    for module, names in (
        (wandb, ("init", "log", "join", "log_artifact")),
        (mlflow, ("set_experiment", "log_metrics")),
    ):
        for name in names:
            setattr(module, name, tell(name))
    wandb.Artifact = type(
        "Artifact", (), {"__init__": lambda *a, **n: None, "add_file": tell("file")}
    )
    mlflow.pytorch = pytorch
    for module in (wandb, mlflow, pytorch):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return said


def documented():
    """The commands of the page, by the hook that they put in."""
    text = (pages.ROOT / "docs/detection.md").read_text().split("### Logs for ")[1]
    _, block = next(pages.blocks(text))
    return {
        next(word.split("=")[1] for word in command if ".type=" in word): command
        for command in pages.commands(block)
    }


@pytest.mark.parametrize(
    ("hook", "logs"), [("WandbLoggerHook", "log"), ("MlflowLoggerHook", "log_metrics")]
)
def test_as_documented(hook, logs, service, structure, digits, tmp_path, capsys):
    there = {"STRUCTURE.txt": str(structure), "DIR": str(digits)}
    command = [there.get(word, word) for word in documented()[hook]]
    at = command.index("--cfg-options")
    run = tmp_path / "run"
    assert main([*command[:at], "--work-dir", str(run), *SMALL, *command[at:]]) == 0
    told = {tag for name, arguments in service if name == logs for tag in arguments[0]}
    assert {"train/loss", "learning_rate", "val/bbox_mAP"} <= told

    service.clear()
    for arguments in (
        ["test-det", run],
        ["detect", run, digits / "test", "--output", tmp_path / "found"],
        ["train-det", "--work-dir", run, "--resume"],  # finished: nothing is missing
    ):
        assert main([str(word) for word in arguments]) == 0
    assert service == []

    (run / "result.json").unlink()
    capsys.readouterr()
    line = refused(capsys, "train-det", "--work-dir", run, "--resume")
    assert hook in line and "options" in line
    assert main([*command[:at], "--work-dir", str(run), "--resume", *SMALL, *command[at:]]) == 0


def test_every_service_is_left_out_and_all_else_refused(structure):
    good = good_config(structure)
    for name in SERVICES:
        hooks = [{"type": "TextLoggerHook"}, {"type": name, "init_kwargs": {"host": "x"}}]
        config = good | {"log_config": {"interval": 5, "hooks": hooks}}
        assert service_loggers(config) == [name]
        assert rebuild(config, "a file")["log_config"]["hooks"] == hooks[:1]
    for hooks in (
        "WandbLoggerHook",
        [{"type": "Unknown"}],
        [["WandbLoggerHook"]],
        [{"type": ["x"]}],
    ):
        config = good | {"log_config": {"interval": 5, "hooks": hooks}}
        with pytest.raises(InputError, match=r"log_config\.hooks"):
            rebuild(config, "a file")
