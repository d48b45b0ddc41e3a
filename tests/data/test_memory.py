"""A set that has not changed is not read again; one that has is, whatever changed."""

import json
import os

import pytest

pytest.importorskip("PIL")

from lightnas.data import headers, memory, table
from lightnas.data.coco import CocoSplit, DataOptions, check_split, settle
from lightnas.errors import InputError
from tests.data.painted import BOXES, coco, make, paint


@pytest.fixture
def remembering(tmp_path, monkeypatch):
    """As for a large set that has lain there for a while."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(memory, "WORTH", 1)
    monkeypatch.setattr(memory, "TICK_NS", -(10**15))


@pytest.fixture
def opened(monkeypatch):
    """Names of the pictures that are opened."""
    names = []
    read = headers.read_one
    monkeypatch.setattr(
        headers, "read_one", lambda folder, name: names.append(name) or read(folder, name)
    )
    return names


@pytest.fixture
def parsed(monkeypatch):
    """Annotation files that are parsed."""
    paths = []
    read = table.Table.read
    monkeypatch.setattr(
        table.Table, "read", lambda split: paths.append(split.annotations) or read(split)
    )
    return paths


def again(split, **options):
    return check_split(CocoSplit(split.annotations, split.images), DataOptions(**options))


def test_nothing_is_read_twice(tmp_path, remembering, opened, parsed):
    content = coco()
    content["annotations"][0]["ignore"] = 1  # not canonical
    content["annotations"] = content["annotations"][:-2]
    first = check_split(make(tmp_path, content))
    assert len(opened) == 4 and len(parsed) == 1
    second = again(first)
    assert len(opened) == 4 and len(parsed) == 1
    assert second.classes == first.classes and second.notes == first.notes != []
    assert second.n_images == first.n_images == 4
    for name in ("boxes", "pictures", "classes", "crowds", "sizes"):
        assert (getattr(second.objects, name) == getattr(first.objects, name)).all()
    assert second.objects.names == first.objects.names
    source = first.annotations
    settle({"train": first}, tmp_path / "a")
    settle({"train": second}, tmp_path / "a")  # it is there
    assert len(parsed) == 1
    settle({"train": again(CocoSplit(source, first.images))}, tmp_path / "b")  # it is not
    assert len(parsed) == 2
    assert (tmp_path / "a/train.json").read_bytes() == (tmp_path / "b/train.json").read_bytes()


def test_a_changed_picture_alone_is_opened(tmp_path, remembering, opened):
    split = check_split(make(tmp_path))
    opened.clear()
    path = split.images / "2.png"
    about = path.stat()
    path.write_bytes(bytes(about.st_size))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))  # as large and as old as before
    with pytest.raises(InputError, match="2"):
        again(split)
    assert opened == ["2.png"]
    paint(BOXES[1]).save(path)
    again(split)
    assert opened == ["2.png"] * 2


def test_a_picture_that_goes_is_missed(tmp_path, remembering):
    split = check_split(make(tmp_path))
    (split.images / "3.png").unlink()
    with pytest.raises(InputError, match=r"3.png is missing"):
        again(split)


def test_changed_annotations_and_options_are_checked(tmp_path, remembering, parsed):
    split = check_split(make(tmp_path))
    again(split, box_format="xywh")
    assert len(parsed) == 2
    content = coco()
    content["annotations"][0]["bbox"] = [3, 3, 10, 12]
    split.annotations.write_text(json.dumps(content))
    assert again(split).objects.boxes[0, 0] == 3


def test_fresh_files_are_not_remembered(tmp_path, remembering, opened, parsed, monkeypatch):
    """They may change once more within one tick of the clock."""
    monkeypatch.setattr(memory, "TICK_NS", 10**12)
    split = check_split(make(tmp_path))
    again(split)
    assert len(opened) == 8 and len(parsed) == 2


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_a_damaged_memory_is_none(tmp_path, remembering, opened, damage):
    split = check_split(make(tmp_path))
    (file,) = (tmp_path / "cache/lightnas/data").iterdir()
    file.write_bytes(file.read_bytes()[:-200] if damage is None else damage)
    again(split)
    assert len(opened) == 8


def test_a_home_that_cannot_be_written(tmp_path, remembering, monkeypatch):
    (tmp_path / "cache").write_bytes(b"a file")
    assert check_split(make(tmp_path)).n_images == 4


def test_small_sets_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    check_split(make(tmp_path))
    assert not (tmp_path / "cache").exists()


def test_helpers_read_what_this_process_reads(tmp_path, monkeypatch, capfd):
    """With many pictures, several processes; here many is few."""
    monkeypatch.setattr(headers, "MANY", 2)
    monkeypatch.setattr(headers, "cores", lambda: 3)
    split = make(tmp_path)
    (split.images / "4.png").write_bytes(b"none")
    names = [f"{i}.png" for i in range(1, 6)]
    found = headers.read_headers(split.images, names, memory.Memory(), "checking")
    assert found.stored[:3].tolist() == [[64, 48]] * 3 and found.marks[:3].tolist() == [1] * 3
    assert sorted(found.bad) == [3, 4] and found.bad[4] == "is missing"
    assert capfd.readouterr().err == "checking\n"


def test_a_helper_that_dies_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(headers, "MANY", 2)
    monkeypatch.setattr(headers, "cores", lambda: 2)
    monkeypatch.setattr(headers.sys, "executable", "/bin/false")
    split = make(tmp_path)
    found = headers.read_headers(split.images, ["1.png", "2.png"], memory.Memory(), "checking")
    assert found.stored.tolist() == [[64, 48]] * 2 and not found.bad


def test_the_oldest_are_forgotten(tmp_path, remembering, monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 2)
    for name in "abc":
        check_split(make(tmp_path / name))
    assert len(list((tmp_path / "cache/lightnas/data").iterdir())) == 2


def test_a_link_is_remembered_as_its_source(tmp_path, remembering, parsed):
    split = check_split(make(tmp_path))
    settle({"train": split}, tmp_path / "run")
    assert split.annotations.is_symlink()
    again(split)
    assert len(parsed) == 1
