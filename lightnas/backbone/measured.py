"""The entropy of a structure measured by running it: a check of the closed form.

For blocks that have no closed form it is the only one.

As the score assumes it: a Gaussian input through Gaussian weights, without BN, ReLU and shortcuts.
Each convolution's output is divided by its standard deviation, whose log is what the convolution
adds; H_i is the sum up to the end of stage i plus log(channels of C_i). Zero padding makes the
borders a little quieter than the closed form says, the more so the smaller the picture.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from ..network.blocks import layers
from ..network.stages import fed_size
from ..network.structure import Structure


@torch.no_grad()
def measured_entropies(
    structure: Structure, input_size: tuple[int, int], seed: int = 0
) -> list[float]:
    """H_1 ... H_5 as measured on one Gaussian picture of ``input_size`` (height, width), in nats.

    The same seed gives the same numbers on the same machine.
    """
    generator = torch.Generator().manual_seed(seed)
    size = fed_size(input_size, structure.strides)
    x = torch.randn(1, structure[0].c_in, *size, generator=generator)
    running, result = 0.0, []
    for i, block in enumerate(structure):
        for layer, times in layers(block):
            for _ in range(times):
                for conv in layer.main:
                    groups = conv.groups or conv.c_in
                    shape = conv.c_out, conv.c_in // groups, conv.k, conv.k
                    weight = torch.randn(shape, generator=generator)
                    x = functional.conv2d(
                        x, weight, stride=conv.stride, padding=conv.k // 2, groups=groups
                    )
                    deviation = x.std()
                    x /= deviation
                    running += float(deviation.log())
        if i in structure.ends:
            result.append(running + math.log(x.shape[1]))
    return result
