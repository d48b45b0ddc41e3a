"""Configs that a checkpoint or a work directory carries: literals, read without running anything.

Without trust they are rebuilt from an allow-list (``allowed``); with it they are taken as they are.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from typing import Any

from mmcv import Config

from lightnas.errors import InputError
from lightnas.files import read_text
from lightnas.network.structure import Structure, parse_structures
from lightnas.runs.training_run import CONFIG

from .allowed import rebuild, structure_text
from .checkpoint import read_checkpoint
from .config import check_sections, import_modules, plain, read_config, rename_imports

MAX_BYTES = 2**21
# KeyError: mmcv reserves some names.
UNREADABLE = (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError)


def config_of_literal(text: str, source: str) -> Config:
    """The config that a checkpoint carries, as it is: a literal, so that reading it runs no code.

    Raises:
        InputError: it is none.
    """
    try:
        if len(text) > MAX_BYTES:
            raise ValueError("too long")
        content = _quietly(lambda: ast.literal_eval(text))
        if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
            raise ValueError("no model")
        rename_imports(content)
        return Config(content)
    except UNREADABLE as error:
        raise InputError(
            f"{source}: its config cannot be read, expected a checkpoint of lightnas train-det"
        ) from error


def structure_written(cfg: Config, source: str) -> Structure | None:
    """The structure that a config says which is read as it stands: its text alone counts, no path.

    None where the backbone is none of ours.

    Raises:
        InputError: it says none.
    """
    text = structure_text(plain(cfg)["model"], source)
    return None if text is None else parse_structures(text, source)[0]


def config_of_checkpoint(checkpoint: Path, trust: bool) -> Config:
    """The config that a checkpoint of ``train-det`` carries.

    Raises:
        InputError: it carries none, or one that is not allowed without ``trust``.
    """
    text = read_checkpoint(checkpoint, trust)["meta"].get("lightnas_config")
    if not isinstance(text, str):
        raise InputError(
            f"{checkpoint}: carries no config, expected a checkpoint of lightnas train-det, or a config before it"
        )
    return _settled(config_of_literal(text, str(checkpoint)), str(checkpoint), trust)


def config_of_run(work_dir: Path, trust: bool) -> Config:
    """The config of a work directory.

    Raises:
        InputError: it cannot be read, or is not allowed without ``trust``.
    """
    return _settled(config_as_written(work_dir, trust), str(work_dir / CONFIG), trust)


def config_as_written(work_dir: Path, trust: bool) -> Config:
    """The config of a work directory as it stands there, to compare with: nothing may be built from
    it.

    Raises:
        InputError: it is no literal, such as ``train-det`` writes, and not trusted; or a section
            of it is none.
    """
    path = work_dir / CONFIG
    text = read_text(path, MAX_BYTES)
    try:
        content = _assignments(text)
        if not isinstance(content.get("model"), dict):
            raise ValueError("no model")
        rename_imports(content)
        cfg = Config(content)
    except UNREADABLE as error:
        if trust:
            return read_config(path)
        raise InputError(
            f"{path}: is no list of settings such as train-det writes ({type(error).__name__}), and is not run; "
            "--config FILE runs a config, and trust_checkpoint=True this one, if you trust where it comes from"
        ) from error
    check_sections(cfg, str(path))
    return cfg


def _settled(cfg: Config, source: str, trust: bool) -> Config:
    if trust:
        check_sections(cfg, source)
        import_modules(cfg, source)
        return cfg
    return Config(rebuild(plain(cfg), source))


def _assignments(text: str) -> dict[str, Any]:
    """``name = literal`` lines as a dict; anything else is a ValueError."""
    content = {}
    for node in _quietly(lambda: ast.parse(text)).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                content[name] = ast.literal_eval(value)
            case _:
                raise ValueError(f"line {node.lineno} is no setting")
    return content


def _quietly(parse: Any) -> Any:
    """Python warns of odd literals such as '\\d' while it parses them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parse()
