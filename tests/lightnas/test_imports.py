"""Heavy packages stay out of the search, and modules import in one direction only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lightnas

ROOM = Path(lightnas.__file__).parent

# From the bottom up: a module imports only modules that stand before it.
ORDER = [
    "arrays", "errors", "files", "units", "blocks", "stages", "cost", "entropy", "structure", "yaml_file", "latency_table",
    "space", "space_file", "score", "backbone", "measured", "onnx", "latency", "problem", "evolution", "bound", "proof",
    "search", "workers", "config", "run_dir", "pareto", "front_dir", "published", "charts", "report", "operators",
    "setup_det", "doctor", "pictures",
    "demo_data", "coco", "tables", "cli_report", "cli_pareto", "cli_latency", "cli_detection", "cli", "__main__",
]  # fmt: skip


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_search_loads_no_detector():
    heavy = {"torch", "mmcv", "mmdet", "detection", "matplotlib"}
    assert not heavy & loaded_by("import lightnas.search, lightnas.cli, lightnas.run_dir, lightnas.tables")
    assert "lightnas.bound" in loaded_by("import lightnas.search")  # the check can fail


def test_only_the_rooms_of_torch_import_it():
    # doctor and the commands that need a GPU ask torch whether there is one, and import it only then.
    ask = {"doctor", "cli_detection", "cli_latency"}
    rooms = {"backbone", "measured", "onnx", "latency"}
    assert {path.stem for path in ROOM.glob("*.py") if "import torch" in path.read_text()} == rooms | ask
    assert {path.stem for path in ROOM.glob("*.py") if "from torch" in path.read_text()} <= rooms


def test_help_loads_no_numpy():
    assert not {"numpy", "pydantic", "rich", "yaml"} & loaded_by("import lightnas.cli")


def test_only_the_detection_commands_import_the_detector():
    named = {path.stem for path in ROOM.glob("*.py") if "from detection" in path.read_text()}
    assert named == {"cli_detection"}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name for name in names if name != "__version__")


@pytest.mark.parametrize("name", [path.stem for path in ROOM.glob("*.py") if path.stem != "__init__"])
def test_imports_go_one_way(name):
    assert name in ORDER, f"{name} has no place in the order yet"
    for imported in imports_of(ROOM / f"{name}.py"):
        assert ORDER.index(imported) < ORDER.index(name), f"{name} imports {imported}"


def test_evolution_knows_only_integers_bounds_and_scores():
    assert set(imports_of(ROOM / "evolution.py")) == {"arrays"}
