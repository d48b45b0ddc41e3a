"""Every file that lightnas reads: a whole one, the reader that it goes through, and how it is
mutated."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from lightnas import runs
from lightnas.latency.table import chain_uses
from lightnas.latency.table_file import load_table, read_table_document
from lightnas.network.detector import Detector
from lightnas.network.structure import format_structures, read_structures
from lightnas.report.page import read_section
from lightnas.runs.config import load_config
from lightnas.runs.front_run import FRONT, POINTS, FrontRun, load_front
from lightnas.runs.history import HISTORY
from lightnas.runs.output_dir import MARKER, STRUCTURE, read_marker
from lightnas.runs.search_run import CHECKPOINT, CONFIG, POPULATION, RESULT, SearchRun
from lightnas.runs.training_run import CONFIG as TRAINING_CONFIG
from lightnas.runs.training_run import INITIAL
from lightnas.search.engine import Search
from lightnas.search.space_file import load_space

from . import mutate

STEM, BLOCK = "ConvKXBNRELU", "SuperResK1KXK1"
SPACE = {
    "name": "small",
    "in": 3,
    "step": 8,
    "max_channels": 32,
    "blocks": [
        {"class": STEM, "s": 2, "k": [3], "out": [8, 16]},
        *(
            {"class": BLOCK, "s": 2, "k": k, "growth": [1, 2], "btn": [0.5, 1], "L": [1, depth]}
            for k, depth in (([3, 5], 1), ([3], 2), ([3, 5], 2), ([3], 3))
        ),
    ],
}
SIZE = (64, 64)
DETECTOR = Detector(64)
ASKED: dict[str, Any] = {"input_size": SIZE, "evaluations": 2000, "top": 2}
BUDGETS = [2e6, 4e6, 6e6]

Mutation = Callable[[bytes, np.random.Generator], bytes]


class Reader(NamedTuple):
    """A kind of file.

    Attributes:
        name: in words.
        path: of the whole file in the folder that ``write_samples`` makes.
        read: reads the file at that path of a copy of the folder, and uses what it read.
        mutations: of its values; those of its bytes are always made too.
        needs: modules without which the kind is left out.
        write: makes the whole file, where ``write_samples`` does not by itself.
    """

    name: str
    path: str
    read: Callable[[Path], object]
    mutations: tuple[Mutation, ...] = ()
    needs: tuple[str, ...] = ()
    write: Callable[[Path], object] = str


def write_samples(folder: Path) -> None:
    """A whole file of each kind."""
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    space = str(folder / "space.yaml")
    config = load_config(None, ASKED | {"space": space, "budget": {"flops": 3e6}})
    result = runs.search(config, folder / "search")
    (folder / "txt").mkdir()
    (folder / "txt" / STRUCTURE).write_text(format_structures(result.top))
    stopped = folder / "stopped"
    with SearchRun(stopped) as run:
        run.begin(config)
        search = _search(folder / "search" / CONFIG)
        for progress in search.steps():
            if progress.phase == "prove" and search.proof:
                break
        run.save(search)
    rows = runs.compared([folder / "txt" / STRUCTURE], config.problem)
    asked = load_front(None, ASKED | {"space": space, "budget": {}}, "flops", BUDGETS)
    found = runs.front(asked, folder / "front", compare=rows)
    with FrontRun(folder / "points") as front:
        front.begin(asked)
        front.save_points(dict(enumerate(found.points[:2])))
    (folder / "table.json").write_text(json.dumps(_table(space)))
    _write_training(folder / "training")
    for reader in READERS:
        reader.write(folder)


def _table(space: str) -> dict[str, Any]:
    """A latency table for all that a space can ask for, with made-up seconds."""
    rng = np.random.default_rng(0)
    ops = {use.op for chain in load_space(space).every_kernel() for use in chain_uses(chain, SIZE)}
    return {
        "device": "cpu", "name": "made up", "precision": "fp32", "batch": 1, "threads": 1, "complete": True,
        "input_size": "64x64", "space": SPACE, "most_flops": 1e9, "versions": {}, "scale": 1.02, "per_conv": 1e-6,
        "runtime": "onnxruntime", "others": 0.1, "detector": "gflv2:64",
        "neck_and_head": {"fit": [1e-3, 1e-6, 0.0, 1e-6], "off": 0.1, "points": [[8, 16, 24, 1e-3, 0.1]]},
        "ops": [
            {**op._asdict(), "size": f"{op.size[0]}x{op.size[1]}", "off": 0.01,
             "points": [[8, 16, 1e-5], [16, 16, 2e-5, 0.1]],
             "fit": [float(x) for x in rng.uniform(0, 1, 4) * (1e-6, 1e-8, 1e-8, 1e-9)]}
            for op in sorted(ops)
        ],
    }  # fmt: skip


def _write_training(folder: Path) -> None:
    """A work directory as train-det leaves it, without weights."""
    folder.mkdir()
    (folder / TRAINING_CONFIG).write_text("model = dict()\n")
    rows: list[dict[str, Any]] = [{"env_info": "", "seed": 0}]
    for epoch in (1, 2, 3):
        rows += [
            {
                "mode": "train",
                "epoch": epoch,
                "iter": i,
                "lr": 0.01,
                "loss": 2.5 / (epoch + i / 100),
            }
            for i in (50, 100)
        ]
        rows.append(
            {"mode": "val", "epoch": epoch, "iter": 20, "lr": 0.01, "bbox_mAP": 0.2 * epoch}
        )
    (folder / "20260101_000000.log.json").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    precisions = {"ap": 0.4, "ap50": 0.6, "ap75": 0.2, "ap_s": 0.1, "ap_m": None, "ap_l": None}
    result = {
        "checkpoint": "best.pth",
        "split": "val",
        "classes": ["1"],
        "images": 20,
        **precisions,
    }
    (folder / RESULT).write_text(json.dumps(result))
    begun = {"given": "/runs/a", "checkpoint": "/runs/a/best.pth", "carried": 0.5, "said": "50 %"}
    (folder / INITIAL).write_text(json.dumps(begun))


# --- readers --------------------------------------------------------------------------------------


@cache
def _search(config: Path) -> Search:
    asked = load_config(config, {})
    return Search(asked.problem, asked.seed, asked.limits, asked.top)


def _read_state(folder: Path) -> None:
    """Go on from a checkpoint, a step far."""
    search = _search(folder / "search" / CONFIG)
    if SearchRun(folder / "stopped").load(search):
        next(search.steps(), None)
        search.state()


def _read_search(folder: Path) -> None:
    found = SearchRun(folder / "search").found()
    assert str(found)
    assert found._repr_html_()
    read_section(folder / "search", "s0")


def _read_front(folder: Path) -> None:
    FrontRun(folder / "front").found().figures()
    read_section(folder / "front", "s0")


def _read_table(folder: Path) -> None:
    read_table_document(folder / "table.json")
    table = load_table(folder / "table.json")
    for structure in read_structures(folder / "txt" / STRUCTURE):
        table.chain(structure.blocks)
        table.chain(structure.blocks, DETECTOR)
    assert table.title


def _read_space(folder: Path) -> None:
    space = load_space(str(folder / "space.yaml"))
    space.structures(space.random(np.random.default_rng(0), 2))


def _write_annotations(folder: Path) -> None:
    """Two pictures and their COCO annotations."""
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    pictures = [{"id": i, "file_name": f"{i}.jpg", "width": 48, "height": 32} for i in (1, 2)]
    for i in (1, 2):
        Image.new("RGB", (48, 32), (40 * i, 90, 10)).save(folder / "images" / f"{i}.jpg")
    boxes = [
        {"id": i, "image_id": 1 + i % 2, "category_id": 1 + i % 2, "bbox": [4 * i, 3, 10, 9.5],
         "area": 95, "iscrowd": 0, "segmentation": [[1, 1, 9, 1, 9, 9]]}
        for i in range(1, 5)
    ]  # fmt: skip
    names = [{"id": 1, "name": "left"}, {"id": 2, "name": "right", "supercategory": "side"}]
    content = {"info": {}, "images": pictures, "annotations": boxes, "categories": names}
    (folder / "instances.json").write_text(json.dumps(content))


def _read_annotations(folder: Path) -> None:
    from lightnas.data.coco import CocoSplit, check_split

    check_split(CocoSplit(folder / "coco" / "instances.json", folder / "coco" / "images"), False)


def _write_checkpoint(folder: Path) -> None:
    import torch

    weights = {"backbone.a.weight": torch.zeros(4, 3), "backbone.a.bias": torch.ones(4)}
    meta = {"CLASSES": ["left", "right"], "epoch": 3, "lightnas_config": "{'model': {'type': 'A'}}"}
    torch.save({"state_dict": weights, "meta": meta}, folder / "weights.pth")


def _read_checkpoint(folder: Path) -> None:
    from lightnas.detection.checkpoint import read_checkpoint

    read_checkpoint(folder / "weights.pth", False)


def _write_network(folder: Path) -> None:
    from tests.deploy.made_up import write

    write(folder / "detector.onnx")


def _read_network(folder: Path) -> None:
    """Open an exported detector, and let it look at a picture."""
    network = import_module("lightnas.deploy.network").open_network(folder / "detector.onnx", "cpu")
    network(np.zeros((1, 3, 8, 8), np.uint8))


def _mutated_network(whole: bytes, rng: np.random.Generator) -> bytes:
    """Changed bytes under a right hash: past the first check that a file is whole."""
    from lightnas.deploy.metadata import sealed

    return sealed(mutate.mutated_bytes(whole, rng))


def _read_picture(folder: Path) -> None:
    import_module("lightnas.data.reading").read_picture(folder / "coco" / "images" / "1.jpg")


def _there(*modules: str) -> bool:
    return all(map(find_spec, modules))


JSON, LINES, YAML = mutate.mutated_json, mutate.mutated_lines, mutate.mutated_yaml
READERS = [
    Reader(
        "structure txt", f"txt/{STRUCTURE}",
        lambda folder: [s.cost() for s in runs.structures(folder / "txt")], (mutate.mutated_literal,),
    ),
    Reader("search space", "space.yaml", _read_space, (YAML,)),
    Reader(
        "search config", f"search/{CONFIG}",
        lambda folder: load_config(folder / "search" / CONFIG, {}), (YAML,),
    ),
    Reader(
        "front config", f"front/{CONFIG}",
        lambda folder: load_front(folder / "front" / CONFIG, {}, None, ()), (YAML,),
    ),
    Reader("result of a search", f"search/{RESULT}", _read_search, (JSON,)),
    Reader("history of a search", f"search/{HISTORY}", _read_search, (mutate.mutated_rows,)),
    Reader("population of a search", f"search/{POPULATION}", _read_search, (mutate.mutated_npz,)),
    Reader("checkpoint of a search", f"stopped/{CHECKPOINT}", _read_state, (mutate.mutated_npz,)),
    Reader("front", f"front/{FRONT}", _read_front, (JSON,)),
    Reader(
        "points of a front", f"points/{POINTS}",
        lambda folder: FrontRun(folder / "points").points(BUDGETS), (JSON,),
    ),
    Reader("marker", f"search/{MARKER}", lambda folder: read_marker(folder / "search"), (JSON,)),
    Reader(
        "log of a training", "training/20260101_000000.log.json",
        lambda folder: read_section(folder / "training", "s0"), (LINES,),
    ),
    Reader(
        "result of a training", f"training/{RESULT}",
        lambda folder: read_section(folder / "training", "s0"), (JSON,),
    ),
    Reader(
        "beginning of a training", f"training/{INITIAL}",
        lambda folder: read_section(folder / "training", "s0"), (JSON,),
    ),
    Reader("latency table", "table.json", _read_table, (JSON,)),
    Reader(
        "COCO annotations", "coco/instances.json", _read_annotations, (JSON,),
        needs=("PIL",), write=lambda folder: _write_annotations(folder / "coco"),
    ),
    Reader(
        "picture", "coco/images/1.jpg", _read_picture,
        needs=("PIL", "lightnas.data.reading"), write=lambda folder: None,
    ),
    Reader(
        "exported detector", "detector.onnx", _read_network, (_mutated_network,),
        needs=("onnx", "onnxruntime"), write=_write_network,
    ),
    Reader(
        "checkpoint of a training", "weights.pth", _read_checkpoint,
        needs=("torch", "mmdet"), write=_write_checkpoint,
    ),
]  # fmt: skip
READERS = [reader for reader in READERS if _there(*reader.needs)]
