"""Scores by name: those built in, and ``MODULE:OBJECT`` of the user's own.

A name with a colon imports code. Only who runs the search may ask for that, by the option or the
argument: one that stands in a file alone is not imported, and its search does not begin.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from ..errors import InputError, nearest, require, shown
from ..network.scores import DeepMad, Entropy, OfCost, Placed, Score, scores_of
from ..network.structure import Structure
from ..resources import RESOURCES
from ..search.problem import Problem


def _zen(alpha: tuple[float, ...]) -> Score:
    require("score zen", "torch", "torch")
    from ..backbone.zen import Zen

    return Zen()


def _of_cost(figure: str, alpha: tuple[float, ...]) -> Score:
    return OfCost(figure)


SCORES: dict[str, Callable[[tuple[float, ...]], Score]] = {
    "entropy": Entropy,
    "deepmad": DeepMad,
    **{name: partial(_of_cost, name) for name, resource in RESOURCES.items() if resource.always},
    "zen": _zen,
}


class NotImported:
    """A score of a module that a file names and nobody has asked to import."""

    def __init__(self, name: str, option: str) -> None:
        self.message = (
            f"score {name} is of a module, which no file makes lightnas import; expected "
            f"{option} {name} beside the file, if you trust that module"
        )

    def evaluate(self, blocks: Sequence[Placed]) -> Any:
        """Raises InputError: it is not imported."""
        raise InputError(self.message)


def check_score(name: str, what: str) -> None:
    """Refuse what is neither built in nor ``MODULE:OBJECT``.

    Raises:
        InputError: it is neither.
    """
    module, colon, attribute = name.partition(":")
    if name not in SCORES and not (colon and module and attribute.isidentifier()):
        raise InputError(f"{what} is {shown(name)}, {nearest(name, SCORES)}, or MODULE:OBJECT")


def load_score(
    name: str, alpha: tuple[float, ...], what: str, *, trusted: bool, option: str = "score="
) -> Score | None:
    """The score of a name; None for the entropy, which is what problems have by default.

    Args:
        alpha: weights of the stages, for scores that have them.
        what: opens the error messages.
        trusted: whether a module may be imported; ``option`` is what gives that consent.

    Raises:
        InputError: there is none of that name, torch is missing for it, or its module cannot be
            imported.
    """
    check_score(name, what)
    if name == "entropy":
        return None
    if name in SCORES:
        return SCORES[name](alpha)
    return _imported(name, what) if trusted else NotImported(name, option)


def _imported(name: str, what: str) -> Score:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:  # as `python -m` has it
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
        score = found() if isinstance(found, type) else found
    except Exception as error:  # whatever the user's module raises
        raise InputError(
            f"{what} is {shown(name)}, which cannot be imported ({type(error).__name__}: "
            f"{shown(str(error))[1:-1]}), expected MODULE:OBJECT"
        ) from error
    if not isinstance(score, Score):
        raise InputError(f"{what} is {shown(name)}, which has no method evaluate, expected a score")
    return score


def refuse_unimported(problem: Problem) -> None:
    """Refuse a problem whose score was not imported, before anything is written.

    Raises:
        InputError: it is so.
    """
    if isinstance(problem.score, NotImported):
        raise InputError(problem.score.message)


def every_score(
    structure: Structure, input_size: tuple[int, int], alpha: tuple[float, ...]
) -> dict[str, float | None]:
    """What every built-in score says of a structure, by name; None for zen without torch."""
    return {
        name: None
        if name == "zen" and not find_spec("torch")
        else scores_of(make(alpha), tuple(structure), input_size).item()
        for name, make in SCORES.items()
    }
