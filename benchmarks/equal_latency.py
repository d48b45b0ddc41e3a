"""Which depth and which kernels win at equal latency: ``python -m benchmarks.equal_latency TABLE
DATA OUTPUT``; options of train-det behind ``--``.

TABLE is what ``lightnas profile`` measured for the input size. The budget is what it says of a
ResNet-style structure of the FLOPs with 2-2-2-2 bottlenecks, which is trained too; beside it the
proven optima of that latency under layer budgets, limits on rho, and with one kernel only.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from lightnas.latency import load_table
from lightnas.network import Structure
from lightnas.search import Space, load_space, search
from lightnas.units import format_seconds, parse_count, parse_size

from .equal_flops import arguments_of, resnet_style, table, train

DEPTH = (2, 2, 2, 2)
LAYERS = (16, 25, 49)
RHO = (0.1, 0.15)


def with_kernel(space: Space, kernel: int) -> Space:
    """A space whose blocks have no other kernel, but for the stem."""
    stem, *blocks = space.blocks
    return replace(space, blocks=(stem, *(replace(block, kernels=(kernel,)) for block in blocks)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    arguments, options = arguments_of(parser)
    size = parse_size(arguments.input_size, "--input-size")
    measured, space = load_table(arguments.table), load_space("k1kxk1")
    flops = parse_count(arguments.flops, "--flops")
    theirs = resnet_style(DEPTH, flops, size)
    latency = float(theirs.cost(size, measured).latency)

    def best(space: Space, **budgets: float) -> Structure:
        found = search(space, input_size=size, table=measured, latency=latency, **budgets)
        assert found.proven_optimal, budgets
        return found.structure

    structures = {"ResNet-style, 2-2-2-2": theirs}
    structures |= {f"{n} layers": best(space, layers=n) for n in LAYERS}
    structures |= {f"rho {rho}": best(space, rho=rho) for rho in RHO}
    kernels = {k: with_kernel(space, k) for k in (3, 5)}
    structures |= {f"25 layers, {k}x{k} alone": best(kernels[k], layers=25) for k in kernels}
    seconds = {
        name: format_seconds(float(structure.cost(size, measured).latency))
        for name, structure in structures.items()
    }
    table(train(structures, arguments, options), seconds)


if __name__ == "__main__":
    main()
