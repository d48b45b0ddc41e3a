"""setup-det: what it asks pip for, what it leaves alone, and what it refuses."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from lightnas.cli.main import main
from lightnas.errors import InputError, WorkError
from lightnas.install import setup_det as module
from lightnas.install.setup_det import RESTORE_EXEC, setup_det


class Machine:
    """An environment that only says it has packages, and writes down what pip is asked for."""

    def __init__(self):
        self.versions = {
            "torch": "2.13.0",
            "mmdet": "2.28.2",
            "setuptools": "81.0.0",
            "wheel": "0.48.0",
        }
        self.modules = {"pip", "torch", "mmdet", "cv2"}
        self.asked, self.environments, self.status, self.said = [], [], 0, []

    def version(self, name):
        if name not in self.versions:
            raise PackageNotFoundError(name)
        return self.versions[name]

    def run(self, command, env=None, **_):
        if "pip" in command:
            self.asked.append(command[command.index("install") + 1 :])
            self.environments.append(env)
            return subprocess.CompletedProcess(command, self.status)
        return subprocess.CompletedProcess(command, 0, "plain torch\n", "")


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(module, "version", machine.version)
    monkeypatch.setattr(module, "find_spec", lambda name: name if name in machine.modules else None)
    monkeypatch.setattr(module.subprocess, "run", machine.run)
    return machine


def test_mmcv_is_built_here_without_operators(machine, monkeypatch):
    monkeypatch.setenv("MMCV_WITH_OPS", "1")
    setup_det(say=machine.said.append)
    assert machine.asked == [
        [
            "--quiet",
            "--disable-pip-version-check",
            "--no-build-isolation",
            "--no-deps",
            "mmcv==1.7.2",
        ]
    ]
    assert "MMCV_WITH_OPS" not in machine.environments[0]
    assert machine.said[0] == "installing mmcv 1.7.2 without compiled operators"
    assert machine.said[-1] == "operators: plain torch"


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"mmcv": "1.7.2"}, "mmcv 1.7.2 is installed"),
        ({"mmcv-full": "1.7.1"}, "mmcv-full 1.7.1 is installed and stays"),
    ],
)
def test_run_twice_it_does_nothing(machine, versions, said):
    machine.versions |= versions
    setup_det(say=machine.said.append)
    assert machine.asked == [] and machine.said[0] == said


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        ("82.0.0", ["setuptools<82,>=77.0.3"]),
        ("64.0", ["setuptools<82,>=77.0.3"]),
        (None, ["setuptools<82,>=77.0.3"]),
    ],
)
def test_setuptools_that_mmcv_cannot_use_is_replaced(machine, found, missing):
    machine.versions.pop("setuptools")
    if found:
        machine.versions["setuptools"] = found
    setup_det(say=machine.said.append)
    assert machine.asked[0][2:] == missing and machine.asked[1][-1] == "mmcv==1.7.2"


def test_a_folder_instead_of_the_network(machine, tmp_path):
    del machine.versions["wheel"]
    machine.versions["mmcv"] = "2.1.0"
    setup_det(tmp_path, machine.said.append)
    assert [asked[2:5] for asked in machine.asked] == [
        ["--no-index", "--find-links", str(tmp_path)]
    ] * 2
    assert machine.asked[0][5:] == ["wheel"] and "instead of 2.1.0" in machine.said[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.modules.discard("pip"), "python -m ensurepip"),
        (lambda m: m.modules.discard("torch"), "torch not installed"),
        (lambda m: m.modules.difference_update({"mmdet", "cv2"}), "mmdet and cv2 not installed"),
        (
            lambda m: m.versions.update({"mmcv": "1.7.2", "mmcv-full": "1.7.2"}),
            "pip uninstall -y mmcv mmcv-full && ",
        ),
        (
            lambda m: m.versions.update({"mmcv-full": "1.6.2"}),
            "pip uninstall -y mmcv-full && lightnas setup-det",
        ),
    ],
)
def test_what_is_refused_and_with_which_remedy(machine, change, message):
    change(machine)
    with pytest.raises(InputError, match=message):
        setup_det(say=machine.said.append)
    assert machine.asked == []


def test_pip_fails(machine):
    machine.status = 1
    with pytest.raises(WorkError, match="--find-links DIR"):
        setup_det(say=machine.said.append)


def test_a_folder_that_is_none(capsys):
    assert main(["setup-det", "--find-links", "nowhere"]) == 2
    assert "--find-links nowhere is no directory" in capsys.readouterr().err


def test_exec_binds_the_locals_of_its_caller(tmp_path):
    """As in mmcv's setup.py, which Python 3.13 alone would fail with a KeyError."""
    (tmp_path / "sitecustomize.py").write_text(RESTORE_EXEC)
    code = "def found():\n    exec('answer = 42')\n    return locals()['answer']\nprint(found())"
    code += "\nspace = {}\nexec('a = 1', space)\nprint(space['a'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["42", "1"], done.stderr
