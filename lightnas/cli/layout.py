"""How a table is laid out: nothing of it is cut, however narrow the terminal.

Figures stay whole. Columns that do not fit beside each other stand in a further block below, where
each row begins with its name again. Words go on in the next line of their cell. Where there is no
terminal, a row is one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import printable

USUAL = 80  # of a terminal that does not say
WIDE, TIGHT = 3, 2  # spaces between columns


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal that a stream leads to, None where it leads to none.

    ``COLUMNS`` wins, as for every program.
    """
    if not stream.isatty():
        return None
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    except OSError:  # it calls itself a terminal, and is none that the system knows
        return USUAL


def console(err: bool = False, width: int | None = None) -> Console:
    """What writes to stdout, or to stderr: as wide as the terminal, or as ``width`` where that is
    given."""
    width = width or terminal_width(sys.stderr if err else sys.stdout)
    # With both given, rich does not take a terminal that it does not know for one of 80 columns.
    return Console(stderr=err, width=width, height=25) if width else Console(stderr=err)


class Grid:
    """A table of texts as they are: no mark-up, no control characters.

    The first column is made of words, those that ``words`` names too; the others are figures, to
    the right.
    """

    def __init__(self, title: str, *headings: str, words: Sequence[str] = ()) -> None:
        self.title = _one_line(title)
        self.headings = headings
        self.words = {0, *(i for i, heading in enumerate(headings) if heading in words)}
        self.rows: list[list[str]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row; cells that it lacks at its end are empty."""
        missing = len(self.headings) - len(cells)
        self.rows.append([*map(_one_line, cells), *[""] * missing])

    def show(self, err: bool = False) -> None:
        """Print it on stdout, or on stderr."""
        room = terminal_width(sys.stderr if err else sys.stdout)
        blocks, gap = self.blocks(room)
        out = console(err, room or max(_total([*block.values()], gap) for block in blocks))
        if self.title:
            out.print(Text(self.title, style="table.title"), soft_wrap=True)
        for number, block in enumerate(blocks):
            out.print(self._drawn(block, gap, anew=number == 0))

    def blocks(self, room: int | None) -> tuple[list[dict[int, int]], int]:
        """The columns of every block with their widths, and the spaces between them.

        Args:
            room: columns of the terminal; None for no end of them.
        """
        most = [max(map(cell_len, self._column(i))) for i in range(len(self.headings))]
        if room is None or _total(most, WIDE) <= room:
            return [dict(enumerate(most))], WIDE
        least = [self._least(i, room) for i in range(len(self.headings))]
        if _total(least, WIDE) <= room:
            return [_shrunk(dict(enumerate(most)), least, room, WIDE)], WIDE
        widest = max(1, room - _total([least[0], 0], TIGHT))
        least = [least[0], *(min(width, widest) for width in least[1:])]
        packed = [[0]]
        for i in range(1, len(least)):
            together = [least[j] for j in (*packed[-1], i)]
            if _total(together, TIGHT) > room and len(packed[-1]) > 1:
                packed.append([0])
            packed[-1].append(i)
        widths = [{i: most[i] for i in block} for block in packed]
        return [_shrunk(block, least, room, TIGHT) for block in widths], TIGHT

    def _column(self, i: int) -> list[str]:
        return [self.headings[i], *(row[i] for row in self.rows)]

    def _least(self, i: int, room: int) -> int:
        """How narrow a column may be: headings break between words, and so do cells of words, a
        long word where it must."""
        heading, *cells = self._column(i)
        words = [*heading.split(), *(" ".join(cells).split() if i in self.words else cells)]
        longest = max(map(cell_len, words), default=1) or 1
        return min(longest, max(1, room // 3)) if i in self.words else longest

    def _drawn(self, block: dict[int, int], gap: int, anew: bool) -> Table:
        """A block as rich draws it.

        Below the first one without the rows that have nothing in it, where names tell rows apart.
        """
        names = [row[0] for row in self.rows]
        every = anew or len({*names}) < len(names)
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1) if gap == WIDE else (0, 1, 0, 0))
        for i, width in block.items():
            left = i in self.words
            table.add_column(
                Text(self.headings[i]), width=width, justify="left" if left else "right",
                overflow="fold",
            )  # fmt: skip
        for row in self.rows:
            if every or any(row[i] for i in block if i):
                table.add_row(*(Text(row[i]) for i in block))
        return table


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _total(widths: Sequence[int], gap: int) -> int:
    """Width of a table of such columns: rich draws an edge of one, left and right."""
    return sum(widths) + gap * len(widths) + 1


def _shrunk(widths: dict[int, int], least: Sequence[int], room: int, gap: int) -> dict[int, int]:
    """Widths that fit, where they can: the widest column that may gives way first."""
    for _ in range(_total([*widths.values()], gap) - room):
        may = [i for i, width in widths.items() if width > least[i]]
        if not may:
            break
        widths[max(may, key=lambda i: widths[i])] -= 1
    return widths
