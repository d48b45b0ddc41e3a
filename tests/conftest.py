import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lightnas.cli.main import main

# For torch, a BLAS, and every process that a test starts: tests run side by side (`pytest -n 2`),
# and two OpenMP threads spin against each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A busy machine is no failure, and a failure must come again: no deadlines, the same examples each
# time.
settings.register_profile(
    "calm", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("calm")

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"

S, STEM, BLOCK = "class", "ConvKXBNRELU", "SuperResK1KXK1"

TINY = {
    "name": "tiny",
    "in": 3,
    "step": 8,
    "max_channels": 32,
    "blocks": [
        {S: STEM, "s": 2, "k": [3], "out": [8, 16]},
        {S: BLOCK, "s": 2, "k": [3, 5], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 1]},
        {S: BLOCK, "s": 2, "k": [3], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 2]},
        {S: BLOCK, "s": 2, "k": [3, 5], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 2]},
        {S: BLOCK, "s": 2, "k": [3], "growth": [1, 2], "btn": [0.5, 1], "L": [1, 3]},
    ],
}

# The published MAE-DET-S, M and L, quoted: (out, k, L, btn) of the four stages after the stem's
# out.
PUBLISHED = {
    "s": (32, [(48, 5, 2, 32), (272, 3, 4, 120), (1024, 5, 10, 80), (2048, 3, 10, 240)]),
    "m": (64, [(120, 3, 2, 64), (512, 5, 10, 72), (1632, 5, 10, 112), (2048, 5, 8, 184)]),
    "l": (80, [(144, 3, 2, 80), (608, 5, 12, 88), (1912, 5, 12, 136), (2400, 5, 10, 220)]),
}


def published(size):
    stem, stages = PUBLISHED[size]
    blocks = [{"class": STEM, "in": 3, "out": stem, "s": 2, "k": 3}]
    for out, k, depth, btn in stages:
        blocks.append(
            {
                "class": BLOCK,
                "in": blocks[-1]["out"],
                "out": out,
                "s": 2,
                "k": k,
                "L": depth,
                "btn": btn,
            }
        )
    return blocks


@pytest.fixture
def reference():
    if not REFERENCE.is_dir():
        pytest.skip("the reference data is not at hand")
    return REFERENCE


@pytest.fixture(autouse=True)
def no_module_stays(tmp_path_factory):
    """A module that a test wrote and imported is forgotten: another test may have one of its name."""
    yield
    temporary = f"{tmp_path_factory.getbasetemp()}{os.sep}"
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(temporary):
            del sys.modules[name]


def heed_ctrl_c():
    """A shell starts background jobs with SIGINT ignored, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(capsys, *arguments):
    """stdout of a command that succeeds."""
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert status == 0, err
    return out


def refused(capsys, *arguments, status=2):
    """The one line on stderr of a command that fails."""
    assert main([str(argument) for argument in arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.endswith("\n"), err
    assert "Traceback" not in err
    return err
