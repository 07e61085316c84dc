"""Tables of formatted cells: which columns they have, and how each writes the fields of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from analytics.html.escaping import Labels


@dataclass(frozen=True)
class Column:
    """One column: the fields it is made of, and how they are written.

    Args:
        form: Writes the values of the fields as a text.
        fields: Keys of the values of a row, which is a mapping or a sequence.
        side: ``text`` or ``number``: where the cells are aligned.
    """

    form: Callable[..., str]
    fields: tuple[Any, ...]
    side: str


def text(field: object, form: Callable[..., str] = str) -> Column:
    """A column of texts."""
    return Column(form, (field,), "text")


def number(form: Callable[..., str], *fields: object, **options: object) -> Column:
    """A column of numbers; the options are those of the function that writes them."""
    return Column(partial(form, **options), fields, "number")


@dataclass(frozen=True)
class Table:
    """Formatted cells under headings; the first cell of a row names it.

    Args:
        heads: Headings of the columns.
        sides: ``text`` or ``number`` for each column.
        rows: Cells, row by row.
        n_rows: How many rows there are; more than ``rows`` where the table has been cut.
    """

    heads: tuple[str, ...]
    sides: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_rows: int


def table(rows: Iterable[Any], columns: Mapping[str, Column], most: int = 200) -> Table:
    """Format the rows of a table.

    Args:
        rows: Mappings or sequences of values.
        columns: How each column is written, by its heading.
        most: How many rows are shown at most.

    Example:
        >>> funnel = [{"stage": "top", "visitors": 1500}]
        >>> table(funnel, {"stage": text("stage"), "visitors": number("{:,}".format, "visitors")}).rows
        (('top', '1,500'),)
    """
    every, labels = list(rows), [Labels() for _ in columns]
    cells = (
        tuple(_cell(column, row, label) for column, label in zip(columns.values(), labels, strict=True))
        for row in islice(every, most)
    )
    return Table(tuple(columns), tuple(column.side for column in columns.values()), tuple(cells), len(every))


def _cell(column: Column, row: Any, label: Labels) -> str:  # noqa: ANN401 - a mapping or a sequence
    cell = column.form(*(row[field] for field in column.fields))
    # What a macro of a template has written is escaped already.
    return cell if hasattr(cell, "__html__") else label(cell)
