"""The command line: the group of all commands, and how commands end.

Results go to stdout, progress and messages to stderr. Exit status: 0 done, 1 the work failed, 2 bad
input, 130 after Ctrl-C, 143 after SIGTERM. Commands import what they need when they run, so
``--help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from types import FrameType
from typing import Any

import click
from click.shell_completion import get_completion_class, shell_complete

from .. import __version__
from ..command_line import command_line
from ..errors import InputError, WorkError, nearest, out_of_memory, printable, shown
from .data import data
from .demo_data import demo_data
from .detecting import detect
from .doctor import doctor, setup_det
from .evaluation import test_det
from .explore import explore
from .exporting import export_det
from .front import pareto
from .latency import latency, profile
from .options import import_option, in_options
from .pages import example, first_sentence
from .report import report
from .search import export_structure, score, search
from .streams import to_nowhere
from .training import train_det
from .validate import validate

# What is said, and the exit status.
ENDINGS = {signal.SIGINT: ("interrupted", 130), signal.SIGTERM: ("terminated", 143)}


class Terminated(BaseException):
    """SIGTERM, raised where the program stands, so that it leaves by the same doors as Ctrl-C."""


# What the shell's completion asks with; its value names the shell: ``bash_source``.
COMPLETE = "_LIGHTNAS_COMPLETE"

# All commands, in the order in which one needs them.
PIPELINE: dict[str, tuple[click.Command, ...]] = {
    "Find a backbone": (search, pareto, explore, score, export_structure),
    "Count the seconds of a machine": (profile, latency),
    "Look at data": (data, demo_data),
    "Train and use a detector": (train_det, test_det, detect, export_det),
    "Report and validate": (report, validate),
    "Install the detection stage": (setup_det, doctor),
}
MEET_NO_STRUCTURE = (data, demo_data, setup_det, doctor)


class Commands(click.Group):
    """A group that suggests the nearest command for a typo, and lists commands along the
    pipeline."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click asks: every command with the whole first sentence of its help."""
        width = max(map(len, self.commands))
        for title, commands in PIPELINE.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{one.name:{width}}", one.get_short_help_str()) for one in commands]
                )

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if ctx.resilient_parsing:  # the shell's completion refuses nothing
            return super().resolve_command(ctx, args)
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"no command '{args[0]}', {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """As click has it; errors of the library then speak of the command's options."""
        cmd.callback = in_options(cmd.callback) if cmd.callback else None
        cmd.short_help = first_sentence(cmd.help or "")  # click would cut it
        super().add_command(cmd, name)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("search --preset maedet-m", "search --help"),
)
@click.version_option(__version__)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find detection backbones without training any network, proven optimal under your budgets."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in chain.from_iterable(PIPELINE.values()):
    cli.add_command(command if command in MEET_NO_STRUCTURE else import_option(command))


# --- leaving ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. Every expected failure is one line on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Loading modules makes a hundred thousand objects that stay: going through them again and again
    # in search of garbage costs a search a twentieth of its time.
    gc.set_threshold(100_000, *gc.get_threshold()[1:])
    with _heeding_signals(given):
        try:
            if asked := os.environ.get(COMPLETE):
                return _complete(asked)
            # Not cli.main: it prints a line of its own for Ctrl-C.
            with (
                command_line(given),
                cli.make_context("lightnas", list(given), obj=given) as ctx,
            ):
                cli.invoke(ctx)
            sys.stdout.flush()
            return 0
        except click.exceptions.Exit as leaving:
            return leaving.exit_code
        except click.ClickException as error:
            return _fail(error.format_message(), 2)
        except (InputError, WorkError) as error:
            status = 2 if isinstance(error, InputError) else 1
            return status if error.said else _fail(str(error), status)
        except BrokenPipeError:
            to_nowhere(1)  # whoever read our output has left; nothing is left to say
            return 1
        except OSError as error:
            _discard_output()
            return _fail(f"{error.filename or 'output'}: {error.strerror or error}", 1)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            said = (str(error).strip() or "out of memory").splitlines()[0][:200]
            return _fail(f"out of memory ({said}){_resumes(given)}", 1)
        except KeyboardInterrupt:
            return _leave(*ENDINGS[signal.SIGINT], given)
        except Terminated:
            return _leave(*ENDINGS[signal.SIGTERM], given)


def _complete(asked: str) -> int:
    """Answer the shell's completion, or print the script that teaches it a shell."""
    shell, _, what = asked.partition("_")
    if get_completion_class(shell) is None or what not in ("source", "complete"):
        raise InputError(
            f"{COMPLETE} is {shown(asked)}, expected bash_source, zsh_source or fish_source"
        )
    return shell_complete(cli, {}, "lightnas", COMPLETE, asked)


def _discard_output() -> None:
    """What could not be written must not be tried again, and fail again, when Python exits."""
    to_nowhere(sys.stdout.fileno())


def _fail(message: str, status: int) -> int:
    print(f"lightnas: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status


def _leave(how: str, status: int, given: Sequence[str]) -> int:
    """Stopped by a signal, which several training processes get at once: the first one speaks for
    all."""
    if os.environ.get("RANK", "0") != "0":
        return status
    return _fail(how + _resumes(given), status)


def _resumes(given: Sequence[str]) -> str:
    """How to go on after a command that was stopped, where it can."""
    command = cli.commands.get(given[0]) if given else None
    resumes = any(parameter.name == "resume" for parameter in command.params) if command else False
    return "; --resume continues" if resumes else ""


@contextmanager
def _heeding_signals(given: Sequence[str]) -> Iterator[None]:
    """Ctrl-C and SIGTERM are raised where the program stands.

    Not in an import, which can swallow an exception: there the process ends at once, as a killed
    one does, and leaves as much.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if _importing(frame):
            os._exit(_leave(*ENDINGS[signal.Signals(number)], given))
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number, handler in before.items():
        if handler in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _importing(frame: FrameType | None) -> bool:
    """Whether a frame was called by an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
