"""Pictures of the README: ``python -m benchmarks.picture search docs/search.png``, and of a front's
directory ``python -m benchmarks.picture front docs/front.png outputs/front/front.json``.
"""

from __future__ import annotations

import json
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightnas.network.structure import Structure
from lightnas.runs.config import load_config, preset_path
from lightnas.search.engine import Search

BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#6b7280"


def convergence(axes: Axes, seeds: int = 20) -> Structure:
    """Gap to the optimum against evaluations; the structure found."""
    config = load_config(preset_path("maedet-m"), {})
    searches = []
    for seed in range(seeds):
        search = Search(config.problem, seed, config.limits)
        for _ in search.steps():
            pass
        searches.append(search)
    results = [search.result() for search in searches]
    bound = results[0].upper_bound
    for result in results:
        points = [
            (n, max(100 * (1 - best / bound), 1e-3)) for n, _, best in result.history if n > 2000
        ]
        axes.plot(*zip(*points, strict=True), color=BLUE, alpha=0.45, linewidth=1)
        axes.plot(*points[-1], "o", color=ORANGE, markersize=5)
    theta = max(search.proof.theta for search in searches if search.proof)
    axes.axhline(100 * (theta / bound - 1), color=GREY, linewidth=1, linestyle="--")
    axes.annotate("the first Lagrangian bound lies this far above", (12_000, 100 * (theta / bound - 1)), (0, -11),
                  textcoords="offset points", color=GREY, fontsize=8)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="evaluations", ylabel="below the optimum, %")
    axes.set_yticks([10, 1, 0.1, 0.01, 1e-3], ["10", "1", "0.1", "0.01", "0: proven"])
    seconds = sorted(result.seconds for result in results)[seeds // 2]
    axes.set_title(
        f"maedet-m, {seeds} seeds: evolution, then the proof ({seconds:.1f} s, median)",
        fontsize=10,
        loc="left",
    )
    return results[0].structure


def stages(axes: Axes, structure: Structure) -> None:
    """Each convolution on the main path as a bar: its place, its output channels."""
    x, ticks = 2.0, []
    for i, block in enumerate(structure):
        begin, color = x, (BLUE, ORANGE)[i % 2]
        widths = (
            [block.btn, block.btn, block.c_out] * int(block.depth) if block.btn else [block.c_out]
        )
        axes.bar([x + j for j in range(len(widths))], widths, width=0.9, color=color)
        x += len(widths) + 4
        name = f"C{i + 1}\n{block.c_out}"
        detail = f"{name}\n{block.depth} of {block.k}x{block.k}" if block.btn else name
        ticks.append(((begin + x - 5) / 2, detail))
    axes.set_xticks([at for at, _ in ticks], [label for _, label in ticks], fontsize=8)
    axes.set_ylabel("output channels")
    axes.set_title("the structure found: its convolutions, stage by stage", fontsize=10, loc="left")


def front(path: str) -> Figure:
    """The points of a front with their bounds, and the structures that it was compared with."""
    with open(path) as file:
        content = json.load(file)
    points = content["points"]
    figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
    budgets = [point["budget"] / 1e9 for point in points]
    axes.plot(
        budgets,
        [point["upper_bound"] for point in points],
        color=GREY,
        linestyle="--",
        linewidth=1,
        label="upper bound",
    )
    axes.plot(
        budgets,
        [point["score"] for point in points],
        "o-",
        color=BLUE,
        markersize=5,
        linewidth=1,
        label="front",
    )
    for other in content["compare"]:
        axes.plot(other["flops"] / 1e9, other["score"], "s", color=ORANGE, markersize=6)
        axes.annotate(
            other["name"],
            (other["flops"] / 1e9, other["score"]),
            (7, -11),
            textcoords="offset points",
            fontsize=8,
        )
    proven = sum(point["gap"] == 0 for point in points)
    axes.set(xlabel=f"FLOPs budget at {content['input_size']}, G", ylabel="score")
    gap = 100 * max(point["gap"] for point in points)
    axes.set_title(
        f"{len(points)} budgets, {proven} proven optimal, largest gap {gap:.4f} %",
        fontsize=10,
        loc="left",
    )
    axes.legend(frameon=False, loc="lower right")
    return figure


def searches() -> Figure:
    """Convergence of maedet-m on the left, the structure on the right."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 3.8), width_ratios=(1, 1.15), layout="constrained"
    )
    stages(right, convergence(left))
    return figure


def main() -> None:
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
    kind, output, *source = sys.argv[1:]
    figure = front(*source) if kind == "front" else searches()
    figure.savefig(output, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
