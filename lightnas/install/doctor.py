"""The preflight of the detection stage: which versions are installed, what does not fit, and the
command that mends it.

The versions that fit are those of setup.cfg, read from the installed package's metadata, or from
the file in a checkout.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ..errors import InputError, installs
from .operators import BUILD, operators
from .setup_det import COMMAND

REBUILD_MMCV = f"{BUILD} --force-reinstall --no-deps --no-cache-dir"
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
# Not among the requirements: pip cannot install it by itself.
MMCV_FITS = SpecifierSet(">=1.7.0,<1.8")


@dataclass(frozen=True)
class Need:
    """A package, and how to get one of the versions that work, which setup.cfg has.

    ``names`` are the distributions that provide it, any of them; the first is the one that
    setup.cfg names. ``blocks``: training cannot do without it. ``missing``: how to get it where there
    is none at all, by default ``mend`` too.
    """

    name: str
    names: Sequence[str]
    mend: str
    blocks: bool = True
    missing: str = ""

    @property
    def fits(self) -> SpecifierSet:
        """The versions that work."""
        return MMCV_FITS if self.name == "mmcv" else requirements()[self.names[0]]

    @property
    def expected(self) -> str:
        """The versions that work, in words."""
        return in_words(self.fits)


@dataclass(frozen=True)
class Finding:
    """What was found of one need; ``mend`` is the command that helps, empty where all is well."""

    name: str
    found: str
    expected: str
    mend: str = ""
    blocks: bool = True


# In the order in which the commands that mend them have to be run.
NEEDS = (
    Need("torch", ("torch",), "pip install torch", missing=installs("det")),
    Need("numpy", ("numpy",), "pip install --upgrade numpy"),
    Need("opencv", OPENCV, "pip install opencv-python-headless"),
    Need("pillow", ("pillow",), "pip install --upgrade pillow"),
    Need("pycocotools", ("pycocotools",), "pip install --upgrade pycocotools"),
    Need("faster-coco-eval", ("faster-coco-eval",), "pip install --upgrade faster-coco-eval"),
    Need("tensorboard", ("tensorboard",), "pip install --upgrade tensorboard"),
    Need(
        "scikit-learn", ("scikit-learn",), "pip install --upgrade scikit-learn", blocks=False
    ),  # for demo-data
    Need("mmdet", ("mmdet",), "pip install mmdet==2.28.2"),
    Need("mmcv", ("mmcv-full", "mmcv"), COMMAND),
)


def examine() -> list[Finding]:
    """Every need and what was found of it; then mmcv's operators, and the GPU."""
    findings = [_python(), *map(_package, NEEDS), *_two_mmcvs()]
    if not any(finding.mend and finding.blocks for finding in findings):
        findings.append(_operators())
    if not next(finding.mend for finding in findings if finding.name == "torch"):
        findings.append(_device())
    return findings


def preflight() -> None:
    """Before any work of the detection stage.

    Raises:
        InputError: the first thing that does not fit, with the command that mends it.
    """
    for finding in examine():
        if finding.mend and finding.blocks:
            raise InputError(
                f"{finding.name}: {finding.found}, expected {finding.expected}; mend it with: {finding.mend} "
                "(lightnas doctor shows everything)"
            )


def in_words(versions: SpecifierSet) -> str:
    """``from 2.1, below 3`` for ``>=2.1,<3``; ``any`` where there is no bound."""
    words = {">=": "from ", "<": "below ", "==": ""}
    parts = sorted(versions, key=lambda part: list(words).index(part.operator))
    return ", ".join(words[part.operator] + part.version for part in parts) or "any"


@cache
def requirements() -> dict[str, SpecifierSet]:
    """The versions that setup.cfg asks for, by the name of the distribution, without extras and
    with ``det``."""
    found: dict[str, SpecifierSet] = {}
    for line in _requirement_lines():
        needed = Requirement(line)
        if needed.marker is None or any(
            needed.marker.evaluate({"extra": extra}) for extra in ("", "det")
        ):
            found[needed.name.lower()] = needed.specifier
    return found


def _requirement_lines() -> Iterable[str]:
    try:
        return requires("lightnas") or []
    except PackageNotFoundError:
        config = _setup_cfg()
        lines = config["options"]["install_requires"] + config["options.extras_require"]["det"]
        return [line for line in lines.splitlines() if line and not line.startswith("#")]


@cache
def pythons() -> SpecifierSet:
    """The versions of Python that setup.cfg asks for."""
    try:
        return SpecifierSet(metadata("lightnas")["Requires-Python"])
    except PackageNotFoundError:
        return SpecifierSet(_setup_cfg()["options"]["python_requires"])


def _setup_cfg() -> configparser.ConfigParser:
    """setup.cfg of the checkout that lightnas is run from without being installed."""
    config = configparser.ConfigParser()
    config.read(Path(__file__).resolve().parents[2] / "setup.cfg")
    return config


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    expected = in_words(pythons())
    mend = "" if pythons().contains(found) else f"install Python, {expected}"
    return Finding("python", found, expected, mend)


def _package(need: Need) -> Finding:
    for name in need.names:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        fits = need.fits.contains(found.split("+")[0])
        return Finding(need.name, found, need.expected, "" if fits else need.mend, need.blocks)
    mend = need.missing or need.mend
    return Finding(need.name, "not installed", need.expected, mend, need.blocks)


def _two_mmcvs() -> list[Finding]:
    """mmcv and mmcv-full have the same files: installed side by side, which of them runs is
    anybody's guess."""
    try:
        found = f"{version('mmcv')} and mmcv-full {version('mmcv-full')}"
    except PackageNotFoundError:
        return []
    return [Finding("mmcv", found, "one of them", f"pip uninstall -y mmcv mmcv-full && {COMMAND}")]


def _operators() -> Finding:
    """Which of mmcv's operators run. Training goes on without compiled ones that another torch has
    broken."""
    found, expected = operators(), "compiled or plain torch"
    if found.failure:
        broken = (
            f"{found.kind}: the compiled ones do not load beside this torch ({found.failure[:80]})"
        )
        return Finding("operators", broken, expected, REBUILD_MMCV, blocks=False)
    return Finding("operators", found.kind, expected)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("GPU", ", ".join(names), "optional")
    return Finding("GPU", "none: training runs on the CPU", "optional")
