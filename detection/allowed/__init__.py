"""Configs that came with a file of somebody else's: rebuilt from an allow-list, never taken as they
are.

mmdet builds whatever a config names: a detector type that downloads its teacher and unpickles it, a
data set that unpickles its proposals, pictures of sixty thousand pixels a side. So the config in a
checkpoint, and the config.py of a work directory, are read as literals and built anew from what is
listed here:

    rules      what a value may be
    model      detectors and their parts
    data       data sets and pipelines
    training   runner, optimizer, schedule, hooks
    size       what the model takes, bounded before it is built

A config FILE that a user names is another matter: it is a program, and runs.
"""

from __future__ import annotations

from typing import Any

from lightnas.documents import dicts_in
from lightnas.errors import InputError, shown

from .backbones import STRUCTURE
from .data import DATA, PATH, SCAFFOLDING
from .model import DETECTOR
from .rules import Keys, OutsideError, optional
from .size import check_sizes
from .targets import TEST_CFG, TRAIN_CFG
from .training import OPTIMIZER, SCHEDULE, SERVICES, TRAINING

REMEDY = (
    "trust_checkpoint=True takes the config as it is, with whatever code, files and addresses it names, "
    "if you trust where it comes from"
)
CONFIG = Keys(
    {
        "model": DETECTOR.rule(),
        "train_cfg": optional(TRAIN_CFG),
        "test_cfg": optional(TEST_CFG),
        "data": DATA,
        "work_dir": PATH,
        **TRAINING,
        **SCAFFOLDING,
    },
    ("model", "data"),
)


def rebuild(content: dict[str, Any], source: str) -> dict[str, Any]:
    """The config of a literal, built anew from what is allowed.

    What only began the training (weights of the model zoo, names that the config was put together
    with) is left out, and so are loggers that speak to a service.

    Args:
        source: the file that it stands in, for the messages.

    Raises:
        InputError: something in it is outside the list, named by its key; or it is too large.
    """
    try:
        built = CONFIG.build(content, "", "a config")
        check_sizes(built)
    except OutsideError as outside:
        raise InputError(f"{source}: {outside}; {REMEDY}") from outside
    return built


def structure_text(model: Any, source: str) -> str | None:
    """The text of the structure that the model of a config names; None where its backbone is of
    another type. A path is refused: it would be opened.

    Args:
        source: the file that it stands in, for the messages.

    Raises:
        InputError: there is no backbone, or what it names is no text of a structure.
    """
    backbone = model.get("backbone") if isinstance(model, dict) else None
    kind = backbone.get("type") if isinstance(backbone, dict) else None
    if not isinstance(backbone, dict) or not isinstance(kind, str):
        raise InputError(
            f"{source}: its config's model.backbone is {shown(backbone)}, expected a dict with a type"
        )
    if kind != "MadNas":
        return None
    try:
        return str(STRUCTURE(backbone.get("structure_txt"), "structure_txt"))
    except OutsideError as outside:
        raise InputError(f"{source}: its config's model.backbone.{outside}") from outside


def check_settings(content: dict[str, Any], source: str) -> None:
    """Refuse settings of a listed optimizer or schedule that ``rebuild`` would refuse when the run
    goes on.

    Raises:
        InputError: the first, named by its key.
    """
    for key, types in (("optimizer", OPTIMIZER), ("lr_config", SCHEDULE)):
        section = content.get(key)
        kind = section.get(types.by) if isinstance(section, dict) else None
        if not isinstance(kind, str) or kind not in types.types:
            continue
        try:
            types.rule()(section, key)
        except OutsideError as outside:
            raise InputError(f"{source}: {outside}") from outside


def initial_weights(model: dict[str, Any]) -> bool:
    """Whether the model of a config asks for weights to begin with, which ``rebuild`` leaves out."""
    return any(node.get("init_cfg") or node.get("pretrained") for node in dicts_in(model))


def service_loggers(config: dict[str, Any]) -> list[str]:
    """The loggers of a config that speak to a service, which ``rebuild`` leaves out."""
    nodes = dicts_in(config.get("log_config"))
    return [node["type"] for node in nodes if node.get("type") in SERVICES]
