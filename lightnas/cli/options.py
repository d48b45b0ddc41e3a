"""Options that several commands share, and what turns their words into values.

A value is parsed here, at the edge; its error is one line that names the option and says what was
expected.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from ..errors import InputError, WorkError
from ..resources import RESOURCES, Resource
from ..units import parse_count, parse_pair, parse_range, parse_share, parse_size
from .pages import FILES, SCORE_NAMES, SPACE_NAMES, option

Command = TypeVar("Command", bound=Callable[..., Any])


class NamedPath(click.Path):
    """A path; an empty text is none: ``Path("")`` would be the directory one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click asks.

        Raises:
            InputError: the text is empty.
        """
        if value == "":
            raise InputError(f"{param.opts[0] if param else 'path'} is empty, expected a path")
        return super().convert(value, param, ctx)


PATH = NamedPath(path_type=Path)


class Number(click.FloatRange):
    """A finite number within limits: click lets nan through, which is neither below nor above any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click asks."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


PROBABILITY = Number(0, 1)


class Parsed(click.ParamType):
    """A value that ``parse(text, what)`` reads; ``what`` names the option in its InputError."""

    name = "value"

    def __init__(self, parse: Callable[[str, str], Any]) -> None:
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click asks: the value of a text; what is a value already stays as it is."""
        what = param.opts[0] if param else "value"
        return self.parse(value, what) if isinstance(value, str) else value


class Written(float):
    """A number that remembers how it was written: run directories are named after budgets."""

    text: str


class WrittenRow(list[float]):
    """A row of numbers that remembers how it was written."""

    text: str


class Named(NamedTuple):
    """Structures, and the name that they were asked for by: a txt, a run directory or a preset."""

    name: str
    structures: list[Any]


def _written(resource: Resource) -> Parsed:
    def parse(text: str, what: str) -> Written:
        value = Written(resource.parse(text, what))
        value.text = text
        return value

    return Parsed(parse)


def _row(resource: Resource) -> Parsed:
    def parse(text: str, what: str) -> WrittenRow:
        row = WrittenRow(parse_range(text, what, resource.parse))
        row.text = text
        return row

    return Parsed(parse)


def _detector(text: str, what: str) -> Any:
    from ..network.detector import parse_detector

    parse_detector(text, what)
    return text


def _alpha(text: str, what: str) -> tuple[float, ...]:
    from ..network.score import parse_alpha

    return parse_alpha(text, what)


def named_structures(text: str, what: str) -> Named:
    """The structures of a name, and the name.

    Raises:
        InputError: it stands for none.
    """
    from ..runs import structures

    return Named(text, structures(text))


COUNT, SIZE, PAIR = Parsed(parse_count), Parsed(parse_size), Parsed(parse_pair)
SHARE = Parsed(parse_share)
ALPHA, STRUCTURES, DETECTOR = Parsed(_alpha), Parsed(named_structures), Parsed(_detector)


def option_name(key: str) -> str:
    """What a key is called on the command line."""
    return f"--{key.replace('_', '-')}"


def several(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Options as one decorator, in the order of the help."""

    def decorate(command: Command) -> Command:
        for one in reversed(options):
            command = one(command)
        return command

    return decorate


def in_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """A command that tells the library's errors, which name arguments, in the words of its options.

    ``device is tpu, expected ...`` becomes ``--device is tpu, expected ...``, and ``resume=True``
    becomes ``--resume``, ``boxes='shown'`` becomes ``--boxes shown``, ``batch=2`` becomes
    ``--batch 2``.
    """

    @functools.wraps(run)
    def told(*args: Any, **kwargs: Any) -> Any:
        parameters = click.get_current_context().command.params
        options = {p.name: p.opts[0] for p in parameters if isinstance(p, click.Option)}
        try:
            return run(*args, **kwargs)
        except (InputError, WorkError) as error:
            error.args = (in_words_of(options, str(error)),)
            raise

    return told


def in_words_of(options: dict[str, str], message: str) -> str:
    """A message about arguments in the words of a command's ``options``, by their arguments."""
    said = re.sub(r"^\w+(?= )", lambda word: options.get(word[0], word[0]), message)
    said = re.sub(r"\b(\w+)=True\b", lambda set_: options.get(set_[1], set_[0]), said)
    given = r"\b(\w+)=(?:'([^']+)'|([0-9][\w.+-]*\b))"
    return re.sub(given, lambda set_: _given(set_, options), said)


def _given(set_: re.Match[str], options: dict[str, str]) -> str:
    return f"{options[set_[1]]} {set_[2] or set_[3]}" if set_[1] in options else set_[0]


def budget_options(row: bool = False) -> Callable[[Command], Command]:
    """``--budget-NAME`` for every resource; with ``row`` each is a list, and one may be a row
    LOW:HIGH:N."""
    return several(
        *(
            option(
                f"--budget-{resource.name}",
                metavar="LO:HI:N|N" if row else resource.metavar,
                type=_row(resource) if row else _written(resource),
                help=resource.row if row else resource.help,
            )
            for resource in RESOURCES.values()
        )
    )


space_options = several(
    option(
        "--space",
        metavar="NAME|FILE",
        help="Search space.",
        show_default="k1kxk1",
        shell_complete=SPACE_NAMES,
    ),
    option(
        "--max-channels",
        metavar="N",
        type=click.IntRange(1, 65_536),
        help="Replaces the space's own limit.",
    ),
    option(
        "--input-size",
        metavar="HxW",
        type=SIZE,
        help="For FLOPs and activations.",
        show_default="the table's, or 800x1280",
    ),
)
latency_table_option = option(
    "--latency-table",
    metavar="FILE",
    help="What `lightnas profile` measured.",
    shell_complete=FILES,
)


def _import(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> None:
    """Import the modules, before any other option is read: structures may have their blocks."""
    if names and not ctx.resilient_parsing:  # the shell's completion runs nothing
        from ..network.modules import import_module

        for name in names:
            import_module(name, "--import")


import_option = option(
    "--import",
    "modules",
    metavar="MODULE",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_import,
    help="A module, or .py file, of yours that adds blocks or spaces. It runs.",
)


def detector_option(counted: str, default: str = "none") -> Callable[[Command], Command]:
    """``--detector``; ``counted`` opens the help."""
    return option(
        "--detector",
        metavar="gflv2[:WIDTH]|none",
        type=DETECTOR,
        help=f"{counted} neck and head too, WIDTH channels wide, 256 where it is left out.",
        show_default=default,
    )


score_options = several(
    option(
        "--score",
        metavar="NAME|MODULE:OBJECT",
        help="What to maximise: entropy, deepmad, params, flops, layers, zen, or one of a module of "
        "yours, which is imported.",
        show_default="entropy",
        shell_complete=SCORE_NAMES,
    ),
    option(
        "--alpha",
        metavar="A1,...,A5",
        type=ALPHA,
        help="Weights of the stages C1 to C5 in the score.",
        show_default="0,0,1,1,6",
    ),
)
overwrite_file = option(
    "--overwrite", is_flag=True, help="Replace also a file that lightnas did not write."
)
json_option = option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


def work_options(seed: str, a_point: str = "", proof: str = "the") -> Callable[[Command], Command]:
    """How much a search works: ``--seed``, ``--evaluations``, ``--proof-work``; the arguments go
    into the help."""
    return several(
        option("--seed", metavar="N", type=click.IntRange(0), help=f"Of {seed}.", show_default="0"),
        option(
            "--evaluations",
            metavar="N",
            type=click.IntRange(1),
            help=f"At most so many{a_point}.",
            show_default="100000",
        ),
        option(
            "--proof-work",
            metavar="N",
            type=click.IntRange(0),
            help=f"Operations of {proof} proof.",
            show_default="50000000",
        ),
    )


def written_budgets(given: dict[str, Any]) -> dict[str, str | None]:
    """Take the budgets out of a command's options, as they were written, by resource: what a name
    such as resnet50 stands for depends on the detector."""
    budgets = {name: given.pop(f"budget_{name}") for name in RESOURCES}
    return {name: None if value is None else value.text for name, value in budgets.items()}


def begin_options(resume: str, overwrite: str) -> Callable[[Command], Command]:
    """``--resume`` and ``--overwrite``, of which one is given at most."""

    def alone(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
        other = "overwrite" if param.name == "resume" else "resume"
        if value and ctx.params.get(other):
            raise InputError("--resume and --overwrite are both given, expected one of them")
        return value

    return several(
        option("--resume", is_flag=True, callback=alone, help=resume),
        option("--overwrite", is_flag=True, callback=alone, help=overwrite),
    )
