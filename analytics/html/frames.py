"""Frames as people are shown them, in notebooks and in CSV files that open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import polars as pl

from analytics.html.escaping import Labels, as_line

_FORMULA: Final = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
"""First characters, also in their wide forms, by which a spreadsheet takes a text for a formula."""
_NUMBER: Final = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def shown_frame(frame: pl.DataFrame) -> pl.DataFrame:
    r"""Return a frame with its texts and the names of its columns as people are shown them.

    Texts of a column that differ stay different, see :class:`Labels`.

    Args:
        frame: Any frame; numbers and times stay as they are.

    >>> shown_frame(pl.DataFrame({"page": ["/a@b.co", "/c@d.co", "/x\x1b"], "n": [1, 2, 3]})).rows()
    [('/[e-mail]', 1), ('/[e-mail] #2', 2), ('/x�', 3)]
    """
    columns = frame.select(pl.selectors.string(), pl.selectors.by_dtype(pl.Categorical, pl.Enum))
    labels = Labels()
    shown = frame.with_columns(shown_texts(column, Labels()) for column in columns)
    return shown.rename({name: str(labels(name)) for name in frame.columns})


def shown_texts(texts: pl.Series, form: Callable[[str], str] = as_line) -> pl.Series:
    r"""Return a column of texts as people are shown them, each by itself.

    Args:
        texts: Texts, categories or null.
        form: How one text is shown.

    >>> shown_texts(pl.Series(["/a@b.co", "/c@d.co", None])).to_list()
    ['/[e-mail]', '/[e-mail]', None]
    """
    known = texts.cast(pl.String).unique(maintain_order=True).drop_nulls().to_list()
    shown = [str(form(text)) for text in known]
    return texts if shown == known else texts.cast(pl.String).replace(known, shown)


def write_csv(frame: pl.DataFrame, file: Path | IO[bytes]) -> None:
    """Write a frame for people, as :func:`shown_frame` has it, in a CSV file that is safe to open in a spreadsheet.

    Args:
        frame: Any flat frame; times are written as ISO 8601 in UTC.
        file: The file, which is replaced, or one that is open.

    >>> import io
    >>> file = io.BytesIO()
    >>> write_csv(pl.DataFrame({"device": ["=1+1", "-", "-3.5"], "change": [-3.5, 0, 1]}), file)
    >>> file.getvalue().decode().split()
    ['device,change', "'=1+1,-3.5", "'-,0.0", '-3.5,1.0']
    """
    # The Z tells readers of the CSV that times are UTC; Polars would leave it out.
    quoted(shown_frame(frame)).write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")


def quoted(frame: pl.DataFrame) -> pl.DataFrame:
    """Mark the texts, and names of columns, that a spreadsheet would take for formulas.

    They get an apostrophe, by which spreadsheets mark a text; one with apostrophes before the formula gets one more.

    Args:
        frame: Any frame.

    >>> quoted(pl.DataFrame({"+a": ["=1+1", "'=1", "-3.5", "a=b"]})).to_dict(as_series=False)
    {"'+a": ["'=1+1", "''=1", '-3.5', 'a=b']}
    """

    def marked(texts: pl.Series) -> pl.Series:
        # A text that is a number is one in a spreadsheet too.
        is_number = texts.str.contains(_NUMBER).fill_null(value=False)
        return texts.zip_with(is_number, texts.str.replace(rf"^('*{_FORMULA})", "'$1"))

    return _replaced(frame, marked)


def unquoted(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what :func:`quoted` was given.

    Args:
        frame: What it returned.

    >>> unquoted(pl.DataFrame({"'+a": ["'=1+1", "''=1", "-3.5", "a=b"]})).to_dict(as_series=False)
    {'+a': ['=1+1', "'=1", '-3.5', 'a=b']}
    """
    return _replaced(frame, lambda texts: texts.str.replace(rf"^'('*{_FORMULA})", "$1"))


def _replaced(frame: pl.DataFrame, form: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
    named = frame.with_columns(map(form, frame.select(pl.selectors.string())))
    named.columns = form(pl.Series(frame.columns, dtype=pl.String)).to_list()
    return named


def read_csv(file: Path | IO[bytes]) -> pl.DataFrame:
    r"""Read what :func:`write_csv` has written, with types by all rows; texts lose the apostrophe that they got.

    Args:
        file: The file.

    Raises:
        pl.exceptions.PolarsError: It is no CSV.

    >>> import io
    >>> read_csv(io.BytesIO(b"device,change\n'=1+1,-3.5\n''=,1")).rows()
    [('=1+1', -3.5), ("'=", 1.0)]
    """
    # CSV has no types: times are known by their form, numbers by all rows.
    return unquoted(pl.read_csv(file, try_parse_dates=True, infer_schema_length=None))
