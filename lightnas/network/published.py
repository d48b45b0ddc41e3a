"""Published networks to compare with: FLOPs in multiply-accumulates, backbone alone, at 800 x 1280.

MAE-DET: what ``lightnas score`` prints for the published structures (arXiv 2111.13336). ResNets:
FLOPs and parameters of the MAE-DET paper's table; their blocks are not those of a structure txt, so
they have no score. Scores hold for the default weights of the stages.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One network; ``layers`` are convolutions on the main path, ``widths`` channels of C3 to
    C5."""

    name: str
    score: float | None
    flops: float
    params: float
    layers: int
    widths: tuple[int, int, int]


PUBLISHED = (
    Published("MAE-DET-S", 1731.907009966715, 48.682e9, 21.233e6, 79, (272, 1024, 2048)),
    Published("MAE-DET-M", 2114.7828676827894, 89.894e9, 25.844e6, 91, (512, 1632, 2048)),
    Published("MAE-DET-L", 2599.396120322784, 152.868e9, 43.880e6, 109, (608, 1912, 2400)),
    Published("ResNet-50", None, 83.6e9, 23.5e6, 49, (512, 1024, 2048)),
    Published("ResNet-101", None, 159.5e9, 42.4e6, 100, (512, 1024, 2048)),
)
