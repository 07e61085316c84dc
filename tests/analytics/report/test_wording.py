"""Claims about the model in plain words, and about segment × content in the report."""

import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.report.content import content_section
from analytics.report.model import model_section
from analytics.report.wording import coefficient_groups, interpret, known_signals
from analytics.signals.definitions import EventCount, EverSeen, SessionLength, signal_named
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
    """A model of signals of the analyst's own beside a built-in one, on 3,000 visits."""
    rng, n = np.random.default_rng(9), 3000
    visits = pl.DataFrame(
        {
            "anonymous_id": [f"v{i}" for i in range(n)],
            "security_page_view": rng.random(n) < 0.4,
            "docs_view": rng.random(n) < 0.3,
            "pages": np.log1p(rng.poisson(4, n)),
            "visits": rng.integers(1, 5, n),
            "minutes": rng.exponential(5, n),
            "at_risk": True,
            "censored": False,
            "requested_demo": rng.random(n) < 0.2,
        }
    )
    return IntentModel((SECURITY, *OWN), ["security_page_view:docs_view"]).fit(visits, {"pages": 0.3})


def test_signals_of_the_analysts_own_are_read_aloud_by_their_meanings(results: IntentResults):
    """A yes-or-no signal goes after "a visitor who", a quantity by its unit, a product by both meanings."""
    sentences = {r.sentence.split(" has ")[0] for r in interpret(results)}
    text = " ".join(r.sentence for r in interpret(results))
    assert "A visitor who has read the <docs>, but not one who also has seen a page on security, has" in text
    assert "With “pages” twice as many, in 1 + number, a visitor has" in text
    assert "With “visits” one more, a visitor has" in text
    assert "With “minutes” 10 minutes longer, a visitor has" in text
    assert "has seen a page on security and has read the <docs> has a further" in text
    assert len(sentences) > 1
    assert f"× {2**0.3:.2f}, " in next(r.truth for r in interpret(results) if "“pages”" in r.sentence)


def test_factors_are_those_of_the_table_per_unit(results: IntentResults):
    """Twice as many pages multiply the odds by 2 to the power of the coefficient, as the table of units says."""
    spoken = next(r.sentence for r in interpret(results) if "“pages”" in r.sentence)
    (factor,) = re.findall(r"has ([\d.]+) \[", spoken)
    expected = results.odds_ratio_unit.filter(signal="pages")["odds_ratio_per_unit"].item()
    assert float(factor) == pytest.approx(expected, abs=0.006)


def test_the_report_tells_the_meaning_of_each_signal_and_groups_it_by_what_is_expected(results: IntentResults):
    """The analyst's signals stand in the glossary, escaped, and under the heading of their expectation."""
    page = model_section(results, None)
    assert '<th scope="row" class="text">docs_view</th><td class="text">a visitor who has read the &lt;docs&gt;' in page
    assert "natural logarithm of 1 + pages so far" in page
    groups = coefficient_groups(results.coefficients, known_signals(results))
    assert groups["High-intent signals"]["signal"].to_list() == ["security_page_view", "docs_view"]
    assert groups["Low-intent signals"]["signal"].to_list() == ["pages"]


def readers(make_events: Callable[..., pl.DataFrame], asked_in_europe: int) -> pl.DataFrame:
    """400 visitors of two regions, half of whom see the security page; of these 20 of 100 ask, in Europe more."""
    rows = []
    for i in range(400):
        europe, saw, place = i % 2, i // 2 % 2, i // 4
        who = {"anonymous_id": f"v{i}", "context_location_country": "DE" if europe else "US", "at": i / 100}
        rows.append({**who, "category": "security" if saw else "product"})
        if place < (asked_in_europe if europe and saw else 20):
            rows.append({**who, "at": i / 100 + 0.1, "type": "track", "event": "Demo Requested"})
    return make_events(*rows, {"anonymous_id": "last", "at": 23.0, "category": "product"})


@pytest.mark.parametrize(("asked", "verdict"), [(60, "adjusted): "), (20, "none can be told")])
def test_the_report_has_segment_by_content_with_intervals_and_test(
    make_events: Callable[..., pl.DataFrame], asked: int, verdict: str
):
    """Each region and content stands with rates, intervals and odds ratio; the test is said in words and numbers."""
    found = segment_content(readers(make_events, asked), "region", ["security"])
    page = content_section("region", found)
    assert verdict in page
    for row in found.conversion.filter(pl.col("n_seen") > 0).to_dicts():
        assert f"{100 * row['conversion_seen']:.1f}% [{100 * row['conversion_seen_low']:.1f}, " in page
    (test,) = found.tests.to_dicts()
    assert f">{test['statistic']:.1f}</td>" in page.replace("\N{MINUS SIGN}", "-")
    assert ("security" in page.split("</p>")[0]) == (asked == 60)


def test_without_visits_there_is_no_section(make_events: Callable[..., pl.DataFrame]):
    """A heading over nothing helps nobody."""
    assert content_section("region", segment_content(make_events(), "region")) == ""
