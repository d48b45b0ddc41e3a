"""mmcv without a compiler: the one step of the detection stage that ``pip install '.[det]'``
cannot take.

mmcv 1.7.2 has no wheel on PyPI, and pip cannot build one by itself: its setup.py imports
``pkg_resources``, which setuptools has no more from 82 on, reads ``locals()`` after ``exec``, which
Python 3.13 changed (PEP 667), and, built in isolation, asks for opencv-python beside the headless
one. So it is built here, in the environment that it is for, without compiled operators:
``lightnas.detection`` brings those in plain torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from packaging.specifiers import SpecifierSet

from ..errors import InputError, WorkError, installs

MMCV = "1.7.2"
# What runs mmcv's setup.py: torch asks for the lower end, pkg_resources for the upper one.
SETUPTOOLS = SpecifierSet(">=77.0.3,<82")
COMMAND = "lightnas setup-det"

# From Python 3.13 on, what exec() binds is gone from the locals() of its function. The frame's own
# f_locals still takes it, so an exec() without namespaces is given those of its caller, which is
# what it had before.
RESTORE_EXEC = """
import builtins, sys
_exec = builtins.exec
def exec(source, globals=None, locals=None, /, **options):
    if globals is None and locals is None:
        caller = sys._getframe(1)
        globals, locals = caller.f_globals, caller.f_locals
    return _exec(source, globals, locals, **options)
builtins.exec = exec
"""


def setup_det(find_links: Path | None = None, say: Callable[[str], None] = print) -> None:
    """Install mmcv 1.7.2 without operators into the running environment, unless it, or an mmcv-full
    1.7, is there.

    Args:
        find_links: a folder with mmcv's source or wheel (and setuptools and wheel, where they are
            missing): nothing is asked of the network.
        say: gets a line for each thing that is done.

    Raises:
        InputError: this environment has no pip, lacks torch or mmdet, has mmcv and mmcv-full side
            by side, or ``find_links`` is no directory.
        WorkError: pip failed, or the detection stage cannot be imported afterwards.
    """
    _check(find_links)
    full, plain = _version("mmcv-full"), _version("mmcv")
    if full is not None and full.startswith("1.7."):
        say(f"mmcv-full {full} is installed and stays")
    elif full is not None:
        raise InputError(
            f"mmcv-full {full} is installed, expected 1.7.2: pip uninstall -y mmcv-full && {COMMAND}"
        )
    elif plain == MMCV:
        say(f"mmcv {MMCV} is installed")
    else:
        source = _source(find_links)
        _build_tools(source, say)
        say(
            f"installing mmcv {MMCV} without compiled operators"
            + (f", instead of {plain}" if plain else "")
        )
        _pip([*source, "--no-build-isolation", "--no-deps", f"mmcv=={MMCV}"])
    say("importing the detection stage, for the first time some seconds")
    say(_operators())


def _check(find_links: Path | None) -> None:
    if find_links is not None and not find_links.is_dir():
        raise InputError(
            f"find_links {find_links} is no directory, expected a folder with mmcv {MMCV}"
        )
    if find_spec("pip") is None:
        raise InputError(
            f"{sys.prefix} has no pip, expected it: python -m ensurepip --upgrade, then {COMMAND}"
        )
    missing = [name for name in ("torch", "mmdet", "cv2") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{' and '.join(missing)} not installed, expected the detection stage's packages: "
            f"{installs('det')}, then {COMMAND}"
        )
    if _version("mmcv") and _version("mmcv-full"):
        # Their files lie over each other, so neither is whole once the other goes.
        raise InputError(
            f"mmcv {_version('mmcv')} and mmcv-full {_version('mmcv-full')} are both installed, expected one of them: "
            f"pip uninstall -y mmcv mmcv-full && {COMMAND}"
        )


def _source(find_links: Path | None) -> list[str]:
    return [] if find_links is None else ["--no-index", "--find-links", str(find_links.resolve())]


def _build_tools(source: Sequence[str], say: Callable[[str], None]) -> None:
    found = _version("setuptools")
    missing = [] if found is not None and found in SETUPTOOLS else [f"setuptools{SETUPTOOLS}"]
    missing += [] if _version("wheel") else ["wheel"]
    if missing:
        say(
            f"installing {' and '.join(missing)}, which mmcv's setup.py runs with"
            + (f" (not {found})" if found else "")
        )
        _pip([*source, *missing])


def _pip(arguments: Sequence[str]) -> None:
    """``pip install`` in this environment.

    Raises:
        WorkError: it failed; what pip said stands above on stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *arguments,
        ]
        environment = _environment(Path(folder))
        done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)  # noqa: S603
    if done.returncode:
        raise WorkError(
            f"pip failed (exit status {done.returncode}, see above); "
            f"offline, a folder with mmcv {MMCV} serves: {COMMAND} --find-links DIR"
        )


def _environment(folder: Path) -> Mapping[str, str]:
    """That of pip: no operators are asked for, and Python 3.13 runs mmcv's setup.py."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MMCV_WITH_OPS", "PYTHONPATH")
    }
    if sys.version_info >= (3, 13):
        (folder / "sitecustomize.py").write_text(RESTORE_EXEC)
        environment["PYTHONPATH"] = str(folder)
    return environment


def _operators() -> str:
    """What the detection stage says of its operators, in a new process: this one may have seen
    another mmcv.

    Raises:
        WorkError: it cannot be imported.
    """
    code = "import lightnas.detection; from lightnas.install.operators import operators; print(operators().kind)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise WorkError(
            f"the detection stage cannot be imported ({reason}); lightnas doctor says what does not fit"
        )
    return f"operators: {done.stdout.strip()}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
