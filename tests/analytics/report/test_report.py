"""Claims about the report: it shows the numbers of the analysis, to everybody, whatever the events hold."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flat_events import START, make_events
from pages import Page, assert_golden, assert_sections, assert_self_contained

from analytics.html.numbers import percent, rate
from analytics.html.rendering import render
from analytics.intent.findings import term_name
from analytics.intent.model import IntentModel
from analytics.intent.naive_analyses import EVERYTHING, NaiveComparison, compare_analyses
from analytics.intent.results import IntentResults
from analytics.intent.session_length import SessionLengthComparison
from analytics.report.data import SalesDesk
from analytics.report.render import ReportData, render_report, write_report
from analytics.report.traffic import traffic_view
from analytics.report.view import ReportView, report_view
from analytics.sessions.visits import visit_table
from analytics.signals.definitions import signal_named
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.segment_content import segment_content

BAD = "<script>alert(1)</script>"
HOSTILE = [BAD, "\"'><img src=x onerror=alert(1)>", "\u202egnp.exe", "x" * 10_000, "a&amp;b", "]]>"]
SIGNALS = ["security_page_view", "region_europe", "log_session_minutes", "careers_page_view"]
MODEL = IntentModel([signal_named(name) for name in SIGNALS], ["region_europe:security_page_view"])
TRUTH = {"security_page_view": 0.8, "log_session_minutes": 0.4, "region_europe": 0.0}


def visitors() -> list[dict[str, Any]]:
    """800 visitors of two regions over a day: some read about security, two in three see a second page."""
    rng, rows = np.random.default_rng(31), []
    for i in range(800):
        who = {"anonymous_id": f"v{i}", "at": 20 * i / 800, "context_location_country": ("DE", "US")[i // 3 % 2]}
        who["context_device_type"] = ("desktop", "mobile")[i // 7 % 2]
        minutes = 0.0 if i % 3 == 0 else min(29.0, rng.lognormal(1.2, 1.0))
        saw = rng.random() < 0.3
        rows.append({**who, "category": "security" if saw else "product", "funnel_stage": "bottom" if saw else "top"})
        later = who | {"at": who["at"] + minutes / 60}
        if minutes:
            rows.append({**later, "category": "product", "funnel_stage": "middle"})
        if rng.random() < 1 / (1 + np.exp(2 - 0.8 * saw - 0.4 * np.log1p(minutes))):
            rows.append({**later, "at": later["at"] + 0.01, "type": "track", "event": "Demo Requested"})
    return rows


@pytest.fixture(scope="module")
def data() -> ReportData:
    """A report with everything in it."""
    events = make_events(*visitors())
    visits = visit_table(events)
    requests = {"requested_s": [0.0, 3600.0], "responded_s": [600.0, None], "scheduled_s": [600.0, None]}
    desk = pl.DataFrame({**requests, "slot_s": [86_000.0, None], "response_minutes": [10.0, None]})
    return ReportData(
        FunnelStatistics(events),
        title="a day",
        description="800 visitors",
        seed=0,
        intent=MODEL.fit(visits, truth=TRUTH),
        session_length=SessionLengthComparison(visits, MODEL, 0.4),
        analyses=compare_analyses(events, MODEL, TRUTH, visits=visits),
        content={"region": segment_content(events, "region")},
        sales={"requests": 250, "held": 240, "no_show_rate": None, "response_minutes_mean": 12.34, "own": 0.5},
        sales_desk=SalesDesk(desk, START, START + timedelta(days=1)),
        store={"received": 1110, "accepted": 1000, "duplicate": 60, "conflict": 20, "late": 10, "invalid": 20},
        invalid_by_reason={"not_json": 20},
        provenance={"digest": "c0ffee"},
    )


@pytest.fixture(scope="module")
def view(data: ReportData) -> ReportView:
    """What it shows."""
    return report_view(data)


@pytest.fixture(scope="module")
def html(view: ReportView) -> str:
    """Its page, as `render_report` makes it, without working out the view once more."""
    return render("report.html.j2", "analytics.report", report=view)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    """The page as a browser reads it."""
    return Page(html)


def test_the_page_says_all_that_is_known(page: Page):
    """Every section, table and caption, and what each drawing shows in words."""
    assert_golden(page, Path(__file__).parent / "golden.txt")


def test_the_page_can_be_opened_anywhere(page: Page, html: str):
    """No script, no address outside of it, words beside each drawing, and small enough for an e-mail."""
    assert_self_contained(page)
    assert page.values("role").count("img") == 16
    assert not re.search("https?:|@import", html)
    assert len(html.encode()) < 3_000_000


def test_every_section_can_be_gone_to(page: Page, view: ReportView):
    """The links at the top are the sections of the page, in order."""
    anchors = ["summary", "traffic", "funnel", "segments", "pairs", "signals", "sales", "data"]
    assert assert_sections(page) == list(view.sections) == anchors


def test_phones_have_a_forest_plot_of_their_own(html: str, view: ReportView):
    """It stands beside the other one, with the same title; the style shows one of the two."""
    found = view.model.coefficients
    assert found is not None
    assert found.narrow_chart.title == found.chart.title
    for place, svg in (("wide", found.chart.svg), ("narrow", found.narrow_chart.svg)):
        drawing = rf'<div class="on-{place}"><div role="img" aria-label="[^"]*">(<svg.*?</svg>)</div>\n</div>'
        assert re.findall(drawing, html) == [svg]
    assert ".on-narrow { display: none; }" in html
    assert "@media (max-width: 36rem) { .on-narrow { display: block; } .on-wide { display: none; } }" in html


def test_the_view_holds_the_numbers_of_the_analysis(view: ReportView, data: ReportData):
    """Totals, stages, hours, segments, coefficients and all else that the page shows are those computed."""
    intent = data.intent
    assert intent is not None
    assert data.session_length is not None
    assert data.analyses is not None
    assert view.totals == data.totals.row(0, named=True)
    assert view.funnel == data.funnel.to_dicts()
    assert view.traffic is not None
    counts = pl.DataFrame(view.traffic.counts).select("start", "page_views", "demo_requests")
    assert counts.rows() == data.hourly.select("hour", "page_views", "demo_requests").rows()
    tables = {":".join(found.dimensions): found.rates for found in (*view.segments, *view.pairs)}
    assert tables == {name: table.to_dicts() for name, table in data.segments.items()}
    crossed, (shown,) = data.content["region"], view.interactions
    assert (shown.tests, shown.rates) == (crossed.tests.to_dicts(), crossed.conversion.to_dicts())
    assert view.model.coefficients is not None
    columns = ["signal", "coefficient", "standard_error", "p_adjusted", "true_coefficient"]
    terms = pl.DataFrame(view.model.coefficients.terms)
    assert sorted(terms.select(columns).rows()) == sorted(intent.coefficients.select(columns).rows())
    assert intent.dropped
    dropped = [
        f"Dropped: {term_name(term)} ({reason})" for term, reason in intent.dropped.items() if term not in intent.unseen
    ]
    unseen = [f"Not seen in these events: {', '.join(map(term_name, intent.unseen))}"] if intent.unseen else []
    assert list(view.model.warnings) == [*intent.warnings, *dropped, *unseen]
    assert view.session_length is not None
    assert view.session_length.forms == data.session_length.table.to_dicts()
    assert view.naive_analyses is not None
    naive = [(row["n_covered"], row["n_terms"]) for row in view.naive_analyses.verdicts]
    # Nobody was seen after a request: the two analyses by visitor are one, which is said.
    *shown, last = data.analyses.results
    assert naive == data.analyses.verdicts.filter(pl.col("analysis") != last).select("n_covered", "n_terms").rows()
    assert view.naive_analyses.failures[last].startswith(f"the same as {shown[-1]}")
    errors = sum("SE)" in cell for row in view.naive_analyses.coefficients for cell in row.values())
    of_shown = data.analyses.table.filter(pl.col("analysis") != last)
    assert errors == of_shown["true_coefficient"].is_not_null().sum()


def test_measures_of_quality_are_those_of_the_model(view: ReportView, data: ReportData):
    """Out-of-fold quality, joint test, collinearity and calibration, each beside what to compare it with."""
    assert data.intent is not None
    quality, tested = data.intent.out_of_fold, data.intent.all_signals
    checks = view.model.checks
    assert checks is not None
    measures = {name: rest for name, *rest in checks.measures}
    in_sample = f"{data.intent.auc_in_sample:.3f} in-sample (optimistic)"
    assert measures["AUC, out-of-fold"] == [f"{quality.auc:.3f}", in_sample]
    assert measures["Brier score, out-of-fold"][1].startswith(f"{quality.brier_of_base_rate:.4f} ")
    assert measures["largest variance inflation factor"][0] == f"{data.intent.diagnostics['vif'].max():.1f}"
    assert measures[f"joint test of all {tested.degrees_of_freedom} terms, χ²"][0] == f"{tested.statistic:.1f}"
    assert checks.calibration is not None
    last = quality.calibration.row(-1, named=True)
    assert f"{percent(last['predicted'])} predicted, {percent(last['share'])} observed" in checks.calibration.title


def test_european_readers_of_security_pages_are_compared(view: ReportView, data: ReportData):
    """A sentence compares European readers of the security page with those from elsewhere."""
    pairs = data.segments["region:page_group"].filter(page_group="security").sort("region")
    (here, elsewhere) = pairs.to_dicts()
    (pair,) = view.pairs
    assert f"Of the {here['n']} European visitors who saw a page on security" in pair.remark
    assert f", {rate(*(here[f'conversion{end}'] for end in ('', '_low', '_high')))} requested a demo" in pair.remark
    assert pair.remark.endswith(f"of the {elsewhere['n']} from elsewhere, {percent(elsewhere['conversion'])}.")


def test_traffic_of_segments_is_behind_a_picker(page: Page, html: str, view: ReportView, data: ReportData):
    """Each button has a panel with its own busiest hour and a rule of the style; all visitors are picked at first."""
    assert view.traffic is not None
    numbers = [choice.number for choices in view.traffic.choices.values() for choice in choices]
    assert [value for value in page.values("id") if value.startswith("pick")] == [f"pick-{n}" for n in numbers]
    assert re.findall(r'id="(\S+)" checked', html) == ["pick-0"]
    panels = [value for value in page.values("class") if value.startswith("choice ")]
    assert panels == [f"choice choice-{number}" for number in numbers]
    assert all(f"#pick-{number}:checked) .choice-{number} {{" in html for number in numbers)
    busiest = data.hourly_by["region"][0].filter(region="europe")["page_views"].max()
    assert any("of europe in" in label and f"page views, {busiest}," in label for label in page.values("aria-label"))


def test_segments_without_a_chart_of_traffic_are_counted(no_drawings: None):
    """Twelve channels have a button, the most viewed; the others are no secret."""
    came = {"google": "cpc", "facebook": "cpc", "youtube": None, "bing": None, "linkedin": None, "list": "email"}
    came |= {"partner": "affiliate", "portal": "referral", "talks": "audio", "texts": "sms", "app": "push"}
    came |= {"ads": "banner", "vimeo": "cpc", "amazon": "cpc"}
    rows = [
        {"anonymous_id": f"{source}{n}", "context_campaign_source": source, "context_campaign_medium": medium}
        for source, medium in came.items()
        for n in range(2)
    ]
    data = ReportData(FunnelStatistics(make_events(*rows, {"anonymous_id": "direct"})), BAD)
    traffic = traffic_view(data)
    assert traffic is not None
    assert (len(traffic.choices["channel"]), traffic.n_left_out["channel"]) == (12, 3)
    assert "and 3 with fewer page views" in render_report(data)


def test_equal_data_make_equal_bytes(html: str, data: ReportData, tmp_path: Path):
    """A second report on the same data, written to a file in UTF-8, is the same, byte for byte."""
    write_report(tmp_path / "again.html", replace(data))
    assert (tmp_path / "again.html").read_bytes() == html.encode()


def test_hostile_values_are_text():
    """Markup, quotes, direction marks and 10 kB in UTM values, contents and titles are harmless text, in charts too."""
    keys = ("context_campaign_source", "category", "context_device_type")
    rows = [{"anonymous_id": f"h{i}", **dict.fromkeys(keys, value)} for i, value in enumerate(HOSTILE)]
    data = ReportData(FunnelStatistics(make_events(*rows)), BAD, ("utm_source", "device:utm_source"), seed=1)
    data = replace(data, description=HOSTILE[1], model_error=BAD, sales={BAD: 1.0}, provenance={BAD: BAD})
    html = render_report(replace(data, store={"received": 1, "invalid": 1}, invalid_by_reason={BAD: 1}))
    page = Page(html)
    assert_self_contained(page)
    assert page.outline.count(BAD) >= 6
    assert "\u202e" not in html
    assert "x" * 2_000 not in html
    assert re.search(r"<svg class=\"chart\".*?&lt;script&gt;.*?</svg>", html, flags=re.DOTALL)


def test_hostile_names_and_reasons_are_text(data: ReportData, no_drawings: None):
    """So are names of scenarios, and reasons why an analysis failed; the view has them as they are."""
    assert data.analyses is not None
    done = {name: results for name, results in data.analyses.results.items() if name != EVERYTHING}
    data = replace(data, title=BAD, analyses=NaiveComparison(done, {EVERYTHING: BAD}))
    view = report_view(data)
    assert view.title == BAD
    assert view.naive_analyses is not None
    assert view.naive_analyses.failures == {EVERYTHING: BAD}
    page = Page(render("report.html.j2", "analytics.report", report=view))
    assert "script" not in page.tags
    assert f"{EVERYTHING}: {BAD}" in page.outline


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], ["There are no events", "Visitors\n0", "Conversion\n–"]),
        (
            [{"context_location_country": "NO", "category": "security"}],
            [
                "1 hour, from 3 March 2026, 00:00 to 3 March 2026, 01:00 (UTC)",
                "funnel stage",
                "## Combinations of segments\n### Region × page group",
            ],
        ),
    ],
)
def test_little_data_make_a_report(rows: list[Any], said: list[str], no_drawings: None):
    """Without events, or with a single one, the page says so and invents no number; what is unknown is omitted."""
    data = ReportData(FunnelStatistics(make_events(*rows)), title="little", model_error="too few requests.")
    html = render_report(data)
    outline = Page(html).outline
    assert_sections(Page(html))
    wanted = [*said, "There is no intent model: too few requests.", "Not known: too few requests.\n"]
    assert [each for each in wanted if each not in outline] == []
    absent = ("Sales desk", "Data", "Where these numbers", "seed", "Effect of session length", "naive analyses")
    assert [each for each in (*absent, "Speed-to-lead", "watch out", "Claims") if each in outline] == []
    assert ("<svg" in html) == bool(rows)


def test_a_model_without_signals_is_reported(data: ReportData, no_drawings: None):
    """Where only the intercept is left, the page says so and draws no empty plot."""
    assert data.intent is not None
    fields = {name: getattr(data.intent, name) for name in data.intent.__dataclass_fields__}
    alone = IntentResults(**{**fields, "coefficients": data.intent.coefficients.head(1)})
    outline = Page(render_report(ReportData(data.statistics, title="none", intent=alone))).outline
    assert "The model has no signal left" in outline
    assert "### Coefficients" not in outline
