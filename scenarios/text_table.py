"""Tables in plain text, which a terminal may show more nicely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Page", "TextTable", "aligned"]


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
