"""Searched backbones against ResNet-style ones at equal FLOPs and equal depth, over depths: ``python -m
benchmarks.equal_flops DATA OUTPUT``; options of train-det behind ``--``.

ResNet-style: bottlenecks of 3x3 kernels, four times as wide outside as inside, doubling at each
stage, scaled to the FLOPs. The searched one beside it is the proven optimum of the same FLOPs, layers
and params. All are trained by ``lightnas validate``: the same data, options and seeds, AP on the test
split; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightnas.network import Structure
from lightnas.runs import StudyConfig, validate
from lightnas.search import search
from lightnas.units import format_count, parse_count, parse_size

from .options import parsed

# Bottlenecks of the four stages: 16, 25, 49 (ResNet-50's) and 100 (ResNet-101's) layers.
DEPTHS = ((1, 1, 2, 1), (2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 23, 3))


def resnet_style(depths: Sequence[int], limit: float, size: tuple[int, int]) -> Structure:
    """The widest ResNet-style structure of these depths within ``limit`` FLOPs at the size."""

    def at(width: int) -> Structure:
        blocks: list[dict[str, Any]] = [
            {"class": "ConvKXBNRELU", "in": 3, "out": width, "s": 2, "k": 3}
        ]
        for i, depth in enumerate(depths):
            btn = width * 2**i
            sizes = {
                "in": blocks[-1]["out"],
                "out": 4 * btn,
                "s": 2,
                "k": 3,
                "L": depth,
                "btn": btn,
            }
            blocks.append({"class": "SuperResK1KXK1", **sizes})
        return Structure.from_dicts(blocks)

    width = 1
    while at(width + 1).cost(size).flops <= limit:
        width += 1
    return at(width)


def pairs(limit: float, size: tuple[int, int]) -> dict[str, Structure]:
    """A ResNet-style and a searched structure of every depth, by name."""
    found: dict[str, Structure] = {}
    for depths in DEPTHS:
        theirs = resnet_style(depths, limit, size)
        cost = theirs.cost(size)
        layers = int(cost.layers)
        budgets = {"flops": float(cost.flops), "params": float(cost.params), "layers": layers}
        found[f"ResNet-style, {'-'.join(map(str, depths))}"] = theirs
        found[f"searched, {layers} layers"] = search("k1kxk1", input_size=size, **budgets).structure
    return found


def arguments_of(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, tuple[str, ...]]:
    """What all of these studies take, and the options of train-det behind ``--``."""
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--flops", default="40M")
    parser.add_argument("--input-size", default="96x96")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments, behind = parsed(parser)
    return arguments, ("--input-size", arguments.input_size, *behind)


def train(
    structures: dict[str, Structure], arguments: argparse.Namespace, options: tuple[str, ...]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of ``lightnas validate`` of each structure, by its name."""
    size = parse_size(arguments.input_size, "--input-size")
    config = StudyConfig(tuple(structures.values()), arguments.data, arguments.seeds, size, options)
    there = (arguments.output / "config.yaml").is_file()
    rows = validate(config, arguments.output, resume=there, jobs=arguments.jobs)["rows"]
    return {
        name: [row for row in rows if row["structure"] == i] for i, name in enumerate(structures)
    }


def table(trained: dict[str, list[dict[str, Any]]], more: dict[str, str] | None = None) -> None:
    """Print a line for each structure; ``more`` is one further figure of each."""
    head, line = ("", "") if more is None else (" latency |", " ---: |")
    print(
        f"| backbone | score | FLOPs | params | layers |{head} AP, mean and spread | AP50, mean |"
    )
    print(f"| --- | ---: | ---: | ---: | ---: |{line} ---: | ---: |")
    for name, rows in trained.items():
        one, ap = rows[0], [row["ap"] for row in rows]
        figures = [f"{one['score']:.0f}", format_count(one["flops"], 3)]
        figures += [format_count(one["params"], 3), str(one["layers"])]
        figures += [] if more is None else [more[name]]
        figures += [f"{statistics.mean(ap):.3f} ({min(ap):.3f} to {max(ap):.3f})"]
        figures += [f"{statistics.mean(row['ap50'] for row in rows):.3f}"]
        print(f"| {name} | {' | '.join(figures)} |")


def main() -> None:
    arguments, options = arguments_of(argparse.ArgumentParser(description=__doc__))
    size = parse_size(arguments.input_size, "--input-size")
    structures = pairs(parse_count(arguments.flops, "--flops"), size)
    table(train(structures, arguments, options))


if __name__ == "__main__":
    main()
