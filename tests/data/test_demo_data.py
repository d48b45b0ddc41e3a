"""The demo set: real digits, no digit in two splits, boxes that fit, the same bytes from the same
seed."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from PIL import Image

from lightnas.data.coco import DataOptions, check_split, find_split
from lightnas.data.demo_data import SPLITS, Splits, write_demo_data
from lightnas.data.digits import compose, sources
from lightnas.errors import InputError
from lightnas.outputs import write_marker

FEW = Splits(train=8, val=3, test=3)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "digits"
    write_demo_data(path, FEW)
    return path


def test_passes_the_check_of_coco_data(demo):
    for name, n in zip(SPLITS, (8, 3, 3), strict=True):
        split = check_split(find_split(demo, name))
        assert (
            split.n_images == n and split.classes == tuple("0123456789") and split.content is None
        )
    with Image.open(demo / "ground_truth.jpg") as picture:
        assert picture.width > 192


def test_splits_share_no_digit():
    splits = sources(np.random.default_rng(0))
    assert sum(map(len, splits)) == 1797
    assert [len(split) / 1797 for split in splits] == pytest.approx([0.7, 0.1, 0.2], abs=0.001)


def test_objects():
    """1 to 6 a picture, of 14 to 56 pixels, inside the picture, apart from each other, and
    visible."""
    digits = sources(np.random.default_rng(0))[0]
    counts, sizes = set(), []
    for seed in range(60):
        picture, objects = compose(digits, np.random.default_rng(seed))
        pixels = np.asarray(picture.convert("L"), dtype=float)
        counts.add(len(objects))
        taken = np.zeros((192, 192), dtype=int)
        for label, (x, y, w, h) in objects:
            assert 0 <= label <= 9 and x >= 0 and x + w <= 192 and y >= 0 and y + h <= 192
            taken[y : y + h, x : x + w] += 1
            sizes.append(max(w, h))
            assert pixels[y : y + h, x : x + w].std() > 3
        assert taken.max() <= 1
    assert counts == {1, 2, 3, 4, 5, 6}
    assert min(sizes) >= 14 and max(sizes) <= 56 and min(sizes) < 20 and max(sizes) > 50


def files(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_same_seed_same_bytes(demo, tmp_path):
    write_demo_data(tmp_path / "again", FEW)
    assert files(demo) == files(tmp_path / "again")
    write_demo_data(tmp_path / "more", Splits(train=10, val=3, test=3))
    assert (tmp_path / "more" / "train" / "000008.jpg").read_bytes() == (
        demo / "train" / "000008.jpg"
    ).read_bytes()
    write_demo_data(tmp_path / "other", FEW, seed=1)
    assert files(demo) != files(tmp_path / "other")


def test_an_existing_folder_is_kept(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"not empty|no earlier demo data"):
            write_demo_data(tmp_path / "mine", FEW, overwrite=overwrite)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    write_demo_data(tmp_path / "demo", FEW)
    (tmp_path / "demo/photo.jpg").write_bytes(b"mine")
    (tmp_path / "demo/train/mine.jpg").write_bytes(b"mine")
    write_demo_data(tmp_path / "demo", Splits(1, 1, 1), overwrite=True)
    assert (tmp_path / "demo/photo.jpg").read_bytes() == b"mine"
    assert {path.name for path in (tmp_path / "demo/train").iterdir()} == {"000001.jpg", "mine.jpg"}
    assert (
        len(json.loads((tmp_path / "demo/annotations/instances_train.json").read_text())["images"])
        == 1
    )
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "demo"}


def test_a_set_of_the_users_is_no_demo_data(tmp_path):
    """Annotations under the same names, photos under the same names: nothing of it is touched."""
    write_demo_data(tmp_path / "own", FEW)
    for split in ("train", "val", "test"):
        path = tmp_path / f"own/annotations/instances_{split}.json"
        path.write_text(path.read_text().replace("handwritten digits", "my birds"))
    before = files(tmp_path / "own")
    with pytest.raises(InputError, match="no earlier demo data"):
        write_demo_data(tmp_path / "own", FEW, overwrite=True)
    assert files(tmp_path / "own") == before


class Killed(BaseException):
    """What no handler of the library's catches, as a kill is not."""


@pytest.mark.parametrize("before", ["missing", "empty", "earlier"])
def test_killed_at_every_file(tmp_path, monkeypatch, before):
    """Whatever is there then, it does not pass for a set, and the same command is not refused."""
    whole = tmp_path / "whole"
    write_demo_data(whole, Splits(1, 1, 1))
    replace, rename, unlink = os.replace, Path.rename, Path.unlink
    for nth in range(1, 100):
        path = tmp_path / str(nth) / "digits"
        path.parent.mkdir()
        if before != "missing":
            path.mkdir()
        if before == "earlier":
            write_demo_data(path, Splits(2, 1, 1), seed=1)
            (path / "mine.txt").write_text("mine")
        count = itertools.count(1)

        def killed(act, count=count, nth=nth):
            def acts(*args, **kwargs):
                if next(count) == nth:
                    raise Killed
                return act(*args, **kwargs)

            return acts

        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # nobody tidies after a kill
            patch.setattr(os, "replace", killed(replace))
            patch.setattr(Path, "replace", killed(lambda self, target: replace(self, target)))
            patch.setattr(Path, "rename", killed(rename))
            patch.setattr(Path, "unlink", killed(unlink))
            try:
                write_demo_data(path, Splits(1, 1, 1), overwrite=before == "earlier")
                break
            except Killed:
                pass
        annotations = {file.name for file in path.glob("annotations/*.json")}
        if {"instances_train.json", "instances_val.json"} <= annotations:
            for split in SPLITS:
                check_split(find_split(path, split), DataOptions())
        write_demo_data(path, Splits(1, 1, 1), overwrite=before == "earlier")
        mine = {"mine.txt": b"mine"} if before == "earlier" else {}
        assert files(path) == files(whole) | mine
    assert nth > 3


def test_what_a_kill_leaves_beside_is_swept(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead = int(process.stdout)
    left = tmp_path / f".digits.{dead}.part"
    left.mkdir()
    write_marker(left, {"kind": "demo-data", "version": "0", "files": []})
    mine = tmp_path / f".digits.{dead}1.part"
    mine.mkdir()
    (mine / "mine.txt").write_text("mine")
    write_demo_data(tmp_path / "digits", Splits(1, 1, 1))
    assert {path.name for path in tmp_path.iterdir()} == {"digits", mine.name}


def test_names_without_room_for_an_ending(tmp_path):
    for length in (240, 245, 250, 255):
        write_demo_data(tmp_path / ("d" * length), Splits(1, 1, 1))
    assert len(list(tmp_path.iterdir())) == 4
