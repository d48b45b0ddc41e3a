"""Going on with other data, more epochs or other classes: refused with the option that does it, or
done as asked; never an old AP as if it were of new data."""

import json
import shutil

import pytest
import torch

from lightnas.cli.main import main
from lightnas.detection import training
from lightnas.detection.checkpoint import read_checkpoint
from lightnas.detection.classifier import classifier_keys
from lightnas.detection.config import read_config
from lightnas.network.structure import Structure, format_structures
from lightnas.runs.training_run import FINGERPRINT, TrainingRun

from ..conftest import published
from .test_train import QUICK, call, refused, same, weights


@pytest.fixture(scope="module")
def finished(structure, digits, tmp_path_factory):
    """A run of one epoch, and an unfinished one of two."""
    path = tmp_path_factory.mktemp("work")
    for epochs in (1, 2):
        arguments = ["train-det", structure, "--data", digits, "--schedule", epochs,
                     "--work-dir", path / str(epochs), *QUICK]  # fmt: skip
        assert main([str(argument) for argument in arguments]) == 0
    return path


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished / "1", tmp_path / "run", symlinks=True)


def changed(digits, path, split, change):
    """A copy of the digits in which ``change`` was made to the annotations of a split."""
    data = shutil.copytree(digits, path)
    file = data / f"annotations/instances_{split}.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return data


def drop_one(content):
    content["annotations"].pop()


def drop_picture(content):
    gone = content["images"].pop()["id"]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] != gone]


def move_box(content):
    content["annotations"][0]["bbox"][2] -= 1


def rename_class(content):
    content["categories"][3]["name"] = "drei"


def stored(run):
    """What result.json holds, with the checkpoints where they lie."""
    return TrainingRun(run).located(json.loads((run / "result.json").read_text()))


@pytest.mark.parametrize(
    ("split", "change", "words"),
    [
        ("train", drop_one, "train had {o} objects and has {o1}; "),
        ("val", drop_one, "val had {o} objects and has {o1}; "),
        ("val", drop_picture, "val had {p} pictures and has {p1}, "),
        ("val", move_box, "val has as many pictures and objects as it had ({p} and {o}), but not"),
    ],
)
def test_other_data_are_refused_with_the_difference(
    capfd, run, digits, tmp_path, split, change, words
):
    content = json.loads((digits / f"annotations/instances_{split}.json").read_text())
    pictures, objects = len(content["images"]), len(content["annotations"])
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    data = changed(digits, tmp_path / "other", split, change)
    line = refused(capfd, "train-det", "--resume", "--work-dir", run, "--data", data)
    said = words.format(p=pictures, o=objects, p1=pictures - 1, o1=objects - 1)
    assert said in line and "--new-data" in line, line
    for path, content in before.items():
        assert path.read_bytes() == content, path


def test_moved_data_are_the_same_data(capfd, run, digits, tmp_path):
    data = shutil.copytree(digits, tmp_path / "elsewhere")
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", run, "--data", data, "--json")
    assert json.loads(out) == stored(run)


def test_new_data_are_measured(capfd, run, digits, tmp_path):
    """A finished run: nothing is trained, and the result is of the new pictures from then on."""
    data = changed(digits, tmp_path / "other", "val", drop_picture)
    before = weights(run / "epoch_1.pth")
    arguments = ("train-det", "--resume", "--work-dir", run, "--json")
    out, _ = call(capfd, *arguments, "--data", data, "--new-data")
    tested, _ = call(capfd, "test-det", run, "--data", data, "--split", "val", "--json")
    result, tested = json.loads(out), json.loads(tested)
    assert result["images"] == 5 and result["per_class"] == tested["per_class"]
    assert same(before, weights(run / "epoch_1.pth"))
    again, _ = call(capfd, *arguments)
    assert json.loads(again) == result == stored(run)
    line = refused(capfd, *arguments, "--data", digits)
    assert "had 5 pictures and has 6" in line


def test_new_data_go_on_and_the_best_is_measured_on_them(capfd, finished, digits, tmp_path):
    run = shutil.copytree(finished / "2", tmp_path / "run", symlinks=True)
    (run / "result.json").unlink()
    # As if it had been stopped after its first epoch, with an AP that no checkpoint will reach.
    checkpoint = torch.load(finished / "1/epoch_1.pth", weights_only=True)
    checkpoint["meta"]["hook_msgs"]["best_score"] = 0.99
    (run / "epoch_2.pth").unlink()
    torch.save(checkpoint, run / "epoch_1.pth")
    data = changed(digits, tmp_path / "other", "train", drop_one)
    _, err = call(capfd, "train-det", "--resume", "--work-dir", run, "--data", data, "--new-data")
    assert "on the new data: " in err
    messages = read_checkpoint(run / "epoch_2.pth", trust=False)["meta"]["hook_msgs"]
    assert messages.get("best_score", 0) < 0.99


def test_new_data_are_new_until_a_checkpoint_has_seen_them(
    capfd, finished, digits, tmp_path, monkeypatch
):
    """A run that is stopped before its first one measures the best again, without being told."""
    run = shutil.copytree(finished / "2", tmp_path / "run", symlinks=True)
    content = torch.load(run / "epoch_2.pth", weights_only=True)
    steps = content["meta"]["iter"] // 2
    content["meta"] |= {"epoch": 1, "iter": steps}
    (run / "result.json").unlink()
    (run / "epoch_2.pth").unlink()
    torch.save(content, run / "epoch_1.pth")
    data = changed(digits, tmp_path / "other", "val", drop_one)
    resumed = ("train-det", "--resume", "--work-dir", run)

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "_run", stopped)
        call(capfd, *resumed, "--data", data, "--new-data", status=130)
    assert "on the new data: " in call(capfd, *resumed)[1]
    messages = read_checkpoint(run / "epoch_2.pth", trust=False)["meta"]["hook_msgs"]
    assert messages["new_data_after"] == 1
    (run / "result.json").unlink()
    assert "on the new data: " not in call(capfd, *resumed)[1]


def test_new_data_without_resume(capfd, structure, digits, tmp_path):
    line = refused(capfd, "train-det", structure, "--data", digits, "--new-data", "--work-dir",
                   tmp_path / "w", *QUICK)  # fmt: skip
    assert "--new-data without --resume" in line


def test_other_classes_name_what_does_it(capfd, run, digits, tmp_path):
    data = shutil.copytree(digits, tmp_path / "other")
    for split in ("train", "val", "test"):
        file = data / f"annotations/instances_{split}.json"
        content = json.loads(file.read_text())
        rename_class(content)
        file.write_text(json.dumps(content))
    for more in ((), ("--new-data",)):
        line = refused(capfd, "train-det", "--resume", "--work-dir", run, "--data", data, *more)
        assert "train had the classes" in line and "--load-from" in line, line
        assert "--allow-mismatch" in line
    # As many classes, so that every shape fits: still another classifier.
    arguments = ("train-det", run / "structure.txt", "--data", data, "--schedule", 1,
                 "--work-dir", tmp_path / "w", "--load-from", run / "epoch_1.pth")  # fmt: skip
    line = refused(capfd, *arguments, *QUICK)
    assert "was trained on the classes" in line and "--allow-mismatch" in line
    assert not (tmp_path / "w").exists()
    _, err = call(capfd, *arguments, "--allow-mismatch", *QUICK)
    assert "the classifier begins anew for ['0', '1', '2', 'drei'" in err


def test_a_checkpoint_that_names_no_classes(capfd, run, digits, tmp_path):
    """Their number shows in the shapes."""
    content = torch.load(run / "epoch_1.pth", weights_only=True)
    for key in classifier_keys(read_config(run / "config.py").model):
        content["state_dict"][key] = content["state_dict"][key][:7]
    torch.save({"state_dict": content["state_dict"]}, tmp_path / "seven.pth")
    arguments = ("train-det", run / "structure.txt", "--data", digits, "--schedule", 1,
                 "--work-dir", tmp_path / "w", "--load-from", tmp_path / "seven.pth")  # fmt: skip
    assert "another number of classes" in refused(capfd, *arguments, *QUICK)
    _, err = call(capfd, *arguments, "--allow-mismatch", *QUICK)
    assert "the classifier begins anew" in err


def test_the_classifier_is_told_by_what_goes_with_the_classes(run):
    cfg = read_config(run / "config.py")
    assert classifier_keys(cfg.model) == {"bbox_head.gfl_cls.weight", "bbox_head.gfl_cls.bias"}


def test_more_epochs_name_what_does_it(capfd, run, structure, digits):
    line = refused(capfd, "train-det", structure, "--data", digits, "--schedule", 3,
                   "--work-dir", run, "--resume", *QUICK)  # fmt: skip
    assert "max_epochs is 1 there and 3 here" in line
    assert f"--load-from {run}/epoch_1.pth" in line


def test_another_structure_is_still_another_structure(capfd, run, digits, tmp_path):
    (tmp_path / "s.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    line = refused(capfd, "train-det", tmp_path / "s.txt", "--data", digits, "--schedule", 1,
                   "--work-dir", run, "--resume", *QUICK)  # fmt: skip
    assert "another structure" in line


def test_a_run_from_before_data_were_noted(capfd, run, digits):
    (run / FINGERPRINT).unlink()
    arguments = ("train-det", "--resume", "--work-dir", run, "--json")
    line = refused(capfd, *arguments, "--data", digits)
    assert "--new-data" in line
    old = stored(run)
    assert json.loads(call(capfd, *arguments)[0]) == old
    assert (run / FINGERPRINT).is_file()
    assert json.loads(call(capfd, *arguments, "--data", digits)[0]) == old


def test_a_damaged_fingerprint(capfd, run, digits):
    good = json.loads((run / FINGERPRINT).read_text())
    wrong = [good | {"val": good["val"] | {key: None}} for key in good["val"]]
    for text in ("[]", "{", '{"val": 3}', *map(json.dumps, wrong)):
        (run / FINGERPRINT).write_text(text)
        line = refused(capfd, "train-det", "--resume", "--work-dir", run, "--data", digits)
        assert FINGERPRINT in line and "damaged" in line


def test_a_run_without_a_checkpoint_can_only_begin_anew(capfd, run, structure, digits):
    for path in run.glob("*.pth"):
        path.unlink()
    line = refused(capfd, "train-det", structure, "--data", digits, "--schedule", 3,
                   "--work-dir", run, "--resume", *QUICK)  # fmt: skip
    assert "--overwrite begins anew" in line
