"""Training, testing and detecting from the command line, on twenty small pictures."""

import html
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributed.run import main as torchrun

from lightnas.cli.main import main
from lightnas.detection.checkpoint import read_checkpoint
from lightnas.network.structure import Structure, format_structures, read_structures

from ..conftest import heed_ctrl_c, published
from . import gradients
from .conftest import SMALL

QUICK = [
    "--width",
    "64",
    "--input-size",
    "96x96",
    "--batch",
    "4",
    "--workers",
    "0",
    "--cfg-options",
    "model.bbox_head.stacked_convs=1",
]


def call(capfd, *arguments, status=0):
    """stdout and stderr of a command."""
    found = main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert found == status, err[-2000:]
    return out, err


def refused(capfd, *arguments, status=2):
    """The one line, the last of stderr, of a command that fails before or while it works."""
    out, err = call(capfd, *arguments, status=status)
    lines = [line for line in err.splitlines() if line.startswith("lightnas: ")]
    assert out == "" and len(lines) == 1 and "Traceback" not in err, err
    return lines[0]


def train(capfd, structure, digits, work_dir, *more, epochs=1):
    out, err = call(
        capfd,
        "train-det",
        structure,
        "--data",
        digits,
        "--schedule",
        epochs,
        "--work-dir",
        work_dir,
        "--json",
        *QUICK,
        *more,
    )
    return json.loads(out), err


def losses(work_dir):
    """(epoch, step, loss) of every line of the training log, over all of its files."""
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob("*.log.json"))
        for line in path.read_text().splitlines()
    ]
    return [
        (line["epoch"], line["iter"], line["loss"]) for line in lines if line.get("mode") == "train"
    ]


def weights(path):
    return read_checkpoint(path, trust=False)["state_dict"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def one_epoch(structure, digits, path):
    """A work directory of one epoch."""
    arguments = [
        "train-det",
        structure,
        "--data",
        digits,
        "--schedule",
        1,
        "--work-dir",
        path,
        *QUICK,
    ]
    assert main([str(argument) for argument in arguments]) == 0
    return path


@pytest.fixture(scope="module")
def trained(structure, digits, tmp_path_factory):
    """A work directory of one epoch."""
    return one_epoch(structure, digits, tmp_path_factory.mktemp("work") / "run")


def test_a_work_directory(trained, structure):
    names = {path.name for path in trained.iterdir()}
    assert {
        "config.py",
        "structure.txt",
        "result.json",
        "detections.jpg",
        "epoch_1.pth",
        "latest.pth",
        "tf_logs",
    } <= names
    assert read_structures(trained / "structure.txt") == read_structures(structure)
    result = json.loads((trained / "result.json").read_text())
    assert (
        result["classes"] == list("0123456789")
        and {"ap", "ap50", "ap75", "ap_s", "ap_m", "ap_l"} <= result.keys()
    )
    meta = read_checkpoint(trained / "epoch_1.pth", trust=False)["meta"]
    assert (
        tuple(meta["CLASSES"]) == tuple("0123456789")
        and "SuperResK1KXK1" in meta["lightnas_config"]
    )
    report = (trained / "report.html").read_text()
    assert (
        f"<dt>AP50</dt><dd>{result['ap50']:.3f}</dd>" in report
        and "Training loss" in report
        and "data:image/jpeg;base64," in report
    )
    begun = json.loads((trained / ".lightnas.json").read_text())["begun"]
    assert {"torch", "mmcv", "mmdet", "numpy", "lightnas"} <= set(begun["versions"])
    assert f"<dd><code>{html.escape(begun['command'])}</code></dd>" in report
    assert "output at 96x96" in report and "Learning rate" in report
    assert len(report.encode()) < 1_000_000
    with Image.open(trained / "detections.jpg") as picture:
        assert picture.width > 96
    assert len(losses(trained)) >= 2


def test_same_seed_same_losses(capfd, trained, structure, digits, tmp_path):
    _, err = train(capfd, structure, digits, tmp_path / "again")
    train(capfd, structure, digits, tmp_path / "other", "--seed", 1)
    assert losses(trained) == losses(tmp_path / "again") != losses(tmp_path / "other")
    assert same(weights(trained / "epoch_1.pth"), weights(tmp_path / "again/epoch_1.pth"))
    # Said aloud:
    assert "learning rate 0.005: 0.02 for 16 pictures a step, here 4 = 1 x 4 pictures a step" in err
    assert "eta:" in err


def stopped_in_second_epoch(arguments, number, epoch=2):
    """Exit status of a training run in a process of its own that gets a signal in its second (or
    another) epoch."""
    text = (Path(__file__).parents[1] / "stopped.py").read_text()
    moment = (str(int(number)), "step", "*", str(epoch))
    command = [sys.executable, "-c", text, *moment, *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, preexec_fn=heed_ctrl_c)
    assert process.returncode < 0 or process.stderr.splitlines()[-1].startswith("lightnas: "), (
        process.stderr[-2000:]
    )
    return process.returncode


def test_a_killed_run_resumes_to_the_same_end(capfd, structure, digits, tmp_path):
    """Epoch 2 after a kill draws and computes what it would have without one."""
    train(capfd, structure, digits, tmp_path / "whole", epochs=2)
    arguments = [
        "train-det",
        structure,
        "--data",
        digits,
        "--schedule",
        2,
        "--work-dir",
        tmp_path / "killed",
        *QUICK,
    ]
    assert stopped_in_second_epoch(arguments, signal.SIGKILL) == -signal.SIGKILL
    assert not (tmp_path / "killed/result.json").exists()
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", tmp_path / "killed", "--json")
    assert json.loads(out)["last"].endswith("epoch_2.pth")
    assert same(weights(tmp_path / "whole/epoch_2.pth"), weights(tmp_path / "killed/epoch_2.pth"))
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.endswith(".part")]
    # A finished run says its result again, and changes nothing.
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("*.pth")}
    again, _ = call(capfd, "train-det", "--resume", "--work-dir", tmp_path / "killed", "--json")
    assert json.loads(again) == json.loads(out)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("*.pth")} == before


def test_ctrl_c(structure, digits, tmp_path):
    arguments = [
        "train-det",
        structure,
        "--data",
        digits,
        "--schedule",
        9,
        "--work-dir",
        tmp_path / "w",
        *QUICK,
    ]
    assert stopped_in_second_epoch(arguments, signal.SIGINT) == 130


@pytest.fixture
def full_disk():
    """From when it is called, no file may grow beyond so many bytes: writing fails as on a full
    disk. False: no longer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full_disk(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or before[0], before[1]))

    yield full_disk
    full_disk(False)


def test_a_full_disk(capfd, trained, tmp_path, full_disk):
    """Files end at a megabyte, less than a checkpoint."""
    work_dir = tmp_path / "w"
    shutil.copytree(trained, work_dir, symlinks=True)
    before = {path.name: path.read_bytes() for path in work_dir.glob("*.pth")}
    (work_dir / "result.json").unlink()
    config = work_dir / "config.py"
    config.write_text(config.read_text().replace("'max_epochs': 1", "'max_epochs': 2"))
    full_disk(2**20)
    out, err = call(capfd, "train-det", "--resume", "--work-dir", work_dir, status=1)
    full_disk(False)
    assert out == "" and "Traceback" not in err and "Logging error" not in err
    assert [line for line in err.splitlines() if line.startswith("lightnas: ")][-1].endswith(
        "too large"
    )
    assert {path.name: path.read_bytes() for path in work_dir.glob("*.pth")} == before
    assert not list(work_dir.glob(".*.part"))
    call(capfd, "train-det", "--resume", "--work-dir", work_dir)
    assert (work_dir / "epoch_2.pth").exists()


def test_two_processes(capfd, structure, digits, tmp_path):
    """torchrun's way: gloo on the CPU trains, evaluates and leaves one work directory."""
    out, err = call(capfd, "train-det", structure, "--data", digits, "--schedule", 1, "--work-dir", tmp_path / "w",
                    "--device", "cpu", "--gpus", 2, "--json", *QUICK)  # fmt: skip
    assert "here 8 = 2 x 4" in err
    assert json.loads(out)["checkpoint"].endswith(".pth")
    assert (tmp_path / "w/result.json").exists()


def test_two_processes_look_at_train_together(capfd, structure, digits, tmp_path):
    call(capfd, "train-det", structure, "--data", digits, "--schedule", "auto", "--iterations", 20,
         "--work-dir", tmp_path / "w", "--device", "cpu", "--gpus", 2, *QUICK)  # fmt: skip
    logs = "".join(path.read_text() for path in tmp_path.glob("w/*.log.json")).splitlines()
    measured = [row for row in map(json.loads, logs) if row.get("mode") == "val"]
    assert len(measured) > 2 and all("train_bbox_mAP" in row for row in measured)


def test_two_processes_fail_as_one_does(capfd, structure, tmp_path):
    line = refused(
        capfd, "train-det", structure, "--data", tmp_path, "--gpus", 2, "--device", "cpu"
    )
    assert "holds nothing, expected one of" in line


def test_gradients_of_two_processes_are_those_of_one(tmp_path, structure, monkeypatch):
    """On the joined batch, objects shared out unevenly."""
    gradients.run(structure, tmp_path)
    script = [gradients.__file__, str(structure), str(tmp_path)]
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    torchrun(["--standalone", "--nproc_per_node=2", *script])
    alone, together = (torch.load(tmp_path / f"{n}.pth", weights_only=True) for n in (1, 2))
    assert alone.keys() == together.keys() and len(alone) > 50
    largest = max(float(value.abs().max()) for value in alone.values())
    for key, value in alone.items():
        assert torch.allclose(value, together[key], rtol=1e-4, atol=1e-5 * largest), key


# --- test-det and detect --------------------------------------------------------------------------------------------


def test_test_det(capfd, trained, digits):
    from_dir = json.loads(call(capfd, "test-det", trained, "--json")[0])
    from_checkpoint = json.loads(call(capfd, "test-det", trained / "epoch_1.pth", "--json")[0])
    from_config = json.loads(
        call(
            capfd,
            "test-det",
            trained / "config.py",
            trained / "epoch_1.pth",
            "--data",
            digits,
            "--json",
        )[0]
    )
    keys = ("ap", "ap50", "ap75", "images")
    assert (
        [from_dir[key] for key in keys]
        == [from_checkpoint[key] for key in keys]
        == [from_config[key] for key in keys]
    )
    assert from_dir["images"] == 4
    assert "AP50" in call(capfd, "test-det", trained)[0]


def test_detect_needs_the_checkpoint_alone(capfd, trained, digits, tmp_path):
    moved = shutil.copy(trained / "epoch_1.pth", tmp_path / "moved.pth")
    pictures = sorted((digits / "val").iterdir())[:2]
    twin = tmp_path / pictures[0].name
    shutil.copy(pictures[0], twin)
    out, _ = call(
        capfd,
        "detect",
        moved,
        *pictures,
        twin,
        "--output",
        tmp_path / "out",
        "--score-thr",
        "0",
        "--json",
    )
    found = json.loads(out)["images"]
    assert json.loads((tmp_path / "out/detections.json").read_text()) == found
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        ".lightnas.json",
        "detections.json",
        pictures[0].name,
        pictures[1].name,
        f"{pictures[0].stem}-2.jpg",
    }
    scores = [detection["score"] for detection in found[0]["detections"]]
    assert scores == sorted(scores, reverse=True)
    assert all(
        detection["class"] in "0123456789" and len(detection["bbox"]) == 4
        for detection in found[0]["detections"]
    )


def test_detect_never_replaces_a_photo(capfd, trained, digits, tmp_path):
    """The folder of the photos, and a folder with photos that detect has not made."""
    photos = tmp_path / "photos"
    shutil.copytree(digits / "val", photos)
    checkpoint, (photo, *_) = trained / "epoch_1.pth", sorted(photos.iterdir())
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    options = ("--output", photos, "--overwrite")
    other = next((digits / "val").iterdir())
    for picture in (photo, other):
        err = refused(capfd, "detect", checkpoint, picture, *options)
        assert "nothing in it may be replaced" in err
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before
    found = tmp_path / "found"
    options = ("--output", found, "--overwrite")
    for source, option in ((checkpoint, ()), (trained, ("--overwrite",))):
        call(capfd, "detect", source, photo, "--output", found, *option)
    # A photo that was put beside what was found: as an input, and where a drawing would be.
    mine = shutil.copy(photo, found / "mine.jpg")
    twin = shutil.copy(photo, tmp_path / "mine.jpg")
    before = {path.name: path.read_bytes() for path in found.iterdir()}
    assert "mine.jpg, which is read" in refused(capfd, "detect", checkpoint, mine, *options)
    assert "is in the way" in refused(capfd, "detect", checkpoint, twin, *options)
    assert "which is read" in refused(capfd, "detect", checkpoint, found / photo.name, *options)
    assert {path.name: path.read_bytes() for path in found.iterdir()} == before


def test_a_training_never_takes_the_folder_of_its_data(capfd, structure, digits, tmp_path):
    data = shutil.copytree(digits, tmp_path / "data")
    for option in ("--overwrite", "--resume"):
        refused(capfd, "train-det", structure, "--data", data, "--work-dir", data, option, *QUICK)
    assert sorted(p.name for p in data.rglob("*")) == sorted(p.name for p in digits.rglob("*"))


def test_a_moved_work_directory_resumes_and_tests(capfd, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "moved", symlinks=True)
    assert json.loads(call(capfd, "test-det", tmp_path / "moved", "--json")[0])["images"] == 4
    call(capfd, "train-det", "--resume", "--work-dir", tmp_path / "moved")


def test_what_a_run_made_is_found_where_it_lies_now(capfd, structure, digits, tmp_path):
    """Moved, with annotation files of its own, without the report that a kill came before."""
    data = shutil.copytree(digits, tmp_path / "data")
    for annotations in (data / "annotations").iterdir():
        content = json.loads(annotations.read_text())
        content["annotations"][0]["bbox"][2] = 0
        annotations.write_text(json.dumps(content))
    call(
        capfd, "train-det", structure, "--data", data, "--schedule", 1, "--skip-bad-images",
        "--work-dir", tmp_path / "w", *QUICK,
    )  # fmt: skip
    stored = json.loads((tmp_path / "w/result.json").read_text())
    assert stored["last"] == "epoch_1.pth" and "/" not in stored["checkpoint"]
    moved = tmp_path / "elsewhere/moved"
    moved.parent.mkdir()
    (tmp_path / "w").rename(moved)
    (moved / "report.html").unlink()
    before = {path.name: path.read_bytes() for path in moved.iterdir() if path.is_file()}
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", moved, "--json")
    assert json.loads(out)["last"] == str(moved / "epoch_1.pth")
    assert (moved / "report.html").is_file()
    assert {name: (moved / name).read_bytes() for name in before} == before
    call(capfd, "report", moved)
    (moved / "result.json").unlink()
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", moved, "--json")
    assert json.loads((moved / "result.json").read_text()) == stored
    for source in (moved, moved / "epoch_1.pth"):
        tested = json.loads(call(capfd, "test-det", source, "--json")[0])
        assert tested["images"] == 4
        assert tested["annotations"] == str(moved / "annotations/test.json")
    picture = next((data / "val").iterdir())
    call(capfd, "detect", moved, picture, "--output", tmp_path / "found")


def test_inputs_inside_the_work_directory(capfd, structure, digits, trained, tmp_path):
    """What an overwritten run would remove before it has read it."""
    work_dir = tmp_path / "w"
    shutil.copytree(trained, work_dir, symlinks=True)
    before = {path.name: path.read_bytes() for path in work_dir.iterdir() if path.is_file()}
    command = ("train-det", structure, "--data", digits, "--work-dir", work_dir, "--overwrite")
    err = refused(capfd, *command, "--load-from", work_dir / "epoch_1.pth", *QUICK)
    assert "epoch_1.pth, which is read" in err
    shutil.copytree(digits, work_dir / "data")
    command = ("train-det", structure, "--data", work_dir / "data", "--work-dir", work_dir)
    assert "which is read" in refused(capfd, *command, "--overwrite", *QUICK)
    (work_dir / "mine.txt").write_text(structure.read_text())
    command = ("train-det", work_dir / "mine.txt", "--data", digits, "--work-dir", work_dir)
    assert "mine.txt, which is read" in refused(capfd, *command, "--overwrite", *QUICK)
    assert {name: (work_dir / name).read_bytes() for name in before} == before


def test_export_det(capfd, trained, tmp_path):
    """The raw outputs of onnxruntime are torch's, at another size than the traced one too."""
    import onnxruntime

    from lightnas.detection.config import read_config
    from lightnas.detection.testing import load_detector

    path = tmp_path / "d.onnx"
    assert (
        "differ by"
        in call(capfd, "export-det", trained / "epoch_1.pth", "--raw", "--output", path)[0]
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_outputs()] == [
        f"{kind}_{i}" for kind in ("cls", "box") for i in range(5)
    ]
    detector = load_detector(read_config(trained / "config.py"), trained / "epoch_1.pth")
    picture = torch.randn(1, 3, 160, 96)
    with torch.no_grad():
        expected = [level for kind in detector.forward_dummy(picture) for level in kind]
    for found, value in zip(session.run(None, {"image": picture.numpy()}), expected, strict=True):
        assert np.abs(found - value.numpy()).max() <= 1e-4 * float(value.abs().max())


def test_load_from(capfd, trained, structure, digits, tmp_path):
    _, err = train(capfd, structure, digits, tmp_path / "w", "--load-from", trained / "epoch_1.pth")
    assert "loaded" in err


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def base(structure, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [
        "train-det",
        str(structure),
        "--data",
        str(digits),
        "--schedule",
        "1",
        "--work-dir",
        "w",
        *QUICK,
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--schedule", "5x"], "--schedule is '5x'"),
        (["--width", "65"], "--width is 65"),
        (["--input-size", "9x9"], "--input-size"),
        (["--input-size", "5000x96"], "--input-size is 5000x96, expected HxW such as"),
        (
            ["--input-size", "96x2048", "--multi-scale", "1,2.1"],
            "--multi-scale is up to 2.1 times 96x2048, expected sides of at most 4096",
        ),
        (["--multi-scale", "2"], "--multi-scale is '2', expected LO,HI"),
        (["--amp"], "--amp"),
        (["--device", "cuda"], "--device cuda"),
        (["--data", "nowhere"], "--data nowhere is no directory"),
        (["--train-json", "nowhere.json"], "--train-json nowhere.json is no file"),
        (["--config", "nowhere.py"], "nowhere.py"),
        (["--load-from", "nowhere.pth"], "nowhere.pth"),
        (["--cfg-options", "model.backone.x=1"], "did you mean 'backbone'"),
        (["--cfg-options", "model.neck.type=FPNN"], "its model cannot be built"),
        (["--resume", "--overwrite"], "--resume and --overwrite"),
        (["--gpus", "512"], "--gpus is 512"),
        (["--size", "xl"], "--size"),
    ],
)
def test_mistakes(capfd, base, change, message):
    if torch.cuda.is_available() and change[0] in ("--amp", "--device"):
        pytest.skip("there is a GPU")
    assert message in refused(capfd, *base, *change)
    assert not Path("w").exists()


def test_a_loss_that_is_no_number(capfd, base):
    assert "the loss is no longer a number" in refused(
        capfd, *base, "--cfg-options", "optimizer.lr=1e30", status=1
    )


def test_a_config_of_ones_own(capfd, base, digits, tmp_path):
    """Data, structure and schedule from the config alone; a plain epoch runner becomes one that
    writes whole checkpoints."""
    from lightnas.files import data_file

    text = f"""
_base_ = "{data_file("configs", "detection/gfl_maedet_s.py")}"
model = dict(backbone=dict(structure_txt="{base[1]}"), neck=dict(in_channels=[1, 2, 3, 4]))
data = dict(samples_per_gpu=8, workers_per_gpu=0,
    train=dict(data_root="{digits}", ann_file="annotations/instances_train.json", img_prefix="train/"),
    val=dict(data_root="{digits}/", ann_file="annotations/instances_val.json", img_prefix="val/"),
    test=dict(data_root="{digits}/", ann_file="annotations/instances_test.json", img_prefix="test/"))
runner = dict(type="EpochBasedRunner", max_epochs=1)
"""
    (tmp_path / "own.py").write_text(text)
    arguments = [
        "train-det",
        "--config",
        "own.py",
        "--input-size",
        "64x64",
        "--width",
        "64",
        "--work-dir",
        "own",
    ]
    out, _ = call(capfd, *arguments, "--json")
    assert (
        json.loads(out)["epochs"] == 1
        and Path("own/epoch_1.pth").exists()
        and Path("own/structure.txt").exists()
    )
    (tmp_path / "own.py").write_text(text.replace(str(digits), "nowhere"))
    assert "instances_train.json: cannot be read" in refused(capfd, *arguments[:-1], "again")


def test_no_structure_and_no_data(capfd, structure, base):
    assert "no STRUCTURE.txt and no --config" in refused(capfd, "train-det", "--data", base[3])
    assert "no --data" in refused(capfd, "train-det", structure)
    assert "nowhere.txt" in refused(capfd, "train-det", "nowhere.txt", "--data", base[3])


def test_existing_work_directory(capfd, trained, base, tmp_path):
    shutil.copytree(trained, "w", symlinks=True)
    assert "expected a new directory, --resume or --overwrite" in refused(capfd, *base)
    (tmp_path / "other.txt").write_text(
        format_structures([Structure.from_dicts([*SMALL[:4], {**SMALL[4], "out": 48}])])
    )
    other = ["train-det", "other.txt", *base[2:]]
    assert "run of another structure" in refused(capfd, *other, "--resume")
    assert "lr_config" in refused(capfd, *base, "--resume", "--schedule", "1x")
    assert (Path("w") / "epoch_1.pth").read_bytes() == (trained / "epoch_1.pth").read_bytes()
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("x")
    for option in ("--resume", "--overwrite"):
        refused(capfd, *base, "--work-dir", "mine", option)
    assert Path("mine/thesis.txt").exists()
    Path("w/notes.txt").write_text("mine")
    call(capfd, *base, "--overwrite")
    assert Path("w/notes.txt").exists() and Path("w/result.json").exists()


def test_bad_pictures(capfd, base, digits):
    shutil.copytree(digits, "data")
    pictures = sorted(Path("data/train").iterdir())
    pictures[0].unlink()
    pictures[1].write_bytes(pictures[1].read_bytes()[:900])
    base[3] = "data"
    assert "2 of 20 pictures" in refused(capfd, *base)
    _, err = call(capfd, *base, "--skip-bad-images")
    assert "left out: 2 of 20 pictures" in err and "18 pictures" in err
    assert Path("w/annotations/train.json").exists()


def test_checkpoint_of_another_structure(capfd, trained, tmp_path):
    text = (trained / "config.py").read_text()
    (tmp_path / "other.py").write_text(re.sub(r'"L": 2', '"L": 3', text))
    message = refused(capfd, "test-det", tmp_path / "other.py", trained / "epoch_1.pth")
    assert "weights and model disagree" in message and "missing" in message


def test_categories_that_do_not_match(capfd, trained, digits, tmp_path):
    shutil.copytree(digits, tmp_path / "data")
    path = tmp_path / "data/annotations/instances_test.json"
    path.write_text(path.read_text().replace('"name": "7"', '"name": "seven"'))
    message = refused(capfd, "test-det", trained, "--data", tmp_path / "data")
    assert "not known: seven" in message and "missing: 7" in message


def test_no_checkpoint_and_no_picture(capfd, trained, digits, tmp_path):
    picture = next((digits / "val").iterdir())
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    checkpoint = trained / "epoch_1.pth"
    assert "broken.jpg: cannot be read as a picture" in refused(
        capfd, "detect", checkpoint, tmp_path / "broken.jpg", "--output", tmp_path / "o"
    )
    assert "nowhere.pth" in refused(
        capfd, "detect", "nowhere.pth", picture, "--output", tmp_path / "o"
    )
    torch.save(torch.nn.Linear(1, 1).state_dict(), tmp_path / "plain.pth")
    assert "carries no config" in refused(
        capfd, "detect", tmp_path / "plain.pth", picture, "--output", tmp_path / "o"
    )
    assert "does not exist" in refused(capfd, "test-det", tmp_path / "nowhere")
    assert "holds no config.py" in refused(capfd, "test-det", tmp_path)


def test_a_published_size_is_the_default(capfd, tmp_path, digits):
    """No --size: the widths of MAE-DET-M, and the structure's own in_channels."""
    from lightnas.data.coco import check_split, find_split
    from lightnas.detection.config import build_config, use_data
    from lightnas.detection.options import TrainOptions

    (tmp_path / "s.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    cfg = build_config(TrainOptions(structure=tmp_path / "s.txt"), "cpu")
    use_data(
        cfg,
        {name: check_split(find_split(digits, name)) for name in ("train", "val", "test")},
    )
    assert (
        cfg.model.neck.in_channels == [48, 272, 1024, 2048] and cfg.model.neck.out_channels == 256
    )
    assert cfg.model.bbox_head.num_classes == 10 and cfg.runner.max_epochs == 73
    small = build_config(TrainOptions(structure=tmp_path / "s.txt", size="s", schedule="1x"), "cpu")
    assert (
        small.model.bbox_head.feat_channels == 192
        and small.lr_config.step == [8, 11]
        and small.runner.max_epochs == 12
    )
    scaled = build_config(TrainOptions(structure=tmp_path / "s.txt", input_size=(192, 192)), "cpu")
    assert scaled.data.train.pipeline[2].img_scale == [(230, 115), (230, 230)]
    assert scaled.data.val.pipeline[1].img_scale == (192, 192)


def test_picture_boxes():
    from lightnas.found.boxes import boxes_of

    found = [np.array([[0, 0, 5, 5, 0.4], [1, 1, 2, 2, 0.2]]), np.array([[0, 0, 5, 5, 0.9]])]
    assert [(box.name, round(box.score, 2)) for box in boxes_of(found, ("a", "b"), 0.3)] == [
        ("b", 0.9),
        ("a", 0.4),
    ]
