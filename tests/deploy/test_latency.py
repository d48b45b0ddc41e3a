"""``lightnas latency detector.onnx``: whole detectors from pixels to boxes, without torch."""

import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from lightnas.deploy import latency
from lightnas.deploy.latency import Asked, measure_file
from lightnas.errors import InputError
from lightnas.latency.speed import Speed

from ..conftest import refused, run
from .made_up import metadata, model, write


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "detector.onnx")


@pytest.fixture
def steady(monkeypatch):
    """What is measured runs once; the seconds are made up."""

    def once(runs):
        for call in runs.values():
            call()
        return {name: Speed(0.5, 0.5, 0.5) for name in runs}

    monkeypatch.setattr(latency, "side_by_side", once)


def test_a_row(file, steady):
    row = measure_file(file, Asked(batch=2, device="cpu"))
    assert row == {
        "name": str(file), "runtime": "onnxruntime", "device": "cpu", "input_size": "32x64", "batch": 2,
        "precision": "fp32", "flops": None, "seconds": 0.5, "spread": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(("size", "flops"), [(None, 7.0), ((32, 64), 7.0), ((64, 64), None)])
def test_flops_are_those_of_its_own_size(tmp_path, steady, size, flops):
    counted = {"input_size": [32, 64], "backbone": 3.0, "detector": 7.0}
    path = write(tmp_path / "a.onnx", flops=counted)
    row = measure_file(path, Asked(device="cpu", input_size=size))
    assert row["flops"] == flops and row["input_size"] == ("64x64" if flops is None else "32x64")


def test_the_graph_is_given_pictures_of_noise_always_the_same():
    pictures = latency.pictures_for(metadata(), "a", Asked(batch=2))
    assert pictures.shape == (2, 3, 32, 64) and pictures.std() > 50
    assert (pictures == latency.pictures_for(metadata(), "a", Asked(batch=2))).all()


def test_the_command(file, steady, capsys):
    found = json.loads(run(capsys, "latency", file, file, "--device", "cpu", "--json"))
    assert [row["seconds"] for row in found["detectors"]] == [0.5, 0.5]
    table = run(capsys, "latency", file, "--device", "cpu", "--input-size", "48x48")
    assert "detector.onnx" in table and "onnxruntime" in table and "interquartile range" in table


def test_openvino_runs_it_too(file, steady):
    pytest.importorskip("openvino")
    assert measure_file(file, Asked(runtime="openvino"))["runtime"] == "openvino"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--runtime", "torch"), "--runtime is torch, expected onnxruntime or openvino"),
        (("--precision", "fp32"), "--precision goes with structures"),
        (("--detector", "gflv2"), "--detector goes with structures"),
        (("--random", "3"), "--random goes with structures"),
        (("--batch", "5"), "--batch is 5, expected at most 4"),
        (
            ("--input-size", "5000x32"),
            "--input-size is 5000x32, expected HxW such as 800x1280, no side below 32 or above 4096",
        ),
        (("--input-size", "4096x2080"), "--input-size is 4096x2080, expected HxW"),
        (("--input-size", "65536x65536"), "--input-size is 65536x65536, expected HxW"),
        (("maedet-s",), "maedet-s is a structure beside the detector"),
        (("none.onnx",), "none.onnx: cannot be read"),
    ],
)
def test_mistakes(file, steady, capsys, arguments, said):
    assert refused(capsys, "latency", file, *arguments).startswith(f"lightnas: {said}")


def test_a_damaged_file_is_not_run(file, capsys):
    file.write_bytes(file.read_bytes()[:-9])
    assert "is no ONNX file, or a damaged one" in refused(capsys, "latency", file)


def test_a_file_needs_no_torch(file):
    code = (
        "import sys; from lightnas.cli.main import main; "
        f"status = main(['latency', {str(file)!r}, '--device', 'cpu', '--json']); "
        "assert status == 0; assert not {'torch', 'mmcv', 'mmdet'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["detectors"][0]["seconds"] > 0


def test_a_batch_beyond_the_file_names_it(file):
    with pytest.raises(
        InputError, match=r"batch is 5, expected at most 4, what .*detector\.onnx takes"
    ):
        measure_file(file, Asked(batch=5))


@given(
    side=st.integers(1, 65_536),
    other=st.integers(1, 65_536),
    batch=st.integers(1, 99),
    turned=st.booleans(),
)
@example(4097, 1, 1, False)
@example(4096, 2048, 1, False)
@example(4096, 2049, 1, True)
def test_pictures_are_those_that_the_file_takes_or_none_are_made(side, other, batch, turned):
    size = (side, other)[:: -1 if turned else 1]
    asked = Asked(batch=batch, input_size=size)
    fits = batch <= 4 and min(size) >= 32 and max(size) <= 4096 and side * other <= 2**23
    if fits and batch * side * other < 2**20:
        assert latency.pictures_for(metadata(), "a", asked).shape == (batch, 3, *size)
    elif not fits:
        with pytest.raises(InputError, match=r"^(batch is .* a takes|input_size is .* pixels)$"):
            latency.pictures_for(metadata(), "a", asked)


def test_files_that_are_missing_are_missed_before_the_first_is_measured(
    file, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr("lightnas.deploy.latency.measure_file", None)
    for name in ("none.onnx", "none.pth"):
        said = refused(capsys, "latency", file, tmp_path / name)
        assert said.startswith(f"lightnas: {tmp_path / name}: cannot be read (it is missing)")


def test_many_large_pictures_at_once():
    """Each of them and their number is what the file takes, but not all together."""
    with pytest.raises(InputError, match="and batch 17, expected at most 134217728 pixels at once"):
        latency.pictures_for(metadata(max_batch=64), "a", Asked(batch=17, input_size=(4096, 2048)))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_network_that_cannot_be_run_on_such_pictures(tmp_path, capsys, runtime):
    """Its batch is fixed, which its metadata do not say."""
    pytest.importorskip(runtime)
    proto = model()
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    path = write(tmp_path / "x.onnx", proto)
    said = refused(capsys, "latency", path, "--batch", "2", "--device", "cpu", "--runtime", runtime)
    assert f"{path}: {runtime} cannot run it (" in said


@pytest.mark.parametrize("device", ["gpu", "CUDA", "", 0, True, ["cpu"]])
def test_what_is_no_device(file, device):
    with pytest.raises(InputError, match=r"^device is .*, expected cpu or cuda$"):
        measure_file(file, Asked(device=device))
