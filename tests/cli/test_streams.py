"""How a command ends when its streams are closed, nobody reads them, or Ctrl-C comes at once."""

import os
import subprocess
import sys

import pytest

from lightnas.cli.main import main

SEARCH = ["search", "--budget-flops", "0.5G", "--input-size", "192x192", "--evaluations", "300",
          "--proof-work", "0"]  # fmt: skip
LIGHTNAS = f"{sys.executable} -m lightnas"


@pytest.fixture(scope="module")
def txt(tmp_path_factory):
    """What export-structure writes of maedet-s."""
    path = tmp_path_factory.mktemp("txt") / "s.txt"
    assert main(["export-structure", "maedet-s", "--output", str(path)]) == 0
    return path.read_text()


def shell(command, folder):
    """What a line of bash says and how its first command ends."""
    line = f"{command}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(
    "ending", [">&-", "2>&-", ">&- 2>&- <&-", "| true", "2>&1 | true", "--json | head -c 1"]
)
def test_a_run_is_whole_whoever_listens(tmp_path, ending):
    done = shell(f"{LIGHTNAS} {' '.join(SEARCH)} --output run {ending}", tmp_path)
    assert done.returncode in ((0, 1) if "|" in ending else (0,))
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"result.json", "report.html"} <= names and not any(n.endswith(".part") for n in names)


@pytest.mark.parametrize(
    "command",
    [
        "--output /dev/stdout",
        "--output /dev/fd/1",
        "--output /dev/stdout | cat",
        "--output /dev/stderr 2>&1 >/dev/null",
        "--output >(cat >caught); sleep 0.3; cat caught",
        "--output pipe & cat pipe; wait",
    ],
)
def test_structures_go_through_streams(tmp_path, txt, command):
    os.mkfifo(tmp_path / "pipe")
    done = shell(f"{LIGHTNAS} export-structure maedet-s {command}", tmp_path)
    assert (done.stdout, done.stderr) == (txt, "")


def test_a_stream_that_is_a_file_is_added_to(tmp_path, txt):
    (tmp_path / "log").write_text("before\n")
    shell(f"{LIGHTNAS} export-structure maedet-s --output /dev/stdout >>log", tmp_path)
    assert (tmp_path / "log").read_text() == f"before\n{txt}"


# Sends a signal to itself where a module is about to be imported.
SIGNALLED = """
import os, signal, sys
_, module, number, *sys.argv = sys.argv
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), int(number))
sys.meta_path.insert(0, Finder())
from lightnas.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
@pytest.mark.parametrize(
    "module", ["lightnas.cli.main", "click", "rich", "lightnas.runs", "numpy", "scipy", "jinja2"]
)
def test_a_signal_in_an_import(tmp_path, module, number, status):
    words = [sys.executable, "-c", SIGNALLED, module, str(number), "lightnas", *SEARCH]
    done = subprocess.run([*words, "--output", "run"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == status
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("lightnas: ")
    assert main([*SEARCH, "--output", str(tmp_path / "run"), "--resume"]) == 0
    assert (tmp_path / "run/report.html").is_file()


@pytest.mark.parametrize("length", [244, 245, 250, 251, 255])
def test_long_names(tmp_path, txt, length):
    path = tmp_path / ("n" * length)
    assert main(["export-structure", "maedet-s", "--output", str(path)]) == 0
    assert path.read_text() == txt and len(list(tmp_path.iterdir())) == 1
    assert main([*SEARCH, "--output", str(tmp_path / ("d" * length))]) == 0
