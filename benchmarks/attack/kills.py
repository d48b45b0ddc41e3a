"""Kills at random instants and at exact moments, alone and beside a second process on the same
directory: after ``--resume`` the results are those of an undisturbed run, to the byte, and the
report is there.

Searches, fronts, latency tables and small trainings; those that need what is not installed are
left out. Most processes are forked from one that has imported everything, so that the instants fall
into the work; some are started as a user would.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .tally import Tally

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
HANGS = 300.0  # seconds
# What a run says of time, and nothing else that differs between two runs.
TIMES = ("seconds", "evaluations_per_second")
SMALL = ("--input-size", "192x192", "--evaluations", "25000")


class Plan(NamedTuple):
    """A command that is attacked.

    Attributes:
        command: without where it writes.
        output: the option that says where, and the value.
        share: of the attacks.
        needs: packages.
    """

    command: tuple[str, ...]
    output: tuple[str, str]
    share: float
    needs: tuple[str, ...] = ()
    has_report: bool = True


PLANS = {
    "search": Plan(
        ("search", "--budget-flops", "0.5G", "--budget-params", "3M", "--budget-layers", "60",
         "--seed", "2", *SMALL),
        ("--output", "run"), 0.5,
    ),
    "front": Plan(
        ("pareto", "--budget-flops", "0.3G:0.5G:4", "--proof-work", "200000", "--workers", "1",
         *SMALL[:2], "--evaluations", "3000"),
        ("--output", "run"), 0.25,
    ),
    "profile": Plan(
        ("profile", "--device", "cpu", "--space", "../../tiny.yaml", "--input-size", "64x64",
         "--most-flops", "20M"),
        ("--output", "table.json"), 0.125, ("torch",), has_report=False,
    ),
    "training": Plan(
        ("train-det", "../../small.txt", "--data", "../../digits", "--schedule", "2", "--width",
         "64", "--input-size", "64x64", "--batch", "4", "--workers", "0", "--device", "cpu",
         "--cfg-options", "model.bbox_head.stacked_convs=1"),
        ("--work-dir", "run"), 0.125, ("torch", "mmdet", "mmcv", "sklearn"),
    ),
}  # fmt: skip


class Case(NamedTuple):
    """One attack: the folder of all, the kind of run, and what decides its instants."""

    folder: Path
    kind: str
    seed: str
    seconds: float


def attack(count: int, seed: int, kinds: Sequence[str] = tuple(PLANS)) -> list[Tally]:
    """So many runs that are killed, spread over the kinds, as far as what they need is installed."""
    kinds = [kind for kind in kinds if possible(PLANS[kind])]
    shares = {kind: PLANS[kind].share for kind in kinds}
    wanted = {kind: round(count * share / sum(shares.values())) for kind, share in shares.items()}
    kinds = [kind for kind in kinds if wanted[kind]]
    tallies = {kind: Tally(f"kills of a {kind}") for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(2, count), mp_context=context) as pool:
            write_inputs(folder, "training" in kinds)
            seconds = dict(
                zip(kinds, pool.map(undisturbed, [folder] * len(kinds), kinds), strict=True)
            )
            cases = [
                Case(folder, kind, f"{seed}-{kind}-{i}", seconds[kind])
                for kind in sorted(kinds, key=lambda kind: -seconds[kind])
                for i in range(wanted[kind])
            ]
            for case, fell in zip(cases, pool.map(attacked, cases), strict=True):
                tallies[case.kind].tried += 1
                if fell:
                    tallies[case.kind].fallen.append(f"{case.seed}: {fell}")
    return [tallies[kind] for kind in kinds]


def possible(plan: Plan) -> bool:
    """Whether what a plan needs is installed."""
    return all(find_spec(name) is not None for name in plan.needs)


def write_inputs(folder: Path, training: bool) -> None:
    """A space, a structure and a data set, as small as those of the tests."""
    from tests.conftest import TINY

    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    if training:
        from lightnas.data.demo_data import Splits, write_demo_data
        from lightnas.network.structure import Structure, format_structures
        from tests.detection.conftest import SMALL as BLOCKS

        (folder / "small.txt").write_text(format_structures([Structure.from_dicts(BLOCKS)]))
        write_demo_data(folder / "digits", Splits(train=16, val=4, test=2))


# --- one attack -----------------------------------------------------------------------------------------------------


def undisturbed(folder: Path, kind: str) -> float:
    """Run a plan to its end, in ``folder/whole/KIND``; returns its seconds."""
    preload(kind)
    place = folder / "whole" / kind
    place.mkdir(parents=True)
    began = time.monotonic()
    status = ended(forked(kind, PLANS[kind], place))
    assert status == 0, said(place)
    return time.monotonic() - began


def attacked(case: Case) -> str:
    """What did not hold, in a line; empty where all did."""
    preload(case.kind)
    place = case.folder / "attacked" / case.seed
    place.mkdir(parents=True)
    rng, plan = random.Random(case.seed), PLANS[case.kind]
    try:
        how = [disturb(rng, case, place) for _ in range(rng.choice((1, 1, 2)))]
        fell = next((line for line in how if line), "") or resumed(case, plan, place)
    except AssertionError as error:
        fell = str(error)
    if not fell:
        shutil.rmtree(place)
    return " ".join(fell.split())


def disturb(rng: random.Random, case: Case, place: Path) -> str:
    """Start a process, perhaps two, and kill the first; what is wrong with how they ended."""
    plan, number = PLANS[case.kind], rng.choice(SIGNALS)
    rival = rng.random() < 0.2
    if rng.random() < 0.4:  # at a file that it replaces
        moment, nth = rng.choice(("before", "after")), rng.randint(1, 24)
        one = forked(case.kind, plan, place, [int(number), moment, "*", nth])
        other = forked(case.kind, plan, place) if rival else None
    else:
        anew = case.kind != "profile" and rng.random() < 0.1
        one = forked(case.kind, plan, place, anew=anew)
        other = None
        if rival:
            time.sleep(rng.uniform(0, 0.2 * case.seconds))
            other = forked(case.kind, plan, place)
        time.sleep(rng.uniform(0, case.seconds * 1.1 + (1.0 if anew else 0.0)))
        if not gone(one):
            os.kill(one, number)
    status = ended(one)
    # A signal that comes in the last instants, when all is said, just ends the process.
    allowed = {0, -number, 128 + number if number != signal.SIGKILL else 0} | (
        {2} if rival else set()
    )
    if status not in allowed:
        return f"ended with {status} after {number.name}: {said(place)}"
    if other is not None and (status := ended(other)) not in (0, 2):
        return f"the process beside it ended with {status}: {said(place)}"
    if "Traceback" in said(place) or "Exception ignored" in said(place):
        return f"said after {number.name}: {said(place)}"
    return ""


def resumed(case: Case, plan: Plan, place: Path) -> str:
    """Run it to its end, and compare; what differs."""
    status = ended(forked(case.kind, plan, place))
    if status != 0:
        return f"--resume ended with {status}: {said(place)}"
    whole, here = (
        dict(outcome(case.kind, path)) for path in (case.folder / "whole" / case.kind, place)
    )
    if whole.keys() != here.keys():
        return f"files differ: {sorted(whole.keys() ^ here.keys())}"
    differing = [name for name in whole if whole[name] != here[name]]
    if differing:
        return f"bytes differ: {differing}"
    return "" if not plan.has_report or (place / "run/report.html").is_file() else "no report"


def outcome(kind: str, place: Path) -> Iterator[tuple[str, object]]:
    """Everything that must be equal between two runs, by the name of its file."""
    run = place if kind == "profile" else place / "run"
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if not path.is_file() or name in ("said", "search.log", ".lightnas.json"):
            continue
        if name.startswith("tf_logs/") or ".log" in name:
            continue
        if name.endswith(".pth"):
            yield name, weights(path)
        elif name in ("result.json", "front.json"):
            yield name, timeless(json.loads(path.read_text()))
        elif name == "history.csv":
            yield name, [line.split(",")[::2] for line in path.read_text().splitlines()]
        elif name == "report.html":
            yield name, True
        elif name == "config.py":  # names the annotations in the directory itself
            yield name, path.read_text().replace(str(place.resolve()), "")
        else:
            yield name, path.read_bytes()


def timeless(content: Any) -> Any:
    """JSON without what a run says of time."""
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if key not in TIMES}
    return list(map(timeless, content)) if isinstance(content, list) else content


def weights(path: Path) -> dict[str, bytes]:
    """The tensors of a checkpoint, of the model and of its optimizer."""
    from lightnas.detection.checkpoint import read_checkpoint

    content = read_checkpoint(path, False)
    state = content["optimizer"]["state"]
    momenta = {f"{i}.{key}": value for i, inner in state.items() for key, value in inner.items()}
    tensors = {**content["state_dict"], **momenta}
    return {
        key: value.numpy().tobytes() for key, value in tensors.items() if hasattr(value, "numpy")
    }


# --- processes ------------------------------------------------------------------------------------------------------


def preload(kind: str) -> None:
    """Import what a run of a kind needs, once for all that are forked from here."""
    sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]
    os.environ["PYTHONPATH"] = str(ROOT)
    names = [
        "lightnas.cli.main",
        "lightnas.cli.tables",
        "lightnas.runs",
        "lightnas.report.page",
        "tests.stopped",
    ]
    names += {"profile": ["lightnas.latency.measure", "tests.latency.tables"]}.get(kind, [])
    names += {"training": ["lightnas.detection", "lightnas.install.doctor"]}.get(kind, [])
    for name in names:
        importlib.import_module(name)


def words(plan: Plan) -> list[str]:
    """The command that starts or goes on."""
    return [*plan.command[:1], *plan.output, "--resume", *plan.command[1:]]


def forked(
    kind: str, plan: Plan, place: Path, moment: list[Any] | None = None, anew: bool = False
) -> int:
    """A process that begins where the imports are done, and gets a signal at a moment; or one that
    is started ``anew``, as a user starts it. Its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        heed()
        os.chdir(place)
        file = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        if anew:
            os.execv(sys.executable, [sys.executable, "-m", "lightnas", *words(plan)])
        sys.argv = ["lightnas", *words(plan)]
        from lightnas.__main__ import main
        from tests.stopped import at_file, hurry

        hurry()
        {"profile": steady, "training": one_thread}.get(kind, lambda: None)()
        if moment:
            at_file(*moment)
        status = main()
    except KeyboardInterrupt:  # before lightnas had a chance
        status = 130
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def heed() -> None:
    """Signals as a terminal's process has them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def steady() -> None:
    """Measuring takes two milliseconds and gives made-up seconds: two tables of one machine are then
    the same."""
    from lightnas.latency import measure, profile
    from lightnas.latency.speed import Speed
    from tests.latency.tables import made_up_seconds, network_of
    from tests.latency.tables import steady as steadily

    wait = threading.Event().wait  # time.sleep hurries
    profile.SAVE_EVERY = 0.01

    def op_speed(self: object, op: Any, c_in: int, c_out: int) -> Speed:
        wait(0.002)
        return steadily(made_up_seconds(op.kind, c_in, c_out))

    def network_speed(self: object, structure: Any, input_size: object) -> Speed:
        wait(0.01)
        return steadily(network_of(made_up_seconds, structure))

    measure.Machine.op_speed = op_speed
    measure.Machine.network_speed = network_speed


def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def gone(pid: int) -> bool:
    """Whether a child has ended, which it still has to be asked for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def ended(pid: int) -> int:
    """The exit status of a child, negative after a signal; one that hangs is killed."""
    deadline = time.monotonic() + HANGS
    while not gone(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"hangs for {HANGS:g} s")
        time.sleep(0.005)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def said(place: Path) -> str:
    """The end of what the processes of a place have said."""
    return (place / "said").read_text(errors="replace")[-1500:]
