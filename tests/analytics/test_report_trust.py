"""Claims about the parts of the report that say how far to trust the model."""

import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from analytics.intent_errors import IntentModelError
from analytics.intent_model import IntentModel
from analytics.naive_analyses import EVERYTHING, SideBySide, compare_analyses
from analytics.report import ReportData, render_report
from analytics.report_trust import analyses_section, session_section
from analytics.session_length import SessionLengthComparison
from analytics.sessions import visit_table
from analytics.signals import signal_named
from analytics.statistics import FunnelStatistics

MODEL = IntentModel([signal_named("security_page_view"), signal_named("log_session_minutes")], [])
TRUTH = {"security_page_view": 0.8, "log_session_minutes": 0.4}


@pytest.fixture(scope="module")
def events(make_events: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    """800 visitors, a third of whom see one page, the others two some minutes apart; a quarter asks."""
    rng = np.random.default_rng(31)
    rows = []
    for i in range(800):
        who = {"anonymous_id": f"v{i}", "at": 20 * i / 800}
        minutes = 0.0 if i % 3 == 0 else min(29.0, rng.lognormal(1.2, 1.0))
        saw = rng.random() < 0.3
        rows.append({**who, "category": "security" if saw else "product"})
        if minutes:
            rows.append({**who, "at": who["at"] + minutes / 60, "category": "product"})
        if rng.random() < 1 / (1 + np.exp(2 - 0.8 * saw - 0.4 * np.log1p(minutes))):
            rows.append({**who, "at": who["at"] + minutes / 60 + 0.01, "type": "track", "event": "Demo Requested"})
    return make_events(*rows)


def test_the_forms_of_session_length_are_drawn_and_compared(events: pl.DataFrame):
    """The section has the chart with the truth, and a row for each form with its distance from the best by AIC."""
    comparison = SessionLengthComparison(visit_table(events), MODEL, 0.4)
    section = session_section(comparison)
    assert ">the truth</text>" in section
    for row in comparison.table.to_dicts():
        assert re.search(rf">{row['form']}</th><td[^>]*>{row['aic_above_best']:.1f}</td>", section), row
    assert f"{comparison.reference:.1f} minutes" in section


def test_visits_that_are_all_equally_long_have_no_forms_to_compare(events: pl.DataFrame):
    """It is an error with a reason, not a curve of zeros."""
    visits = visit_table(events).with_columns(log_session_minutes=pl.lit(0.0))
    with pytest.raises(IntentModelError, match="equally long"):
        SessionLengthComparison(visits, MODEL)


def test_each_analysis_says_how_far_off_it_is(events: pl.DataFrame):
    """Each has its column, and a sentence that names its worst term; where the truth is not known, none."""
    compared = compare_analyses(events, MODEL, TRUTH)
    section = analyses_section(compared)
    for row in compared.verdicts.to_dicts():
        assert f"{row['n_covered']} of {row['n_terms']} intervals hold the truth" in section
    assert section.count(" SE)") == compared.table["truth"].is_not_null().sum()
    assert "hold the truth" not in analyses_section(compare_analyses(events, MODEL))


def test_an_analysis_that_could_not_be_done_is_named_with_its_reason(events: pl.DataFrame):
    """Its reason stands in the section, escaped."""
    compared = compare_analyses(events, MODEL, TRUTH)
    left = {name: results for name, results in compared.results.items() if name != EVERYTHING}
    section = analyses_section(SideBySide(left, {EVERYTHING: "no <b> for all"}))
    assert f"{EVERYTHING}: no &lt;b&gt; for all" in section


def test_the_report_holds_both_where_they_are_given(events: pl.DataFrame):
    """And neither where they are not."""
    data = ReportData.of(
        FunnelStatistics(events),
        title="both",
        session_length=SessionLengthComparison(visit_table(events), MODEL),
        analyses=compare_analyses(events, MODEL),
    )
    headings = ("How session length counts", "What other analyses would have said")
    page, bare = render_report(data), render_report(ReportData.of(FunnelStatistics(events), title="none"))
    assert all(heading in page for heading in headings)
    assert not any(heading in bare for heading in headings)
