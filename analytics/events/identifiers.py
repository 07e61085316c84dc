"""Identifiers of browsers, people and accounts: who stands for nobody, and numbers written as floats."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import polars as pl

WHO: Final = ("anonymous_id", "user_id", "context_group_id", "previous_id")
"""Columns of the identifiers of the browser, the person, the account, and whom an alias call names."""

BLANKS: Final = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, (*range(0x2000, 0x200E), 0x2060, 0xFEFF))
)
"""Characters that nobody sees, which are no part of an identifier at its ends: blanks, and those without width."""

_NOBODY: Final = (
    *("", "nan", "null", "none", "nil", "undefined", "n/a", "(not set)", "(null)", "<nil>", "true", "false"),
    *("anonymous", "guest", "not_authenticated", "distinct_id", "distinctid", "[object object]", "unknown"),
    *(r"\N", "na", "<na>", "nat", "#n/a", "-", "[]", "{}"),
)
_UNSET: Final = r"(?:-?0|-1)(?:\.0+)?"
_ALL_ZERO: Final = r"0{8}-?0{4}-?0{4}-?0{4}-?0{12}"
_NOBODY_PATTERN: Final = rf"(?i)^(?:{'|'.join(map(re.escape, _NOBODY))}|{_UNSET}|{_ALL_ZERO})$"
_FLOAT_PATTERN: Final = r"^(-?\d+)\.0+$"
# Apart, as each looks at one end of a text only: together they would search all of it.
_DOUBT_PATTERNS: Final = (rf"^[{BLANKS}]|{_NOBODY_PATTERN}|{_FLOAT_PATTERN}", rf"[{BLANKS}]$")
_NOBODY_TEXT: Final = re.compile(_NOBODY_PATTERN)
_FLOAT_TEXT: Final = re.compile(_FLOAT_PATTERN)


# The events of a visit stand close together, so most identifiers have just been read.
@lru_cache(maxsize=10_000)
def identifier(text: str | None) -> str | None:
    r"""An identifier, or None for a text that stands for nobody.

    Scripts write such texts where they know no identifier: a blank, ``NaN``, ``null``, ``undefined``,
    ``[object Object]``, a UUID of zeros. As an identifier it would join all of whom nothing is known into one person.
    Source: the identifiers that PostHog refuses to merge (posthog.com/docs/product-analytics/identify), and what
    Python, Go, R, pandas, databases (``\N``) and spreadsheets write for nothing. Blanks at the ends are no part of an
    identifier. A whole number with ``.0`` is the number, as table tools write it in a column with gaps.

    ``0``, ``true`` and ``false`` are on PostHog's list because programs write them where a number or a flag is unset,
    as others write ``-1``. A database may have a user 0, whose visits are then those of a browser without a user: a
    small loss beside a person of whom half the stream is made. The analysis of files counts and names all such
    identifiers.

    Args:
        text: The text as it was given.

    >>> identifier("undefined"), identifier("12345.0"), identifier("u-7 ")
    (None, '12345', 'u-7')
    """
    if text is None or _NOBODY_TEXT.match(text := text.strip(BLANKS)):
        return None
    number = _FLOAT_TEXT.match(text)
    return number[1] if number else text


def in_doubt(column: str) -> pl.Expr:
    """Whether :func:`identifier` would change a text of a column; null for null."""
    begin, end = _DOUBT_PATTERNS
    return pl.col(column).str.contains(begin) | pl.col(column).str.contains(end)


def identifiers(column: str) -> pl.Expr:
    """The same as :func:`identifier` for a column of texts."""
    text = pl.col(column).str.strip_chars(BLANKS)
    number = text.str.extract(_FLOAT_PATTERN, 1)
    return pl.when(~text.str.contains(_NOBODY_PATTERN)).then(pl.coalesce(number, text)).alias(column)
