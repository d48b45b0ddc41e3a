"""detect: whatever is asked for is looked at, what cannot be read is named, and nothing is lost."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lightnas.cli.main import main
from lightnas.detection import training
from lightnas.detection.detecting import detect
from lightnas.errors import InputError, WorkError
from lightnas.found.boxes import chosen


@pytest.fixture
def photos(tmp_path):
    """Pictures in folders, two of them bad, and a video of five frames."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name, size in (("a.jpg", (90, 60)), ("deep/a.jpg", (50, 70)), ("deep/g.png", (40, 40))):
        pixels = draw.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "deep/broken.jpg").write_bytes(b"no picture")
    (folder / "gone.png").symlink_to("nowhere")
    writer = cv2.VideoWriter(
        str(folder / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 72)
    )
    for _ in range(5):
        writer.write(draw.integers(0, 256, (72, 96, 3), dtype=np.uint8))
    writer.release()
    return folder


def run(capfd, *arguments, status=0):
    found = main(["detect", *map(str, arguments)])
    out, err = capfd.readouterr()
    assert found == status and "Traceback" not in err, err[-2000:]
    return out, err


def test_a_folder_with_bad_pictures_and_a_video(capfd, checkpoint, photos, tmp_path):
    """The bad ones are named and left out, and make the exit status 1."""
    output = tmp_path / "found"
    out, err = run(
        capfd, checkpoint, photos, "--output", output, "--score-thr", 0, "--json", status=1
    )
    found = json.loads(out)["images"]
    assert json.loads((output / "detections.json").read_text()) == found
    bad = {one["image"].removeprefix(f"{photos}/") for one in found if "error" in one}
    assert bad == {"deep/broken.jpg", "gone.png"}
    assert all(f"left out: {photos / name}" in err for name in bad)
    assert err.splitlines()[-1].startswith("lightnas: 2 of ")
    frames = [one for one in found if "frame" in one]
    assert [one["frame"] for one in frames] == [0, 1, 2, 3, 4]
    assert all(0 < len(one["detections"]) <= 5 for one in found if "error" not in one)
    names = {path.name for path in output.iterdir()} - {".lightnas.json"}
    assert names == {"a.jpg", "a-2.jpg", "g.png", "clip.mp4", "detections.json"}
    drawn = cv2.VideoCapture(str(output / "clip.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 5 and drawn.get(cv2.CAP_PROP_FPS) == 10


def test_which_boxes_are_kept(capfd, checkpoint, photos, tmp_path):
    picture = photos / "a.jpg"

    def found(*options):
        where = tmp_path / "found"
        out, _ = run(
            capfd, checkpoint, picture, "--output", where, "--json", "--overwrite", *options
        )
        return json.loads(out)["images"][0]["detections"]

    everything = found("--score-thr", 0, "--max-per-image", 50)
    assert len(everything) > 5  # the detector's own limit
    assert found("--score-thr", 0, "--max-per-image", 3) == everything[:3]
    name = everything[1]["class"]
    chosen = found("--score-thr", 0, "--max-per-image", 50, "--classes", f"{name},0")
    assert {one["class"] for one in chosen} <= {name, "0"} and len(chosen) > 0
    middle = everything[4]["score"]
    assert all(one["score"] >= middle for one in found("--score-thr", middle))
    _, err = run(
        capfd, checkpoint, picture, "--output", tmp_path / "o", "--classes", "cat", status=2
    )
    assert "--classes 'cat' is none of the detector's" in err and not (tmp_path / "o").exists()


@pytest.mark.parametrize("form", ["coco", "csv", "yolo"])
def test_formats(capfd, checkpoint, photos, tmp_path, form):
    """The same boxes as in detections.json, of pictures and of frames."""
    output = tmp_path / "found"
    options = ("--score-thr", 0, "--max-per-image", 4, "--format", form)
    inputs = (photos / "a.jpg", photos / "deep/a.jpg", photos / "clip.avi")
    run(capfd, checkpoint, *inputs, "--output", output, *options)
    found = json.loads((output / "detections.json").read_text())
    expected = [(number, one["class"], one["bbox"]) for number, picture in enumerate(found, start=1)
                for one in picture["detections"]]  # fmt: skip
    if form == "coco":
        rows = json.loads((output / "results.json").read_text())
        read = [(row["image_id"], str(row["category_id"] - 1), row["bbox"]) for row in rows]
    elif form == "csv":
        rows = list(csv.DictReader((output / "results.csv").read_text().splitlines()))
        read = [(int(row["image_id"]), row["class"], [float(row[key]) for key in ("x", "y", "width", "height")])
                for row in rows]  # fmt: skip
        assert rows[0]["file_name"] == str(inputs[0]) and rows[-1]["file_name"] == "clip_000004.jpg"
    else:
        assert {path.name for path in (output / "labels").iterdir()} == {
            "a.txt", "a-2.txt", *(f"clip_{i:06d}.txt" for i in range(5)),
        }  # fmt: skip
        assert (output / "classes.txt").read_text().split() == list("0123456789")
        line = (output / "labels/a-2.txt").read_text().splitlines()[0].split()
        x, y, w, h = (float(v) * side for v, side in zip(line[1:5], (50, 70, 50, 70), strict=True))
        assert [x - w / 2, y - h / 2, w, h] == pytest.approx(
            found[1]["detections"][0]["bbox"], abs=0.02
        )
        return
    assert [(number, name) for number, name, _ in read] == [row[:2] for row in expected]
    for (*_, box), (*_, other) in zip(read, expected, strict=True):
        assert box == pytest.approx(other, abs=0.01)


def test_again_and_nothing_else_is_replaced(capfd, checkpoint, photos, tmp_path):
    """--overwrite takes away what the first run made, also in folders, and leaves the rest."""
    output = tmp_path / "found"
    run(
        capfd,
        checkpoint,
        photos / "a.jpg",
        photos / "clip.avi",
        "--output",
        output,
        "--format",
        "yolo",
    )
    (output / "mine.txt").write_text("mine")
    run(capfd, checkpoint, photos / "deep/g.png", "--output", output, "--overwrite")
    names = {path.name for path in output.iterdir()} - {".lightnas.json"}
    assert names == {"g.png", "detections.json", "mine.txt"}


def test_a_full_folder_is_refused_with_the_ways_that_there_are(capfd, checkpoint, photos):
    """There is no --resume here."""
    assert (
        main(["detect", str(checkpoint), str(photos / "deep/g.png"), "--output", str(photos)]) == 2
    )
    line = capfd.readouterr().err.strip()
    assert line.endswith(f"--output {photos} is not empty, expected a new directory or --overwrite")


def test_the_output_below_the_input_is_no_input(capfd, checkpoint, photos):
    for _ in range(2):
        out, _ = run(
            capfd,
            checkpoint,
            photos,
            "--output",
            photos / "found",
            "--json",
            "--overwrite",
            status=1,
        )
        assert len(json.loads(out)["images"]) == 3 + 2 + 5


def test_nothing_to_look_at(capfd, checkpoint, photos, tmp_path):
    output = tmp_path / "found"
    for inputs, message in (
        ([photos / "deep/broken.jpg"], "cannot be read as a picture"),
        ([photos / "gone.png", photos / "deep/broken.jpg"], "nor 1 more"),
        ([photos / "*.gif"], "no picture and no video is named so"),
    ):
        out, err = run(capfd, checkpoint, *inputs, "--output", output, status=2)
        assert message in err and not out and not output.exists()
    with pytest.raises(InputError, match="form is xml"):
        detect(checkpoint, [photos / "a.jpg"], output, form="xml")


def test_sizes_of_every_kind(capfd, checkpoint, tmp_path):
    """Lines, strips, single pixels and pictures that JPEG cannot hold."""
    for width, height in ((1, 1), (1, 5000), (5000, 1), (17_000, 60), (70_000, 9), (31, 20)):
        Image.new("RGB", (width, height), (200, 60, 30)).save(tmp_path / f"{width}x{height}.png")
    pictures = sorted(tmp_path.glob("*.png"))
    output = tmp_path / "found"
    out, _ = run(capfd, checkpoint, *pictures, "--output", output, "--score-thr", 0, "--json")
    for path, found in zip(pictures, json.loads(out)["images"], strict=True):
        width, height = map(int, path.stem.split("x"))
        for x, y, w, h in (one["bbox"] for one in found["detections"]):
            assert 0 <= x <= x + w <= width + 0.01 and 0 <= y <= y + h <= height + 0.01
        with Image.open(found["picture"]) as drawn:
            assert max(drawn.size) <= 4096


def test_names_of_every_kind(capfd, checkpoint, photos, tmp_path):
    """As long as the disk allows, twice, and not UTF-8."""
    content = (photos / "a.jpg").read_bytes()
    folder = tmp_path / "names"
    for name in ("n" * 250 + ".jpg", "other/" + "n" * 250 + ".jpg", os.fsdecode(b"\xff.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for form in ("csv", "yolo"):
        output = tmp_path / form
        run(capfd, checkpoint, folder, "--output", output, "--format", form, "--json")
        found = json.loads((output / "detections.json").read_text())
        assert len(found) == 3 and all(Path(one["picture"]).exists() for one in found)


def test_a_class_with_a_comma_in_its_name():
    known = ("car, red", "car", "dog")
    assert chosen(["car, red", "dog,car"], known) == ["car, red", "dog", "car"]
    assert chosen(None, known) is None


def test_the_result_is_there_before_anything_is_drawn(
    capfd, structure, digits, tmp_path, monkeypatch
):
    def fail(*_):
        raise WorkError("a drawing that fails")

    monkeypatch.setattr(training, "draw_split", fail)
    arguments = ["train-det", structure, "--data", digits, "--schedule", 1, "--width", 64, "--workers", 0,
                 "--input-size", "64x64", "--batch", 4, "--work-dir", tmp_path / "w",
                 "--cfg-options", "model.bbox_head.stacked_convs=1"]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 1
    assert "a drawing that fails" in capfd.readouterr().err
    assert json.loads((tmp_path / "w/result.json").read_text())["epochs"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_found_before_a_stop_is_there(checkpoint, photos, tmp_path, number):
    output = tmp_path / "found"
    arguments = ["detect", checkpoint, *[photos / "a.jpg"] * 500, "--output", output, "--score-thr", 0,
                 "--format", "csv"]  # fmt: skip
    text = (
        f"import sys; from lightnas.cli.main import main; sys.exit(main({[*map(str, arguments)]}))"
    )
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", text], stderr=subprocess.PIPE)
    lines = output / "detections.jsonl"
    while process.poll() is None and (not lines.exists() or lines.read_bytes().count(b"\n") < 2):
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate()
    assert b"Traceback" not in err and process.returncode in (143, -number)
    if number == signal.SIGTERM:
        found = json.loads((output / "detections.json").read_text())
        assert not lines.exists()
    else:
        found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert 2 <= len(found) < 500 and all(one["detections"] for one in found)
    rows = list(csv.DictReader((output / "results.csv").read_text().splitlines()))
    assert {int(row["image_id"]) for row in rows} >= set(range(1, len(found)))
