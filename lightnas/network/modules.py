"""Modules of the user's own that add blocks and spaces: ``--import MODULE``.

A module is a program, and runs. It writes into ``BLOCKS`` (docs/blocks.md) and
``search.space_file.SPACES``; what it adds to the first is checked here, since a bound of a block
whose cost is no quadratic in btn would be none.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np

from ..arrays import Floats
from ..errors import InputError, nearest, shown
from .blocks import BLOCKS, Block, BlockType, layers
from .cost import block_cost
from .entropy import block_entropy

KEYS = ("in", "out", "s", "k", "L", "btn")
NEEDED = ("in", "out", "s", "k")
# Channels, and btn in steps, that a block's formulas are tried at.
CHANNELS = np.array([[8.0, 8.0, 24.0, 64.0, 96.0], [8.0, 32.0, 24.0, 40.0, 160.0]])
BTN = (1, 2, 3, 5, 8, 13, 27, 64)
EXACT = 1e-9  # relative; formulas are sums and products of a few whole numbers

_imported: list[str] = []


def imported() -> tuple[str, ...]:
    """The modules that were imported so far: other processes of the same work import them too."""
    return tuple(_imported)


def import_module(name: str, what: str = "import") -> None:
    """Import a module by its name, or a Python file by its path; once.

    ``what`` opens the error messages.

    Raises:
        InputError: it cannot be imported, or a block that it adds is none.
    """
    known = str(Path(name).resolve()) if name.endswith(".py") else name
    if known in _imported:
        return
    before = dict(BLOCKS)
    try:
        _run(name)
        _check_added(before, f"{what} {name}")
    except BaseException as error:
        BLOCKS.clear()
        BLOCKS.update(before)
        # A module is a program: anything can go wrong in it, and it may want to leave.
        if isinstance(error, InputError) or not isinstance(error, Exception | SystemExit):
            raise
        said = f"{type(error).__name__}: {str(error)[:120]}".removesuffix(": ")
        raise InputError(
            f"{what} {name}: cannot be imported ({said}), expected a Python module, or a .py file"
        ) from error
    _imported.append(known)


def _run(name: str) -> None:
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    path = Path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is no file")
    if path.stem in sys.modules:
        raise ImportError(f"a module {path.stem} is there already; another file name mends it")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise


def _check_added(before: dict[str, BlockType], where: str) -> None:
    for kind, block_type in before.items():
        if BLOCKS.get(kind) is not block_type:
            raise InputError(f"{where}: replaces the block {kind}, expected a name of its own")
    for kind in [kind for kind in BLOCKS if kind not in before]:
        if not isinstance(kind, str) or not isinstance(BLOCKS[kind], BlockType):
            raise InputError(
                f"{where}: BLOCKS[{shown(kind)}] is {shown(BLOCKS[kind])}, expected a BlockType by its name"
            )
        check_block_type(kind, f"{where}: block {kind}")


def check_block_type(kind: str, where: str) -> None:
    """Try a block's formulas: what search, bound and proof rely on.

    Raises:
        InputError: its keys are none, it cannot be laid out, or its cost is no quadratic in btn with
            coefficients of at least 0 or its entropy not linear in log btn.
    """
    keys = BLOCKS[kind].keys
    for key in keys:
        if key not in KEYS:
            raise InputError(f"{where}: has the key {shown(key)}, {nearest(str(key), KEYS)}")
    missing = [key for key in NEEDED if key not in keys]
    if missing:
        raise InputError(f"{where}: has no key '{missing[0]}', expected {', '.join(NEEDED)}")
    for k in (1, 3, 5):
        for stride in (1, 2):
            for depth in (1, 2, 5) if "L" in keys else (1,):
                _check_formulas(kind, k, stride, depth, where)


def _check_formulas(kind: str, k: int, stride: int, depth: int, where: str) -> None:
    step = BLOCKS[kind].btn_step
    c_in, c_out = CHANNELS * step

    def figures(btn: float) -> Floats:
        """FLOPs and params of blocks of these channels, (2, 5)."""
        cost, size = block_cost(Block(kind, c_in, c_out, k, stride, depth, btn), (32, 64))
        if size != (32 // stride, 64 // stride):
            raise InputError(f"{where}: stride {stride} makes 32x64 to {size[0]}x{size[1]}")
        return np.array([np.broadcast_to(value, c_in.shape) for value in cost[:2]], float)

    def entropy(btn: float) -> Floats:
        """Of the same blocks, (5,)."""
        of_blocks = block_entropy(Block(kind, c_in, c_out, k, stride, depth, btn))
        return np.asarray(of_blocks + 0.0 * c_in, float)

    ends = [layer.main[-1].c_out for layer, _ in layers(Block(kind, c_in, c_out, k, 1, 2, step))]
    if not all(np.array_equal(end, c_out) for end in ends):
        raise InputError(f"{where}: a layer does not end with 'out' channels, expected it to")
    far = float(step * 64)
    y0, y1, y2 = figures(0.0), figures(far), figures(2 * far)
    h1, h2 = entropy(far), entropy(2 * far)
    q2 = (y2 - 2 * y1 + y0) / (2 * far * far)
    q1 = (y1 - y0) / far - q2 * far
    slack = EXACT * y2
    if (q1 * far < -slack).any() or (q2 * far * far < -slack).any():
        raise InputError(
            f"{where}: its cost is no quadratic in btn with coefficients of at least 0, expected one: "
            "the bound would be wrong"
        )
    n = (h2 - h1) / np.log(2.0)
    if n.max() - n.min() > EXACT * max(1.0, n.max()) or n.min() < -EXACT:
        raise InputError(f"{where}: its entropy has several weights of log btn, or one below 0")
    for steps in BTN:
        btn = float(steps * step)
        if (abs(figures(btn) - (y0 + q1 * btn + q2 * btn * btn)) > slack).any():
            raise InputError(
                f"{where}: its cost at btn {btn:.0f} is no quadratic in btn, expected one: the bound would be wrong; "
                "btn_step says at which multiples it is"
            )
        if (abs(entropy(btn) - h1 - n * np.log(btn / far)) > EXACT * abs(h2) + EXACT).any():
            raise InputError(
                f"{where}: its entropy at btn {btn:.0f} is not linear in log btn, expected it: the bound would be wrong"
            )
