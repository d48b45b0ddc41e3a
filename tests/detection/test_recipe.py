"""What a small set is given: arithmetic, and properties that hold for every set."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.data.boxes import Objects
from lightnas.data.split import CocoSplit
from lightnas.detection.options import OPTIMIZERS, TEST_SIZE
from lightnas.detection.recipe import (
    BATCH,
    FEW,
    MANY,
    ROUNDS,
    SEEN,
    SMALL_SET,
    STEPS,
    SetSize,
    augmentation,
    averaging,
    chosen_input,
    in_rounds,
    kept,
    learning_rate,
    oversampling,
    read_kept,
    recipe_for,
    said,
    seen,
    size_of,
)

SETS = st.builds(
    SetSize,
    pictures=st.integers(1, 10**6),
    boxes=st.integers(0, 10**8),
    class_pictures=st.lists(st.integers(0, 10**6), min_size=1, max_size=40).map(tuple),
    short=st.integers(1, 20_000),
    long=st.integers(1, 20_000),
    box=st.floats(0, 5000),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "processes": st.integers(1, 64),
        "optimizer": st.sampled_from(list(OPTIMIZERS)),
        "iterations": st.integers(1, 10**6),
        "batch": st.integers(1, 64),
        "input_size": st.tuples(st.integers(32, 2000), st.integers(32, 2000)),
    },
)


def of(pictures, boxes, classes=1, side=200, box=40.0):
    return SetSize(pictures, boxes, (pictures,) * classes, side, side, box)


@given(SETS, OPTIONS)
def test_every_set_has_a_recipe_that_fits_together(size, options):
    recipe = recipe_for(size, **options)
    assert recipe.iterations == recipe.rounds * recipe.steps > 0
    assert recipe.warm_up <= max(1, recipe.iterations // 20)
    assert 0 <= recipe.plain_rounds < recipe.rounds
    assert recipe.patience >= 3
    assert 0 < recipe.momentum <= 0.1 and recipe.momentum_warm_up >= 1
    for share in (recipe.mosaic, recipe.mixup, recipe.colour, recipe.oversample):
        assert 0 <= share <= 1
    assert 0 < recipe.scale[0] <= 1 <= recipe.scale[1] < 2
    assert recipe.learning_rate > 0
    for key in ("batch", "input_size", "optimizer"):
        if key in options:
            assert getattr(recipe, key) == options[key]
    assert all(line and line.isprintable() for line in said(size, recipe))
    assert read_kept(kept(size, recipe, 3)) == (size, recipe, 3)


@given(SETS, st.integers(1, 1000))
def test_more_of_a_kind_is_augmented_no_more(size, factor):
    """And seen no more often a picture, in no fewer iterations."""
    larger = dataclasses.replace(size, pictures=size.pictures * factor, boxes=size.boxes * factor)
    assert augmentation(larger) <= augmentation(size)
    assert seen(larger) >= seen(size)
    assert seen(larger) / larger.pictures <= seen(size) / size.pictures + 1
    small, large = recipe_for(size), recipe_for(larger)
    assert large.iterations >= small.iterations
    assert large.mosaic <= small.mosaic and large.mixup <= small.mixup
    assert large.colour <= small.colour
    assert small.scale[0] <= large.scale[0] and large.scale[1] <= small.scale[1]


@given(SETS)
def test_more_classes_for_the_same_boxes_are_augmented_no_less(size):
    more = dataclasses.replace(size, class_pictures=size.class_pictures + size.class_pictures)
    assert augmentation(more) >= augmentation(size)


@pytest.mark.parametrize(
    ("examples", "strength"),
    [(0, 1.0), (FEW, 1.0), (math.sqrt(FEW * MANY), 0.5), (MANY, 0.0), (10 * MANY, 0.0)],
)
def test_augmentation_falls_with_the_logarithm_of_the_examples(examples, strength):
    size = of(round(examples), round(examples))
    assert size.examples == pytest.approx(examples, rel=0.05)
    assert augmentation(size) == pytest.approx(strength, abs=0.03)


def test_a_set_16_times_as_large_is_seen_twice_as_long():
    assert seen(of(500, 1)) == SEEN and seen(of(8000, 1)) == 2 * SEEN
    recipe = recipe_for(of(500, 2000))
    assert recipe.batch == BATCH and recipe.iterations == pytest.approx(SEEN / BATCH, abs=ROUNDS)


@given(SETS, st.integers(1, 64))
def test_processes_share_a_step(size, processes):
    """As many pictures a step as alone, so long as batch norm has two in each process."""
    alone, together = recipe_for(size), recipe_for(size, processes=processes)
    shared = min(alone.batch, max(2, BATCH // processes))
    assert together.batch == shared
    if shared * processes == alone.batch:
        assert dataclasses.replace(together, batch=alone.batch) == alone


@given(st.integers(1, 10**7))
def test_rounds_make_the_iterations_that_were_asked_for(iterations):
    """Or the fewest more that rounds of one length make."""
    rounds, steps = in_rounds(iterations)
    assert rounds <= 1.5 * ROUNDS and rounds * steps >= iterations
    assert rounds * steps - iterations < rounds
    if iterations >= STEPS * ROUNDS:
        assert rounds >= 0.75 * ROUNDS
    elif iterations >= 5 * ROUNDS:
        assert 0.75 * ROUNDS // 2 <= rounds <= 1.5 * max(ROUNDS // 2, iterations / STEPS)
    assert steps >= min(5, iterations)


@pytest.mark.parametrize("iterations", [1, 7, 12, 100, 1000, 1500, 3000, 10**6])
def test_round_numbers_are_met(iterations):
    assert math.prod(in_rounds(iterations)) == iterations


@given(st.integers(1, 1000))
def test_the_learning_rate_follows_the_batch(pictures):
    """By its square root for AdamW and Muon, in proportion for SGD, as published at 16."""
    assert learning_rate(4 * pictures) == pytest.approx(2 * learning_rate(pictures), rel=0.01)
    assert learning_rate(pictures, "sgd") == pytest.approx(0.02 * pictures / 16, abs=1e-6)
    assert learning_rate(pictures, "adamw") == learning_rate(pictures, "muon")
    assert learning_rate(8) == 0.001


@given(st.integers(1, 10**7))
def test_the_average_reaches_over_a_part_of_the_training(iterations):
    momentum, warm_up = averaging(iterations)
    assert 0.0002 <= momentum <= 0.1 and 1 <= warm_up <= 2000
    if 150 <= iterations <= 75_000:
        assert momentum == pytest.approx(15 / iterations, abs=1e-6)


@given(SETS)
def test_the_input_is_no_larger_than_published(size):
    height, width = chosen_input(size)
    assert (height, width) == TEST_SIZE or (height % 32 == 0 and width % 32 == 0)
    assert height <= TEST_SIZE[0] and width <= TEST_SIZE[1] + 31
    assert height >= 64 and width >= 64


@pytest.mark.parametrize(
    ("short", "long", "box", "shape"),
    [
        (192, 192, 35, (192, 192)),
        (192, 192, 16, (288, 288)),  # boxes of 24
        (192, 192, 4, (384, 384)),  # twice as large at most
        (480, 640, 80, (480, 640)),
        (481, 640, 80, (512, 640)),
        (3000, 4000, 300, TEST_SIZE),
        (1, 1, 1, (64, 64)),
    ],
)
def test_pictures_are_tested_at_their_own_size(short, long, box, shape):
    assert chosen_input(SetSize(100, 500, (100,), short, long, box)) == shape


def test_rare_classes_are_seen_more_often():
    """Those below half of the median class, and only where there are such."""

    def rare(*counts):
        return oversampling(SetSize(100, 500, counts, 200, 200, 40.0))

    assert rare(50) == rare(50, 50, 30) == rare(80, 0) == 0
    assert rare(80, 60, 10) == 0.3
    assert rare(80, 60, 60, 4, 0) == 0.3


def test_the_size_of_a_split():
    """Crowds are no boxes, and a picture with two of a class is one picture of it."""
    split = CocoSplit("a.json", "images", classes=("a", "b"))
    split.objects = Objects(
        names=["1", "2", "3"],
        sizes=np.array([[300, 200], [200, 300], [600, 400]]),
        boxes=np.array([[0, 0, 10, 40], [0, 0, 10, 10], [0, 0, 30, 30], [0, 0, 99, 99]], float),
        pictures=np.array([0, 0, 1, 2]),
        classes=np.array([0, 0, 1, 1]),
        crowds=np.array([False, False, False, True]),
    )
    assert size_of(split) == SetSize(3, 3, (1, 1), 200, 300, 20.0)
    assert SMALL_SET == 5000
