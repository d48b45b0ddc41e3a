"""What export-det is asked for: every option is used or refused, in the words of the command line."""

import ast
import inspect
import re
from importlib import import_module

import click
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from lightnas.cli.exporting import export_det
from lightnas.cli.options import in_words_of
from lightnas.deploy.contents import read_model
from lightnas.deploy.metadata import Flops
from lightnas.deploy.resize import MOST_PIXELS, MOST_SIDE, check_size
from lightnas.detection import export_detector, export_raw
from lightnas.detection import onnx as ours
from lightnas.detection.embedded import config_of_checkpoint
from lightnas.detection.flops import count_flops
from lightnas.detection.testing import load_detector
from lightnas.errors import InputError

from ..conftest import refused


@pytest.fixture
def output(tmp_path):
    return tmp_path / "d.onnx"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--raw", "--pictures", "p"], "--raw with --pictures"),
        (["--raw", "--data", "d"], "--raw with --data"),
        (["--raw", "--layout", "coco"], "--raw with --layout"),
        (["--raw", "--max-ap-loss", "0"], "--raw with --max-ap-loss"),
        (["--raw", "--precision", "int8"], "--raw with --precision int8"),
        (["--raw", "--skip-bad-images"], "--raw with --skip-bad-images"),
        (["--max-ap-loss", "0"], "--max-ap-loss is given with --precision fp32"),
        (["--skip-bad-images"], "--skip-bad-images is given with --precision fp32"),
        (["--boxes", "shown"], "--boxes is given with --precision fp32"),
        (["--data", "d", "--pictures", "p"], "--data is given beside --pictures p"),
        (
            ["--layout", "coco"],
            "--layout is given without a folder that has it, expected --data DIR",
        ),
        (["--input-size", "9999x9999"], "--input-size is 9999x9999, expected HxW"),
        (["--raw", "--input-size", "4096x4096"], "--input-size is 4096x4096, expected HxW"),
        (["--input-size", "31x64"], "--input-size is '31x64', expected HxW"),
    ],
)
def test_nothing_is_ignored(capsys, checkpoint, output, given, words):
    assert words in refused(capsys, "export-det", checkpoint, "--output", output, *given)
    assert not output.exists()


def test_every_option_has_a_meaning_or_is_refused_with_raw(capsys, checkpoint, output):
    """Also those that are added one day."""
    of_raw = {"output", "raw", "input_size", "trust_checkpoint", "overwrite", "as_json", "modules"}
    values = {"precision": "int8", "boxes": "shown", "box_format": "xyxy", "layout": "coco"}
    options = [one for one in export_det.params if isinstance(one, click.Option)]
    for one in options:
        if one.name in of_raw:
            continue
        value = [] if one.is_flag else [values.get(one.name, "0")]
        words = refused(
            capsys, "export-det", checkpoint, "--output", output, "--raw", one.opts[0], *value
        )
        assert f"--raw with {one.opts[0]}" in words


@pytest.mark.parametrize("name", ["d", "d.bin", "d.onnx.txt", "onnx", ".onnx"])
@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_names_that_nothing_would_run(capsys, checkpoint, tmp_path, name, raw):
    words = refused(capsys, "export-det", checkpoint, "--output", tmp_path / name, *raw)
    assert "expected one that ends in .onnx" in words and list(tmp_path.iterdir()) == []


def test_numbers_that_are_none(checkpoint, output):
    for loss in (float("nan"), -0.1, 1.1):
        with pytest.raises(InputError, match=r"max_ap_loss is .*, expected a number from 0 to 1"):
            export_detector(checkpoint, output, precision="int8", max_ap_loss=loss)


def test_bounds_of_the_size():
    for size in ((32, 32), (2048, MOST_SIDE), (MOST_SIDE, 2048)):
        check_size(size, "x")
    for size in ((31, 32), (MOST_SIDE + 1, 32), (2049, MOST_SIDE), (MOST_PIXELS, 1)):
        with pytest.raises(InputError, match=f"x is {size[0]}x{size[1]}, expected HxW"):
            check_size(size, "x")


def test_flops_are_those_of_the_size_that_is_recorded(checkpoint, output, monkeypatch):
    """Of a picture of that size, which the graph pads to whole steps of 32."""
    monkeypatch.setattr(ours, "compare", lambda *_: ours.NONE)
    export_detector(checkpoint, output, input_size=(70, 96))
    found = read_model(output)[1].flops
    cfg = config_of_checkpoint(checkpoint, False)
    padded = count_flops(load_detector(cfg, checkpoint), (96, 96), found.backbone)
    assert found == Flops(input_size=[70, 96], backbone=padded.backbone, detector=padded.detector)


def test_files_that_are_there(capsys, checkpoint, output, monkeypatch):
    """Its own are replaced; of others it says what is true of them, and what helps."""
    monkeypatch.setattr(ours, "compare", lambda *_: ours.NONE)
    export_detector(checkpoint, output)
    export_detector(checkpoint, output)
    words = refused(capsys, "export-det", checkpoint, "--output", output, "--raw")
    assert "nothing in a network says who wrote it, expected a new file, or --overwrite" in words
    export_raw(checkpoint, output, overwrite=True)
    for _ in range(2):
        words = refused(capsys, "export-det", checkpoint, "--output", output)
        assert "is no detector from pixels to boxes that lightnas wrote" in words
        assert "expected a new file, or --overwrite" in words
        output.write_text("mine")
    export_detector(checkpoint, output, overwrite=True)
    assert read_model(output)[1].precision == "fp32"


# Whose errors export-det may print.
ROOMS = [
    "detection.checkpoint",
    "detection.compared",
    "detection.config",
    "detection.decoding",
    "detection.embedded",
    "detection.allowed",
    "detection.export_data",
    "detection.onnx",
    "detection.onnx_raw",
    "detection.prepared",
    "detection.testing",
    "data.faults",
    "data.placing",
    "data.table",
    "data.layouts.find",
    "data.layouts.coco",
    "data.layouts.yolo",
    "data.layouts.voc",
    "data.checking",
    "data.reading",
    "data.inputs",
    "deploy.agreement",
    "deploy.contents",
    "deploy.network",
    "deploy.precision",
    "deploy.resize",
    "deploy.sample",
    "deploy.testing",
    "files",
    "outputs",
    "backbone.onnx",
]


def messages(room):
    """Every text with a blank in it of a module, with 1 for what is filled in."""
    tree = ast.parse(inspect.getsource(import_module(f"lightnas.{room}")))
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for part in n.values}
    for node in ast.walk(tree):
        if id(node) in documented | inner:
            continue
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(part.value if isinstance(part, ast.Constant) and isinstance(part.value, str)
                       else "1" for part in parts)  # fmt: skip
        if " " in text:
            yield text


@pytest.mark.parametrize("room", ROOMS)
def test_no_error_names_an_argument_of_python(room):
    options = {one.name: one.opts[0] for one in export_det.params if isinstance(one, click.Option)}
    arguments = {*inspect.signature(export_detector).parameters, *options, "trust", "val_share"}
    for text in messages(room):
        if text.startswith(("val_share", "cfg_options")) or "set aside" in text:
            continue  # of other commands, which have these
        said = in_words_of(options, text)
        assert not re.search(r"\b\w+=(True|'|[0-9])", said.replace("data.1", "")), text
        for name in arguments:
            assert "_" not in name or not re.search(rf"\b{name}\b", said), (name, text)
