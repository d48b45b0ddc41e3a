"""The preflight: what is named, and with which cure."""

import json
from importlib.metadata import PackageNotFoundError

import pytest

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.install import doctor
from lightnas.install.operators import Operators

GOOD = {
    "torch": "2.13.0+cpu", "numpy": "2.4.6", "mmcv": "1.7.2", "mmdet": "2.28.2", "opencv-python": "4.11.0.86",
    "pycocotools": "2.0.11", "pillow": "13.0.0", "scikit-learn": "1.9.1", "tensorboard": "2.21.0",
    "faster-coco-eval": "1.8.0",
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
    monkeypatch.setattr(doctor, "operators", lambda: Operators("plain torch"))
    return versions


def test_all_is_well(installed, capsys):
    doctor.preflight()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(version.split("+")[0] in out for version in installed.values())


@pytest.mark.parametrize(
    ("name", "version", "cure"),
    [
        ("mmcv", None, "lightnas setup-det"),
        ("mmcv", "2.1.0", "lightnas setup-det"),
        ("mmcv-full", "1.7.2", "pip uninstall -y mmcv mmcv-full && lightnas setup-det"),
        ("mmdet", "3.3.0", "pip install mmdet==2.28.2"),
        ("torch", "1.13.1", "pip install torch"),
        ("torch", "2.1.0rc1", "pip install torch"),
        ("torch", None, "pip install '.[det]' in a checkout of lightnas"),
        ("opencv-python", None, "pip install opencv-python-headless"),
    ],
)
def test_what_does_not_fit_is_named_with_its_cure(installed, capsys, name, version, cure):
    installed.pop(name, None)
    if version:
        installed[name] = version
    with pytest.raises(InputError) as error:
        doctor.preflight()
    assert (
        cure in str(error.value)
        and (version or "not installed") in str(error.value)
        and "\n" not in str(error.value)
    )
    assert main(["doctor", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert sum(bool(finding["mend"]) for finding in findings) == 1


@pytest.mark.parametrize("version", ["1.7.2", "1.7.0"])
def test_a_compiled_mmcv_stays_welcome(installed, version):
    del installed["mmcv"]
    installed["mmcv-full"] = version
    doctor.preflight()
    assert main(["doctor"]) == 0


def test_an_old_mmcv_full(installed):
    del installed["mmcv"]
    installed["mmcv-full"] = "1.6.2"
    with pytest.raises(
        InputError,
        match=r"mmcv: 1\.6\.2, expected from 1\.7\.0, below 1\.8; mend it with: lightnas setup-det",
    ):
        doctor.preflight()


@pytest.mark.parametrize(
    ("kind", "broken", "mended"),
    [
        ("compiled", "", False),
        ("plain torch", "", False),
        ("plain torch", "undefined symbol: _ZN2at", True),
    ],
)
def test_which_operators_run(installed, monkeypatch, kind, broken, mended):
    """A compiled mmcv-full that a new torch has broken is said, and holds up nothing."""
    monkeypatch.setattr(doctor, "operators", lambda: Operators(kind, broken))
    doctor.preflight()
    finding = doctor.examine()[-2]
    assert finding.found.startswith(kind) and broken in finding.found
    assert ("mmcv-full==1.7.2 --force-reinstall" in finding.mend) == mended
    assert main(["doctor"]) == mended


def test_floors_are_those_of_setup_cfg():
    """Every need but mmcv is a requirement, and from a checkout that is not installed the same ones
    are read."""
    assert all(
        need.names[0] in doctor.requirements() for need in doctor.NEEDS if need.name != "mmcv"
    )
    assert str(doctor.requirements()["torch"]) == ">=2.1"
    assert {"packaging", "filelock", "numpy"} <= doctor.requirements().keys()
    assert doctor.examine()[0].expected == doctor.in_words(doctor.pythons()) == "from 3.10"


def test_requirements_without_an_installation(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    read = (doctor.requirements, doctor.pythons)
    installed = [function() for function in read]
    for name in ("requires", "metadata"):
        monkeypatch.setattr(doctor, name, missing)
    for function, expected in zip(read, installed, strict=True):
        function.cache_clear()
        assert function() == expected
        function.cache_clear()


@pytest.mark.parametrize(
    "command",
    [
        ["train-det", "x.txt", "--data", "d"],
        ["test-det", "w"],
        ["detect", "c.pth", "a.jpg", "--output", "o"],
    ],
)
def test_commands_ask_first(installed, capsys, command):
    del installed["mmdet"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "mmdet" in err
