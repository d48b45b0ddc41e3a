"""The recipe for small sets: what a training of a few hundred pictures is given, from the size of the
set alone.

A pure function, ``recipe_for``: the same set gives the same recipe, more of a kind gives no more
epochs and no stronger augmentation. Nothing here knows mmdet; ``small_sets`` writes a recipe into one
of its configs. The sources stand beside each setting and, as a table, in docs/detection.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lightnas.data.split import CocoSplit

from .options import OPTIMIZERS, TEST_SIZE

# Below so many pictures a set is small: the published recipe is made for 118,000.
SMALL_SET = 5_000
# From where to where augmentation falls from full strength to the least, in examples (see ``examples``).
FEW, MANY = 100, 2_000
# Pictures that a training on 500 sees, repetitions counted.
SEEN, OF = 30_000, 500
# Evaluations of a training, the last ones of which are without mixed pictures, and its patience.
ROUNDS, PLAIN, PATIENCE = 20, 0.15, 0.4
# Steps between two evaluations, which cost as much as a tenth of so many on 200 pictures.
STEPS = 100
BATCH, BATCH_PIXELS = 8, 640 * 640
# A box wants to be three steps of the finest level (of 8 pixels) wide; pictures grow by 2 at most.
BOX, ZOOM = 24.0, 2.0
OPTIMIZER = "muon"
STEP = 32  # sides of the input are multiples of it


@dataclass(frozen=True)
class SetSize:
    """What the recipe depends on.

    Attributes:
        pictures, boxes: of the train split; crowds are no boxes.
        class_pictures: of each class the pictures that have one.
        short, long: sides of the median picture, pixels.
        box: the median of the square roots of the boxes' areas, pixels.
    """

    pictures: int
    boxes: int
    class_pictures: tuple[int, ...]
    short: int
    long: int
    box: float

    @property
    def classes(self) -> int:
        """How many classes have a box."""
        return max(1, sum(count > 0 for count in self.class_pictures))

    @property
    def examples(self) -> float:
        """Pictures and boxes a class in one figure, a geometric mean in which pictures count three
        times: the boxes of one picture share its light, its camera and its background."""
        return float(self.pictures**0.75 * (self.boxes / self.classes) ** 0.25)


@dataclass(frozen=True)
class Recipe:
    """What a training is given.

    Attributes:
        iterations: steps of the optimizer, ``rounds`` times ``steps``; each round ends in an
            evaluation.
        batch: pictures a step, of each process.
        input_size: height and width that pictures are tested at.
        optimizer: a key of ``OPTIMIZERS``.
        learning_rate: for all pictures of a step.
        warm_up: iterations over which it rises.
        momentum, momentum_warm_up: share of the present weights in their average, and the
            iterations over which it falls to that.
        patience: rounds without a better AP after which it ends.
        plain_rounds: the last rounds, without mixed pictures.
        mosaic, mixup: probabilities.
        scale: times the input size that pictures are trained at, least and most.
        colour: strength of the distortion of brightness, contrast, saturation and hue, 0 to 1.
        oversample: classes on a smaller share of the pictures are seen more often; 0: none.
    """

    iterations: int
    rounds: int
    steps: int
    batch: int
    input_size: tuple[int, int]
    optimizer: str
    learning_rate: float
    warm_up: int
    momentum: float
    momentum_warm_up: int
    patience: int
    plain_rounds: int
    mosaic: float
    mixup: float
    scale: tuple[float, float]
    colour: float
    oversample: float


def size_of(split: CocoSplit) -> SetSize:
    """The size of a checked split."""
    objects = split.objects
    assert objects is not None, "a split is checked first"
    real = ~objects.crowds
    boxes, classes, pictures = objects.boxes[real], objects.classes[real], objects.pictures[real]
    pairs = np.unique(np.column_stack([classes, pictures]), axis=0)
    sides = np.sort(objects.sizes, axis=1) if len(objects.sizes) else np.array([TEST_SIZE])
    areas = boxes[:, 2] * boxes[:, 3]
    return SetSize(
        pictures=len(objects.names),
        boxes=len(boxes),
        class_pictures=tuple(np.bincount(pairs[:, 0], minlength=len(split.classes)).tolist()),
        short=int(np.median(sides[:, 0])),
        long=int(np.median(sides[:, 1])),
        box=round(float(np.sqrt(np.median(areas))), 1) if len(areas) else 0.0,
    )


def recipe_for(
    size: SetSize,
    *,
    processes: int = 1,
    optimizer: str = OPTIMIZER,
    iterations: int | None = None,
    batch: int | None = None,
    input_size: tuple[int, int] | None = None,
    multi_scale: tuple[float, float] | None = None,
) -> Recipe:
    """The recipe of a set; what is given stays as it is.

    Args:
        processes: that train together.
        optimizer: a key of ``OPTIMIZERS``.
        iterations: rounded up to whole rounds.
        batch: pictures a step, of each process.
        input_size, multi_scale: as in ``TrainOptions``.
    """
    strength = augmentation(size)
    shape = input_size or chosen_input(size)
    batch = batch or chosen_batch(shape, processes)
    rounds, steps = ROUNDS, math.ceil(seen(size) / (batch * processes * ROUNDS))
    if iterations is not None:
        rounds, steps = in_rounds(iterations)
    total = rounds * steps
    half = 0.15 + 0.35 * strength
    return Recipe(
        iterations=total,
        rounds=rounds,
        steps=steps,
        batch=batch,
        input_size=shape,
        optimizer=optimizer,
        learning_rate=learning_rate(batch * processes, optimizer),
        warm_up=max(1, min(500, total // 20)),
        momentum=averaging(total)[0],
        momentum_warm_up=averaging(total)[1],
        patience=max(3, round(PATIENCE * rounds)),
        plain_rounds=min(rounds - 1, max(1, round(PLAIN * rounds))),
        mosaic=round(0.1 + 0.6 * strength, 2),
        mixup=round(0.15 * strength, 2),
        scale=multi_scale or (round(1 - half, 2), round(1 + half, 2)),
        colour=round(0.4 + 0.6 * strength, 2),
        oversample=oversampling(size),
    )


def augmentation(size: SetSize) -> float:
    """How strong augmentation is: 1 up to ``FEW`` examples, 0, the least, from ``MANY`` on, by their
    logarithm between."""
    share = math.log(max(1.0, size.examples) / FEW) / math.log(MANY / FEW)
    return min(1.0, max(0.0, 1.0 - share))


def seen(size: SetSize) -> int:
    """Pictures that a training sees, repetitions counted: of a set 16 times as large twice as many,
    so each of them an eighth as often."""
    return round(SEEN * (max(1, size.pictures) / OF) ** 0.25)


def averaging(iterations: int) -> tuple[float, int]:
    """Momentum of the average of the weights, and its warm-up, for a training of so many
    iterations.

    RTMDet's 0.0002 reaches over 5,000 steps, a 28th of its 300 epochs on COCO; here a 15th, since
    steps are noisier and fewer, and never more than those 5,000.
    """
    momentum = min(0.1, max(0.0002, 15 / max(1, iterations)))
    return round(momentum, 6), max(1, min(2000, iterations // 25))


def learning_rate(pictures: int, optimizer: str = OPTIMIZER) -> float:
    """The learning rate for so many pictures a step.

    That of AdamW grows by the square root of the batch, which is the rule for Adam (Malladi et al.,
    arXiv 2205.10287): RTMDet's 0.004 for 256 pictures becomes 0.0007 for 8 by it. Muon's steps are as
    large as AdamW's. That of SGD grows with the batch, as in the published recipe.
    """
    base: float = OPTIMIZERS[optimizer]["lr"]
    if optimizer == "sgd":
        return round(base * pictures / 16, 6)
    return round(base * math.sqrt(pictures / 8), 6)


def chosen_input(size: SetSize) -> tuple[int, int]:
    """Height and width that pictures are tested at: their own, larger where boxes are tiny, and no
    larger than the published size."""
    zoom = min(ZOOM, max(1.0, BOX / size.box)) if size.box else 1.0
    short, long = size.short * zoom, size.long * zoom
    fits = min(1.0, TEST_SIZE[0] / short, TEST_SIZE[1] / long)
    if fits < 1:
        return TEST_SIZE
    return _whole(short), _whole(long)


def chosen_batch(input_size: tuple[int, int], processes: int = 1) -> int:
    """Pictures a step, of each process: 8 of all of them together, and 4 or 2 of large ones; at
    least 2 each, for batch norm."""
    area = input_size[0] * input_size[1]
    fits = next((n for n in (BATCH, BATCH // 2) if n * area <= BATCH * BATCH_PIXELS), 2)
    return min(fits, max(2, BATCH // processes))


def oversampling(size: SetSize) -> float:
    """The share of pictures below which a class is rare: half of the median class's (repeat factor
    sampling, LVIS, arXiv 1908.03195); 0 where none is."""
    shares = np.array([count for count in size.class_pictures if count]) / max(1, size.pictures)
    if len(shares) < 2:
        return 0.0
    threshold = round(min(1.0, float(np.median(shares)) / 2), 4)
    return threshold if bool((shares < threshold).any()) else 0.0


def in_rounds(iterations: int) -> tuple[int, int]:
    """Rounds and steps a round that make so many iterations, or the fewest more: about ``ROUNDS``
    rounds of one length, down to half as many where they would have fewer than ``STEPS``, and of five
    steps at least."""
    aim = max(ROUNDS // 2, min(ROUNDS, iterations // STEPS))
    few, many = (max(1, min(n, iterations // 5)) for n in (3 * aim // 4, 3 * aim // 2))
    choices = ((n, math.ceil(iterations / n)) for n in range(few, many + 1))
    return min(choices, key=lambda pair: (pair[0] * pair[1], abs(pair[0] - aim)))


def _whole(side: float) -> int:
    return max(2 * STEP, math.ceil(side / STEP) * STEP)


def said(
    size: SetSize,
    recipe: Recipe,
    processes: int = 1,
    *,
    falls: str = "flat for the first half, then falling along a cosine",
    every: int = 1,
    own: bool = False,
    colour: str | None = None,
) -> list[str]:
    """A recipe in a few plain lines: what was chosen, and why.

    Args:
        recipe: whose optimizer may be any type, and 0 what there is none of.
        falls: how the learning rate goes on when it has risen.
        every: rounds between two evaluations.
        own: augmentation is not as strong as the set's size says.
        colour: what is said of it, instead of its strength.
    """
    pictures = recipe.batch * processes
    passes = recipe.iterations * pictures / max(1, size.pictures)
    height, width = recipe.input_size
    low, high = recipe.scale
    plain = recipe.plain_rounds * recipe.steps
    name = OPTIMIZERS.get(recipe.optimizer, {"type": recipe.optimizer})["type"]
    strength = f"at {augmentation(size):.0%} (all of it for {FEW} examples, least for {MANY:,})"
    ends = f"; it ends early when {_many(recipe.patience, 'evaluation')} bring nothing better"
    rises = f"rising over {_many(recipe.warm_up, 'iteration')}, "
    last = f", neither in the last {_many(plain, 'iteration')}"
    mixed = recipe.mosaic or recipe.mixup
    lines = [
        f"schedule auto, for {_many(size.pictures, 'picture')} with {_many(size.boxes, 'box', 'boxes')} "
        f"of {_many(size.classes, 'class', 'classes')}:",
        f"{recipe.iterations:,} iterations of {_many(pictures, 'picture')}, {passes:.3g} times over the set, "
        f"measured after every {recipe.steps * every:,}{ends if recipe.patience else ''}",
        f"pictures at {height}x{width}: theirs are about {size.short}x{size.long}, a box about {size.box:g} "
        "pixels wide",
        f"{name} with a learning rate of {recipe.learning_rate:g}, for so many pictures a step, "
        f"{rises if recipe.warm_up else ''}{falls}",
        f"weights are averaged over about {round(1 / recipe.momentum):,} iterations, and their average is "
        "measured and kept"
        if recipe.momentum
        else "",
        f"augmentation {'as the options say' if own else strength}: "
        f"scale {low:g} to {high:g}, {colour or f'colour {recipe.colour:.0%}'}, mosaic of "
        f"{recipe.mosaic:.0%} and mixup of {recipe.mixup:.0%} of the pictures"
        f"{last if mixed and plain else ''}",
        f"classes on fewer than {recipe.oversample:.1%} of the pictures are rare here, and are seen more often"
        if recipe.oversample
        else "",
    ]
    return [line for line in lines if line]


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def kept(size: SetSize, recipe: Recipe, processes: int) -> dict[str, Any]:
    """All of it in plain values, as a config holds them."""
    return {"set": asdict(size), "processes": processes, "chosen": asdict(recipe)}


def read_kept(values: Mapping[str, Any]) -> tuple[SetSize, Recipe, int]:
    """What ``kept`` gave.

    Raises:
        TypeError, KeyError: a value is missing, or one too many is there.
    """
    size, recipe = dict(values["set"]), dict(values["chosen"])
    size["class_pictures"] = tuple(size["class_pictures"])
    for key in ("input_size", "scale"):
        recipe[key] = tuple(recipe[key])
    return SetSize(**size), Recipe(**recipe), int(values["processes"])
