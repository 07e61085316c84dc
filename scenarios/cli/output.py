"""What a command prints: text, JSON, and tables that a terminal shows with Rich."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Output", "Page", "TextTable", "aligned", "as_json", "say", "show_page"]


@dataclass(frozen=True)
class Output:
    """What a command has to say.

    Args:
        text: For standard output.
        is_summary: Whether it only tells of what was done, and can be left unsaid.
        status: Exit status that goes with it.
    """

    text: str
    is_summary: bool = False
    status: int = 0


def as_json(data: object) -> str:
    """Write results as one JSON object."""
    from scenarios.files.plain_data import to_json  # noqa: PLC0415 - Polars is not needed to ask for help

    return to_json(data)


def say(text: str) -> None:
    """Write to standard output; tables are drawn where that is a terminal."""
    if isinstance(text, Page) and sys.stdout.isatty() and any(isinstance(part, TextTable) for part in text.parts):
        # Imported here: Rich takes longer to load than most commands take to answer.

        show_page(text)
    else:
        sys.stdout.write(text + "\n")
    sys.stdout.flush()


class TextTable(str):
    """A table in plain text that still knows its cells.

    Attributes:
        rows: The cells.
        has_header: Whether the first row names the columns.
    """

    __slots__ = ("has_header", "rows")

    rows: tuple[tuple[str, ...], ...]
    has_header: bool


class Page(str):
    """A text of many lines that still knows which parts of it are tables.

    Attributes:
        parts: Lines and tables, from top to bottom.
    """

    __slots__ = ("parts",)

    parts: tuple[str, ...]

    @classmethod
    def of(cls, parts: Iterable[str]) -> Page:
        """Put lines and tables under each other."""
        told = tuple(parts)
        page = cls("\n".join(told))
        page.parts = told
        return page


def aligned(rows: Sequence[Sequence[str]], *, header: bool = False) -> Iterator[str]:
    """Set rows in columns: the first flush left, the others flush right.

    Args:
        rows: The cells.
        header: Whether the first row names the columns.

    Yields:
        The table, as one piece.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = TextTable("\n".join(_line(row, widths) for row in rows))
    table.rows, table.has_header = tuple(map(tuple, rows)), header
    yield table


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
    return "  ".join((f"  {first:<{widths[0]}}", *cells))


_ALARMS: Final = ("does not hold", "cannot be told", "WARNING", "NOT ANALYSED", "CANNOT", "failures")


def show_page(page: Page, console: Console | None = None) -> None:
    """Show a page: tables with their columns' names set off, warnings so that one sees them.

    Colours are left out where ``NO_COLOR`` is set or the terminal has none.

    Args:
        page: What to show.
        console: The terminal; standard output if not given.
    """
    console = console or Console()
    for part in page.parts:
        if isinstance(part, TextTable):
            console.print(_table(part))
        else:
            # What stands in a scenario is text and no markup.
            console.print(Text(part, style="bold yellow" if any(alarm in part for alarm in _ALARMS) else ""))


def _table(text: TextTable) -> Table:
    rows = [[Text(cell) for cell in row] for row in text.rows]
    names = rows.pop(0) if text.has_header else [Text()] * len(rows[0])
    table = Table(box=SIMPLE_HEAD if text.has_header else None, show_header=text.has_header)
    for number, name in enumerate(names):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table
