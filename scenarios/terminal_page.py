"""A page of text and tables as a terminal shows it."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scenarios.text_table import Page, TextTable

__all__ = ["show_page"]

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
