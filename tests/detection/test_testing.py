"""What test-det says and writes: AP against pycocotools, results under the data's ids and names."""

import contextlib
import csv
import io
import json
import shutil
from pathlib import Path

import mmcv
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lightnas.cli.main import main
from lightnas.detection import testing
from lightnas.detection.boxes import boxes_alone
from lightnas.found.evaluation import METRICS
from lightnas.runs.training_run import TrainingRun

from .test_train import QUICK, call, refused


@pytest.fixture(scope="module")
def odd(digits, tmp_path_factory):
    """The digits under ids of their own, and one picture in a folder below."""
    data = shutil.copytree(digits, tmp_path_factory.mktemp("odd") / "data")
    for file in (data / "annotations").iterdir():
        content = json.loads(file.read_text())
        for image in content["images"]:
            image["id"] = 5000 - 3 * image["id"]
        for category in content["categories"]:
            category["id"] = 7 * category["id"] + 11
        for annotation in content["annotations"]:
            annotation["image_id"] = 5000 - 3 * annotation["image_id"]
            annotation["category_id"] = 7 * annotation["category_id"] + 11
        first = content["images"][0]
        folder = data / file.stem.removeprefix("instances_")
        (folder / "below").mkdir()
        shutil.move(folder / first["file_name"], folder / "below")
        first["file_name"] = f"below/{first['file_name']}"
        file.write_text(json.dumps(content))
    return data


@pytest.fixture(scope="module")
def trained(structure, odd, tmp_path_factory):
    path = tmp_path_factory.mktemp("work") / "run"
    arguments = ("train-det", structure, "--data", odd, "--schedule", 1, "--work-dir", path, *QUICK)
    assert main([str(argument) for argument in arguments]) == 0
    return path


@pytest.fixture
def half_right(monkeypatch):
    """In place of a detector that was trained for hours: three boxes an object, near it or not, of
    its class or another."""

    def guess(model, loader):
        rng = np.random.default_rng(0)
        for number in range(len(loader.dataset)):
            truth = loader.dataset.get_ann_info(number)
            rows = np.repeat(np.column_stack([truth["bboxes"], truth["labels"]]), 3, axis=0)
            rows[:, :4] += rng.normal(0, 3, (len(rows), 4))
            wrong = rng.random(len(rows)) < 0.3
            rows[wrong, 4] = rng.integers(0, 10, wrong.sum())
            boxes = np.column_stack([rows[:, :4], rng.random(len(rows))]).astype(np.float32)
            yield [boxes[rows[:, 4] == label] for label in range(10)]

    monkeypatch.setattr(testing, "single_gpu_test", lambda *given: list(guess(*given)))


def as_json(capfd, trained, *more):
    return json.loads(call(capfd, "test-det", trained, "--json", *more)[0])


def test_coco_results_measure_the_same(half_right, capfd, trained, odd, tmp_path):
    """pycocotools on the written file and the user's own annotations."""
    result = as_json(capfd, trained, "--format", "coco", "--output", tmp_path / "r.json")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(odd / "annotations/instances_test.json")
        found = truth.loadRes(str(tmp_path / "r.json"))
        run = COCOeval(truth, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert len(found.anns) == 3 * len(truth.anns)
    for key, value in zip(METRICS, run.stats, strict=False):
        assert result[key] == (None if value == -1 else pytest.approx(value, abs=1e-9)), key
    assert result["ap_l"] is None and result["ap50"] > 0


@pytest.mark.parametrize("named", [False, True])
def test_formats_say_the_same(half_right, capfd, trained, odd, tmp_path, named):
    """On the run's own annotations, and on the user's."""
    content = json.loads((odd / "annotations/instances_test.json").read_text())
    images = {image["id"]: image for image in content["images"]}
    names = {category["id"]: category["name"] for category in content["categories"]}
    for form, output in (("coco", "r.json"), ("csv", "."), ("yolo", "labels of it")):
        data = ("--data", odd) if named else ()
        as_json(capfd, trained, "--format", form, "--output", tmp_path / output, *data)
    coco = json.loads((tmp_path / "r.json").read_text())
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(r["image_id"]), int(r["category_id"]), float(r["score"]),
             [float(r[k]) for k in ("x", "y", "width", "height")]) for r in rows] == [
        (c["image_id"], c["category_id"], c["score"], c["bbox"]) for c in coco]  # fmt: skip
    assert all(
        r["file_name"] == images[int(r["image_id"])]["file_name"]
        and r["class"] == names[int(r["category_id"])]
        for r in rows
    )
    classes = (tmp_path / "labels of it/classes.txt").read_text().split("\n")[:-1]
    assert classes == list(names.values())
    lines = {path.relative_to(tmp_path / "labels of it/labels"): path.read_text().splitlines()
             for path in (tmp_path / "labels of it/labels").rglob("*.txt")}  # fmt: skip
    assert lines.keys() == {Path(i["file_name"]).with_suffix(".txt") for i in images.values()}
    for image in images.values():
        own = [c for c in coco if c["image_id"] == image["id"]]
        read = [line.split() for line in lines[Path(image["file_name"]).with_suffix(".txt")]]
        assert [classes[int(row[0])] for row in read] == [names[c["category_id"]] for c in own]
        shares = np.array([[float(v) for v in row[1:5]] for row in read])
        x, y, w, h = (shares * np.tile([image["width"], image["height"]], 2)).T
        boxes = np.stack([x - w / 2, y - h / 2, w, h], axis=1)
        np.testing.assert_allclose(boxes, [c["bbox"] for c in own], atol=1e-3)


def test_classes_and_confusion(half_right, capfd, trained, odd):
    content = json.loads((odd / "annotations/instances_test.json").read_text())
    result = as_json(capfd, trained, "--score-thr", "0")
    counts = np.array(result["confusion"]["counts"])
    assert result["confusion"]["names"] == [*"0123456789", "background"]
    for number, (row, category) in enumerate(
        zip(result["per_class"], content["categories"], strict=True)
    ):
        own = [a for a in content["annotations"] if a["category_id"] == category["id"]]
        assert row["class"] == category["name"] and row["objects"] == len(own)
        assert row["pictures"] == len({a["image_id"] for a in own})
        assert counts[number].sum() == len(own)
        assert (row["ap"] is None) == (not own)
    out, _ = call(capfd, "test-det", trained)
    assert "objects" in out and sum(line.split()[0] in "0123456789" for line in out.splitlines()
                                    if line.split()) == 10  # fmt: skip
    assert "-1.000" not in out


def test_what_a_training_leaves(trained):
    """Beside result.json; both are files of the run."""
    result = json.loads((trained / "result.json").read_text())
    details = json.loads((trained / "evaluation.json").read_text())
    assert len(result["per_class"]) == 10 and result["ap_l"] is None
    assert details.keys() == {"confusion", "curves"}
    assert "evaluation.json" in json.loads((trained / ".lightnas.json").read_text())["files"]
    evaluations = [
        row
        for path in trained.glob("*.log.json")
        for row in map(json.loads, path.read_text().splitlines())
        if row.get("mode") == "val"
    ]
    assert evaluations and "bbox_mAP" in evaluations[0] and "bbox_mAP_l" not in evaluations[0]
    assert evaluations[0]["bbox_mAP_copypaste"].endswith(" -")


def test_a_piped_log_has_no_line_a_picture(capfd, trained, structure, odd, tmp_path):
    arguments = ("train-det", structure, "--data", odd, "--schedule", 1, *QUICK)
    for command in (("test-det", trained), (*arguments, "--work-dir", tmp_path / "w")):
        _, err = call(capfd, *command)
        assert "\r" not in err and "task/s" not in err and "ETA" not in err


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_moves_on_a_terminal_alone(terminal):
    file = io.StringIO()
    file.isatty = lambda: terminal
    bar = mmcv.ProgressBar(3, file=file)
    for _ in range(3):
        bar.update()
    assert ("3/3" in file.getvalue()) == terminal == bool(file.getvalue())


def test_a_moved_run_has_its_annotations_beside_it(half_right, capfd, structure, odd, tmp_path):
    """The annotations that its config names are gone with the old place."""
    arguments = ("train-det", structure, "--data", odd, "--schedule", 1, *QUICK)
    call(capfd, *arguments, "--work-dir", tmp_path / "old")
    before = as_json(capfd, tmp_path / "old")
    assert before["annotations"] == f"{tmp_path}/old/annotations/test.json"
    (tmp_path / "old").rename(tmp_path / "new")
    for source in ("new", "new/epoch_1.pth"):
        results = ("--format", "coco", "--output", tmp_path / "r.json")
        after = as_json(capfd, tmp_path / source, *results)
        assert after["annotations"] == f"{tmp_path}/new/annotations/test.json"
        assert after["per_class"] == before["per_class"]
        ids = {row["image_id"] for row in json.loads((tmp_path / "r.json").read_text())}
        content = json.loads((odd / "annotations/instances_test.json").read_text())
        assert ids <= {image["id"] for image in content["images"]} and max(ids) > 1000


def test_the_users_data_are_those_of_the_run(capfd, trained, odd):
    """Though the run's own annotation files have other ids."""
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", trained, "--data", odd, "--json")
    stored = json.loads((trained / "result.json").read_text())
    assert json.loads(out) == TrainingRun(trained).located(stored)


def test_data_that_a_run_is_linked_to_are_gone(capfd, structure, digits, tmp_path):
    """Canonical annotations are a link; where the data went is for the user to say."""
    data = shutil.copytree(digits, tmp_path / "data")
    run = tmp_path / "run"
    call(capfd, "train-det", structure, "--data", data, "--schedule", 1, "--work-dir", run, *QUICK)
    data.rename(tmp_path / "moved")
    for command in (("test-det", run), ("train-det", "--resume", "--work-dir", run)):
        line = refused(capfd, *command)
        assert "which is gone" in line and "--data DIR" in line and str(data) in line
    as_json(capfd, run, "--data", tmp_path / "moved")
    call(capfd, "train-det", "--resume", "--work-dir", run, "--data", tmp_path / "moved")


def test_mistakes(capfd, trained, tmp_path):
    line = refused(capfd, "test-det", trained, "--format", "coco")
    assert "--format without --output" in line
    line = refused(capfd, "test-det", trained, "--annotations", tmp_path / "none.json")
    assert f"--annotations {tmp_path / 'none.json'} is no file" in line
    (tmp_path / "mine").touch()
    line = refused(capfd, "test-det", trained, "--format", "yolo", "--output", tmp_path)
    assert line.startswith(f"lightnas: --output {tmp_path} is not empty")


def test_the_train_split_is_tested_as_the_others_are(half_right, capfd, trained, odd):
    """Not through its own pipeline, which has no picture without boxes in it, and turns some round."""
    result = as_json(capfd, trained, "--split", "train")
    content = json.loads((odd / "annotations/instances_train.json").read_text())
    assert (result["split"], result["images"]) == ("train", len(content["images"]))


def test_masks_are_no_boxes():
    boxes = [np.zeros((2, 5)), np.ones((1, 5))]
    assert boxes_alone((boxes, [["mask"], []])) == boxes_alone(boxes) == boxes
