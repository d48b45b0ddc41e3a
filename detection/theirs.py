"""Detection configs as LightNAS and GFLV2 publish them, brought to ours.

``maedet_s|m|l_6x_lr0.02.py`` say the same in other words:

    backbone.net_str    structure_txt; the file lies beside the config, whatever folder it names
    train_cfg, test_cfg outside of the model: model.train_cfg, model.test_cfg
    use_syncBN_torch    sync_bn
    total_epochs        runner.max_epochs, over what a base says
    lr_config           without a policy where no base has one: steps
    ImageToTensor       in test pipelines: DefaultFormatBundle, which takes several pictures

Sources: ``detection/models`` of github.com/alibaba/lightweight-neural-architecture-search.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmdet
from mmcv import Config, ConfigDict

from lightnas.errors import InputError, shown
from lightnas.network.structure import Structure

# (out, k, L, btn) of the published MAE-DET-M, from the stem of 64 channels on.
MAEDET_M = ((120, 3, 2, 64), (512, 5, 10, 72), (1632, 5, 10, 112), (2048, 5, 8, 184))
MMDET_CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"
MAEDET_M_FAULT = (
    "the weights published for MAE-DET-M are known to evaluate to 3.9 AP on COCO val, not to the 46.9 of their table "
    "(issue 20 of LightNAS); those of S and L are as published"
)


def read_with_bases(path: Path) -> Config:
    """A config file; where it builds on ``../_base_`` and there is no such folder, on mmdet's own.

    Raises:
        Exception: whatever mmcv, or the config, raises.
    """
    try:
        return Config.fromfile(str(path), import_custom_modules=False)
    except FileNotFoundError as error:
        beside, bases = path.resolve().parent.parent / "_base_", MMDET_CONFIGS / "_base_"
        if str(beside) not in str(error) or beside.exists() or not bases.is_dir():
            raise
    with tempfile.TemporaryDirectory(prefix="lightnas-config-") as name:
        folder = Path(name) / "configs" / path.resolve().parent.name
        folder.mkdir(parents=True)
        (folder.parent / "_base_").symlink_to(bases)
        for file in path.resolve().parent.iterdir():
            (folder / file.name).symlink_to(file)
        cfg = Config.fromfile(str(folder / path.name), import_custom_modules=False)
    return Config(cfg._cfg_dict, cfg_text=cfg.text, filename=str(path))


def in_our_words(cfg: Config, path: Path | None) -> None:
    """Rewrite what a config says in their words; ours stay as they are.

    Args:
        path: of the file, beside which a structure is looked for; None where no file is.

    Raises:
        InputError: it says something in both, and differently.
    """
    backbone = cfg.model.get("backbone") if isinstance(cfg.get("model"), dict) else None
    if path is not None and isinstance(backbone, dict) and backbone.get("type") == "MadNas":
        _structure(backbone, path)
    for name in ("train_cfg", "test_cfg"):  # of mmdet before 2.5; the model's own win
        if isinstance(cfg.get(name), dict) and isinstance(cfg.get("model"), dict):
            cfg.model.setdefault(name, cfg.pop(name))
    if "use_syncBN_torch" in cfg:
        cfg.sync_bn = cfg.pop("use_syncBN_torch")
    if "total_epochs" in cfg:
        cfg.runner = _runner(cfg.pop("total_epochs"), cfg.get("runner"))
    schedule = cfg.get("lr_config")
    if isinstance(schedule, dict) and "step" in schedule:
        schedule.setdefault("policy", "step")
    for name in ("val", "test"):
        part = cfg.data.get(name) if isinstance(cfg.get("data"), dict) else None
        _bundle(part.get("pipeline") if isinstance(part, dict) else None)


def _structure(backbone: ConfigDict, path: Path) -> None:
    if "net_str" in backbone:
        theirs, ours = backbone.pop("net_str"), backbone.get("structure_txt")
        if ours is not None and ours != theirs:
            raise InputError(
                f"{path}: model.backbone has net_str {shown(theirs)} and structure_txt {shown(ours)}, "
                "expected one of them"
            )
        backbone.structure_txt = theirs
    text = backbone.get("structure_txt")
    if isinstance(text, str) and not text.lstrip().startswith("{") and not os.path.exists(text):
        beside = [folder / Path(text).name for folder in (path.parent, path.parent.parent)]
        backbone.structure_txt = str(next((file for file in beside if os.path.isfile(file)), text))


def _runner(epochs: Any, runner: Any) -> dict[str, Any]:
    """The runner of so many epochs; of iterations, as it is."""
    runner = dict(runner) if isinstance(runner, dict) else {"type": "EpochBasedRunner"}
    return runner if "max_iters" in runner else runner | {"max_epochs": epochs}


def _bundle(steps: Any) -> None:
    """Make every ImageToTensor of a pipeline a DefaultFormatBundle, in the pipelines within it too."""
    for step in steps if isinstance(steps, list | tuple) else ():
        if isinstance(step, dict) and step.get("type") == "ImageToTensor":
            step.clear()
            step["type"] = "DefaultFormatBundle"
        elif isinstance(step, dict):
            _bundle(step.get("transforms"))


def known_fault(structure: Structure | None, meta: Mapping[str, Any]) -> str | None:
    """What is known to be wrong with published weights of a structure, from their ``meta``.

    None of weights that ``train-det`` wrote, and of other structures.
    """
    if structure is None or "lightnas_config" in meta:
        return None
    rows = tuple((block.c_out, block.k, block.depth, block.btn) for block in structure[1:])
    return MAEDET_M_FAULT if rows == MAEDET_M and structure[0].c_out == 64 else None
