"""The tutorials of the detection stage, followed from top to bottom."""

from lightnas.cli.main import main

from .. import pages

# What makes the commands of the pages small; an option that stands twice has its last value.
SMALL = {
    "demo-data": "--train 20 --val 6 --test 4",
    "search": "--budget-flops 10M --budget-layers 16 --max-channels 64 --input-size 64x64",
    "train-det": "--schedule 1 --width 64 --input-size 64x64 --workers 0",
    "export-det --precision": "--max-ap-loss 1",
}


def test_a_detector_and_its_file(tmp_path, monkeypatch):
    """docs/tutorials/detector.md, and deploy.md with what it made."""
    monkeypatch.chdir(tmp_path)
    tutorials = pages.ROOT / "docs/tutorials"
    ran = pages.followed(tutorials / "detector.md", SMALL, skipped=("doctor", "setup-det"))
    assert ran == ["demo-data", "data", "search", "train-det", "train-det", "test-det", "detect"]
    assert (tmp_path / "found/detections.json").is_file()
    assert (tmp_path / "outputs/detector/report.html").is_file()

    assert (tmp_path / "outputs/data-data.jpg").is_file()

    ran = pages.followed(tutorials / "deploy.md", SMALL, skipped=("profile",))
    assert ran == ["export-det", "detect", "test-det", "export-det", "latency"]
    assert (tmp_path / "small.onnx").stat().st_size < (tmp_path / "detector.onnx").stat().st_size


def test_nets_like_damo_yolo_train(tmp_path, monkeypatch):
    """docs/damo-yolo.md: with a Focus stem, from the search to boxes of the exported file."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo-data", "data/coco", *SMALL["demo-data"].split()]) == 0
    (tmp_path / "photos").symlink_to("data/coco/test")
    small = {"train-det": SMALL["train-det"]}
    skipped = ("profile", "pareto", "score")
    ran = pages.followed(pages.ROOT / "docs/damo-yolo.md", small, skipped)
    assert ran == ["search", "search", "train-det", "export-det", "detect"]
    assert (tmp_path / "found/detections.json").is_file()
