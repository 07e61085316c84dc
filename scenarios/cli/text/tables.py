"""Pages of text and tables, rendered by Rich for a terminal and as plain text for a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analytics.html.escaping import Labels, Rendered, as_line

Arguments = ParamSpec("Arguments")


class Alert(str):
    """A line that stands out on a terminal."""

    __slots__ = ()


Parts = Iterable[str | Table]
"""Lines and tables, from top to bottom."""

_MOST_ROWS: Final = 60
"""Rows of a table that are printed; the files have all of them."""

_UNLIMITED: Final = 100_000
"""Columns of a file or a pipe: no line is wrapped and no cell is cut off."""


class Page:
    """Lines and tables, from top to bottom.

    Args:
        parts: Lines, which are never read as markup and stay lines whatever is in them, alerts, and tables.

    >>> print(Page(["counts", "", table([("visitors", "12")])]))
    counts
    <BLANKLINE>
      visitors  12
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = tuple(parts)

    def __str__(self) -> Rendered:
        """Render the page for standard output. Rich honours ``NO_COLOR`` and the width of the terminal."""
        width = None if sys.stdout.isatty() else _UNLIMITED
        console = Console(width=width, markup=False, emoji=False, highlight=False)
        # Captured, not printed: Rich would end the process where the reader has closed the pipe.
        with console.capture() as captured:
            for part in self._parts:
                if isinstance(part, Table):
                    console.print(part)
                else:
                    # The terminal wraps lines of text itself, so that a path can be copied; tables must fit.
                    line = Text(as_line(part), style="bold yellow" if isinstance(part, Alert) else "")
                    console.print(line, soft_wrap=True)
        return Rendered(captured.get().removesuffix("\n"))


def page(parts: Callable[Arguments, Parts]) -> Callable[Arguments, Page]:
    """Let a function that yields lines and tables return them as a page.

    Args:
        parts: The function, a generator.

    >>> @page
    ... def greeting(name):
    ...     yield f"hello {name}"
    >>> print(greeting("visitor"))
    hello visitor
    """

    @wraps(parts)
    def whole(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Page:
        return Page(parts(*args, **kwargs))

    return whole


def alert(text: str) -> Alert:
    """Make a line that stands out on a terminal; in a file or a pipe it is like any other.

    Args:
        text: The line, which is never read as markup.

    >>> print(Page([alert("[warning]")]))
    [warning]
    """
    return Alert(text)


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> Table:
    """Arrange cells in columns: the first flush left, the others flush right.

    Rows that differ in personal data only have numbers, see :class:`analytics.html.escaping.Labels`.

    Args:
        rows: The cells, at least one row if there is no header.
        header: Names of the columns, if they have names.

    >>> print(Page([table([("visitors", "1,024"), ("visits", "1,530")], ("", "count"))]))
                count
      visitors  1,024
      visits    1,530
    """
    cells = [tuple(row) for row in rows]
    arranged = Table(box=None, padding=(0, 0, 0, 2), show_header=bool(header), header_style="bold")
    for number, name in enumerate(header or [""] * len(cells[0])):
        # Folded where the terminal is too narrow: Rich's default would cut off what does not fit.
        arranged.add_column(Text(as_line(name)), justify="right" if number else "left", overflow="fold")
    labels = Labels()
    for row in cells:
        arranged.add_row(*(Text(labels(cell)) for cell in row))
    return arranged


def shortened(rows: Sequence[tuple[str, ...]], header: Sequence[str]) -> Parts:
    """A table of the first rows, and how many there are more.

    Args:
        rows: The cells.
        header: Names of the columns.
    """
    yield table(rows[:_MOST_ROWS], header)
    if len(rows) > _MOST_ROWS:
        yield f"  … and {len(rows) - _MOST_ROWS:,} more"
    yield ""


def digits(value: float | None) -> str:
    """Write a number with four significant digits, and no commas: users copy these numbers into files.

    Args:
        value: The number; None is written as a dash.

    >>> digits(0.0123456), digits(123456.7), digits(None)
    ('0.01235', '123457', '–')
    """
    if value is None:
        return "–"
    # Beyond 1e15 a float has no exact units any more.
    return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"  # noqa: PLR2004 - has four digits


def funnel_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the visitors at each step of a funnel, and their share of all, in a line.

    Args:
        rows: As of ``FunnelStatistics.funnel()``.

    >>> demo = {"stage": "demo request", "visitors": 3, "share": 0.25}
    >>> funnel_line([{"stage": "visit", "visitors": 12, "share": 1.0}, demo])
    'funnel: visit 12 (100.00%), demo request 3 (25.00%)'
    >>> funnel_line([{"stage": "top", "visitors": None, "share": None}, demo])[:53]
    'funnel: unknown, as no page has a funnel stage (funne'
    """
    if rows[0]["visitors"] is None:
        return "funnel: unknown, as no page has a funnel stage (funnelsim map EVENTS proposes a mapping of pages)"
    return f"funnel: {', '.join(map(_funnel_step, rows))}"


def _funnel_step(row: Mapping[str, Any]) -> str:
    return f"{row['stage']} {row['visitors']:,}" + ("" if row["share"] is None else f" ({row['share']:.2%})")
