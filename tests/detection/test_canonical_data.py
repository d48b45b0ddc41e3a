"""What mmdet gets of data as people have them: the network sees every box on the colour of its
class, and the results are of the right objects."""

import json
import shutil

import numpy as np
import pytest

from lightnas.cli.main import main
from lightnas.data.coco import SPLITS, CocoSplit, DataOptions, settle
from tests.data.painted import BOXES, COLOURS, coco, make
from tests.data.test_canonical import damage, from_zero
from tests.data.test_frames import turned_set

EMPTY = [*BOXES, {}]


def trained_on(split, tmp_path, structure, **reading):
    """The training set of mmdet, as ``train`` builds it."""
    from mmdet.datasets import build_dataset

    from lightnas.detection.choosing import checked
    from lightnas.detection.config import build_config, use_data
    from lightnas.detection.options import TrainOptions

    splits = checked({"train": split}, DataOptions(**reading))
    settle(splits, tmp_path / "annotations")
    cfg = build_config(TrainOptions(structure=structure, flip=0.0, workers=0), "cpu")
    use_data(cfg, splits)
    return build_dataset(cfg.data.train)


def assert_seen_on_colours(dataset):
    """Through mmdet's own loading, resizing and normalising."""
    for i in range(len(dataset)):
        item = dataset[i]
        norm = item["img_metas"].data["img_norm_cfg"]
        picture = item["img"].data.numpy().transpose(1, 2, 0) * norm["std"] + norm["mean"]
        if not norm["to_rgb"]:
            picture = picture[..., ::-1]
        for (x1, y1, x2, y2), label in zip(
            item["gt_bboxes"].data.numpy(), item["gt_labels"].data.numpy(), strict=True
        ):
            inside = picture[round(y1) + 12 : round(y2) - 12, round(x1) + 12 : round(x2) - 12]
            colour = COLOURS[dataset.CLASSES[label]]
            assert inside.size and np.abs(inside - colour).max() < 3


@pytest.mark.parametrize(
    "kinds",
    [
        ["ids from 0"],
        ["area null", "iscrowd null", "names are numbers", "sizes null", "no info"],
        ["polygons alone", "annotation ids from 0", "a root category", "another order"],
    ],
)
def test_mmdet_gets_every_box_on_its_colour(tmp_path, structure, kinds):
    split = make(tmp_path, damage(kinds))
    dataset = trained_on(split, tmp_path, structure)
    assert len(dataset) == 4
    assert_seen_on_colours(dataset)


@pytest.mark.parametrize("frame", ["stored", "shown"])
def test_mmdet_gets_turned_pictures_upright(tmp_path, structure, frame):
    split = turned_set(tmp_path, [6, 8, 5, 1], frame, frame)
    assert_seen_on_colours(trained_on(split, tmp_path, structure))


def test_negatives_are_trained_on(tmp_path, structure, capsys):
    split = make(tmp_path, coco(EMPTY), boxes=EMPTY)
    dataset = trained_on(split, tmp_path, structure)
    assert len(dataset) == 5
    assert "1 of 5 pictures of train.json hold no object" in capsys.readouterr().err


def test_an_older_run_goes_on_without_negatives(structure):
    from lightnas.detection.config import as_begun, build_config
    from lightnas.detection.options import TrainOptions

    cfg, begun = (build_config(TrainOptions(structure=structure), "cpu") for _ in range(2))
    as_begun(cfg, begun)
    assert cfg.data.train.filter_empty_gt is False
    del begun.data.train["filter_empty_gt"]
    as_begun(cfg, begun)
    assert "filter_empty_gt" not in cfg.data.train


def folder_of(tmp_path, **changes):
    """A folder with train and val whose files a tool named alike."""
    data = tmp_path / "data"
    for name, boxes in {"train": EMPTY, "val": BOXES[::-1]}.items():
        content = coco(boxes)
        from_zero(content)
        content.update(changes)
        make(data / name, content, boxes=boxes, name="_annotations.coco")
    return data


def command(data, structure, work_dir, *more):
    paths = [
        part
        for name in ("train", "val")
        for part in (
            f"--{name}-json", data / name / "_annotations.coco.json",
            f"--{name}-images", data / name / "pictures",
        )
    ]  # fmt: skip
    quick = [
        "--schedule",
        "1",
        "--width",
        "64",
        "--input-size",
        "96x96",
        "--batch",
        "2",
        "--workers",
        "0",
    ]
    return [str(word) for word in
            ("train-det", structure, "--work-dir", work_dir, *paths, *quick, *more)]  # fmt: skip


def test_two_files_of_one_name_and_ids_from_zero(tmp_path, structure, capfd):
    """Each split is trained, measured and continued as its own."""
    data, run = folder_of(tmp_path), tmp_path / "run"
    assert main([*command(data, structure, run), "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["images"] == 4 and result["classes"] == list(COLOURS)
    names = {}
    for split in ("train", "val"):
        content = json.loads((run / f"annotations/{split}.json").read_bytes())
        names[split] = len(content["images"])
        assert min(entry["id"] for entry in content["annotations"]) == 1
    assert names == {"train": 5, "val": 4}
    assert main([*command(data, structure, run), "--resume"]) == 0
    assert main(["train-det", "--work-dir", str(run), "--resume"]) == 0
    moved = tmp_path / "moved"
    shutil.move(run, moved)
    capfd.readouterr()
    assert main(["test-det", str(moved), "--split", "val", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["images"] == 4


def test_a_run_begun_anew_with_its_own_config_keeps_its_data(tmp_path, structure, capfd):
    data, run = folder_of(tmp_path), tmp_path / "run"
    assert main(command(data, structure, run)) == 0
    again = ["train-det", "--config", str(run / "config.py"), "--work-dir", str(run), "--overwrite"]
    assert main(again) == 0, capfd.readouterr().err[-1000:]
    assert len(json.loads((run / "annotations/train.json").read_bytes())["images"]) == 5


def test_messages_name_the_options(tmp_path, structure, capfd):
    data = folder_of(tmp_path)
    path = data / "train/_annotations.coco.json"
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [x, y, x + w, y + h]
    path.write_text(json.dumps(content))
    assert main(command(data, structure, tmp_path / "run")) == 2
    assert "or --box-format xyxy (--box-format xywh where they are not)" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_every_part_of_a_config_names_the_work_directory(tmp_path, structure):
    """A link is not followed: the run's data keep the names that the run gave them."""
    from lightnas.detection.choosing import checked
    from lightnas.detection.config import build_config, data_of, use_data
    from lightnas.detection.options import TrainOptions

    split = make(tmp_path)
    splits = checked(
        {name: CocoSplit(split.annotations, split.images) for name in SPLITS}, DataOptions()
    )
    settle(splits, tmp_path / "run")
    cfg = build_config(TrainOptions(structure=structure), "cpu")
    use_data(cfg, splits)
    assert cfg.data.train.ann_file == str(tmp_path / "run/train.json")
    assert data_of(cfg)["val"].annotations == tmp_path / "run/train.json"
    assert (tmp_path / "run/train.json").is_symlink()
