from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from lightnas.network.structure import Structure, format_structures

# `make test-fast` has no mmcv; `make test` asks `lightnas doctor` first, so nothing is left out
# there unseen.
collect_ignore_glob = ["test_*.py"] if find_spec("mmcv") is None else []

if not collect_ignore_glob:
    import lightnas.detection  # noqa: F401 (before mmcv: where torchvision is missing, mmcv cannot be imported without it)

STEM, BLOCK = "ConvKXBNRELU", "SuperResK1KXK1"
SMALL = [
    {"class": STEM, "in": 3, "out": 8, "s": 2, "k": 3},
    {"class": BLOCK, "in": 8, "out": 16, "s": 2, "k": 3, "L": 1, "btn": 8},
    {"class": BLOCK, "in": 16, "out": 24, "s": 2, "k": 5, "L": 2, "btn": 8},
    {"class": BLOCK, "in": 24, "out": 32, "s": 2, "k": 3, "L": 1, "btn": 8},
    {"class": BLOCK, "in": 32, "out": 40, "s": 2, "k": 3, "L": 1, "btn": 16},
]


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def no_waiting():
    """mmcv sleeps 2 s in every epoch and 1 s at the end, for the sake of loader processes that
    these tests do not start."""
    from mmcv.runner import epoch_based_runner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epoch_based_runner, "time", SimpleNamespace(sleep=lambda seconds: None))
        yield


@pytest.fixture(scope="session")
def structure(tmp_path_factory):
    """A structure txt so small that training takes seconds."""
    path = tmp_path_factory.mktemp("structure") / "small.txt"
    path.write_text(format_structures([Structure.from_dicts(SMALL)]))
    return path


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder in COCO format: 20 pictures to train on."""
    from lightnas.data.demo_data import Splits, write_demo_data

    path = tmp_path_factory.mktemp("data") / "digits"
    write_demo_data(path, Splits(train=20, val=6, test=4))
    return path


@pytest.fixture(scope="session")
def checkpoint(structure, digits, tmp_path_factory):
    """A detector that has learnt nothing: it finds a little of everything, at low scores."""
    import torch

    from lightnas.data.coco import check_split, find_split
    from lightnas.detection.config import build_config, plain, use_data
    from lightnas.detection.options import TrainOptions
    from lightnas.detection.training import build_model

    torch.manual_seed(0)
    changes = ("model.bbox_head.stacked_convs=1", "model.test_cfg.max_per_img=5")
    options = TrainOptions(structure=structure, width=64, input_size=(96, 96), cfg_options=changes)
    cfg = build_config(options, "cpu")
    split = check_split(find_split(digits, "train"), False)
    use_data(cfg, dict.fromkeys(("train", "val", "test"), split))
    path = tmp_path_factory.mktemp("checkpoint") / "latest.pth"
    meta = {"lightnas_config": repr(plain(cfg)), "CLASSES": split.classes}
    torch.save({"state_dict": build_model(cfg, "a test").state_dict(), "meta": meta}, path)
    return path
