"""How long a training is and by which recipe: what the options say, and what the size of the set."""

import pytest
from mmcv import Config

from lightnas.detection.allowed import rebuild
from lightnas.detection.config import build_config, format_config, plain
from lightnas.detection.options import MAX_ITERATIONS, TrainOptions
from lightnas.detection.recipe import SMALL_SET, SetSize, averaging
from lightnas.detection.settings import innermost_dataset
from lightnas.detection.small_sets import KEY, recipe_of, said_of, wants_recipe
from lightnas.errors import InputError
from lightnas.files import data_file

SET = SetSize(400, 2000, (400, 60, 300), 192, 192, 35.0)
OWN = data_file("configs", "detection/gfl_maedet_s.py")


def types(node):
    """Types of the steps of a train section, wrappers first."""
    found = []
    while isinstance(node, dict):
        found.append(node["type"])
        inner = node.get("dataset")
        node = inner
    return found


@pytest.mark.parametrize(
    ("options", "pictures", "begun", "small"),
    [
        ({}, SMALL_SET - 1, None, True),
        ({}, SMALL_SET, None, False),
        ({"iterations": 100}, 20, None, True),
        ({"iterations": 100}, 10**5, None, False),
        ({"schedule": "auto"}, 10**5, None, True),
        ({"schedule": "6x"}, 20, None, False),
        ({"schedule": "10"}, 20, None, False),
        ({"config": OWN}, 20, None, False),
        ({"config": OWN, "iterations": 5}, 20, None, False),
        ({}, 20, Config({}), False),  # a run from before there was another recipe
        ({}, 10**5, Config({KEY: {}}), True),  # its set has grown
    ],
)
def test_who_gets_the_recipe_for_small_sets(options, pictures, begun, small):
    assert wants_recipe(TrainOptions(**options), pictures, begun) is small


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedule": "3x", "iterations": 5}, "schedule is '3x' and iterations 5"),
        ({"iterations": 0}, "iterations is 0"),
        ({"iterations": MAX_ITERATIONS + 1}, "expected a number from 1 to 100,000,000"),
        ({"schedule": "auto", "config": OWN}, "that of your config is your own"),
    ],
)
def test_options_that_disagree(structure, options, words):
    with pytest.raises(InputError, match=words):
        build_config(TrainOptions(structure=structure, **options), "cpu")


def small(structure, **options):
    return build_config(TrainOptions(structure=structure, **options), "cpu", SET, 2, small=True)


def test_a_small_set(structure):
    cfg = small(structure, width=64)
    assert types(cfg.data.train) == [
        "Rounds", "MultiImageMixDataset", "ClassBalancedDataset", "CocoDataset",
    ]  # fmt: skip
    size, recipe, processes = recipe_of(cfg)
    assert (size, processes) == (SET, 2) and said_of(cfg)
    assert cfg.runner.max_epochs * cfg.data.train.steps == recipe.iterations
    assert cfg.data.samples_per_gpu == cfg.data.train.batch == recipe.batch
    assert cfg.optimizer.type == "MuonAdamW" and not cfg.auto_scale_lr.enable
    assert cfg.optimizer.lr == recipe.learning_rate
    assert cfg.optimizer.paramwise_cfg == {"norm_decay_mult": 0.0, "bias_decay_mult": 0.0}
    hooks = [hook["type"] for hook in cfg.custom_hooks]
    assert {"ExpMomentumEMAHook", "BeginRound", "StopEarly", "ReseedEpochs"} <= set(hooks)
    assert [hook["type"] for hook in cfg.custom_hooks].count("ExpMomentumEMAHook") == 1


def test_options_decide_in_it_too(structure):
    cfg = small(
        structure, flip=0.0, batch=5, iterations=1000, optimizer="sgd", input_size=(96, 128),
        multi_scale=(0.8, 1.1), ema=True, cfg_options=["optimizer.lr=0.5"],
    )  # fmt: skip
    steps = {step["type"]: step for step in cfg.data.train.dataset.pipeline}
    assert steps["RandomFlip"].flip_ratio == steps["SometimesMixUp"].flip_ratio == 0.0
    assert steps["MosaicCrop"]["size"] == (96, 128)
    assert cfg.data.samples_per_gpu == cfg.data.train.batch == 5
    assert cfg.runner.max_epochs * cfg.data.train.steps == 1000
    assert cfg.optimizer.type == "SGD" and cfg.optimizer.lr == 0.5
    resize = innermost_dataset(cfg.data.train).pipeline[2]
    assert [min(scale) for scale in resize.img_scale] == [77, 106]
    assert sum(hook["type"] == "ExpMomentumEMAHook" for hook in cfg.custom_hooks) == 1


def test_the_published_recipe_is_as_published(structure):
    """But for what is asked of it."""
    options = {"structure": structure, "width": 64}
    plain = build_config(TrainOptions(**options), "cpu", SET)
    assert plain.runner.max_epochs == 73 and KEY not in plain
    assert types(plain.data.train) == ["CocoDataset"]
    assert not any("EMA" in hook["type"] for hook in plain.custom_hooks)
    averaged = build_config(TrainOptions(**options, ema=True), "cpu", SET)
    (hook,) = (hook for hook in averaged.custom_hooks if "EMA" in hook["type"])
    assert (hook["momentum"], hook["total_iter"]) == averaging(73 * 200)
    averaged.custom_hooks.remove(hook)
    assert averaged._cfg_dict == plain._cfg_dict
    iterations = build_config(TrainOptions(**options, iterations=100), "cpu", SET)
    assert types(iterations.data.train) == ["Rounds", "CocoDataset"]
    assert iterations.runner.max_epochs * iterations.data.train.steps == 100
    assert iterations.lr_config.policy == "CosineAnnealing" and not iterations.lr_config.by_epoch
    assert iterations.optimizer == plain.optimizer


def test_options_reach_into_the_config_of_an_earlier_run(structure, tmp_path):
    """It is a config of the user's own then, and keeps its recipe."""
    first = small(structure, width=64)
    first.work_dir = str(tmp_path)
    (tmp_path / "config.py").write_text(format_config(first))
    options = TrainOptions(
        config=tmp_path / "config.py", flip=0.25, batch=3, input_size=(64, 96), multi_scale=(1, 1)
    )
    cfg = build_config(options, "cpu")
    steps = {step["type"]: step for step in cfg.data.train.dataset.pipeline}
    assert steps["RandomFlip"].flip_ratio == steps["SometimesMixUp"].flip_ratio == 0.25
    assert steps["MosaicCrop"]["size"] == steps["SometimesMixUp"].img_scale == (64, 96)
    assert cfg.data.samples_per_gpu == cfg.data.train.batch == 3
    assert recipe_of(cfg) == recipe_of(first)
    loaded = ["data.samples_per_gpu=6"]
    assert small(structure, cfg_options=loaded).data.train.batch == 6


def test_a_recipe_that_is_damaged_is_refused(structure):
    """It is what a run that goes on is built from."""
    kept = small(structure)[KEY].to_dict()
    for damaged in (3, {}, kept | {"set": {}}, kept | {"chosen": kept["chosen"] | {"more": 1}}):
        with pytest.raises(InputError, match="recipe"):
            recipe_of(Config({KEY: damaged}))


def test_a_config_with_the_recipe_is_rebuilt_as_it_is(structure):
    """From what is allowed, as those of checkpoints are."""
    cfg = plain(small(structure))
    cfg["device"], cfg["work_dir"] = "cpu", "w"
    for section in ("train", "val", "test"):
        part = cfg["data"][section]
        while "dataset" in part:
            part = part["dataset"]
        part |= {"ann_file": "a.json", "img_prefix": "p/", "classes": ("a", "b", "c")}
    assert rebuild(cfg, "c.pth") == cfg
    cfg[KEY]["chosen"]["batch"] = "many"
    with pytest.raises(InputError, match=r"recipe\.chosen\.batch"):
        rebuild(cfg, "c.pth")
