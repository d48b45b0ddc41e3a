"""The command line as its users meet it."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from lightnas.cli.main import cli, main
from lightnas.files import data_folder
from lightnas.network.structure import Structure, format_structures, read_structures
from lightnas.outputs import record_made
from lightnas.search.engine import MAX_TOP

from ..conftest import TINY, heed_ctrl_c, published, refused, run

QUICK = ["search", "--budget-flops", "0.5G", "--input-size", "192x192", "--evaluations", "25000"]
FILES = {
    ".lightnas.json",
    "config.yaml",
    "structure.txt",
    "result.json",
    "history.csv",
    "population.npz",
    "search.log",
    "report.html",
}
TIMES = ("seconds", "evaluations_per_second")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("quick") / "run"
    assert main([*QUICK, "--output", str(path)]) == 0
    return path


@pytest.fixture
def searched(folder, quick_run):
    """``run`` holds what QUICK leaves there."""
    return shutil.copytree(quick_run, folder / "run")


def outcome(path):
    """Everything that must be equal between two runs, byte for byte but for the times."""
    result = json.loads((path / "result.json").read_text())
    timeless = {key: value for key, value in result.items() if key not in TIMES}
    return timeless, (path / "structure.txt").read_bytes(), (path / "population.npz").read_bytes()


def tree(path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def status_of(*arguments, **kwargs):
    """Exit status of a command in a process of its own."""
    process = python(*arguments, **kwargs)
    process.communicate()
    return process.returncode


def python(*arguments, start=("-m", "lightnas"), **kwargs):
    return subprocess.Popen(
        [sys.executable, *start, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


# --- what a user gets -----------------------------------------------------------------------------------------------


def test_search_leaves_a_run_directory(capsys, folder):
    out = run(capsys, *QUICK, "--output", "run")
    assert "proven optimal" in out
    assert {p.name for p in (folder / "run").iterdir()} == FILES
    result = json.loads((folder / "run/result.json").read_text())
    assert list(result)[:7] == [
        "score",
        "flops",
        "params",
        "layers",
        "upper_bound",
        "gap",
        "proven_optimal",
    ]
    assert isinstance(result["flops"], int)
    structures = read_structures(folder / "run/structure.txt")
    assert len(structures) == 5 and Structure.from_dicts(result["structure"]) == structures[0]
    with np.load(folder / "run/population.npz") as population:
        assert population["score"][0] == result["score"]
        assert population["genomes"].shape == (len(population["score"]), len(population["genes"]))
    rows = list(csv.DictReader((folder / "run/history.csv").read_text().splitlines()))
    assert list(rows[0]) == ["evaluations", "seconds", "best_score"]
    assert float(rows[-1]["best_score"]) == result["score"]
    assert int(rows[-1]["evaluations"]) == result["evaluations"] <= 25_000
    assert "versions" in yaml.safe_load((folder / "run/config.yaml").read_text())
    assert "finished" in (folder / "run/search.log").read_text()


def test_json_is_one_object(capsys, folder):
    result = json.loads(run(capsys, *QUICK, "--json", "--output", "run"))
    written = json.loads((folder / "run/result.json").read_text()) | {"output": "run"}
    assert result == written | {name: result[name] for name in ("rho", "rhos", "warnings")}


def test_score_of_a_search_agrees_with_it(capsys):
    result = json.loads(run(capsys, *QUICK, "--json", "--output", "run"))
    rows = json.loads(
        run(capsys, "score", "run/structure.txt", "--input-size", "192x192", "--json")
    )["structures"]
    assert len(rows) == 5
    assert {key: rows[0][key] for key in ("score", "flops", "params", "layers")} == {
        key: result[key] for key in ("score", "flops", "params", "layers")
    }
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)


def test_score_prints_published_figures(capsys, folder):
    text = format_structures([Structure.from_dicts(published(size)) for size in "sml"])
    (folder / "published.txt").write_text(text)
    out = run(capsys, "score", "published.txt")
    for figure in (
        "1731.907",
        "48.682G",
        "21.233M",
        "79",
        "2114.783",
        "2599.396",
    ):
        assert figure in out
    rows = json.loads(run(capsys, "score", "published.txt", "--alpha", "1,0,0,0,0", "--json"))[
        "structures"
    ]
    assert rows[0]["score"] == rows[0]["entropies"][0]


def test_export(capsys, folder, searched):
    structures = read_structures(folder / "run/structure.txt")
    assert run(capsys, "export-structure", "run") == format_structures(structures[:1])
    assert run(capsys, "export-structure", "run", "--rank", "3", "--output", "x.txt") == ""
    assert read_structures(folder / "x.txt") == [structures[3]]


def test_default_output_is_new_each_time(capsys, folder):
    for name in ("flops-0.5G", "flops-0.5G-2", "flops-0.5G-3"):
        run(capsys, *QUICK)
        assert (folder / "outputs" / name / "result.json").is_file()


def test_config_of_a_run_gives_the_run_again(capsys, folder):
    (folder / "mine.yaml").write_text(yaml.safe_dump(TINY))
    run(
        capsys,
        "search",
        "--space",
        "mine.yaml",
        "--budget-params",
        "12K",
        "--seed",
        "7",
        "--output",
        "a",
    )
    (folder / "mine.yaml").unlink()
    run(capsys, "search", "--config", "a/config.yaml", "--output", "b")
    assert outcome(folder / "a") == outcome(folder / "b")
    assert (folder / "a/config.yaml").read_bytes() == (folder / "b/config.yaml").read_bytes()


def test_options_win_over_a_config(capsys, folder):
    (folder / "c.yaml").write_text(
        "budget: {flops: 1G, layers: 40}\nseed: 3\ninput_size: 192x192\nevaluations: 3000\n"
    )
    result = json.loads(
        run(
            capsys, "search", "--config", "c.yaml", "--budget-layers", "31", "--seed", "4", "--json"
        )
    )
    assert result["layers"] <= 31 and result["seed"] == 4
    saved = yaml.safe_load((folder / result["output"] / "config.yaml").read_text())
    assert saved["budget"] == {"flops": 1e9, "params": None, "layers": 31, "latency": None}


@pytest.mark.parametrize("size", "sml")
def test_committed_structures_are_what_the_presets_give(capsys, folder, size):
    run(capsys, "search", "--preset", f"maedet-{size}", "--output", "run")
    ours = data_folder("configs") / "structures" / f"maedet_{size}.txt"
    assert run(capsys, "export-structure", "run") == ours.read_text()


def test_same_bytes_for_any_workers_and_process(capsys, folder):
    run(capsys, *QUICK, "--seed", "2", "--output", "a")
    run(capsys, *QUICK, "--seed", "2", "--output", "b", "--workers", "3")
    assert status_of(*QUICK, "--seed", "2", "--output", "c") == 0
    assert outcome(folder / "a") == outcome(folder / "b") == outcome(folder / "c")


def test_top_reaches_as_far_as_the_population():
    option = next(
        parameter for parameter in cli.commands["search"].params if parameter.name == "top"
    )
    assert option.type.max == MAX_TOP


@pytest.mark.parametrize("words", [[], ["--help"], ["search", "--help"], ["--version"]])
def test_help(capsys, words):
    assert run(capsys, *words)


# --- stop and go ----------------------------------------------------------------------------------------------------

# Sixteen steps of evolution and four of the proof.
STEPS = ["search", "--budget-flops", "0.5G", "--budget-params", "3M", "--budget-layers", "60", "--input-size", "192x192",
         "--evaluations", "25000", "--seed", "2", "--output", "run"]  # fmt: skip
STOPPED = (Path(__file__).parents[1] / "stopped.py").read_text()


def stopped(number, moment, *arguments, **kwargs):
    """A command that gets a signal before or after it has replaced a file for the nth time: see
    stopped.py."""
    return python(
        number if number == "worker" else int(number),
        *moment,
        *arguments,
        start=("-c", STOPPED),
        **kwargs,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    assert main([*STEPS[:-1], str(path)]) == 0
    return outcome(path)


def resumed_as(folder, whole, *options):
    assert main(["search", "--resume", "--output", "run", *options]) == 0
    assert outcome(folder / "run") == whole
    assert {p.name for p in (folder / "run").iterdir()} <= FILES | {"checkpoint.npz"}


def test_killed_again_and_again_and_resumed(folder, whole):
    """SIGKILL before there is a config, in evolution, in the proof, among the results: the same
    bytes as without a stop."""
    for moment in (
        ("before", "config.yaml", 1),
        ("after", "config.yaml", 1),
        ("after", "checkpoint.npz", 5),
        ("before", "checkpoint.npz", 6),
        ("after", "checkpoint.npz", 8),
        ("before", "result.json", 1),
    ):
        process = stopped(signal.SIGKILL, moment, *STEPS, "--resume")
        process.communicate()
        assert process.returncode == -signal.SIGKILL, moment
    assert "prove" in (folder / "run/search.log").read_text()
    resumed_as(folder, whole)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_file(tmp_path, monkeypatch, whole, moment):
    for nth in range(1, 1000):
        path = tmp_path / str(nth)
        path.mkdir()
        monkeypatch.chdir(path)
        process = stopped(signal.SIGKILL, (moment, "*", nth), *STEPS)
        process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        assert main([*STEPS, "--resume"]) == 0
        assert outcome(path / "run") == whole
    assert nth > 20


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_resumable_run(folder, whole, number, status):
    process = stopped(
        number, ("after", "checkpoint.npz", 9), *STEPS, "--workers", "2", preexec_fn=heed_ctrl_c
    )
    _, err = process.communicate()
    assert process.returncode == status
    assert err.count("\n") == 1 and "--resume" in err
    resumed_as(folder, whole)


def test_workers_die_with_their_parent(folder):
    process = stopped(signal.SIGKILL, ("after", "checkpoint.npz", 3), *STEPS, "--workers", "2")
    workers = process.stdout.readline().split()
    assert process.wait() == -signal.SIGKILL and len(workers) == 2
    process.communicate()
    deadline = time.monotonic() + 300
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dead_worker_is_one_line_and_a_resumable_run(folder, whole):
    process = stopped("worker", ("after", "checkpoint.npz", 3), *STEPS, "--workers", "2")
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.count("\n") == 1 and "a worker process died" in err
    resumed_as(folder, whole)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_resume_of_a_finished_run_changes_nothing(capsys, folder):
    first = run(capsys, *QUICK, "--json", "--output", "run")
    before = tree(folder)
    assert run(capsys, *QUICK, "--json", "--output", "run", "--resume") == first
    assert run(capsys, "search", "--json", "--output", "run", "--resume") == first
    assert tree(folder) == before


def test_resume_of_another_config_is_refused_with_the_difference(capsys, folder, searched):
    before = tree(folder)
    err = refused(capsys, *QUICK, "--output", "run", "--resume", "--seed", "1")
    assert "seed is 0 there and 1 here" in err
    assert tree(folder) == before


def test_resume_in_a_new_directory_starts(capsys, folder):
    run(capsys, *QUICK, "--output", "run", "--resume")
    assert (folder / "run/result.json").is_file()


def test_resume_of_a_damaged_checkpoint(capsys, folder, searched):
    (folder / "run/result.json").unlink()
    record_made(folder / "run", "checkpoint.npz")
    (folder / "run/checkpoint.npz").write_bytes(b"PK nonsense")
    assert "checkpoint.npz: is damaged" in refused(capsys, *QUICK, "--output", "run", "--resume")


def test_a_damaged_result(capsys, folder, searched):
    (folder / "run/result.json").write_text("{")
    assert "result.json: is damaged" in refused(capsys, *QUICK, "--output", "run", "--resume")


def test_overwrite(capsys, folder, searched):
    (folder / "run/notes.txt").write_text("mine")
    before = tree(folder)
    assert "not empty" in refused(capsys, *QUICK, "--output", "run")
    assert tree(folder) == before
    run(capsys, *QUICK, "--output", "run", "--seed", "1", "--overwrite")
    assert json.loads((folder / "run/result.json").read_text())["seed"] == 1
    assert (folder / "run/notes.txt").read_text() == "mine"


def test_a_directory_in_use_is_refused(capsys, folder):
    process = stopped(signal.SIGSTOP, ("after", "checkpoint.npz", 1), *STEPS)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    err = refused(capsys, *STEPS, "--resume")
    process.kill()
    process.communicate()
    assert "in use" in err


# --- bad input ------------------------------------------------------------------------------------------------------

BAD_SEARCHES = {
    "no budget": ([], "no budget"),
    "unknown preset": (["--preset", "maedet-x"], "did you mean 'maedet-"),
    "preset and config": (["--preset", "maedet-s", "--config", "c.yaml"], "expected one of them"),
    "unknown space": (["--budget-flops", "1G", "--space", "k1kxk2"], "did you mean 'k1kxk1'"),
    "missing space": (["--budget-flops", "1G", "--space", "none/s.yaml"], "cannot be read"),
    "space is a directory": (["--budget-flops", "1G", "--space", "."], "cannot be read"),
    "unknown unit": (["--budget-flops", "83.6X"], "--budget-flops is '83.6X'"),
    "unknown network": (["--budget-flops", "resnet51"], "did you mean"),
    "negative": (["--budget-flops", "-1G"], "--budget-flops"),
    "zero": (["--budget-params", "0"], "--budget-params is '0'"),
    "nan": (["--budget-layers", "nan"], "--budget-layers is 'nan'"),
    "infinite": (["--budget-flops", "inf"], "--budget-flops is 'inf'"),
    "huge": (["--budget-flops", "1e999"], "--budget-flops is '1e999'"),
    "unreachable": (["--budget-flops", "1K"], "150.512M FLOPs, 3.56K params, 13 layers"),
    "unreachable layers": (["--budget-layers", "12"], "expected at least 13"),
    "unreachable mix": (
        ["--budget-flops", "1G", "--budget-params", "3K"],
        "budget params is 3K, expected at least 3.56K",
    ),
    "negative seed": (["--budget-flops", "1G", "--seed", "-1"], "--seed"),
    "fractional seed": (["--budget-flops", "1G", "--seed", "1.5"], "--seed"),
    "no workers": (["--budget-flops", "1G", "--workers", "0"], "--workers"),
    "no evaluations": (["--budget-flops", "1G", "--evaluations", "0"], "--evaluations"),
    "no top": (["--budget-flops", "1G", "--top", "0"], "--top"),
    "top beyond the population": (["--budget-flops", "1G", "--top", "129"], "--top"),
    "time limit": (["--budget-flops", "1G", "--time-limit", "nan"], "time limit is nan"),
    "input size": (
        ["--budget-flops", "1G", "--input-size", "800"],
        "--input-size is '800', expected HxW",
    ),
    "input size beside a preset": (
        ["--preset", "maedet-s", "--input-size", "7"],
        "lightnas: --input-size is '7'",
    ),
    "space beside a preset": (
        ["--preset", "maedet-s", "--space", "k2"],
        "lightnas: --space is 'k2'",
    ),
    "budget beside a preset": (
        ["--preset", "maedet-s", "--budget-flops", "x"],
        "lightnas: --budget-flops is 'x'",
    ),
    "small input": (["--budget-flops", "1G", "--input-size", "31x64"], "no side below 32"),
    "unknown option": (["--budget-flop", "1G"], "--budget-flops"),
    "no value": (["--budget-flops"], "--budget-flops"),
    "argument": (["--budget-flops", "1G", "more"], "more"),
    "missing config": (["--config", "none.yaml"], "none.yaml: cannot be read"),
    "resume and overwrite": (
        ["--budget-flops", "1G", "--resume", "--overwrite"],
        "expected one of them",
    ),
    "resume nothing": (["--resume", "--output", "none"], "none/config.yaml"),
    "output is a file": (
        ["--budget-flops", "1G", "--output", "file"],
        "--output file cannot be written",
    ),
    "output below a file": (["--budget-flops", "1G", "--output", "file/run"], "cannot be written"),
    "output is full": (["--budget-flops", "1G", "--output", "full"], "not empty"),
    "resume foreign": (
        ["--budget-flops", "1G", "--output", "full", "--resume"],
        "holds no config.yaml",
    ),
}


@pytest.mark.parametrize("name", BAD_SEARCHES)
def test_bad_searches(capsys, folder, name):
    words, said = BAD_SEARCHES[name]
    (folder / "file").write_text("precious")
    (folder / "full").mkdir()
    (folder / "full/thing").write_text("precious")
    before = tree(folder)
    assert said in refused(capsys, "search", *words)
    assert tree(folder) == before
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("budget: [", "not valid YAML"),
        ("budget: !!python/name:os.system", "not valid YAML"),
        ("- 1", "expected keys and values"),
        ("bugdet: {flops: 1G}", "unknown key 'bugdet', did you mean 'budget'"),
        ("budget: {flop: 1G}", "unknown key 'budget.flop', did you mean 'flops'"),
        ("budget: {flops: [1]}", "budget.flops"),
        ("budget: {flops: -3}", "budget.flops is -3"),
        ("budget: {flops: .nan}", "budget.flops is nan"),
        ("budget: {flops: true}", "budget.flops"),
        ("seed: 3", "no budget"),
        ("budget: {flops: 1G}\nseed: -1", "seed is -1"),
        ("budget: {flops: 1G}\nspace: k2", "k2"),
        ("budget: {flops: 1G}\nspace: {name: x}", "no key"),
        ("budget: {flops: 1G}\nalpha: [1, 2]", "alpha"),
        ("budget: {flops: 1G}\nalpha: [0, 0, 0, 0, 0]", "alpha"),
        ("budget: {flops: 1G}\nalpha: [0, 0, .nan, 0, 1]", "alpha"),
        ("budget: {flops: 1G}\ninput_size: 7", "input_size"),
        ("budget: {flops: 1G}\nmax_channels: 0", "max_channels"),
    ],
)
def test_bad_configs(capsys, folder, text, said):
    (folder / "c.yaml").write_text(text)
    err = refused(capsys, "search", "--config", "c.yaml")
    assert said in err and "c.yaml" in err
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serach"], "no command 'serach', did you mean 'search'"),
        (["score"], "STRUCTURE"),
        (["score", "none.txt"], "none.txt: cannot be read"),
        (["score", "."], "cannot be read"),
        (["score", "s.txt", "--input-size", "0x0"], "--input-size is '0x0'"),
        (["score", "s.txt", "--alpha", "1,2"], "--alpha is '1,2'"),
        (["score", "s.txt", "--alpha", "nan,0,0,0,1"], "--alpha"),
        (["score", "s.txt", "--alpha", "0,0,0,0,0"], "--alpha"),
        (["export-structure", "none"], "none is not a directory"),
        (["export-structure", "."], "structure.txt: cannot be read"),
        (["export-structure", "run", "--rank", "1"], "--rank is 1, expected 0 to 0"),
        (["export-structure", "run", "--rank", "-1"], "--rank"),
        (["export-structure", "run", "--output", "run"], "--output run cannot be written"),
        (
            ["export-structure", "run", "--output", "none/x.txt"],
            "--output none/x.txt cannot be written",
        ),
    ],
)
def test_bad_words(capsys, folder, words, said):
    text = format_structures([Structure.from_dicts(published("s"))])
    (folder / "s.txt").write_text(text)
    (folder / "run").mkdir()
    (folder / "run/structure.txt").write_text(text)
    assert said in refused(capsys, *words)


def test_an_output_without_permission(folder):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (folder / "locked").mkdir(mode=0o500)
    process = python(*QUICK, "--output", "locked/run")
    assert "cannot be written" in process.communicate()[1]
    assert process.returncode == 2


# --- a full disk ----------------------------------------------------------------------------------------------------


def limited(size):
    """No file may grow beyond ``size`` bytes: writing fails like on a full disk, in the middle of a
    file."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 1000, 2500, 20_000])
def test_a_full_disk_loses_nothing(capsys, folder, size):
    (folder / "old.txt").write_text("precious")
    process = python(*QUICK, "--output", "run", preexec_fn=limited(size))
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == "" and err.count("\n") == 1 and "too large" in err
    left = {p.name for p in (folder / "run").iterdir()}
    assert not any(name.endswith(".part") for name in left) and "result.json" not in left
    assert (folder / "old.txt").read_text() == "precious"
    run(capsys, *QUICK, "--output", "run", "--resume")


def test_overwrite_on_a_full_disk_keeps_the_old_run(folder, searched):
    before = tree(folder)
    process = python(
        *QUICK, "--output", "run", "--overwrite", "--seed", "1", preexec_fn=limited(1000)
    )
    _, err = process.communicate()
    assert process.returncode == 1 and err.count("\n") == 1
    assert tree(folder) == before


def test_export_to_a_full_disk_keeps_the_old_file(folder, searched):
    (folder / "x.txt").write_text("precious")
    process = python(
        "export-structure", "run", "--output", "x.txt", "--overwrite", preexec_fn=limited(100)
    )
    _, err = process.communicate()
    assert process.returncode == 1 and err == "lightnas: x.txt: File too large\n"
    assert (folder / "x.txt").read_text() == "precious"


def test_export_to_a_full_device(searched):
    process = python("export-structure", "run", "--output", "/dev/full")
    _, err = process.communicate()
    assert process.returncode == 1 and err == "lightnas: /dev/full: No space left on device\n"


def test_stdout_on_a_full_disk(folder):
    (folder / "s.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "lightnas", "score", "s.txt"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1 and "No space" in process.stderr


@pytest.mark.parametrize(("command", "resumes"), [("search", True), ("score", False), ("", False)])
def test_only_what_can_be_resumed_is_said_to_resume(capsys, command, resumes):
    from lightnas.cli.main import _leave

    assert _leave("interrupted", 130, [command] if command else []) == 130
    assert ("--resume continues" in capsys.readouterr().err) == resumes


class OutOfMemoryError(RuntimeError):
    """As torch calls its own."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9.2 GiB for an array"),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nSee the documentation"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:83] DefaultCPUAllocator: not enough memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_memory_that_runs_out_is_one_line_and_a_resumable_run(
    capsys, folder, searched, monkeypatch, error
):
    """In any step of the search; the run goes on to what it would have been."""

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("lightnas.search.engine.coarse_chain", fail)
        assert main([*QUICK, "--output", "again"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("lightnas: out of memory") and "--resume" in captured.err
    run(capsys, *QUICK, "--output", "again", "--resume")
    assert (folder / "again/structure.txt").read_bytes() == (
        folder / "run/structure.txt"
    ).read_bytes()


def test_other_errors_are_not_taken_for_a_lack_of_memory(folder, monkeypatch):
    def fail(*_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("lightnas.search.engine.coarse_chain", fail)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main([*QUICK, "--output", "again"])
