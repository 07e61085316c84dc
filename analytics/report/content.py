"""The report's section on segment × content: does having read something matter more in some segments than in others?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.model import SIGNIFICANT
from analytics.report.html import Html, count, decimal, element, join, number_table, p_value, rate, times

if TYPE_CHECKING:
    from analytics.statistics.segment_content import SegmentContent

__all__ = ["content_section"]

_NONE: Final = "–"
_MOST_TABLE_ROWS: Final = 200


def content_section(segment: str, found: SegmentContent) -> Html:
    """Lay out conversion with and without a content in each segment, and the tests of interaction.

    Args:
        segment: What the segments are, such as ``region``.
        found: Counts, rates and tests.
    """
    if found.conversion.is_empty():
        return Html("")
    caption = (
        f"Of {found.per}s at whose end a first request could be made, by what the visitor had seen before it; the "
        f"odds ratio compares those who had seen a content with those who had not, with {100 * found.level:g}% "
        f"intervals. Content and {segment} interact where that ratio is not the same everywhere."
    )
    return join(
        [
            element("h2", f"Does content count differently by {segment}?"),
            element("p", _verdict(segment, found.tests)),
            element("p", caption, class_="soft"),
            _tests(found.tests),
            element("details", element("summary", "The numbers"), _conversion(segment, found.conversion)),
        ]
    )


def _verdict(segment: str, tests: pl.DataFrame) -> str:
    tested = tests.drop_nulls("p_adjusted")
    told = tested.filter(pl.col("p_adjusted") < SIGNIFICANT)["content"].to_list()
    if tested.is_empty():
        return f"No content can be tested for interaction with {segment}."
    if not told:
        return f"Of {tested.height} contents none can be told to count differently by {segment} (at 5%, adjusted)."
    return f"Of {tested.height} contents these count differently by {segment} (at 5%, adjusted): {', '.join(told)}."


def _tests(tests: pl.DataFrame) -> Html:
    rows = [
        (
            row["content"],
            decimal(row["statistic"], 1),
            count(row["degrees_of_freedom"]),
            p_value(row["p_value"]),
            p_value(row["p_adjusted"]),
            decimal(row["common_odds_ratio"]),
            row["note"] or "",
        )
        for row in tests.head(_MOST_TABLE_ROWS).to_dicts()
    ]
    heads = ["content", "χ²", "d.f.", "p", "adjusted p", "common odds ratio", "note"]
    caption = "Tests of interaction (Breslow and Day, with Tarone's correction); adjusted for their number by Holm"
    return number_table(heads, rows, caption, n_notes=1)


def _conversion(segment: str, conversion: pl.DataFrame) -> Html:
    heads = [segment, "content", "seen", "of them asked", "not seen", "of them asked", "odds ratio"]
    rows = [_cells(segment, row) for row in conversion.head(_MOST_TABLE_ROWS).to_dicts()]
    cut = f", the first {_MOST_TABLE_ROWS} of {conversion.height}" if conversion.height > _MOST_TABLE_ROWS else ""
    return number_table(heads, rows, f"Requests by {segment} and content{cut}", n_texts=2)


def _cells(segment: str, row: dict[str, Any]) -> tuple[str, ...]:
    def asked(which: str) -> str:
        return rate(*(row[f"conversion_{which}{end}"] for end in ("", "_low", "_high")))

    ratio = row["odds_ratio"]
    return (
        row[segment],
        row["content"],
        count(row["n_seen"]),
        asked("seen"),
        count(row["n_unseen"]),
        asked("unseen"),
        _NONE if ratio is None else times(ratio, row["odds_ratio_low"], row["odds_ratio_high"]),
    )
