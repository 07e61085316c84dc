"""Claims about the parts of the report that say how far to trust the model."""

import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from statsmodels.discrete.discrete_model import Logit

from analytics.errors import IntentModelError
from analytics.intent.model import IntentModel
from analytics.intent.naive_analyses import EVERYTHING, NaiveComparison, compare_analyses
from analytics.intent.session_length import SessionLengthComparison
from analytics.report.render import ReportData, render_report
from analytics.report.trust import analyses_section, clustering_note, session_section
from analytics.sessions.visits import visit_table
from analytics.signals.definitions import signal_named
from analytics.statistics.funnel import FunnelStatistics

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
    assert section.count(" SE)") == compared.table["true_coefficient"].is_not_null().sum()
    assert "hold the truth" not in analyses_section(compare_analyses(events, MODEL))


def test_an_analysis_that_could_not_be_done_is_named_with_its_reason(events: pl.DataFrame):
    """Its reason stands in the section, escaped."""
    compared = compare_analyses(events, MODEL, TRUTH)
    left = {name: results for name, results in compared.results.items() if name != EVERYTHING}
    section = analyses_section(NaiveComparison(left, {EVERYTHING: "no <b> for all"}))
    assert f"{EVERYTHING}: no &lt;b&gt; for all" in section


def test_the_report_holds_both_where_they_are_given(events: pl.DataFrame):
    """And neither where they are not."""
    data = ReportData(
        FunnelStatistics(events),
        title="both",
        session_length=SessionLengthComparison(visit_table(events), MODEL),
        analyses=compare_analyses(events, MODEL),
    )
    headings = ("How session length counts", "What other analyses would have said")
    page, bare = render_report(data), render_report(ReportData(FunnelStatistics(events), title="none"))
    assert all(heading in page for heading in headings)
    assert not any(heading in bare for heading in headings)


def clustered_visits(account_sd: float) -> pl.DataFrame:
    """4,000 visits of 200 companies of 20, half of which have a signal; they differ in willingness that nobody sees."""
    rng = np.random.default_rng(5)
    account, fits = np.repeat(np.arange(200), 20), np.repeat(np.arange(200) % 2 == 0, 20)
    log_odds = -1.0 + 0.5 * fits + account_sd * rng.normal(size=200)[account]
    return pl.DataFrame(
        {
            "anonymous_id": [f"v{i}" for i in range(4000)],
            "account": [f"g{i}" for i in account],
            "security_page_view": fits,
            "at_risk": True,
            "censored": False,
            "requested_demo": rng.random(4000) < 1 / (1 + np.exp(-log_odds)),
        }
    )


def test_the_report_says_by_how_much_clustering_widens_the_errors():
    """The ratio is that to statsmodels' errors of independent visits; where it is large, that naive intervals miss."""
    visits = clustered_visits(1.0)
    results = IntentModel([signal_named("security_page_view")], []).fit(visits, {"security_page_view": 0.5})
    x = np.column_stack([np.ones(4000), visits["security_page_view"].cast(float).to_numpy()])
    naive = Logit(visits["requested_demo"].cast(float).to_numpy(), x).fit(disp=False).bse
    np.testing.assert_allclose(list(results.nonrobust_standard_error.values()), naive, rtol=1e-8)
    note = clustering_note(results)
    ratios = sorted(results.coefficients["standard_error"].to_numpy() / naive)
    assert ratios[1] > 1.5
    assert f"{ratios[0]:.2f} to {ratios[1]:.2f} times" in note
    assert "intervals cover these averages, naive ones do not" in note
    assert "truth" in note


def test_where_companies_are_alike_both_errors_say_the_same_and_without_companies_there_is_nothing_to_say():
    """No alarm is raised where clustering changes nothing, nor of companies where none is known."""
    visits, model = clustered_visits(0.0), IntentModel([signal_named("security_page_view")], [])
    assert "much the same" in clustering_note(model.fit(visits))
    assert clustering_note(model.fit(visits.drop("account"))) == ""
