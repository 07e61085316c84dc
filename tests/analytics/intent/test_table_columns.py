"""Claims about what columns of one's own table look like, and what is advised."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from analytics.errors import VisitTableError
from analytics.intent.own_tables import own_table
from analytics.intent.table_columns import identifier_warnings

N = 40
OUTCOME = {"bought": [0, 1] * (N // 2)}


@pytest.mark.parametrize(
    ("name", "values", "warns"),
    [
        ("firm_id", [row % 20 * 7 for row in range(N)], True),
        ("firmId", [float(row % 20) for row in range(N)], True),
        ("account", [row % 20 for row in range(N)], True),
        ("anything", range(1000, 1000 + N), True),
        ("seats", [row % 20 for row in range(N)], False),
        ("seats_per_account", [row % 20 for row in range(N)], False),
        ("paid", [row % 20 for row in range(N)], False),
        ("score_id", [row / 3 for row in range(N)], False),
        ("plan_id", [row % 3 for row in range(N)], False),
    ],
)
def test_identifiers_are_recognised(name: str, values: Any, *, warns: bool) -> None:
    """Whole numbers, many of them, by their name or as they number the rows; not quantities."""
    assert bool(list(identifier_warnings([pl.Series(name, list(values))]))) is warns


def test_an_identifier_among_the_signals_is_a_warning() -> None:
    """Unless it is a category, or the account."""
    table = {"firm_id": [row % 20 for row in range(N)], "seats": [row * row for row in range(N)], **OUTCOME}
    (warning,) = own_table(table, None, "bought").warnings
    assert warning.startswith("firm_id: looks like an identifier (20 different whole numbers)")
    assert "--category firm_id" in warning
    assert own_table(table, None, "bought", categories=["firm_id"]).warnings == ()
    assert own_table(table, None, "bought", account="firm_id").warnings == ()


@pytest.mark.parametrize(
    ("value", "kind", "advice"),
    [
        ("8,16", "numbers with a decimal comma", "write them with a point"),
        ("1.234,5", "numbers with a decimal comma", "write them with a point"),
        ("07", "numbers stored as text", "store it as numbers, or make it a category"),
        ("03.12.2026", "dates", "make it a number, such as days since a date"),
        (date(2026, 3, 3), "dates", "make it a number, such as days since a date"),
    ],
)
def test_what_text_holds_is_said(value: object, kind: str, advice: str) -> None:
    """As a warning where the column was not asked for, and as an error where it was."""
    table = {"days": [value] * N, "seats": [row * row for row in range(N)], **OUTCOME}
    assert f"as they are not numbers: days, which holds {kind};" in own_table(table, None, "bought").warnings[0]
    with pytest.raises(VisitTableError, match=f"it holds {kind}: {advice}$"):
        own_table(table, ["days"], "bought")


def test_one_row_is_singular() -> None:
    """In the count of rows left out, and of those without an account."""
    table = {"seats": [None, *range(0, 2 * N - 2, 2)], "firm": ["a"] * (N - 1) + ["null"], **OUTCOME}
    left_out, nobody = own_table(table, ["seats"], "bought", account="firm").warnings
    assert left_out == f"1 of {N} rows is left out: no value in seats (1)"
    assert nobody.startswith("firm: 1 row has a text that stands for no account")
