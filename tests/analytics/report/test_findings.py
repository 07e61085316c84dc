"""Claims about the model in plain words, and about what the report says of clustered standard errors."""

import re

import numpy as np
import polars as pl
import pytest
from flat_events import make_events
from made_up_visits import visits_of
from pages import Page
from statsmodels.discrete.discrete_model import Logit

from analytics.intent.findings import NO_RELEVANT_EFFECT, coefficient_groups, known_signals
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.report.model_checks import clustering_view
from analytics.report.render import ReportData, render_report
from analytics.signals.definitions import EventCount, EverSeen, SessionLength, signal_named
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.segment_content import segment_content

OWN = (
    EverSeen("docs_view", "has read the <docs>", "high", "category", ("docs",)),
    EventCount("pages", "natural logarithm of 1 + pages so far", "low", scale="log1p"),
    EventCount("visits", "number of visits so far", "context", of="visits"),
    SessionLength("minutes", "minutes of the visit", "context", "minutes"),
)
SECURITY = signal_named("security_page_view")


@pytest.fixture(scope="module")
def results() -> IntentResults:
    """A model of the analyst's own signals beside a built-in one, on 3,000 visits."""
    rng, n = np.random.default_rng(9), 3000
    columns = {
        "security_page_view": rng.random(n) < 0.4,
        "docs_view": rng.random(n) < 0.3,
        "pages": np.log1p(rng.poisson(4, n)),
        "visits": rng.integers(1, 5, n),
        "minutes": rng.exponential(5, n),
    }
    visits = visits_of(columns, {"intercept": -1.4}, rng, per_account=1)
    return IntentModel((SECURITY, *OWN), ["security_page_view:docs_view"]).fit(visits, {"pages": 0.3})


def test_coefficients_are_put_into_words_by_the_meanings_of_signals(results: IntentResults):
    """A yes-or-no signal goes after "a visitor who", a quantity by its unit, a product by both meanings."""
    text = " ".join(results.findings["sentence"])
    assert "A visitor who has read the <docs> has" in text
    assert "times the odds of a demo request, unless the visitor has seen a page on security." in text
    assert "With “pages” doubled (as 1 + number), a visitor has" in text
    assert "With “visits” one more, a visitor has" in text
    assert "With “minutes” 10 minutes longer, a visitor has" in text
    assert "has seen a page on security and has read the <docs>, the odds are multiplied by a further" in text


def test_factors_are_those_of_the_table_per_unit(results: IntentResults):
    """Twice as many pages multiply the odds by 2 to the power of the coefficient, as the table of units says."""
    pages = results.findings.filter(signal="pages")["sentence"].item()
    (factor,) = re.findall(r"has ([\d.]+) \[", pages)
    assert float(factor) == pytest.approx(
        results.odds_ratio_unit.filter(signal="pages")["odds_ratio_per_unit"].item(), abs=0.006
    )


def test_signals_stand_under_what_is_expected_of_them(results: IntentResults):
    """High-intent signals come first, then context, low intent and interactions; the analyst's own among them."""
    groups = coefficient_groups(results.coefficients, known_signals(results.basis))
    assert {heading: table["signal"].to_list() for heading, table in groups.items()} == {
        "High-intent signals": ["security_page_view", "docs_view"],
        "Context": ["visits", "minutes"],
        "Low-intent signals": ["pages"],
        "Interactions": ["security_page_view:docs_view"],
    }


def test_the_report_has_the_meaning_of_each_signal_as_text(results: IntentResults, no_drawings: None):
    """The page defines every signal, and a meaning that looks like markup is text."""
    page = Page(render_report(ReportData(FunnelStatistics(make_events()), "signals", intent=results)))
    assert page.row("docs_view") == ["docs_view", "a visitor who has read the <docs>"]
    assert page.row("pages", "natural logarithm of 1 + pages so far")
    assert "docs" not in page.tags


def visits_of_companies(account_sd: float) -> pl.DataFrame:
    """4,000 visits of 200 companies, half of which have a signal; companies differ in an unobserved way."""
    rng = np.random.default_rng(5)
    fits, unobserved = np.repeat(np.arange(200) % 2 == 0, 20), account_sd * np.repeat(rng.normal(size=200), 20)
    truth = {"intercept": -1.0, "security_page_view": 0.5}
    return visits_of({"security_page_view": fits}, truth, rng, per_account=20, unobserved=unobserved)


def test_clustered_errors_are_compared_with_naive_ones(no_drawings: None):
    """The ratios are those to statsmodels' errors of independent visits; where large, the page says what follows."""
    visits = visits_of_companies(1.0)
    results = IntentModel([SECURITY], []).fit(visits, {"security_page_view": 0.5})
    x = np.column_stack([np.ones(4000), visits["security_page_view"].cast(float).to_numpy()])
    naive = Logit(visits["requested_demo"].cast(float).to_numpy(), x).fit(disp=False).bse
    np.testing.assert_allclose(list(results.nonrobust_standard_error.values()), naive, rtol=1e-8)
    ratios = sorted(results.coefficients["standard_error"].to_numpy() / naive)
    assert ratios[1] > 1.5
    outline = Page(render_report(ReportData(FunnelStatistics(make_events()), "clusters", intent=results))).outline
    assert f"{ratios[0]:.2f} to {ratios[1]:.2f} times" in outline
    assert "intervals cover these averages and naive ones do not, and neither need cover the true value" in outline


def test_where_companies_are_alike_there_is_no_alarm():
    """The ratio is small where clustering changes nothing, and there is none where no company is known."""
    visits, model = visits_of_companies(0.0), IntentModel([SECURITY], [])
    found = clustering_view(model.fit(visits))
    assert found is not None
    assert found.most < 1.1
    assert not found.truth_known
    assert clustering_view(model.fit(visits.drop("account"))) is None


def readers(asked_in_europe: int) -> list[dict[str, object]]:
    """400 visitors of two regions, half of whom see the security page; of 100 of these 20 ask, in Europe more."""
    rows: list[dict[str, object]] = [{"anonymous_id": "last", "at": 23.0, "category": "product"}]
    for i in range(400):
        europe, saw, place = i % 2, i // 2 % 2, i // 4
        who = {"anonymous_id": f"v{i}", "context_location_country": "DE" if europe else "US", "at": i / 100}
        rows.append({**who, "category": "security" if saw else "product"})
        if place < (asked_in_europe if europe and saw else 20):
            rows.append({**who, "at": i / 100 + 0.1, "type": "track", "event": "Demo Requested"})
    return rows


@pytest.mark.parametrize(("asked", "found"), [(60, "security"), (20, "none"), (0, "")])
def test_interactions_of_segment_and_content_have_a_verdict(asked: int, found: str, no_drawings: None):
    """The page names the contents whose effect differs by region; without visits there is no heading."""
    tested = segment_content(make_events(*(readers(asked) if asked else [])), "region", ["security"])
    data = ReportData(FunnelStatistics(make_events()), "readers", content={"region": tested})
    outline = Page(render_report(data)).outline
    assert (f"by region (Holm, 5%): {found}, of 1 tested." in outline) == bool(found)
    assert ("differ by region?" in outline) == bool(found)


def table_of(rates: tuple[float, float], n: int, seed: int = 1) -> pl.DataFrame:
    """Visits without and with a signal, as many of each, and these shares of them ended in a request."""
    asked = [k < rate * n for rate in rates for k in range(n)]
    return pl.DataFrame({"signal": [False] * n + [True] * n, "asked": asked})


@pytest.mark.parametrize(
    ("rates", "n", "finding"),
    [
        ((0.2, 0.3), 2_000, "● raises the odds"),
        ((0.3, 0.2), 2_000, "● lowers the odds"),
        ((0.2, 0.205), 5_000, "= no relevant effect"),
        ((0.2, 0.205), 500, "· no effect shown"),
    ],
)
def test_a_finding_is_the_test_in_words(rates: tuple[float, float], n: int, finding: str):
    """Significant either way; shown to be small, by an interval of 90 % within the margin; or not shown."""
    results = IntentModel.fit(table_of(rates, n), signals=["signal"], outcome="asked")
    (row,) = results.findings.to_dicts()
    assert f"{row['mark']} {row['finding']}" == finding
    half = 1.6449 * results.coefficients["standard_error"][1]
    assert (abs(row["coefficient"]) + half < NO_RELEVANT_EFFECT) == (finding == "= no relevant effect")


def test_an_interval_that_the_adjusted_test_contradicts_is_said_to():
    """Of ten signals one has an interval without 0 and is not significant after adjustment: the finding says so."""
    rng = np.random.default_rng(1)
    signals = {f"s{k}": rng.random(4_000) < 0.5 for k in range(10)}
    table = pl.DataFrame({**signals, "asked": rng.random(4_000) < 0.2 + 0.016 * signals["s0"]})
    results = IntentModel.fit(table, signals=list(signals), outcome="asked")
    row = results.findings.filter(signal="s0").row(0, named=True)
    assert row["ci_low"] > 0
    assert row["p_value"] < 0.05 < row["p_adjusted"]
    assert (row["mark"], row["finding"]) == ("○", "only before adjustment")
    assert "○ only before adjustment" in repr(results)


def test_an_effect_found_where_there_is_none_is_called_a_false_positive():
    """Against the truth: covered, missed, or a false positive; and whether so many misses are chance."""
    truth = {"signal": 0.0}
    table = table_of((0.2, 0.3), 2_000).with_columns(anonymous_id=pl.int_range(4_000).cast(pl.String))
    results = IntentModel.fit(table.drop("anonymous_id"), truth, signals=["signal"], outcome="asked")
    assert results.findings["against_truth"].to_list() == ["false positive"]
    assert "0 of 1 intervals cover the true value: improbable by chance alone" in repr(results)
    near = IntentModel.fit(table_of((0.2, 0.3), 2_000), {"signal": 0.55}, signals=["signal"], outcome="asked")
    assert near.findings["against_truth"].to_list() == ["covered"]
    other = IntentModel.fit(table_of((0.2, 0.3), 2_000), {"signal": 1.5}, signals=["signal"], outcome="asked")
    assert other.findings["against_truth"].to_list() == ["missed"]
