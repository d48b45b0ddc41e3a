"""What the pages of ``--help`` look like, and what the shell completes: one style for all commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Option(click.Option):
    """An option whose choices stand where its value does, ``--device cpu|cuda``, and whose help
    ends in what holds without it and in its limits: ``[default: 1; 1 to 256]``.

    ``show_default`` is a text where what holds is no constant.
    """

    def __init__(self, *args: Any, **given: Any) -> None:
        if isinstance(given.get("type"), click.Choice):
            given.setdefault("metavar", "|".join(given["type"].choices))
        super().__init__(*args, **given)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """As click asks: the option as it is written, and its help."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        ends = [self._default(ctx), self._limits(), "required" if self.required else ""]
        told = "; ".join(end for end in ends if end)
        return record[0], f"{self.help}  [{told}]" if told else self.help or ""

    def _default(self, ctx: click.Context) -> str:
        if isinstance(self.show_default, str):
            return f"default: {self.show_default}"
        return f"default: {self.get_default(ctx, call=False)}" if self.show_default else ""

    def _limits(self) -> str:
        if not isinstance(self.type, click.IntRange | click.FloatRange):
            return ""
        low, high = self.type.min, self.type.max
        if high is None:
            return f"at least {low}"
        return f"at most {high}" if low is None else f"{low} to {high}"


option = partial(click.option, cls=Option)


def example(*lines: str) -> str:
    """The end of a command's page: how it is called, and ``lightnas`` before every line."""
    shown = "\n".join(f"  lightnas {line}" for line in lines)
    return f"\b\nExample{'s' if len(lines) > 1 else ''}:\n{shown}"


def first_sentence(text: str) -> str:
    """What a help begins with; it stands for the command in lists."""
    line = " ".join(text.split())
    found = re.match(r".*?\.(?= |$)", line)
    return found[0] if found else line


def completed(words: Callable[[], Iterable[str]], files: bool = False) -> Complete:
    """What completes a value: words, and with ``files`` also the files that are there."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        # The file comes first: bash forgets what stands before it, and takes files where no word
        # is left.
        items = [CompletionItem(incomplete, type="file")] if files else []
        return items + [CompletionItem(word) for word in words() if word.startswith(incomplete)]

    return complete


def _presets() -> Iterable[str]:
    from ..files import presets_in

    return presets_in("search", ".yaml")


def _structures() -> Iterable[str]:
    from ..files import presets_in

    return presets_in("structures", ".txt")


def _spaces() -> Iterable[str]:
    from ..search.space_file import space_names

    return space_names()


def _scores() -> Iterable[str]:
    from ..runs.scores import SCORES

    return SCORES


PRESET_NAMES, SCORE_NAMES = completed(_presets), completed(_scores)
SPACE_NAMES = completed(_spaces, files=True)
STRUCTURE_NAMES = completed(_structures, files=True)
FILES = completed(tuple, files=True)
