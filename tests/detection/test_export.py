"""export-det: one ONNX file from pictures to boxes, which finds what mmdet finds, or no file."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmcv.image.geometric import rescale_size

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from lightnas.cli.main import main
from lightnas.data.reading import read_picture
from lightnas.deploy import Detector
from lightnas.deploy.contents import OPERATORS, read_model
from lightnas.deploy.network import open_network
from lightnas.deploy.resize import ResizeRule, as_given
from lightnas.deploy.testing import Measured
from lightnas.detection import compared, export_detector
from lightnas.detection import onnx as ours
from lightnas.detection.compared import Boxes, differences
from lightnas.detection.decoding import BoxOutputs, check_head
from lightnas.detection.embedded import config_of_checkpoint
from lightnas.detection.finding import Finder
from lightnas.detection.flops import count_flops
from lightnas.detection.onnx import traced
from lightnas.detection.prepared import prepared
from lightnas.detection.testing import load_detector
from lightnas.errors import InputError, WorkError
from lightnas.latency.speed import Speed
from lightnas.network.cost import cost
from lightnas.network.detector import Detector as Counted
from lightnas.network.structure import read_structures


@pytest.fixture(scope="module")
def checkpoint(checkpoint, tmp_path_factory):
    """A detector whose boxes and scores depend on every pixel, as those of a trained one do."""
    content = torch.load(checkpoint, weights_only=False)
    weights = content["state_dict"]
    draw = torch.Generator().manual_seed(0)
    for name in ("gfl_cls.weight", "gfl_reg.weight"):
        shape = weights[f"bbox_head.{name}"].shape
        weights[f"bbox_head.{name}"] = torch.randn(shape, generator=draw) * 0.2
    weights["bbox_head.gfl_cls.bias"].fill_(-1.0)
    path = tmp_path_factory.mktemp("lively") / "lively.pth"
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def file(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "detector.onnx"
    found = export_detector(checkpoint, path).compared
    assert found.boxes >= 20 and found.pixels <= 1e-3 and found.scores <= 1e-5
    return path


@pytest.fixture
def detector(checkpoint):
    return load_detector(config_of_checkpoint(checkpoint, False), checkpoint)


def run(capfd, *arguments, status=0):
    found = main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert found == status and "Traceback" not in err, err[-2000:]
    return out, err


def test_metadata(file, structure):
    _, said = read_model(file)
    assert said.classes == list("0123456789") and said.precision == "fp32"
    assert said.structure == read_structures(structure)[0].to_dicts()
    assert (said.resize.scale, said.resize.keep_ratio) == ([96, 96], True)
    assert said.normalisation.order == "RGB" and said.normalisation.pad_divisor == 32
    assert said.normalisation.mean == [123.675, 116.28, 103.53]
    assert said.defaults.iou_threshold == 0.6 and said.defaults.max_boxes == 5
    assert said.flops.input_size == [96, 96]
    assert said.flops.backbone == read_structures(structure)[0].cost((96, 96)).flops
    assert said.versions.keys() >= {"lightnas", "torch", "onnxruntime"}


def test_the_same_bytes(file, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(ours, "compare", lambda *_: read_model(file)[1].compared)
    export_detector(checkpoint, tmp_path / "d.onnx")
    assert (tmp_path / "d.onnx").read_bytes() == file.read_bytes()


def test_flops_are_those_of_the_search():
    """Neck and head of a published size, as lightnas.network.detector has them in closed form."""
    from lightnas.detection.config import build_config
    from lightnas.detection.options import TrainOptions
    from lightnas.detection.training import build_model

    options = TrainOptions(structure=None, size="s", input_size=(64, 96))
    cfg = build_config(options, "cpu")
    structure = read_structures("configs/structures/maedet_s.txt")[0]
    backbone = cost(structure, (64, 96)).flops
    found = count_flops(build_model(cfg, "a test").eval(), (64, 96), backbone)
    assert found.detector == cost(structure, (64, 96), detector=Counted(192)).flops


@pytest.mark.parametrize("size", [(96, 96), (40, 90), (33, 7), (200, 130)])
def test_boxes_are_mmdets_on_noise(file, detector, size):
    """At every size, those that are scaled up and that padding fills among them."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    detector.bbox_head.test_cfg.score_thr = 0.0
    rows = Finder(detector)(pixels)
    found = Detector(file, threshold=0.0)(pixels)
    labels = np.repeat(np.arange(10), [len(part) for part in rows])
    theirs = Boxes(np.concatenate(rows)[:, :4], np.concatenate(rows)[:, 4], labels, 5)
    count, *_ = differences(theirs, Boxes(*found, 5), 0.0, 0.6, "noise")
    assert count >= 4


def test_every_limit_is_an_input(file):
    picture = np.random.default_rng(2).integers(0, 256, (2, 3, 64, 96), dtype=np.uint8)
    network = open_network(file)
    most = network(picture, score_threshold=0.0, max_boxes=40)
    assert np.bincount(most.pictures).tolist() == [40, 40]
    few = network(picture, score_threshold=0.0, max_boxes=3)
    assert (np.diff(most.scores) <= 0).all() and not len(
        network(picture, score_threshold=1.0).scores
    )
    for number in (0, 1):
        own, all_own = few.pictures == number, most.pictures == number
        np.testing.assert_array_equal(few.scores[own], most.scores[all_own][:3])
        assert (np.diff(most.scores[all_own]) <= 0).all()
    middle = float(most.scores[20])
    assert (network(picture, score_threshold=middle, max_boxes=40).scores > middle).all()
    loose = network(picture, score_threshold=0.0, iou_threshold=0.99, max_boxes=400)
    strict = network(picture, score_threshold=0.0, iou_threshold=0.1, max_boxes=400)
    assert len(strict.scores) < len(loose.scores)


def test_nothing_but_the_operators_of_the_list(file):
    import onnx

    content, _ = read_model(file)
    kinds = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert "NonMaxSuppression" in kinds and kinds <= OPERATORS


@pytest.mark.parametrize(
    ("kind", "places"), [("GFLHead", 7), ("GFocalHead", 7), ("GFocalHead", -1)]
)
def test_few_candidates_and_both_heads(checkpoint, digits, kind, places):
    """Each with its own way to choose candidates, in fewer places than a level has, or in all."""
    cfg = config_of_checkpoint(checkpoint, False)
    cfg.model.bbox_head.type = kind
    for key in ("reg_topk", "reg_channels", "add_mean"):
        if kind == "GFLHead":
            cfg.model.bbox_head.pop(key)
    cfg.model.test_cfg.update(nms_pre=places, max_per_img=100, score_thr=0.001)
    torch.manual_seed(3)
    from lightnas.detection.building import detector_of

    model = detector_of(cfg, "a test").eval()
    for conv in model.bbox_head.reg_convs:
        torch.nn.init.normal_(conv.conv.weight, std=0.1)
    model.cfg, model.CLASSES = cfg, tuple("0123456789")
    network = _network(cfg, model)
    picture = digits / "train" / "000001.jpg"
    found = compared.compare(network, model, [(picture, read_picture(picture))])
    assert found.boxes >= 10


def _network(cfg, model):
    from lightnas.deploy.network import Network

    from ..deploy.made_up import metadata

    rule, normalisation = prepared(cfg, "x")
    defaults = check_head(model, "x")
    said = metadata(
        classes=list("0123456789"), resize=rule, normalisation=normalisation, defaults=defaults
    )
    return Network(traced(BoxOutputs(model, normalisation), (64, 64), defaults), said, "x")


def test_colours_and_padding_of_other_pipelines(checkpoint, digits):
    """BGR, and no padding."""
    cfg = config_of_checkpoint(checkpoint, False)
    model = load_detector(cfg, checkpoint)
    picture = digits / "train" / "000002.jpg"
    steps = cfg.data.test.pipeline[1].transforms
    steps[2].update(to_rgb=False, mean=[10.0, 20.0, 30.0], std=[50.0, 60.0, 70.0])
    cfg.data.test.pipeline[1].transforms = [steps[i] for i in (0, 2, 4, 5)]
    network = _network(cfg, model)
    assert network.metadata.normalisation.order == "BGR"
    looked_at = [(picture, read_picture(picture)[:83, :61])]
    assert compared.compare(network, model, looked_at).boxes > 0


# --- fewer bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_fewer_bits(capfd, checkpoint, file, digits, tmp_path, precision, monkeypatch):
    """Fewer bytes, boxes close to those of fp32, and both measured."""
    monkeypatch.setattr("lightnas.deploy.precision.CALIBRATION", 4)
    output = tmp_path / "low.onnx"
    arguments = ("--precision", precision, "--max-ap-loss", 1)
    out, _ = run(capfd, "export-det", checkpoint, "--output", output, *arguments)
    assert "fp32" in out and precision in out and "AP (val)" in out
    _, said = read_model(output)
    assert said.precision == precision and said.ap.keys() == {"fp32", precision}
    assert output.stat().st_size < 0.9 * file.stat().st_size
    picture = digits / "test" / "000001.jpg"
    low, full = (Detector(one, threshold=0.0)(picture) for one in (output, file))
    assert len(low) == len(full) == 5
    assert np.abs(low.scores - full.scores).max() < 0.1
    found = said.compared  # of this file, not of fp32
    assert found.against == "fp32" and said.ap_split == "val"
    differ = (
        f"{precision} and fp32 differ by {found.pixels:.2g} pixels and {found.scores:.2g} in score"
    )
    assert differ in out and f"fp32 alone finds {found.missed}" in out and "mmdet" not in out
    networks = open_network(file), open_network(output)
    counts = [0, 0]
    for path in sorted((digits / "train").iterdir())[:1]:
        given = as_given(read_picture(path), networks[0].metadata.resize)
        counts = [len(network(given).scores) for network in networks]
    assert found.pictures == 8 and found.boxes + found.missed >= counts[0] > 0
    assert 0 < found.pixels < 100 and 0 < found.scores < 0.1


@pytest.fixture
def quick(monkeypatch):
    """Measured without the time that it takes."""
    monkeypatch.setattr("lightnas.deploy.precision.CALIBRATION", 2)
    monkeypatch.setattr(
        "lightnas.deploy.testing.steadily",
        lambda runs, _: {name: [run(), Speed(0.4, 0.3, 0.5)][1] for name, run in runs.items()},
    )


def test_numbers_and_progress(capfd, checkpoint, tmp_path, quick, monkeypatch):
    monkeypatch.setattr("lightnas.cli.tables.LINE_EVERY", 0)
    output = tmp_path / "d.onnx"
    given = ("--precision", "int8", "--max-ap-loss", 1, "--json")
    out, err = run(capfd, "export-det", checkpoint, "--output", output, *given)
    found = json.loads(out)
    assert found["precisions"].keys() == {"fp32", "int8"} and found["split"] == "val"
    assert found["precisions"]["int8"]["seconds"] == pytest.approx(0.1)  # of each of four pictures
    assert found["bytes"] == output.stat().st_size and found["precision"] == "int8"
    assert found["compared"] == read_model(output)[1].compared.model_dump()
    assert "measured 1 of 8" in err and "2 of 2 measurements stayed noisy" in err
    assert "--threads" not in err
    out, _ = run(capfd, "export-det", checkpoint, "--output", output, "--json")  # its own file
    found = json.loads(out)
    assert found["precision"] == "fp32" and "precisions" not in found
    assert found["compared"]["against"] == "mmdet" and "missed" not in found["compared"]


@pytest.mark.parametrize(
    ("splits", "measured"),
    [(("train", "val"), "val"), (("train", "test"), "test"), (("train",), "val")],
)
def test_the_splits_that_are_needed(capfd, checkpoint, digits, tmp_path, quick, splits, measured):
    """Of a folder whose others are damaged or not there; fp16 needs no train."""
    data = tmp_path / "data"
    (data / "annotations").mkdir(parents=True)
    for name in splits:
        (data / name).symlink_to(digits / name)
        (data / "annotations" / f"instances_{name}.json").symlink_to(
            digits / "annotations" / f"instances_{name}.json"
        )
    if measured == "val" and len(splits) == 2:
        (data / "test").mkdir()
        (data / "annotations/instances_test.json").write_text("{")
    given = ("--data", data, "--max-ap-loss", 1)
    for precision in ("int8", "fp16") if len(splits) == 2 else ("int8",):
        output = tmp_path / f"{precision}.onnx"
        arguments = ("export-det", checkpoint, "--output", output, "--precision", precision)
        out, _ = run(capfd, *arguments, *given)
        assert f"AP ({measured})" in out and read_model(output)[1].ap_split == measured
    (data / "annotations" / "instances_train.json").unlink()
    if len(splits) == 2:
        run(capfd, *arguments, *given)
        _, err = run(capfd, *arguments[:-1], "int8", *given, status=2)
        assert (
            "names no train data that are there, expected pictures to calibrate with: --data" in err
        )


def test_bad_pictures_are_left_out_where_that_is_asked_for(
    capfd, checkpoint, digits, tmp_path, quick
):
    data = tmp_path / "data"
    shutil.copytree(digits, data)
    for name in ("train/000001.jpg", "val/000001.jpg"):
        (data / name).write_bytes(b"no picture")
    given = ("--precision", "int8", "--data", data, "--max-ap-loss", 1)
    arguments = ("export-det", checkpoint, "--output", tmp_path / "d.onnx", *given)
    _, err = run(capfd, *arguments, status=2)
    assert "000001.jpg" in err
    _, err = run(capfd, *arguments, "--skip-bad-images")
    assert "left out: " in err and "000001.jpg" in err


def test_a_loss_of_ap_is_refused(capfd, checkpoint, tmp_path, monkeypatch):
    speed = Speed(1.0, 1.0, 1.0)
    fallen = {"fp32": Measured(0.5, speed), "int8": Measured(0.48, speed)}
    monkeypatch.setattr(ours, "side_by_side_with", lambda *_: fallen)
    monkeypatch.setattr(ours, "lowered", lambda model, *_: model)
    output = tmp_path / "d.onnx"
    arguments = ("export-det", checkpoint, "--output", output, "--precision", "int8")
    _, err = run(capfd, *arguments, status=1)
    assert "AP falls from 0.5000 to 0.4800, expected at most 0.01" in err and not output.exists()
    run(capfd, *arguments, "--max-ap-loss", "0.03")
    assert read_model(output)[1].ap == {"fp32": 0.5, "int8": 0.48}


def test_precisions_that_are_none(checkpoint, tmp_path):
    with pytest.raises(InputError, match="precision is int4, did you mean"):
        export_detector(checkpoint, tmp_path / "d.onnx", precision="int4")


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda flip: flip.update(flip=True), "mirrored"),
        (lambda flip: flip.update(img_scale=[(64, 64), (96, 96)]), "several sizes"),
        (lambda flip: flip.transforms[0].update(backend="pillow"), "resizes with"),
        (lambda flip: flip.transforms[0].update(interpolation="area"), "resizes with"),
        (lambda flip: flip.transforms.pop(0), "where it stands"),
        (lambda flip: flip.transforms[3].update(size_divisor=None, pad_to_square=True), "pads as"),
        (lambda flip: flip.transforms.insert(2, {"type": "PhotoMetricDistortion"}), "PhotoMetric"),
        (lambda flip: flip.transforms.insert(2, flip.transforms.pop(3)), "where it stands"),
    ],
)
def test_pipelines_that_are_not_repeated(checkpoint, change, words):
    cfg = config_of_checkpoint(checkpoint, False)
    change(cfg.data.test.pipeline[1])
    with pytest.raises(InputError, match=words) as refusal:
        prepared(cfg, "x.pth")
    assert "raw" not in str(refusal.value)  # which export-det alone has


def test_heads_that_are_not_decoded(detector):
    check_head(detector, "x")
    detector.bbox_head.test_cfg.nms = {"type": "soft_nms", "iou_threshold": 0.5}
    with pytest.raises(InputError, match=r"test_cfg.nms "):
        check_head(detector, "x")
    detector.bbox_head = torch.nn.Identity()
    with pytest.raises(InputError, match=r"its head is Identity, expected .*GFocalHead"):
        check_head(detector, "x")


def test_no_pictures_to_compare_on(capfd, checkpoint, tmp_path, digits):
    content = torch.load(checkpoint, weights_only=False)
    text = content["meta"]["lightnas_config"].replace(str(digits), "/nowhere")
    content["meta"]["lightnas_config"] = text
    torch.save(content, tmp_path / "moved.pth")
    arguments = ("export-det", tmp_path / "moved.pth", "--output", tmp_path / "d.onnx")
    _, err = run(capfd, *arguments, status=2)
    assert "expected pictures to compare it on: --pictures FOLDER" in err
    assert not (tmp_path / "d.onnx").exists()
    out, _ = run(capfd, *arguments, "--pictures", digits / "test")
    assert "onnxruntime and mmdet differ by" in out and "on 4 pictures" in out
    out, _ = run(capfd, *arguments, "--data", digits)
    assert "on 6 pictures" in out  # of val


def test_a_file_that_differs_is_not_written(capfd, checkpoint, tmp_path, monkeypatch):
    class Other(BoxOutputs):
        def _prepared(self, image):
            return super()._prepared(image) * 0.99

    monkeypatch.setattr(ours, "BoxOutputs", Other)
    output = tmp_path / "d.onnx"
    _, err = run(capfd, "export-det", checkpoint, "--output", output, status=1)
    assert "nothing was written" in err and err.count("\n") == 1 and not output.exists()


def test_pixels_that_differ_are_no_ground(file, checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr(
        compared, "resized", lambda pixels, size: 255 - pixels[: size[1], : size[0]]
    )
    with pytest.raises(WorkError, match="resize it to other pixels"):
        export_detector(checkpoint, tmp_path / "d.onnx")


# --- which boxes may differ -----------------------------------------------------------------------

BOX, FAR = [0.0, 0, 10, 10], [100.0, 100, 110, 110]


def boxes(*rows, most=10):
    """Of rows of corners, score and label."""
    corners, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    corners = np.array(corners, float).reshape(-1, 4)
    return Boxes(corners, np.array(scores, float), np.array(labels, int), most)


def moved(box, by):
    return [value + by for value in box]


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        (boxes((BOX, 0.5, 1)), boxes((moved(BOX, 0.009), 0.50009, 1)), 1),
        (boxes((BOX, 0.5, 1), (FAR, 0.05005, 1)), boxes((BOX, 0.5, 1)), 1),  # the score's threshold
        # as many as there may be, and another of the same score
        (boxes((BOX, 0.5, 1), (FAR, 0.4, 1), most=2), boxes((BOX, 0.5, 1), (moved(FAR, 9), 0.4, 1), most=2), 1),
        # [0, 0, 10, 10] and [0, 4, 10, 14] overlap by 60 / 140; the threshold below is that
        (boxes((BOX, 0.5, 1), ([0.0, 4, 10, 14], 0.4, 1)), boxes((BOX, 0.5, 1)), 1),
        # ... and a third box that the second suppresses
        (boxes((BOX, 0.5, 1), ([0.0, 4, 10, 14], 0.4, 1)), boxes((BOX, 0.5, 1), ([0.0, 5, 10, 15], 0.3, 1)), 1),
        (boxes(), boxes(), 0),
    ],
)  # fmt: skip
def test_close_decisions_may_differ(one, other, count):
    assert differences(one, other, 0.05, 60 / 140, "x")[0] == count
    assert differences(other, one, 0.05, 60 / 140, "x")[0] == count


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (boxes((BOX, 0.5, 1)), boxes()),
        (boxes((BOX, 0.5, 1)), boxes((BOX, 0.5, 2))),
        (boxes((BOX, 0.5, 1)), boxes((moved(BOX, 0.02), 0.5, 1))),
        (boxes((BOX, 0.5, 1)), boxes((BOX, 0.5003, 1))),
        (boxes((BOX, 0.5, 1), (BOX, 0.5, 1)), boxes((BOX, 0.5, 1))),
        (boxes((BOX, 0.5, 1), (FAR, 0.3, 1)), boxes((BOX, 0.5, 1), most=1)),
    ],
)
def test_others_may_not(one, other):
    if other.most == 1:  # as many as it may have, and a worse one more: that is close
        assert differences(one, other, 0.05, 0.6, "x")[0] == 1
        return
    for first, second in ((one, other), (other, one)):
        with pytest.raises(WorkError, match="alone finds class"):
            differences(first, second, 0.05, 0.6, "x")


# --- used -----------------------------------------------------------------------------------------


def test_the_rule_is_mmcvs():
    draw = np.random.default_rng(0)
    for _ in range(500):
        width, height, *scale = draw.integers(1, 3000, 4).tolist()
        scale = [min(side, 4096) for side in scale]
        expected = [max(1, side) for side in rescale_size((width, height), tuple(scale))]
        assert list(ResizeRule(scale=scale, keep_ratio=True).size(width, height)) == expected


def test_detect_writes_the_same_files(capfd, file, checkpoint, digits, tmp_path):
    found = {}
    for name, source in (("onnx", file), ("torch", checkpoint)):
        output = tmp_path / name
        run(
            capfd, "detect", source, digits / "test", "--output", output, "--format", "coco",
            "--score-thr", 0, "--max-per-image", 30,
        )  # fmt: skip
        text = (output / "detections.json").read_text().replace(str(output), "")
        found[name] = json.loads(text), {path.name for path in output.iterdir()}
    assert found["onnx"][1] == found["torch"][1]
    for one, other in zip(found["onnx"][0], found["torch"][0], strict=True):
        assert one["picture"] == other["picture"] and len(one["detections"]) == 30
        for a, b in zip(one["detections"], other["detections"], strict=True):
            assert a["class"] == b["class"] and a["score"] == pytest.approx(b["score"], abs=1e-3)
            assert a["bbox"] == pytest.approx(b["bbox"], abs=0.02)


def test_ap_is_the_same(capfd, file, checkpoint, digits, tmp_path):
    results = {}
    for name, source in (("onnx", file), ("torch", checkpoint)):
        arguments = (
            "--data",
            digits,
            "--json",
            "--format",
            "csv",
            "--output",
            tmp_path / f"{name}.csv",
        )
        results[name] = json.loads(run(capfd, "test-det", source, *arguments)[0])
    one, other = results["onnx"], results["torch"]
    assert one.keys() == other.keys() and one["images"] == other["images"] == 4
    assert one["ap"] == pytest.approx(other["ap"], abs=1e-3)
    assert one["per_class"] == other["per_class"] and one["confusion"] == other["confusion"]
    rows = [(tmp_path / f"{name}.csv").read_text().count("\n") for name in results]
    assert rows[0] == rows[1] > 1


def test_a_work_directory_serves_as_well(file, checkpoint, digits):
    picture = digits / "test" / "000001.jpg"
    one = Detector(checkpoint, threshold=0.0, most=30)(picture)
    other = Detector(file, threshold=0.0, most=30)(picture)
    assert len(one) == len(other) == 30 and one.names == other.names
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)


PROOF = """
import sys
heavy = ("torch", "mmcv", "mmdet", "cv2", "onnx", "torchvision", "pycocotools")
sys.modules.update(dict.fromkeys(heavy))  # importing one of them fails
from lightnas.cli.main import main
from lightnas.deploy import Detector
file, data, output = sys.argv[1:]
assert main(["detect", file, f"{data}/test", "--output", output, "--score-thr", "0"]) == 0
assert main(["test-det", file, "--data", data]) == 0
assert Detector(file, threshold=0.0)(f"{data}/test/000001.jpg").boxes.shape == (5, 4)
assert not any(sys.modules[name] for name in sys.modules if name.split(".")[0] in heavy)
"""


def test_neither_torch_nor_mmdet_is_needed(file, digits, tmp_path):
    arguments = [sys.executable, "-c", PROOF, file, digits, tmp_path / "found"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("runtime", [None, "onnxruntime", "openvino"])
def test_the_seconds_of_a_checkpoint(checkpoint, capfd, monkeypatch, runtime):
    """It runs whole, in each runtime; what its time is, is made up."""
    if runtime:
        pytest.importorskip(runtime)
    from lightnas.deploy import latency

    def once(runs):
        for call in runs.values():
            call()
        return dict.fromkeys(runs, Speed(0.5, 0.5, 0.5))

    monkeypatch.setattr(latency, "side_by_side", once)
    given = ("--runtime", runtime) if runtime else ()
    out, _ = run(capfd, "latency", checkpoint, *given, "--device", "cpu", "--json")
    (row,) = json.loads(out)["detectors"]
    assert row["runtime"] == (runtime or "torch") and row["seconds"] == 0.5
    assert row["input_size"] == "96x96" and row["flops"] > 0 and row["precision"] == "fp32"
    if not runtime:
        _, err = run(capfd, "latency", checkpoint, "--batch", "2", status=2)
        assert "expected one picture of 96x96" in err
