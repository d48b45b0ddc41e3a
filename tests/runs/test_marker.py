"""Only what the marker of a directory lists is ever replaced or removed."""

import json
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.outputs import MARKER, read_marker
from lightnas.runs.output_dir import OutputDir
from lightnas.runs.search_run import SearchRun
from lightnas.runs.training_run import TrainingRun

SEARCH = ["search", "--budget-flops", "0.5G", "--input-size", "192x192", "--evaluations", "300",
          "--proof-work", "0"]  # fmt: skip
FRONT = ["pareto", "--budget-flops", "0.4G:0.5G:2", "--input-size", "192x192", "--evaluations",
         "300", "--proof-work", "0", "--workers", "1"]  # fmt: skip
# Names that runs use too, and others.
NAMES = ["config.yaml", "report.html", "history.csv", "structure.txt", "front.csv", "epoch_1.pth",
         "config.py", "notes.txt", "structures/00.txt", "annotations/mine.json"]  # fmt: skip


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished search and a finished front."""
    folder = tmp_path_factory.mktemp("made")
    assert main([*SEARCH, "--output", str(folder / "search")]) == 0
    assert main([*FRONT, "--output", str(folder / "front")]) == 0
    return folder


@pytest.fixture
def copied(made, tmp_path):
    return shutil.copytree(made, tmp_path / "made")


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "Traceback" not in err
    return err


def test_the_marker_lists_what_was_made(made):
    for kind in ("search", "front"):
        marker = read_marker(made / kind)
        assert marker["kind"] == kind and marker["version"]
        there = {str(p.relative_to(made / kind)) for p in (made / kind).rglob("*") if p.is_file()}
        assert there - {MARKER} <= set(marker["files"])


@pytest.mark.parametrize("command", [SEARCH, FRONT])
@given(names=st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_directory_of_the_users_is_never_overwritten(tmp_path_factory, command, names):
    folder = tmp_path_factory.mktemp("mine")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    before = content(folder)
    for option in ("--overwrite", "--resume"):
        assert main([*command, "--output", str(folder), option]) == 2
        assert content(folder) == before


@given(names=st.sets(st.sampled_from(["notes.txt", "epoch_1.pth", "front.csv", "x/y.txt"])))
def test_files_beside_a_run_stay(made, tmp_path_factory, names):
    folder = shutil.copytree(made / "search", tmp_path_factory.mktemp("run") / "run")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    assert main([*SEARCH, "--output", str(folder), "--overwrite"]) == 0
    assert all((folder / name).read_text() == f"mine: {name}" for name in names)


def test_another_kind_of_run_is_refused_before_any_work(capsys, copied):
    for command, kind, other in ((SEARCH, "front", "front"), (FRONT, "search", "search")):
        before = content(copied / kind)
        for option in ("--overwrite", "--resume"):
            err = refused(capsys, *command, "--output", copied / kind, option)
            assert f"made by a {other}" in err
        assert content(copied / kind) == before


def test_a_run_from_before_there_were_markers(capsys, copied):
    folder = copied / "search"
    (folder / MARKER).unlink()
    assert main([*SEARCH, "--output", str(folder), "--resume"]) == 0
    (folder / MARKER).unlink()
    assert main([*SEARCH, "--output", str(folder), "--overwrite"]) == 0
    # Without a result nothing tells it from a directory of the user's.
    (folder / MARKER).unlink()
    (folder / "result.json").unlink()
    assert "so nothing in it may be replaced" in refused(
        capsys, *SEARCH, "--output", folder, "--overwrite"
    )


def test_links_are_not_followed(capsys, copied, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    folder = copied / "search"
    (folder / "structure.txt").unlink()
    (folder / "structure.txt").symlink_to(victim)
    assert main([*SEARCH, "--output", str(folder), "--overwrite"]) == 0
    assert victim.read_text() == "mine" and not (folder / "structure.txt").is_symlink()
    for name in ("search.log", ".lock", MARKER):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(victim)
        refused(capsys, *SEARCH, "--output", folder, "--overwrite")
        assert victim.read_text() == "mine"
        (folder / name).unlink()
        shutil.copy(copied.parent / "made/front" / MARKER, folder / MARKER)
        marker = json.loads((folder / MARKER).read_text())
        (folder / MARKER).write_text(json.dumps(marker | {"kind": "search"}))


def test_a_marker_that_names_what_lies_outside(copied, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    folder = copied / "search"
    (folder / "out").symlink_to(tmp_path)
    marker = json.loads((folder / MARKER).read_text())
    marker["files"] += ["../../victim.txt", str(victim), "out/victim.txt", "..", ".", "out/"]
    (folder / MARKER).write_text(json.dumps(marker))
    assert main([*SEARCH, "--output", str(folder), "--overwrite"]) == 0
    assert victim.read_text() == "mine" and tmp_path.is_dir()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": 1, "files": []}', "[" * 9999])
def test_a_damaged_marker(copied, text):
    (copied / "search" / MARKER).write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        SearchRun(copied / "search").hold(resume=False, overwrite=True)


def test_a_training_lists_what_its_framework_makes(tmp_path):
    with TrainingRun(tmp_path) as run:
        run.hold(resume=False, overwrite=False)
        run.begin(["train.json"])
        (tmp_path / "tf_logs").mkdir()
        (tmp_path / "tf_logs/events.out.tfevents.1").write_text("")
        (tmp_path / "tf_logs/mine.txt").write_text("mine")
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations/train.json").write_text("")
        (tmp_path / "annotations/mine.json").write_text("mine")
        (tmp_path / "epoch_7.pth").write_text("mine, never listed")
        run.clear()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {MARKER, "tf_logs/mine.txt", "annotations/mine.json", "epoch_7.pth"}


def test_a_hidden_part_of_the_users_stays(made, tmp_path):
    """Only names that a killed write leaves are cleared away."""
    folder = shutil.copytree(made / "search", tmp_path / "run")
    for name in (".mine.part", ".mine/a.part"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / ".result.json.12.part").write_text("half")
    assert main([*SEARCH, "--output", str(folder), "--overwrite"]) == 0
    assert (folder / ".mine.part").read_text() == (folder / ".mine/a.part").read_text() == "mine"
    assert not (folder / ".result.json.12.part").exists()


def test_what_a_kill_leaves_in_a_folder_of_the_run_is_swept(made, tmp_path):
    """A part of a file that the marker lists; not one of a file that it does not."""
    folder = shutil.copytree(made / "front", tmp_path / "front")
    (folder / "front.json").unlink()
    (folder / "structures/.01.txt.123.part").write_text("half")
    (folder / "structures/.mine.txt.123.part").write_text("mine")
    assert main([*FRONT, "--output", str(folder), "--resume"]) == 0
    assert not (folder / "structures/.01.txt.123.part").exists()
    assert (folder / "structures/.mine.txt.123.part").read_text() == "mine"


def test_a_run_killed_before_its_config_begins_anew(tmp_path):
    """Whatever it had made by then, in folders too."""

    class Run(OutputDir):
        mark = command = "search"
        config_name, result_name = "config.yaml", "result.json"
        ours = re.compile("(?!)")

    path = tmp_path / "run"
    with Run(path) as run:
        run.hold(resume=False, overwrite=False)
        run.write("parts/a.txt", "a")
        (path / "parts/link.txt").symlink_to(path / "parts/a.txt")
        run.record("parts/link.txt")
    with Run(path) as run:
        run.hold(resume=True, overwrite=False)
        assert not run.continues
    (path / "parts/mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds no config\.yaml"), Run(path) as run:
        run.hold(resume=True, overwrite=False)
