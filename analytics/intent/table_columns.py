"""What the columns of one's own table look like: identifiers, dates, and numbers that were written as text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl

# `firm_id`, `firmId` and `firm`, but neither `paid` nor `seats_per_firm`.
_NAME: Final = re.compile(
    r"(?i:(?:.*[\W_\d])?(?:ids?|uuid|zip|code|key))|.*[a-z](?:I[dD]|Code|Key)"
    r"|(?i:account|firm|company|customer|user|visitor|client|tenant)(?i:id)?"
)
"""Names of columns whose whole numbers are names of things."""

# A flag, or a scale of a few steps, may have such a name.
_FEWEST: Final = 10

_KINDS: Final = {
    "numbers stored as text": r"^\s*[-+]?\d+(\.\d+)?\s*$",
    "numbers with a decimal comma": r"^\s*[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?\s*$",
    "dates": r"^\s*(\d{4}-\d\d?-\d\d?|\d{1,2}[./]\d{1,2}[./]\d{2,4})([T ].*)?$",
}
_ADVICE: Final = {
    "numbers stored as text": "store it as numbers, or make it a category",
    "numbers with a decimal comma": "write them with a point",
    "dates": "make it a number, such as days since a date",
}


def kind_of(values: pl.Series) -> str:
    """What the values of a column that is not of numbers are in truth; empty if they are just texts.

    >>> kind_of(pl.Series(["8,5", "12"])), kind_of(pl.Series(["2026-03-03"])), kind_of(pl.Series(["pro", "7"]))
    ('numbers with a decimal comma', 'dates', '')
    """
    if values.dtype.is_temporal():
        return "dates"
    if values.dtype != pl.String:
        return ""
    texts = values.drop_nulls()
    return next((kind for kind, pattern in _KINDS.items() if len(texts) and texts.str.contains(pattern).all()), "")


def advice_on(values: pl.Series) -> str:
    """What to do with a column that is not of numbers, in Python and on the command line.

    >>> advice_on(pl.Series("plan", ["pro"]))
    "make it a category with a reference level such as 'pro' (categories, or --category plan=pro)"
    """
    if kind := kind_of(values):
        return f"it holds {kind}: {_ADVICE[kind]}"
    level = str(values.drop_nulls().first())
    option = shlex.quote(f"{values.name}={level}")
    return f"make it a category with a reference level such as {level!r} (categories, or --category {option})"


def identifier_warnings(columns: Iterable[pl.Series]) -> Iterator[str]:
    """Warn of signals of whole numbers that look like identifiers, of which a linear effect means nothing.

    By their name, or as they number the rows: a file of texts does not say what was a number and what a name.

    Args:
        columns: The signals that are read as numbers.

    >>> next(identifier_warnings([pl.Series("firm_id", range(100, 150))]))[:57]
    'firm_id: looks like an identifier (50 different whole num'
    """
    for values in columns:
        n = values.n_unique()
        if n >= _FEWEST and _is_whole(values) and (_NAME.fullmatch(values.name) or _numbers_rows(values)):
            yield (
                f"{values.name}: looks like an identifier ({n:,} different whole numbers), but is read as a quantity; "
                f"make it a category (categories, or --category {shlex.quote(values.name)}) or the account, or leave "
                "it out of the signals"
            )


def _is_whole(values: pl.Series) -> bool:
    return values.dtype.is_integer() or (values.dtype.is_float() and bool((values % 1 == 0).all()))


def _numbers_rows(values: pl.Series) -> bool:
    """Whether each row has the next number, in some order."""
    step = values.sort().diff().drop_nulls()
    return bool((step == 1).all())
