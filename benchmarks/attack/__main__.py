"""``python -m benchmarks.attack [KIND ...]``: every attack with its full count, exit 1 where one
fell."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable

from .tally import Tally

# module of this package with `attack(count, seed) -> list of tallies`: the full count
KINDS: dict[str, int] = {
    "enumeration": 500,
    "mutations": 10_000,
    "kills": 200,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all")
    parser.add_argument("--share", type=float, default=1.0, help="of the full count")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    fell = 0
    for kind in options.kinds or KINDS:
        module = importlib.import_module(f".{kind}", __package__)
        attack: Callable[[int, int], list[Tally]] = module.attack
        for tally in attack(max(1, round(KINDS[kind] * options.share)), options.seed):
            print("\n".join(tally.lines()), flush=True)
            fell += len(tally.fallen)
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(main())
