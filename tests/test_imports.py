"""Heavy packages stay out of the search, and rooms import in one direction only."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import lightnas

HOUSE = Path(lightnas.__file__).parent

# What each room may import of lightnas, beside what stands at the top of the package.
MAY_IMPORT = {
    "network": set(),
    "search": {"network"},
    "backbone": {"network"},
    "latency": {"network", "search", "backbone"},
    "runs": {"network", "latency", "search", "backbone"},
    "report": {"network", "latency", "search", "runs"},
    "explore": {"network", "latency", "search", "backbone", "runs", "report"},
    "data": set(),
    "install": set(),
    "found": {"runs", "data"},
    "deploy": {"latency", "data", "found"},
    "detection": {"network", "backbone", "runs", "report", "data", "install", "found", "deploy"},
    "cli": {
        "network",
        "latency",
        "search",
        "backbone",
        "runs",
        "report",
        "explore",
        "data",
        "install",
        "found",
        "deploy",
        "detection",
    },
}
TOP = {
    "errors",
    "files",
    "command_line",
    "cores",
    "outputs",
    "units",
    "arrays",
    "documents",
    "resources",
    "yaml_file",
    "json_file",
    "npz_file",
    "__main__",
    "__init__",
}
MODULES = sorted(
    path.relative_to(HOUSE) for room in MAY_IMPORT for path in (HOUSE / room).rglob("*.py")
)


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def imported_rooms(path):
    """The rooms of lightnas that a module imports, anywhere in it."""
    package = ("lightnas", *path.parts[:-1])
    for node in ast.walk(ast.parse((HOUSE / path).read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = [(*base, *(node.module or "").split("."), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        for name in names:
            name = tuple(part for part in name if part)
            if name[0] == "lightnas" and len(name) > 1:
                yield name[1]


def test_every_module_has_a_room():
    rooms = {path.name for path in HOUSE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(MAY_IMPORT)
    assert {path.stem for path in HOUSE.glob("*.py")} == TOP


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_rooms_import_one_way(path):
    room = path.parts[0]
    allowed = {room, *MAY_IMPORT[room], *TOP, "__version__", "__all__"}
    assert set(imported_rooms(path)) <= allowed


def test_the_rooms_have_no_circle():
    order = list(MAY_IMPORT)
    assert all(
        order.index(below) < order.index(room) for room, may in MAY_IMPORT.items() for below in may
    )


@pytest.mark.parametrize(
    "name", ["errors", "files", "outputs", "units", "arrays", "documents", "resources", "yaml_file"]
)
def test_the_ground_floor_stands_alone(name):
    on_it = {"outputs": {"documents", "json_file"}}.get(name, set())
    assert set(imported_rooms(Path(f"{name}.py"))) <= {"errors", "files", "units", *on_it}


def test_search_loads_no_detector():
    heavy = {"torch", "mmcv", "mmdet", "lightnas.detection", "matplotlib"}
    assert not heavy & loaded_by(
        "import lightnas.search, lightnas.cli.main, lightnas.runs.search_run, lightnas.cli.tables"
    )
    assert "lightnas.search.bound" in loaded_by("import lightnas.search")  # the check can fail


def test_only_the_rooms_of_torch_import_it():
    # doctor and the commands that need a GPU ask torch whether there is one, and import it only
    # then.
    ask = {"install/doctor.py", "cli/training.py"}
    modules = [path for path in MODULES if path.parts[0] != "detection"]
    names = ("boxes", "carrying", "measured", "net", "onnx", "source_weights", "suppression")
    names += ("whole", "zen")
    rooms = {f"backbone/{name}.py" for name in names}
    rooms |= {"latency/measure.py"}
    assert {
        str(path) for path in modules if "import torch" in (HOUSE / path).read_text()
    } == rooms | ask
    rooms |= {"backbone/features.py"}
    assert {str(path) for path in modules if "from torch" in (HOUSE / path).read_text()} <= rooms


def test_help_loads_no_numpy():
    assert not {"numpy", "pydantic", "rich", "yaml"} & loaded_by("import lightnas.cli.main")


def test_only_the_command_line_imports_the_detector():
    named = {path.parts[0] for path in MODULES if "detection" in set(imported_rooms(path))}
    assert named <= {"cli", "detection"}


def test_evolution_knows_only_integers_bounds_and_scores():
    assert set(imported_rooms(Path("search/evolution.py"))) == {"arrays"}


def test_the_old_name_of_the_detection_stage_is_refused():
    code = "import detection"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=HOUSE.parent, capture_output=True, text=True, check=False
    )
    assert "import that" in found.stderr and "lightnas.detection" in found.stderr


# --- the front door -------------------------------------------------------------------------------------------------


def test_the_package_itself_loads_nothing_heavy():
    assert not {"numpy", "torch", "pydantic", "click", "lightnas.search"} & loaded_by(
        "import lightnas; dir(lightnas); lightnas.__version__"
    )
    names = "Structure, read_structures, format_structures"
    assert "torch" not in loaded_by(f"from lightnas import {names}, Search, load_space")


def test_every_name_of_the_front_door_is_there():
    for name in lightnas.__all__:
        assert getattr(lightnas, name) is not None and name in dir(lightnas)
    assert not {*lightnas.__all__} & {*MAY_IMPORT, *TOP}  # `lightnas.search` stays the room
    assert lightnas.Structure is importlib.import_module("lightnas.network.structure").Structure
    with pytest.raises(AttributeError, match="no attribute 'Structur'"):
        lightnas.Structur  # noqa: B018
    assert inspect.ismodule(importlib.import_module("lightnas.search"))
    assert inspect.ismodule(lightnas.search)


def test_type_checkers_see_the_same_names():
    tree = ast.parse((HOUSE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {(alias.asname, node.module) for node in block.body for alias in node.names}
    assert seen == set(lightnas._ROOM_OF.items())
