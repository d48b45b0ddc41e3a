"""From a folder in each layout to a detector, in one command."""

import json
import re
from pathlib import Path

import pytest

from lightnas.cli.main import main
from lightnas.data.coco import CocoSplit

from ..data.laid_out import CLASSES, coco, objects, on_their_colours, paint, write_json
from ..data.test_layouts import SPLITS, coco_set, names, voc_set, yolo_set
from .test_train import QUICK, call


def yolo(folder):
    yolo_set(folder)
    (folder / "data.yaml").write_text(
        "train: images/train\nval: images/val\ntest: images/test\nnames: [red, green, blue]\n"
    )


def roboflow(folder):
    coco_set(folder, "{}/_annotations.coco.json", "{}")


def label_studio(folder):
    """One file of no split, with names from another machine."""
    files = [rf"images\3fae12bc-{n}.png" for n in range(11)]
    write_json(folder / "result.json", coco(files, first_id=0))
    for n in range(11):
        paint(folder / "images" / f"3fae12bc-{n}.png", n)


def cvat(folder):
    write_json(folder / "annotations/instances_default.json", coco(names(range(11))))
    for n in range(11):
        paint(folder / "images" / f"{n}.png", n)


LAYOUTS = {
    "YOLO": yolo,
    "COCO": coco_set,
    "Roboflow's COCO export": roboflow,
    "CVAT's COCO export": cvat,
    "Label Studio's COCO export": label_studio,
    "Pascal VOC": voc_set,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_train_det(capfd, structure, tmp_path, layout):
    LAYOUTS[layout](tmp_path / "set")
    work_dir = tmp_path / "w"
    out, err = call(
        capfd, "train-det", structure, "--data", tmp_path / "set", "--schedule", 1,
        "--work-dir", work_dir, "--json", *QUICK,
    )  # fmt: skip
    assert json.loads(out)["classes"] == (CLASSES if layout != "Pascal VOC" else sorted(CLASSES))
    assert f"data: {layout}" in err
    log = next(work_dir.glob("*.log")).read_text()
    assert f"data: {layout}" in log and "train: " in log
    summary = json.loads((work_dir / "data.json").read_text())
    assert summary["layout"] == layout
    report = (work_dir / "report.html").read_text()
    assert "<h2>Data</h2>" in report and layout.split("'")[0] in report
    marker = json.loads((work_dir / ".lightnas.json").read_text())
    assert "data.json" in marker["files"]
    if "objects" in summary["splits"]["test"]:
        counts = {name: part["objects"] for name, part in summary["splits"].items()}
        assert counts == {name: sum(len(objects(n)) for n in ns) for name, ns in SPLITS.items()}
        out, _ = call(capfd, "test-det", work_dir, "--data", tmp_path / "set", "--json")
        assert json.loads(out)["images"] == len(SPLITS["test"])
    else:
        assert summary["splits"]["test"] == {"same_as": "val"}
    # What is trained on lies on its colours.
    config = (work_dir / "config.py").read_text()
    for split in ("train", "val"):
        path = work_dir / "annotations" / f"{split}.json"
        pattern = rf"'ann_file': '{re.escape(str(path))}',\s*'img_prefix': '([^']+)'"
        (folder,) = set(re.findall(pattern, config))
        assert on_their_colours(CocoSplit(path, Path(folder)))
    assert main(["train-det", "--resume", "--work-dir", str(work_dir)]) == 0
    assert json.loads((work_dir / "data.json").read_text()) == summary
