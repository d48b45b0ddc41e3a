"""The rooms of the detection stage are where its docstring says, and what is neutral names no
framework."""

import re
from pathlib import Path

import lightnas.detection

FOLDER = Path(lightnas.detection.__file__).parent


def listed():
    """Modules of each of the two groups in the docstring."""
    groups = lightnas.detection.__doc__.split("Whatever framework trains:")[1].split("Of mmdet:")
    heads = [re.findall(r"^    (.*?)(?:  |$)", group, re.MULTILINE) for group in groups]
    return [{name for head in group for name in head.split(", ")} for group in heads]


def test_every_module_is_listed_once():
    neutral, of_mmdet = listed()
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert neutral | of_mmdet == modules | folders and not neutral & of_mmdet


def test_neutral_modules_import_no_mmdet():
    neutral, _ = listed()
    told = re.compile(r"^(?:from|import) (?:mmcv|mmdet)|^from \.(\w+)", re.MULTILINE)
    for name in neutral:
        found = told.finditer((FOLDER / f"{name}.py").read_text())
        assert all(match[1] in neutral for match in found), name
    assert "from mmcv import" in (FOLDER / "config.py").read_text()  # the check can fail
