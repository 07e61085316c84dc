"""Claims about the HTML that reports and notebooks share: everything is escaped, numbers are written for people."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from jinja2 import UndefinedError
from pages import Page

from analytics.html.notebook import notebook_html
from analytics.html.numbers import (
    count,
    decimal,
    general,
    interval,
    moment,
    p_equals,
    p_value,
    percent,
    points,
    rate,
    setting,
    share,
    times,
)
from analytics.html.rendering import _environment, render
from analytics.html.tables import number, table, text


def test_numbers_are_written_for_people():
    """With separators, as many digits as count, a true minus, and a dash where there is none."""
    assert [count(20072), decimal(-0.004), decimal(-1234.5, 1)] == ["20,072", "0.00", "−1,234.5"]
    assert [percent(0.0114), percent(0.8061), share(0.894), share(-0.001)] == ["1.14%", "80.6%", "89%", "0%"]
    assert [rate(0.0114, 0.01, 0.013), points(0.012, 0.0031, 0.0209)] == ["1.14% [1.00, 1.30]", "+1.20 [+0.31, +2.09]"]
    assert [times(2.5, 1.8, 1e9), times(1.35, 0.85, 2.14)] == ["2.5 [1.8, >1000]", "1.35 [0.85, 2.14]"]
    assert [p_value(0.0281), p_equals(0.0001), p_equals(0.0281)] == ["0.028", "p < 0.001", "p = 0.028"]
    assert [general(12345.6), general(-0.0123456, sign=True), interval(-1, 2.5)] == ["12,346", "−0.01235", "[−1, 2.5]"]
    assert [setting(value=True), setting(0.5), setting("a")] == ["True", "0.5", "a"]
    assert moment(datetime(2026, 3, 3, 14, tzinfo=UTC)) == "3 March 2026, 14:00"
    assert {form(None) for form in (count, decimal, percent, p_value, points, general, setting, share)} == {"–"}
    assert {form(math.nan) for form in (decimal, percent, p_value, share)} == {"–"}


def test_a_table_is_cut_and_says_so():
    """The first cell names its row, numbers stand to the right, and the caption has the number of rows."""
    rows = [{"name": f"<{i}>", "n": i} for i in range(1500)]
    columns = {"who": text("name"), "how many": number(count, "n")}
    assert table(rows, columns, most=2).rows == (("<0>", "0"), ("<1>", "1"))
    page = "{% import 'parts.html.j2' as part %}{{ part.table(rows, 'names', columns, most=2) }}"
    html = _environment("analytics.html").from_string(page).render(rows=rows, columns=columns)
    assert '<th scope="row" class="text">&lt;0&gt;</th><td class="number">0</td>' in html
    assert Page(html).outline.startswith("table: names. The first 2 of 1,500 rows\n| who | how many\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<b>&", "&lt;b&gt;&amp;"),
        ("a\u202eb\x00", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),
        ("x" * 2000, "x" * 1000 + "… (2,000 characters)"),
    ],
)
def test_texts_are_escaped_and_visible(value: str, shown: str):
    """Markup is text, what cannot be seen or reverses the line is replaced, and very long texts are cut."""
    assert notebook_html(preformatted=value) == f"<pre>{shown}</pre>\n"


def test_a_misspelt_name_is_an_error():
    """A template never shows nothing in place of a value that it asks for by a wrong name."""
    with pytest.raises(UndefinedError, match="'chart' is undefined"):
        render("chart.html.j2", drawing="none")


def test_a_notebook_shows_all_parts():
    """Name, headline, description, tables, counts and notes, each escaped."""
    frame = pl.DataFrame({"x": ["<td>"]})
    known: dict[str, Any] = {"name": "<n>", "description": "<d>", "counts": {"<c>": "1"}, "notes": ["<a>"]}
    html = notebook_html(", <h>", frames=[frame], **known)
    assert "<strong>&lt;n&gt;</strong>, &lt;h&gt;" in html
    assert all(f"&lt;{each}&gt;" in html for each in ("d", "c", "a", "td"))
