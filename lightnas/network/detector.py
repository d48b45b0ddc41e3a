"""What a detector adds to its backbone: the neck and the head, in closed form.

GFLV2 (Li et al., CVPR 2021, arXiv 2011.12885) on an FPN of one width, as configs/detection/_base_/
gflv2.py builds it, for the 80 classes of COCO:

    lateral   1 x 1 from C3, C4 and C5 to the width
    fpn       3 x 3 on P3 ... P5, and with stride 2 to P6 and P7
    head      on every level two stacks of four 3 x 3 (GN), 3 x 3 to the classes and to the box
              distributions, and the two 1 x 1 that read the quality of a box off those

It is counted as the backbone is: FLOPs are multiply-accumulates of every convolution plus 2 per
output element of its GN, or 1 of its bias; params are all there are. Upsampling, ReLU, softmax and
the choice of boxes are left out. Layers stay those of the backbone: its depth is what their budget
limits.

A lateral is linear in the width of its stage, and everything else is the same whatever the
backbone: a sum over blocks, so that bound and proof hold for whole detectors as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InputError, shown
from .blocks import Size
from .cost import INPUT_SIZE, Cost, Latencies
from .published import PUBLISHED
from .stages import STAGES, downsample

KIND, NONE = "gflv2", "none"
WIDTH = 256
# GN has this many groups.
GROUPS = 32
MAX_WIDTH = 4096
CLASSES, BINS, TOPK, QUALITY, STACKED = 80, 17, 4, 64, 4
# Of the pyramid: P3 ... P7, and the stages that have a lateral: C3 ... C5.
LEVELS = range(3, 8)
LATERALS = range(3, STAGES + 1)
BIAS, NORM = 1, 2


class HeadConv(NamedTuple):
    """A k x k convolution of neck or head; ``own`` are the parameters of a channel beside its
    weights: BIAS or NORM."""

    c_in: Size
    c_out: int
    k: int
    own: int

    def cost(self, pixels: int) -> Cost:
        """On so many output pixels: every parameter is touched once a pixel."""
        params = 1.0 * self.c_out * (self.c_in * self.k * self.k + self.own)
        return Cost(pixels * params, params, 0, activations=pixels * self.c_out)


@dataclass(frozen=True)
class Detector:
    """GFLV2 whose FPN and head have ``width`` channels.

    Raises:
        InputError: the width is no multiple of 32 from 32 to 4096.
    """

    width: int = WIDTH

    def __post_init__(self) -> None:
        if not GROUPS <= self.width <= MAX_WIDTH or self.width % GROUPS:
            raise InputError(
                f"width of the detector is {self.width}, expected a multiple of {GROUPS} from {GROUPS} to {MAX_WIDTH}"
            )

    def __str__(self) -> str:
        """As ``parse_detector`` reads it."""
        return f"{KIND}:{self.width}"

    def lateral(self, channels: Size) -> HeadConv:
        """The 1 x 1 on a stage of so many channels."""
        return HeadConv(channels, self.width, 1, BIAS)

    @property
    def fpn(self) -> HeadConv:
        """The 3 x 3 that ends each level of the neck."""
        return HeadConv(self.width, self.width, 3, BIAS)

    @property
    def head(self) -> list[HeadConv]:
        """The convolutions of the head, which all levels share."""
        width = self.width
        return [
            *2 * STACKED * [HeadConv(width, width, 3, NORM)],
            HeadConv(width, CLASSES, 3, BIAS),
            HeadConv(width, 4 * BINS, 3, BIAS),
            HeadConv(4 * (TOPK + 1), QUALITY, 1, BIAS),
            HeadConv(QUALITY, 1, 1, BIAS),
        ]

    def added(
        self,
        stage: int,
        channels: Size,
        picture: tuple[int, int],
        table: Latencies | None = None,
    ) -> Cost:
        """What it adds where stage 1 ... 5 ends in so many channels (a number, or (N,)).

        A lateral at C3 ... C5; at C5 all the rest too, the same whatever the backbone. Seconds by a
        table.
        """
        total = Cost(0, 0, 0, activations=0)
        if stage in LATERALS:
            total = total.plus(self.lateral(channels).cost(_pixels(picture, stage)))
        total = total.plus(self.rest(picture)) if stage == STAGES else total
        return total._replace(latency=table.added(stage, channels)) if table else total

    def rest(self, picture: tuple[int, int]) -> Cost:
        """Everything but the laterals."""
        pixels = [_pixels(picture, level) for level in LEVELS]
        total = Cost(0, len(pixels), 0, activations=0)  # a learnt scale a level
        for of_level in pixels:
            total = total.plus(self.fpn.cost(of_level))
        for conv in self.head:
            total = total.plus(conv.cost(sum(pixels)))
        return total

    def on(self, widths: tuple[int, ...], picture: tuple[int, int] = INPUT_SIZE) -> Cost:
        """What it adds to a backbone whose C3, C4 and C5 have these channels."""
        total = Cost(0, 0, 0, activations=0)
        for stage, channels in zip(LATERALS, widths, strict=True):
            total = total.plus(self.added(stage, channels, picture))
        return total


def _pixels(picture: tuple[int, int], level: int) -> int:
    """Of a level at 1 / 2^level of the picture, rounded up."""
    height, width = downsample(picture, 2**level)
    return height * width


def parse_detector(text: object, what: str) -> Detector | None:
    """A detector from ``gflv2`` or ``gflv2:WIDTH``; None from ``none``.

    Raises:
        InputError: anything else.
    """
    word = text.strip().lower() if isinstance(text, str) else ""
    kind, colon, width = word.partition(":")
    if word == NONE:
        return None
    if kind == KIND and (not colon or (width.isascii() and width.isdigit() and len(width) < 6)):
        channels = int(width) if colon else WIDTH
        if GROUPS <= channels <= MAX_WIDTH and channels % GROUPS == 0:
            return Detector(channels)
    raise InputError(
        f"{what} is {shown(text)}, expected {NONE}, {KIND} or {KIND}:WIDTH, "
        f"WIDTH a multiple of {GROUPS} from {GROUPS} to {MAX_WIDTH}, such as {KIND}:{WIDTH}"
    )


def flops_on_named(name: object, detector: Detector | None) -> float:
    """What the detector adds to a network that FLOPs budgets are named after: ``resnet50`` is then
    ResNet-50 with the same neck and head, at 800 x 1280. 0 for anything that is no such name."""
    word = name.strip().lower() if isinstance(name, str) else ""
    if detector:
        for network in PUBLISHED:
            if network.name.lower().replace("-", "") == word:
                return float(detector.on(network.widths).flops)
    return 0.0
