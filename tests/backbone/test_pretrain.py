"""docs/pretrain.md: what it shows is short, runs as it stands, and leaves weights of the structure."""

import re
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("PIL")

import torch
from PIL import Image

from lightnas import CnnNet, Structure, format_structures
from tests.conftest import BLOCK, STEM, S

PAGE = Path(__file__).parents[2] / "docs/pretrain.md"
SETTINGS = re.compile(r"^(folder, epochs, batch, size, workers = .+?), \d+, \d+, \d+, \d+", re.M)
TINY = [
    {S: STEM, "in": 3, "out": 8, "s": 2, "k": 3},
    *(
        {S: BLOCK, "in": 8 * (i or 1), "out": 8 * (i + 1), "s": 2, "k": 3, "L": 1, "btn": 8}
        for i in range(4)
    ),
]

# A torchvision made for GPUs cannot load its operators beside a torch for CPUs, and refuses to be
# imported without them; the page needs none of them.
PRELUDE = """
import sys, torch
try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def scripts():
    """The blocks of Python on the page, by the library that they use."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE.read_text(), re.MULTILINE)
    code = ["\n".join(line[4:] for line in block.splitlines()).strip() for block in blocks]
    return {
        re.search(r"(?:import|from) (timm|lightly)\.", text)[1]: text
        for text in code
        if "import torch" in text
    }


def test_each_is_under_thirty_lines():
    assert set(scripts()) == {"timm", "lightly"}
    for text in scripts().values():
        assert len(text.splitlines()) < 30


def folder(path):
    """Four pictures in two folders, and a structure as a search leaves it."""
    rng = np.random.default_rng(0)
    for i in range(4):
        picture = path / f"pictures/train/{'ab'[i % 2]}/{i}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (80, 96, 3), dtype=np.uint8)).save(picture)
    structure = path / "outputs/mine/structure.txt"
    structure.parent.mkdir(parents=True)
    structure.write_text(format_structures([Structure.from_dicts(TINY)]))
    return structure


def test_each_trains_and_leaves_weights_that_fit(tmp_path):
    """As they stand but for the numbers: one epoch, two pictures at a time, of 64 x 64."""
    for package in ("torchvision", *scripts()):
        if PathFinder.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    structure = folder(tmp_path)
    program = PRELUDE
    for name, text in scripts().items():
        small, found = SETTINGS.subn(r"\1, 1, 2, 64, 0", text)
        assert found == 1
        program += small.replace('"backbone.pth"', f'"{name}.pth"') + "\n"
    (tmp_path / "pretrain.py").write_text(program)
    ran = subprocess.run(
        [sys.executable, "pretrain.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert len(re.findall(r"epoch 1 of 1: loss \d+\.\d+", ran.stdout)) == 2
    drawn = CnnNet(Structure.from_file(structure))
    for name in scripts():
        weights = torch.load(tmp_path / f"{name}.pth", weights_only=True)
        drawn.load_state_dict(weights, strict=True)
        assert all(value.isfinite().all() for value in weights.values())
        # The last BN of a residual path begins with the scale 0.
        assert weights["block_list.1.block_list.0.conv3.bn1.weight"].abs().max() > 0
        assert weights["block_list.0.bn1.num_batches_tracked"] > 0
