"""The preflight: what is named, and with which cure."""

import json
from importlib.metadata import PackageNotFoundError

import pytest

from lightnas import doctor
from lightnas.cli import main
from lightnas.errors import InputError

GOOD = {
    "torch": "2.13.0+cpu", "numpy": "2.4.6", "mmcv-full": "1.7.2", "mmdet": "2.28.2", "opencv-python": "4.11.0.86",
    "pycocotools": "2.0.11", "pillow": "13.0.0", "scikit-learn": "1.9.1", "tensorboard": "2.21.0", "setuptools": "81.0.0",
}  # fmt: skip


@pytest.fixture
def installed(monkeypatch):
    """Pretend that these versions are installed, and that mmcv's operators work."""
    versions = dict(GOOD)

    def version(name):
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "_device", lambda: doctor.Finding("GPU", "none", "optional"))
    monkeypatch.setattr(doctor, "_operators", lambda: doctor.Finding("mmcv._ext", "works", "operators"))
    return versions


def test_all_is_well(installed, capsys):
    doctor.preflight()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(version.split("+")[0] in out for version in installed.values())


@pytest.mark.parametrize(
    ("name", "version", "cure"),
    [
        ("mmcv-full", None, "MMCV_WITH_OPS=1 pip install --no-build-isolation mmcv-full==1.7.2"),
        ("mmcv-full", "1.6.2", "mmcv-full==1.7.2"),
        ("mmdet", "3.3.0", "pip install mmdet==2.28.2"),
        ("torch", "1.13.1", "pip install torch"),
        ("opencv-python", None, "pip install opencv-python-headless"),
        ("mmcv", "2.1.0", "pip uninstall -y mmcv"),
    ],
)
def test_what_does_not_fit_is_named_with_its_cure(installed, capsys, name, version, cure):
    installed.pop(name, None)
    if version:
        installed[name] = version
    with pytest.raises(InputError) as error:
        doctor.preflight()
    assert cure in str(error.value) and (version or "not installed") in str(error.value) and "\n" not in str(error.value)
    assert main(["doctor", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert sum(bool(finding["mend"]) for finding in findings) == 1


def test_setuptools_matters_for_the_build_only(installed):
    installed["setuptools"] = "84.0.0"
    doctor.preflight()
    assert main(["doctor"]) == 1


def test_a_wheel_without_operators(installed, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(
        doctor.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(f"No module named {name!r}"))
    )
    finding = doctor._operators()
    assert "cannot be imported" in finding.found and "--force-reinstall" in finding.mend


@pytest.mark.parametrize(
    "command", [["train-det", "x.txt", "--data", "d"], ["test-det", "w"], ["detect", "c.pth", "a.jpg", "--output", "o"]]
)
def test_commands_ask_first(installed, capsys, command):
    del installed["mmdet"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "mmdet" in err
