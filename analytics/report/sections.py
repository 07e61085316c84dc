"""The sections of the report, from top to bottom: what happened, who converted, which signals foretell a demo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.segments import SMALL_N, heat_map, segment_chart, segment_rows
from analytics.charts.traffic import funnel_chart
from analytics.report.content import content_section
from analytics.report.html import (
    Html,
    count,
    decimal,
    element,
    figure,
    join,
    moment,
    number_table,
    numbers,
    page,
    percent,
    rate,
)
from analytics.report.model import model_section
from analytics.report.sales import sales_section
from analytics.report.traffic import traffic_section
from analytics.report.trust import analyses_section, session_section

if TYPE_CHECKING:
    from analytics.report.data import ReportData

__all__ = ["report_page"]

_EUROPE_SECURITY: Final = ("europe", "security")
_MOST_TABLE_ROWS: Final = 200
_STORE_NAMES: Final = {
    "accepted": "stored and counted",
    "duplicate": "a second delivery, same content",
    "conflict": "a known identifier with other content",
    "late": "after its hour had left the 24-hour window",
    "invalid": "could not be read as an event",
}


def report_page(data: ReportData) -> str:
    """Lay the report out as one HTML page."""
    sections = [
        _headline(data),
        traffic_section(data),
        _funnel(data),
        _segments(data),
        *_pairs(data),
        *(content_section(segment, found) for segment, found in data.content.items()),
        model_section(data.intent, data.model_error),
        *([] if data.session_length is None else [session_section(data.session_length)]),
        *([] if data.analyses is None else [analyses_section(data.analyses)]),
        sales_section(data),
        _quality(data),
        _provenance(data),
    ]
    return page(f"{data.title} – funnelsim report", element("main", *sections))


def _headline(data: ReportData) -> Html:
    totals = data.totals.row(0, named=True)
    interval = f"[{percent(totals['conversion_low'])}, {percent(totals['conversion_high'])}]"
    facts = [
        ("Visitors", count(totals["visitors"]), f"{count(totals['visits'])} visits"),
        ("Page views", count(totals["page_views"]), ""),
        ("Demo requests", count(totals["demo_requests"]), ""),
        ("Conversion", percent(totals["conversion"]), f"{interval}, {100 * data.level:g}% interval"),
    ]
    if data.sales and data.sales.get("response_minutes_mean") is not None:
        p90 = data.sales.get("response_minutes_p90")
        facts.append(("Speed-to-lead", f"{decimal(data.sales['response_minutes_mean'], 1)} min", _p90(p90)))
    return join(
        [
            element("h1", element("bdi", data.title)),
            element("p", data.description),
            element("p", _period(data), class_="soft"),
            element("dl", *(_fact(*fact) for fact in facts), class_="facts"),
            element("p", _unseen(totals), class_="soft"),
        ]
    )


def _p90(minutes: float | None) -> str:
    return "" if minutes is None else f"9 in 10 at most {decimal(minutes, 1)} min"


def _fact(name: str, value: str, note: str) -> Html:
    return element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))


def _unseen(totals: dict[str, Any]) -> str:
    """Explain why demo requests and conversions differ, where they do."""
    if totals["demo_requests"] == totals["converted"]:
        return "Conversion: share of the visitors seen who requested a demo."
    return (
        f"Conversion: share of the visitors seen who requested a demo, {count(totals['converted'])} of "
        f"{count(totals['visitors'])}. Repeated requests, and those of visitors of whom no page view was seen, are "
        "among the demo requests only."
    )


def _period(data: ReportData) -> str:
    parts = [] if data.seed is None else [f"Simulated with seed {data.seed}"]
    if data.hourly.height:
        first, last = data.hourly["hour"][0], data.hourly["hour"][-1]
        hours = f"{count(data.hourly.height)} hours" if data.hourly.height > 1 else "1 hour"
        parts.append(f"{hours}, from {moment(first)} to {moment(last + timedelta(hours=1))} (UTC)")
    return " · ".join(parts)


def _funnel(data: ReportData) -> Html:
    rows = data.funnel.to_dicts()
    title = element("h2", "The funnel")
    if not rows or not rows[0]["n"]:
        return join([title, element("p", "No visitor was seen.", class_="notice")])
    if not rows[0]["visitors"]:
        return join(
            [title, element("p", "No page view names a funnel stage (properties.funnel_stage).", class_="notice")]
        )
    caption = (
        "A visitor reaches a stage by viewing a page of it or of a later one, or by requesting a demo. Top: awareness; "
        "middle: evaluation; bottom: decision."
    )
    alt_text = "; ".join(f"{row['stage']}: {count(row['visitors'])} visitors, {percent(row['share'])}" for row in rows)
    table = number_table(
        ["stage", "visitors", f"share of all [{100 * data.level:g}%]", f"of the stage before [{100 * data.level:g}%]"],
        [
            (
                str(row["stage"]),
                count(row["visitors"]),
                rate(row["share"], row["share_low"], row["share_high"]),
                rate(row["step_rate"], row["step_rate_low"], row["step_rate_high"]),
            )
            for row in rows
        ],
        "From stage to stage",
    )
    return join([title, figure(funnel_chart(data.funnel), "funnel", caption, alt_text, "middle"), table])


def _segments(data: ReportData) -> Html:
    single = {name: table for name, table in data.segments.items() if ":" not in name and table.height}
    if not single:
        return Html("")
    chosen = {name: segment_rows(table) for name, table in single.items()}
    highs = [high for rows, _ in chosen.values() for high in rows["conversion_high"]]
    caption = (
        f"Share of visitors who requested a demo, with its {100 * data.level:g}% interval (Wilson) and the number of "
        "visitors n. Dashed: all visitors. Intervals that overlap widely do not show a difference. Of content, a "
        "visitor counts in every segment seen before the request; elsewhere each counts once."
    )
    overall, most = data.totals["conversion"][0], max(highs, default=1.0)
    blocks = []
    for index, (name, table) in enumerate(single.items()):
        dots = _dots(chosen[name], f"segment{index}", overall, most)
        blocks.append(element("div", element("h3", f"By {name}"), dots, numbers(_rates([name], table))))
    return join(
        [
            element("h2", "Conversion by segment"),
            element("p", caption, class_="soft"),
            element("div", *blocks, class_="pair"),
        ]
    )


def _dots(chosen: tuple[pl.DataFrame, int], figure_name: str, overall: float | None, most: float) -> Html:
    rows, n_left = chosen
    if rows.is_empty():
        return element("p", "No visitor was seen.", class_="notice")
    name = rows.columns[0]
    words = "; ".join(f"{row[name]} {percent(row['conversion'])} of {count(row['n'])}" for row in rows.to_dicts())
    left = f"{n_left} more in the numbers below." if n_left else ""
    return figure(segment_chart(rows, overall, most), figure_name, left, f"Conversion by {name}: {words}")


def _rates(dimensions: Sequence[str], table: pl.DataFrame) -> Html:
    rows = [
        (
            *(str(row[name]) for name in dimensions),
            count(row["page_views"]),
            count(row["n"]),
            count(row["demo_requests"]),
            rate(row["conversion"], row["conversion_low"], row["conversion_high"]),
        )
        for row in table.head(_MOST_TABLE_ROWS).to_dicts()
    ]
    heads = [*dimensions, "page views", "visitors", "demo requests", "conversion"]
    cut = f", the {_MOST_TABLE_ROWS} with the most page views" if table.height > _MOST_TABLE_ROWS else ""
    return number_table(heads, rows, f"By {' and '.join(dimensions)}{cut}", n_texts=len(dimensions))


def _pairs(data: ReportData) -> list[Html]:
    pairs = [table for name, table in data.segments.items() if ":" in name and table.height]
    return [_pair(table, f"pair{index}") for index, table in enumerate(pairs)]


def _pair(table: pl.DataFrame, figure_name: str) -> Html:
    across, down = table.columns[:2]
    geography = (across, down) == ("region", "page_group")
    title = "Geography × content" if geography else f"{across} × {down}"
    caption = (
        f"Share of visitors who requested a demo, of those who had seen the {down} before; n visitors. Pale, without "
        f"colour: fewer than {SMALL_N} visitors, too few to compare."
    )
    insight, outlined = (_europe_and_security(table), _EUROPE_SECURITY) if geography else ("", None)
    return join(
        [
            element("h2", title),
            element("p", insight),
            figure(heat_map(table, outlined), figure_name, caption, _highest(table), "wide"),
            numbers(_rates([across, down], table)),
        ]
    )


def _highest(table: pl.DataFrame) -> str:
    """Say in words where the heat map is hottest."""
    across, down = table.columns[:2]
    enough = table.filter(pl.col("n") >= SMALL_N).sort("conversion", descending=True, nulls_last=True).head(3)
    words = (
        f"{row[across]} and {row[down]} {percent(row['conversion'])} of {count(row['n'])}" for row in enough.to_dicts()
    )
    return f"Conversion by {across} and {down}. Highest: {'; '.join(words) or 'no pair has enough visitors'}"


def _europe_and_security(table: pl.DataFrame) -> str:
    """Compare European readers of the security pages with those from elsewhere; a visitor has one region only."""
    seen = table.filter(page_group="security").with_columns(europe=pl.col("region") == "europe")
    here, elsewhere = seen.filter("europe"), seen.filter(~pl.col("europe"))
    if here.is_empty() or not elsewhere["n"].sum():
        return ""
    row, n = here.row(0, named=True), int(elsewhere["n"].sum())
    share = int(elsewhere["converted"].sum()) / n
    return (
        f"Of the {count(row['n'])} European visitors who saw a page on security (framed), "
        f"{rate(row['conversion'], row['conversion_low'], row['conversion_high'])} requested a demo; "
        f"of the {count(n)} from elsewhere who saw one, {percent(share)}."
    )


def _quality(data: ReportData) -> Html:
    if data.store is None:
        return Html("")
    store = data.store
    received = store.get("received", 0)
    parts = " + ".join(f"{count(store.get(name, 0))} {name}" for name in _STORE_NAMES)
    rows = [
        (name, meaning, count(store.get(name, 0)), percent(store.get(name, 0) / received) if received else "–")
        for name, meaning in _STORE_NAMES.items()
    ]
    tables = [number_table(["counter", "meaning", "events", "share"], rows, "What became of the events", n_texts=2)]
    if data.invalid_by_reason:
        reasons = [(reason, count(n)) for reason, n in sorted(data.invalid_by_reason.items())]
        tables.append(number_table(["reason", "events"], reasons, "Why events could not be used"))
    balance = element("p", f"{count(received)} received = {parts}.")
    return join([element("h2", "Data quality"), balance, *tables])


def _provenance(data: ReportData) -> Html:
    rows = [] if data.seed is None else [("seed", str(data.seed))]
    rows += [(name, str(value)) for name, value in data.provenance.items()]
    if not rows:
        return Html("")
    table = number_table(["what", "value"], rows, "Where these numbers come from", n_texts=2, classes="mono")
    return join([element("h2", "Provenance"), table])
