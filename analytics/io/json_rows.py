"""Rows of a table in JSON, as warehouses and data frames export them, read as CSV and Parquet are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import polars as pl

from analytics.events.dead_letters import RejectedError
from analytics.io.adapters.adapter import Record
from analytics.io.flatten import Flattened, flatten_numbered
from analytics.io.lines import Line, LongLine, flatten_cut_lines
from analytics.io.row_validation import usable_events
from analytics.io.strict_json import canonical, read_object
from analytics.io.tables import TableReading


class JsonRows:
    """Reads rows of one table, in batches; a row may lack the columns that are null in it.

    Args:
        name: Path of its file, for the name of the table.
        call: The call that all its rows are; see :class:`analytics.io.tables.TableReading`.

    >>> rows = JsonRows("pages.ndjson")
    >>> batch = rows.batch([(1, b'{"ID": "1", "ANONYMOUS_ID": "a", "RECEIVED_AT": "2026-03-03T10:00:00Z", "HUE": 7}')])
    >>> batch.frame.select("type", "message_id").row(0), rows.unread
    (('page', '1'), ['HUE'])
    """

    def __init__(self, name: str, call: str | None = None) -> None:
        self._name = name
        self._call = call
        # Of all rows so far: which columns a table has decides what its rows are.
        self._columns: dict[str, None] = {}
        self._unread: dict[str, None] = {}

    @property
    def unread(self) -> list[str]:
        """Columns of the rows so far that are not read."""
        return list(self._unread)

    def batch(self, lines: Iterable[tuple[int, Line]]) -> Flattened:
        """Read a batch of rows.

        Args:
            lines: Rows with their numbers; blank ones are skipped.

        Returns:
            The usable rows, and dead letters with the numbers and bytes of the others.

        Raises:
            EventFileError: The table has no column of events, or nothing says which call its rows are.
        """
        rows: list[tuple[int, bytes, Record]] = []
        broken: list[tuple[int, Line]] = []
        for number, line in lines:
            if isinstance(line, LongLine):
                broken.append((number, line))
                continue
            try:
                rows.append((number, line.rstrip(b"\r"), read_object(line)))
            except (RejectedError, ValueError, RecursionError):
                broken.append((number, line))
        # What is no object is judged, and described, as any other line.
        letters = list(flatten_cut_lines(broken).dead_letters)
        if not rows:
            return Flattened(flatten_numbered(()).frame, tuple(letters))
        self._columns |= dict.fromkeys(column for _, _, row in rows for column in row)
        reading = TableReading(list(self._columns), self._name, self._call)
        self._unread |= dict.fromkeys(reading.unread)
        table = pl.DataFrame([_column(column, [row.get(column) for _, _, row in rows]) for column in self._columns])
        read = usable_events(reading.rows(table))
        for letter in read.dead_letters:
            number, line, _ = rows[(letter.position or 1) - 1]
            letters.append(replace(letter, raw=line, position=number))
        return replace(read, dead_letters=tuple(sorted(letters, key=lambda letter: letter.position or 0)))


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    """A column: of numbers if all are, as epoch times may be; else of texts, where an empty one is null as in a CSV."""
    kinds = {type(value) for value in values if value is not None}
    if kinds in ({int}, {float}):
        # A whole number may be longer than 64 bits.
        with suppress(OverflowError, TypeError):
            return pl.Series(name, values, dtype=pl.Int64 if kinds == {int} else pl.Float64)
    texts = [value if isinstance(value, str) or value is None else canonical(value) for value in values]
    return pl.Series(name, [text or None for text in texts], dtype=pl.String)
