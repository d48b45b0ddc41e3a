"""ONNX files of strangers: run only where they hold what export-det writes, refused in one line."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
Image = pytest.importorskip("PIL.Image")

import numpy as np  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from lightnas.cli.main import main  # noqa: E402
from lightnas.deploy.contents import read_model  # noqa: E402
from lightnas.deploy.metadata import with_metadata  # noqa: E402
from lightnas.deploy.network import open_network  # noqa: E402
from lightnas.deploy.wire import fields  # noqa: E402
from lightnas.errors import InputError  # noqa: E402

from .made_up import CLASSES, metadata, model, write  # noqa: E402


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write(tmp_path_factory.mktemp("onnx") / "good.onnx")


def test_what_was_written_is_read(good):
    content, said = read_model(good)
    assert said == metadata() and content == good.read_bytes()
    assert open_network(good).metadata.classes == CLASSES


def refused(path, words):
    with pytest.raises(InputError) as refusal:
        open_network(path)
    said = str(refusal.value)
    assert words in said and "\n" not in said and str(path) in said


@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off(good, tmp_path_factory, cut):
    content = good.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.onnx"
    path.write_bytes(content[: int(cut * len(content))])
    refused(path, "expected")


@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_file_with_another_byte(good, tmp_path_factory, at, flip):
    content = bytearray(good.read_bytes())
    content[int(at * len(content))] ^= flip
    path = tmp_path_factory.mktemp("flip") / "flip.onnx"
    path.write_bytes(content)
    refused(path, "expected")


@given(content=st.binary(max_size=200))
def test_bytes_that_are_none(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("none") / "none.onnx"
    path.write_bytes(content)
    refused(path, "expected an ONNX file of lightnas export-det")


def outside(proto):
    tensor = proto.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../etc/passwd"), ("length", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    tensor.ClearField("raw_data")


def quietly_outside(proto):
    """Without the mark that says so."""
    outside(proto)
    proto.graph.initializer[0].data_location = TensorProto.DEFAULT


def outside_in_a_node(proto):
    outside(proto)
    hidden = helper.make_node("Constant", [], ["hidden"], value=proto.graph.initializer[0])
    del proto.graph.initializer[0]
    proto.graph.node.insert(0, hidden)


def inner_graph(proto):
    inner = helper.make_graph([], "inner", [], [])
    node = helper.make_node("If", ["kept"], ["x"], then_branch=inner, else_branch=inner)
    proto.graph.node.append(node)


def inner_graph_of_ours(proto):
    inner = helper.make_graph([], "inner", [], [])
    proto.graph.node[0].attribute.append(helper.make_attribute("body", inner))


def a_function(proto):
    proto.functions.add().name = "f"


HOSTILE = {
    outside: "another file",
    quietly_outside: "another file",
    outside_in_a_node: "another file",
    inner_graph: "graphs inside",
    inner_graph_of_ours: "graphs inside",
    a_function: "functions",
    lambda p: p.graph.node.append(helper.make_node("Loop", [], ["x"])): "operator 'Loop'",
    lambda p: p.graph.node.append(helper.make_node("Relu", ["far"], ["x"], domain="evil")): "'evil.Relu'",
    lambda p: p.graph.sparse_initializer.add(): "sparse weights",
    lambda p: p.graph.node.pop(0): "cannot open it",
    lambda p: p.graph.output.pop(): "gives",
    lambda p: p.graph.ClearField("node"): "cannot open it",
    lambda p: p.opset_import.pop(): "no opset",
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), HOSTILE.items())
def test_what_no_export_holds(tmp_path, change, words):
    """With metadata and a hash that are right: whoever writes such a file can compute them."""
    proto = model()
    change(proto)
    refused(write(tmp_path / "x.onnx", proto), words)


@pytest.mark.parametrize("opset", [1, 16, 18])
def test_another_opset(tmp_path, opset):
    refused(write(tmp_path / "x.onnx", model(opset)), f"opset {opset}, expected 17")


def test_a_file_of_somebody_else(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(model().SerializeToString())
    refused(path, "carries no metadata of lightnas")


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"format": 2}, "format is 2"), ({"classes": []}, "classes"), ({"max_batch": 0}, "max_batch"),
     ({"resize": {"scale": [10**6, 5], "keep_ratio": True}}, "resize.scale"),
     ({"structure": 5}, "structure")],
)  # fmt: skip
def test_metadata_are_checked(tmp_path, changed, words):
    path = tmp_path / "x.onnx"
    said = SimpleNamespace(model_dump=lambda: metadata().model_dump() | changed)
    path.write_bytes(with_metadata(model().SerializeToString(), said))
    refused(path, words)


@pytest.mark.parametrize(
    ("name", "words"), [("gone.onnx", "cannot be read"), ("folder.onnx", "is a folder"), ("a\0.onnx", "no name")]
)  # fmt: skip
def test_no_file(tmp_path, name, words):
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / name, words)


def test_a_file_that_is_too_large(good, monkeypatch):
    monkeypatch.setattr("lightnas.deploy.contents.MAX_BYTES", 100)
    refused(good, "larger than 100 bytes")


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [((5, 3, 8, 8), np.uint8, "at most 4"), ((1, 3, 5000, 8), np.uint8, "5000"),
     ((1, 4, 8, 8), np.uint8, "expected pictures"),
     ((3, 8, 8), np.uint8, "expected pictures"), ((1, 3, 8, 8), np.float32, "expected pictures"),
     ((1, 3, 0, 8), np.uint8, "expected pictures"), ((0, 3, 8, 8), np.uint8, "expected pictures")],
)  # fmt: skip
def test_pictures_beyond_the_file(good, shape, dtype, words):
    with pytest.raises(InputError, match=words):
        open_network(good)(np.zeros(shape, dtype))


def test_a_batch_that_is_fixed(tmp_path):
    proto = model()
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    with pytest.raises(InputError, match="was given"):
        open_network(write(tmp_path / "x.onnx", proto))(np.zeros((2, 3, 8, 8), np.uint8))


def test_messages_of_protobuf():
    assert [(n, bytes(v)) for n, v in fields(memoryview(b"\x0a\x02hi"))] == [(1, b"hi")]
    assert [*fields(memoryview(b"\x08\x96\x01"))] == [(1, 150)]
    for bad in (b"\x0a\x05hi", b"\x08", b"\x00\x01", b"\x0b", b"\x08" + b"\xff" * 10):
        with pytest.raises(ValueError, match=r"it ends|field|number"):
            list(fields(memoryview(bad)))


def test_pictures_that_cannot_be_read_among_others(good, tmp_path, capfd):
    """The others are looked at, what cannot be read is named, and the exit status is 1."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (9, 9), (200, 0, 0)).save(photos / "a.png")
    (photos / "b.png").write_bytes(b"no picture")
    Image.new("RGB", (9, 9)).save(photos / "c.png")
    output = tmp_path / "found"
    arguments = ["detect", good, photos, photos / "gone.png", "--output", output, "--json"]
    assert main(list(map(str, arguments))) == 1
    out, err = capfd.readouterr()
    found = json.loads(out)["images"]
    assert found == json.loads((output / "detections.json").read_text())
    assert {Path(one["image"]).name for one in found if "error" in one} == {"b.png", "gone.png"}
    assert [len(one["detections"]) for one in found if "error" not in one] == [1, 0]
    assert err.splitlines()[-1].startswith("lightnas: 2 of the pictures and videos left out: ")
    for name in ("b.png", "gone.png"):
        assert f"left out: {photos / name} " in err and not (output / name).exists()
    assert main(["detect", "--help"]) == 0
    assert "exit status is 1" in " ".join(capfd.readouterr().out.split())


def test_the_command_line_says_it_in_one_line(good, tmp_path, capfd):
    pytest.importorskip("faster_coco_eval")
    (tmp_path / "cut.onnx").write_bytes(good.read_bytes()[:-1])
    (tmp_path / "a.png").write_bytes(b"no picture")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    for arguments, words in (
        (["detect", tmp_path / "cut.onnx", tmp_path], "damaged"),
        (["detect", good, tmp_path / "a.png"], "cannot be read as a picture"),
        (
            ["detect", good, tmp_path, "--trust-checkpoint"],
            "--trust-checkpoint goes with a checkpoint",
        ),
        (["test-det", good], "expected --data DIR"),
        (["test-det", good, "--cfg-options", "a=1"], "--cfg-options goes with a checkpoint"),
        (["test-det", tmp_path / "cut.onnx", "--data", tmp_path], "holds"),
    ):
        output = ["--output", tmp_path / "found"] if arguments[0] == "detect" else []
        assert main([str(part) for part in [*arguments, *output]]) == 2
        err = capfd.readouterr().err
        assert err.count("\n") == 1 and words in err, err
    assert not (tmp_path / "found").exists()


def test_a_folder_of_that_name(tmp_path):
    path = tmp_path / "d.onnx"
    path.mkdir()
    with pytest.raises(InputError) as refusal:
        read_model(path)
    assert (
        str(refusal.value) == f"{path}: is a folder, expected an ONNX file of lightnas export-det"
    )
    with pytest.raises(InputError, match="is no name of a file"):
        read_model(tmp_path / "a\0.onnx")
