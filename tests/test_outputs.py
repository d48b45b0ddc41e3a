"""Files of the user's own stay what they were, whatever a command is told to write and where."""

import os
import shutil
from importlib.util import find_spec

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.outputs import Kind, check_apart, check_file

from .conftest import refused, run

SEARCH = ["search", "--budget-flops", "0.5G", "--input-size", "192x192", "--evaluations", "200",
          "--proof-work", "0", "--output"]  # fmt: skip
FRONT = ["pareto", "--budget-flops", "0.4G:0.5G:2", "--input-size", "192x192", "--evaluations",
         "200", "--proof-work", "0", "--workers", "1", "--output"]  # fmt: skip
DEMO = ["demo-data", "--train", "1", "--val", "1", "--test", "1"]
EXPORT = ["export-structure", "maedet-s", "--output"]
COMMANDS = [SEARCH, FRONT, EXPORT]
if find_spec("sklearn") and find_spec("PIL"):
    COMMANDS.append(DEMO)
if find_spec("torch"):
    COMMANDS.append(["profile", "--device", "cpu", "--input-size", "64x64", "--output"])

# Where files of the user's lie: beside runs, in them, and elsewhere; under names that runs use too.
PLACES = ["", "a", "a/b", "search", "front", "demo", "search/structures", "front/structures",
          "demo/train", "demo/annotations"]  # fmt: skip
NAMES = ["config.yaml", "result.json", "front.json", "report.html", "structure.txt", "search.log",
         "history.csv", "checkpoint.npz", "01.txt", "000001.jpg", "instances_train.json",
         "ground_truth.jpg", "notes.txt", ".notes.12.part", ".config.yaml.bak", "config.py",
         "epoch_1.pth", "x.part"]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished search, front and demo set."""
    folder = tmp_path_factory.mktemp("made")
    assert main([*SEARCH, str(folder / "search")]) == 0
    assert main([*FRONT, str(folder / "front")]) == 0
    if DEMO in COMMANDS:
        assert main([*DEMO, str(folder / "demo")]) == 0
    return folder


def state(path):
    """What stands at a path of the user's."""
    return os.path.lexists(path) and (path.read_bytes(), path.is_symlink())


@settings(max_examples=4, phases=[Phase.generate])
@given(data=st.data())
def test_nothing_of_the_users_changes(made, tmp_path_factory, data):
    """Every command with --overwrite, aimed at every directory of a tree."""
    folder = tmp_path_factory.mktemp("tree") / "tree"
    shutil.copytree(made, folder)
    mine = {}
    where = st.tuples(st.sampled_from(PLACES), st.sampled_from(NAMES), st.booleans())
    for place, name, linked in data.draw(st.lists(where, min_size=4, max_size=12)):
        path = folder / place / name
        if os.path.lexists(path):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if linked:
            target = folder.parent / f"{len(mine)}.txt"
            target.write_text(f"mine, linked as {path}")
            path.symlink_to(target)
        else:
            path.write_text(f"mine: {path}")
        mine[path] = state(path)
    directories = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
    for directory in directories:
        for command in COMMANDS:
            assert main([*command, str(directory), "--overwrite"]) in (0, 2)
            changed = [p for p, was in mine.items() if state(p) != was]
            assert not changed, (command, directory)


FILE = Kind("test file", lambda path: path.read_bytes() == b"ours")


def test_files_by_their_kind(tmp_path):
    check_file(tmp_path / "new", FILE)
    path = tmp_path / "file"
    path.write_text("ours")
    check_file(path, FILE)
    path.write_text("mine")
    with pytest.raises(InputError, match="exists and is no test file that lightnas wrote"):
        check_file(path, FILE)
    check_file(path, FILE, overwrite=True)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    for link in ("link", "dangling"):
        with pytest.raises(InputError, match="is a link"):
            check_file(tmp_path / link, FILE, overwrite=True)
    for bad in (tmp_path, tmp_path / "none/x", path / "x"):
        with pytest.raises(InputError, match="cannot be written"):
            check_file(bad, FILE, overwrite=True)


def test_inputs_are_never_written_over(tmp_path):
    path = tmp_path / "file"
    path.write_text("ours")
    os.link(path, tmp_path / "twin")
    (tmp_path / "link").symlink_to(path)
    for name in ("file", "twin", "link"):
        with pytest.raises(InputError, match="is read too"):
            check_file(path, FILE, [tmp_path / name], overwrite=True)
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/input").write_text("x")
    for name in ("d/e/input", "d/e"):
        with pytest.raises(InputError, match="which is read"):
            check_apart(tmp_path / "d", [tmp_path / name])
    check_apart(tmp_path / "d", [tmp_path / "d/e/input"], made=["e/input"])
    check_apart(tmp_path / "d", [tmp_path / "dd"])
    check_apart(tmp_path / "d/e", [tmp_path / "d"])


@pytest.fixture
def copied(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ("search", "front"):
        shutil.copytree(made / kind, tmp_path / kind)
    return tmp_path


def test_a_run_from_its_own_config(copied):
    for command, kind in ((SEARCH, "search"), (FRONT, "front")):
        config = ["--config", f"{kind}/config.yaml"]
        assert main([command[0], *config, "--output", kind, "--overwrite"]) == 0
        assert main([command[0], *config, "--output", kind, "--resume"]) == 0
    compared = ["--compare", "front", "--overwrite"]
    assert main([*FRONT, "front", *compared]) == 0


def test_runs_that_hold_their_inputs(capsys, copied):
    space = (copied / "search/mine.yaml").resolve()
    shutil.copy(
        main.__globals__["__file__"].replace("lightnas/cli/main.py", "search_spaces/k1kxk1.yaml"),
        space,
    )
    err = refused(capsys, *SEARCH, "search", "--space", space, "--overwrite")
    assert "mine.yaml, which is read" in err
    shutil.copy("search/config.yaml", "search/mine.yaml")
    err = refused(capsys, "search", "--config", space, "--output", "search", "--overwrite")
    assert "mine.yaml, which is read" in err
    shutil.copy("search/structure.txt", "front/mine.txt")
    err = refused(capsys, *FRONT, "front", "--compare", "front/mine.txt", "--overwrite")
    assert "mine.txt, which is read" in err


def test_pages_and_structures(capsys, copied):
    (copied / "mine.txt").write_text("mine")
    for command in (EXPORT, ["report", "search", "--output"]):
        assert "lightnas wrote" in refused(capsys, *command, "mine.txt")
        assert (copied / "mine.txt").read_text() == "mine"
        for name in ("new.txt", "new.txt"):  # its own is replaced
            run(capsys, *command, f"{command[0]}-{name}")
        for name in ("search/result.json", "search/.lightnas.json", "front/structure.txt"):
            before = (copied / name).read_bytes()
            refused(capsys, *command, name, "--overwrite")
            assert (copied / name).read_bytes() == before
    run(capsys, "report", "search", "front", "--output", "search/report.html")
    (copied / "search/report.html").write_text("mine")
    assert "lightnas wrote" in refused(capsys, "report", "search")
    assert main(["report", "search", "--overwrite"]) == 0
    assert main([*EXPORT, "mine.txt", "--overwrite"]) == 0


def test_an_input_whose_name_no_file_has(tmp_path):
    check_apart(tmp_path / "d", [tmp_path / "a\0"])


def test_kinds_that_nothing_tells(tmp_path):
    path, kind = tmp_path / "file", Kind("blob", None)
    check_file(path, kind)
    path.write_text("x")
    with pytest.raises(InputError, match="exists, and nothing in a blob says who wrote it"):
        check_file(path, kind)
    check_file(path, kind, overwrite=True)
