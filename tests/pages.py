"""The pages for readers, read: their blocks, the commands in them, and what a reader would do."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from lightnas.cli.main import cli, main

ROOT = Path(__file__).resolve().parents[1]
TOP = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)
SAVED = re.compile(r"[Ss]ave this as `([\w./]+)`:\s*$")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """What stands before each indented block, and the block."""
    for found in BLOCK.finditer(text):
        block = "\n".join(line[4:] for line in found[0].splitlines())
        yield text[: found.start()], block.strip("\n") + "\n"


def commands(block: str) -> list[list[str]]:
    """The ``lightnas`` commands of a block, word by word, those behind ``&&`` too."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r" &&? | \| | > ", line):
            called = re.match(r"(?:\w+=\S+ |.* -m )*lightnas(?= )", part)
            if called:
                found.append(shlex.split(part[called.end() :], comments=True))
    return found


def is_shell(block: str) -> bool:
    """Whether every line is a command."""
    first = (line.split()[0] for line in block.replace("\\\n", " ").splitlines() if line.strip())
    return all(word in ("lightnas", "pip", "make", "python", "sed") for word in first)


def parsed(command: list[str]) -> None:
    """Have the command line read a command without running it, brackets around what may be left
    out dropped.

    Raises:
        click.UsageError: it would refuse it.
    """
    context = cli.make_context("lightnas", command[:1], resilient_parsing=True)
    words = [word.strip("[]") for word in command]
    name, command_, rest = cli.resolve_command(context, words)
    assert command_ is not None, f"lightnas {name}"
    command_.make_context(name, rest, parent=context).close()


def followed(page: Path, more: dict[str, str], skipped: tuple[str, ...] = ()) -> list[str]:
    """Do in the working directory what a page says: files saved, commands and Python run.

    Args:
        page: the page.
        more: options that are put behind those of a command, by its name or by words that it has,
            to make it small; ``--resume`` goes on as the run began, without any.
        skipped: commands that are left out, and with ``profile`` those that read its table.

    Returns:
        The names of the commands that ran.
    """
    ran = []
    for before, block in blocks(page.read_text()):
        saved = SAVED.search(before)
        if saved:
            Path(saved[1]).write_text(block)
        elif not is_shell(block):
            exec(block, {"__name__": "__main__"})
        for words in commands(block) if is_shell(block) and not saved else ():
            no_table = "profile" in skipped and "--latency-table" in words
            if words[0] not in skipped and not no_table:
                fitting = [more[key] for key in more if {*key.split()} <= {*words}]
                small = [] if "--resume" in words else " ".join(fitting).split()
                assert main([*words, *small]) == 0, " ".join(words)
                ran.append(words[0])
    return ran
