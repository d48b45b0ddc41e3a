"""What the studies of trainings share: options of train-det behind ``--``."""

from __future__ import annotations

import argparse
import sys


def parsed(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, tuple[str, ...]]:
    """What the parser takes, and what stands behind ``--``."""
    own, behind = sys.argv[1:], []
    if "--" in own:  # argparse would take what stands behind an option for a mistake
        at = own.index("--")
        own, behind = own[:at], own[at + 1 :]
    return parser.parse_args(own), tuple(behind)
