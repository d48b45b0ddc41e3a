"""The preflight of the detection stage: which versions are installed, what does not fit, and the command that mends it."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from .errors import InputError

BUILD_MMCV = "MMCV_WITH_OPS=1 pip install --no-build-isolation mmcv-full==1.7.2"
REBUILD_MMCV = f"{BUILD_MMCV} --force-reinstall --no-deps --no-cache-dir"


OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


@dataclass(frozen=True)
class Need:
    """A package, the versions that work (from, and below), and how to get one.

    ``names`` are the distributions that provide it, any of them. ``blocks``: training cannot do without it.
    """

    name: str
    names: Sequence[str]
    lowest: tuple[int, ...]
    below: tuple[int, ...]
    mend: str
    blocks: bool = True

    @property
    def expected(self) -> str:
        low, high = ".".join(map(str, self.lowest)), ".".join(map(str, self.below))
        return f"from {low}" + (f", below {high}" if self.below else "")


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
    Need("torch", ("torch",), (2, 1), (), "pip install torch"),
    Need("setuptools", ("setuptools",), (64,), (82,), "pip install 'setuptools>=77.0.3,<82'", blocks=False),  # to build mmcv
    Need("numpy", ("numpy",), (1, 26), (), "pip install 'numpy>=1.26'"),
    Need("opencv", OPENCV, (4, 5), (), "pip install opencv-python-headless"),
    Need("pillow", ("pillow",), (10,), (), "pip install 'pillow>=10'"),
    Need("pycocotools", ("pycocotools",), (2, 0, 4), (), "pip install pycocotools"),
    Need("tensorboard", ("tensorboard",), (2, 14), (), "pip install tensorboard"),
    Need("scikit-learn", ("scikit-learn",), (1, 3), (), "pip install scikit-learn", blocks=False),  # for demo-data
    Need("mmcv-full", ("mmcv-full",), (1, 7, 0), (1, 8), BUILD_MMCV),
    Need("mmdet", ("mmdet",), (2, 28), (3,), "pip install mmdet==2.28.2"),
)


def examine() -> list[Finding]:
    """Every need and what was found of it; then mmcv's compiled operators, and the GPU."""
    findings = [_python(), *map(_package, NEEDS), *_wrong_mmcv()]
    installed = {finding.name: not finding.mend for finding in findings}
    if installed["torch"] and installed["mmcv-full"]:
        findings.append(_operators())
    if installed["torch"]:
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


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", found, "from 3.10", "" if sys.version_info >= (3, 10) else "install Python 3.10 or later")


def _package(need: Need) -> Finding:
    for name in need.names:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        numbers = tuple(int(part) for part in re.findall(r"\d+", found.split("+")[0])[:3])
        fits = numbers >= need.lowest and (not need.below or numbers < need.below)
        return Finding(need.name, found, need.expected, "" if fits else need.mend, need.blocks)
    return Finding(need.name, "not installed", need.expected, need.mend, need.blocks)


def _wrong_mmcv() -> list[Finding]:
    """The package ``mmcv`` (version 2, or the one without operators) puts its files over those of mmcv-full."""
    try:
        found = version("mmcv")
    except PackageNotFoundError:
        return []
    return [Finding("mmcv", found, "mmcv-full alone", f"pip uninstall -y mmcv && {REBUILD_MMCV}")]


def _operators() -> Finding:
    """A build before torch was there makes, without a word, a wheel that lacks them."""
    expected = "mmcv's compiled operators"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mmcv announces its version 2 at every import
            importlib.import_module("mmcv._ext")
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        return Finding("mmcv._ext", f"cannot be imported ({reason})", expected, REBUILD_MMCV)
    return Finding("mmcv._ext", "works", expected)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("GPU", ", ".join(names), "optional")
    return Finding("GPU", "none: training runs on the CPU", "optional")
