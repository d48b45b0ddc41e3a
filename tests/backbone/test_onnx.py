"""ONNX: the same numbers as torch, at any size, or no file."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402 (needs torch)

from lightnas.backbone import onnx as ours  # noqa: E402
from lightnas.backbone.net import CnnNet  # noqa: E402
from lightnas.backbone.onnx import export_backbone, export_onnx  # noqa: E402
from lightnas.cli.main import main  # noqa: E402
from lightnas.errors import WorkError  # noqa: E402
from lightnas.network.structure import Structure, format_structures  # noqa: E402

from .test_backbone import SMALL  # noqa: E402

STRUCTURE = Structure.from_dicts(SMALL)


def outputs(path, picture):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_outputs()] == ["c2", "c3", "c4", "c5"]
    return session.run(None, {"image": picture.numpy()})


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 3, 96, 32), (1, 3, 70, 97), (2, 3, 33, 63)])
def test_backbone_agrees_with_torch(tmp_path, shape):
    """Sides that 32 does not divide too, where the pool of a shortcut rounds up."""
    assert export_backbone(STRUCTURE, tmp_path / "n.onnx", (64, 96)) <= 1e-4
    torch.manual_seed(0)
    net = CnnNet(SMALL).eval()
    picture = torch.randn(*shape)
    with torch.no_grad():
        expected = net(picture)
    for found, value in zip(outputs(tmp_path / "n.onnx", picture), expected, strict=True):
        assert found.shape == tuple(value.shape)
        assert np.abs(found - value.numpy()).max() <= 1e-4 * float(value.abs().max())


def test_a_network_that_differs_is_not_written(tmp_path, monkeypatch):
    class Noise(nn.Module):
        """Another result at every call."""

        def forward(self, x):
            return [x.mean(dim=(2, 3)) + torch.rand(1)]

    with pytest.raises(WorkError, match="differ by"):
        export_onnx(Noise(), tmp_path / "n.onnx", (32, 32), ["mean"])
    assert not (tmp_path / "n.onnx").exists()


def test_same_bytes(tmp_path):
    for name in ("a", "b"):
        export_backbone(STRUCTURE, tmp_path / name, (64, 64))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "structure.txt").write_text(format_structures([STRUCTURE]))
    return tmp_path / "run"


def test_command(run, capsys):
    path = run / "n.onnx"
    assert (
        main(
            [
                "export-structure",
                str(run),
                "--format",
                "onnx",
                "--input-size",
                "64x64",
                "--output",
                str(path),
            ]
        )
        == 0
    )
    assert "differ by" in capsys.readouterr().out
    assert len(outputs(path, torch.zeros(1, 3, 64, 64))) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--format onnx without --output"),
        (["--output", "nowhere/n.onnx"], "--output nowhere"),
        (["--input-size", "1x1"], "1x1"),
    ],
)
def test_mistakes(run, capsys, arguments, message):
    command = [
        "export-structure",
        str(run),
        "--format",
        "onnx",
        "--input-size",
        "64x64",
        *arguments,
    ]
    if "--input-size" in arguments:
        command += ["--output", "n.onnx"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and message in err


def test_missing_package(run, capsys, monkeypatch):
    from lightnas import errors

    monkeypatch.setattr(
        errors, "find_spec", lambda name: None if name == "onnxruntime" else object()
    )
    assert main(["export-structure", str(run), "--format", "onnx", "--output", "n.onnx"]) == 2
    assert "pip install '.[onnx]'" in capsys.readouterr().err


def test_two_sizes_are_compared(monkeypatch, tmp_path):
    sizes = []
    monkeypatch.setattr(ours, "_difference", lambda net, content, size: sizes.append(size) or 0.0)
    export_backbone(STRUCTURE, tmp_path / "n.onnx", (64, 64))
    assert sizes == [(64, 64), (96, 32)]
