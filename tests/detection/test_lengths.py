"""How long a training is and by which recipe: what the options say, and what the size of the set."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv import Config

from lightnas.detection.allowed import rebuild
from lightnas.detection.config import build_config, format_config, plain
from lightnas.detection.options import MAX_ITERATIONS, OPTIMIZERS, TrainOptions
from lightnas.detection.recipe import SMALL_SET, SetSize, averaging, recipe_for
from lightnas.detection.recipe import said as chosen
from lightnas.detection.settings import innermost_dataset
from lightnas.detection.small_sets import KEY, made_for, recipe_of, wants_recipe
from lightnas.detection.told import said_of
from lightnas.errors import InputError
from lightnas.files import data_file

from .test_recipe import SETS

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


def place(cfg, kind):
    """Where a hook or a step stands, as an option spells it."""
    for at, hook in enumerate(cfg.custom_hooks):
        if hook["type"] == kind:
            return f"custom_hooks.{at}"
    for at, step in enumerate(cfg.data.train.dataset.pipeline):
        if step["type"] == kind:
            return f"data.train.dataset.pipeline.{at}"
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "option", "said"),
    [
        ("", "optimizer.lr=0.5", "MuonAdamW with a learning rate of 0.5,"),
        ("", "optimizer.type=AdamW", ": AdamW with a learning rate of 0.001,"),
        ("", "runner.max_epochs=7", ": 1,246 iterations of 8 pictures, 24.9 times over the set"),
        ("", "data.train.steps=9", ": 180 iterations of 8 pictures"),
        ("", "data.samples_per_gpu=3", " of 6 pictures, 53.4 times over the set"),
        ("", "evaluation.interval=2", "measured after every 356; it ends early when 4 evaluations"),
        ("", "lr_config.warmup_iters=3", "rising over 3 iterations, flat"),
        ("", "lr_config.warmup=None", "for so many pictures a step, flat for the first half"),
        ("", "lr_config.start_percent=0.2", "flat for the first 20%, then falling along a cosine"),
        ("", "lr_config.policy=CosineAnnealing", "iterations, falling along a cosine"),
        ("", "lr_config.policy=fixed", "iterations, then by the schedule fixed"),
        ("StopEarly", "patience=1", "early when 1 evaluation bring"),
        ("BeginRound", "plain=1", "neither in the last 178 iterations"),
        ("BeginRound", "plain=0", "of the pictures: classes on fewer"),
        ("ExpMomentumEMAHook", "momentum=0.01", "averaged over about 100 iterations"),
        ("ExpMomentumEMAHook", "interval=2", "averaged over about 475 iterations"),
        ("MosaicCrop", "prob=0.25", "as the options say: scale 0.68 to 1.32, colour 70%, mosaic of 25%"),
        ("SometimesMixUp", "prob=0.03", "and mixup of 3%"),
        ("PhotoMetricDistortion", "hue_delta=1", "colour 70% but for hue_delta 1, mosaic"),
        ("", "data.train.dataset.pipeline=[]", "colour as it is, mosaic of 0% and mixup of 0% of the"),
        ("", "data.train.dataset.dataset.oversample_thr=0.25", "fewer than 25.0% of the pictures"),
        ("", "custom_hooks=[]", "measured after every 178: pictures at"),
        ("", "data.test.pipeline.1.img_scale=(320,256)", "pictures at 256x320: theirs"),
    ],
)  # fmt: skip
def test_what_is_said_is_what_is_trained(structure, kind, option, said):
    """Where an option replaces a part of the recipe, too."""
    first = small(structure)
    option = f"{place(first, kind)}.{option}" if kind else option
    assert said not in ": ".join(said_of(first))
    lines = said_of(small(structure, cfg_options=[option]))
    assert said in ": ".join(lines), lines


def test_a_rate_that_mmdet_scales_is_said_as_it_is_scaled(structure):
    scaled = ["auto_scale_lr.enable=True", "auto_scale_lr.base_batch_size=2"]
    assert "learning rate of 0.004," in said_of(small(structure, cfg_options=scaled))[3]


@settings(max_examples=15)
@given(size=SETS, processes=st.integers(1, 9), iterations=st.none() | st.integers(1, 9999))
def test_what_is_said_is_what_was_chosen(structure, size, processes, iterations):
    """Where no option replaces anything."""
    options = TrainOptions(structure=structure, iterations=iterations)
    cfg = build_config(options, "cpu", size, processes, small=True)
    assert said_of(cfg) == chosen(*recipe_of(cfg))


@pytest.mark.parametrize("option", ["recipe.set.pictures=3", "recipe.processes=2", "recipe=3"])
def test_what_was_chosen_is_no_option(structure, option):
    with pytest.raises(InputError, match="expected the key that it was written to"):
        small(structure, cfg_options=[option])


RATES = [(1, 0.000354), (2, 0.0005), (8, 0.001), (32, 0.002)]


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize(("batch", "rate"), RATES)
def test_an_optimizer_is_the_same_under_every_schedule(structure, name, batch, rate):
    """By the square root of the pictures of a step, norms and biases without decay, clipped."""
    given = {"structure": structure, "optimizer": name}
    other = build_config(TrainOptions(**given, batch=batch, schedule="2x"), "cpu", SET)
    auto = build_config(TrainOptions(**given, batch=batch), "cpu", SET, small=True)
    assert other.optimizer == auto.optimizer and other.optimizer.lr == rate
    assert other.optimizer_config == auto.optimizer_config
    assert not other.auto_scale_lr.enable and not auto.auto_scale_lr.enable
    by_option = [f"data.samples_per_gpu={batch}"]
    options = TrainOptions(**given, schedule="2x", cfg_options=by_option)
    assert build_config(options, "cpu", SET).optimizer == other.optimizer
    together = build_config(TrainOptions(**given, batch=1, schedule="2x"), "cpu", SET, batch)
    assert together.optimizer == other.optimizer
    options = TrainOptions(**given, schedule="2x", cfg_options=["optimizer.lr=0.3"])
    assert build_config(options, "cpu", SET).optimizer.lr == 0.3


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("cfg_options", [[], ["optimizer.lr=0.3"]])
def test_a_run_from_before_that_goes_on_as_it_was(structure, name, cfg_options):
    """When these were scaled as SGD is, with decay on everything."""
    given = {"structure": structure, "schedule": "2x", "cfg_options": cfg_options}
    begun = build_config(TrainOptions(**given), "cpu", SET)
    kind = OPTIMIZERS[name]["type"]
    begun.optimizer = {"type": kind, "lr": 0.3 if cfg_options else 0.002, "weight_decay": 0.05}
    again = build_config(TrainOptions(**given, optimizer=name), "cpu", SET, begun=begun)
    assert plain(again) == plain(begun)


NAMES = ("optimizer", "iterations", "batch", "input_size", "multi_scale")
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "optimizer": st.sampled_from(list(OPTIMIZERS)),
        "iterations": st.integers(1, 9999),
        "batch": st.integers(1, 64),
        "input_size": st.tuples(st.integers(32, 999), st.integers(32, 999)),
        "multi_scale": st.tuples(st.floats(0.5, 1), st.floats(1, 2)),
    },
)


@given(size=SETS, first=CHOICES, names=st.sets(st.sampled_from(NAMES)))
def test_a_run_keeps_what_was_chosen_for_it(size, first, names):
    """By the rules of its day, which may be others by now; with its options, or without them."""
    then = recipe_for(size, **first)
    then = dataclasses.replace(then, momentum=0.05, warm_up=7, mosaic=0.33, patience=5)
    again = {name: value for name, value in first.items() if name in names}
    assert made_for(TrainOptions(**again), size, 1, then) is then
    other = next(name for name in OPTIMIZERS if name != then.optimizer)
    asked = made_for(TrainOptions(**(again | {"optimizer": other})), size, 1, then)
    assert asked.optimizer == other and asked.batch == then.batch


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
