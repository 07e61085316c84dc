"""Claims about the summary of the report: the largest effects first, and nothing that speaks against them left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from flat_events import make_events
from made_up_visits import visits_of
from pages import Page, assert_sections

from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.report.data import Claim, ReportData
from analytics.report.render import render_report
from analytics.report.summary import Summary, summary_view
from analytics.report.trust import TrustCheck
from analytics.signals.definitions import signal_named
from analytics.statistics.funnel import FunnelStatistics

UP, DOWN = "raises the odds", "lowers the odds"
FINDINGS = (
    ("region_europe", 0.2, "only before adjustment"),
    ("security_page_view", 0.9, UP),
    ("careers_page_view", -1.6, DOWN),
    # Per unit, which is a doubling, 1.2 · ln 2 = 0.83.
    ("log_session_minutes", 1.2, UP),
    ("own", -0.01, "no relevant effect"),
    ("pricing_page_view", 0.1, "no effect shown"),
    ("utm_paid_search", -0.3, "no effect shown"),
    ("region_europe:security_page_view", 3.0, "not testable"),
)
CLAIMS = (
    Claim("the first holds", passed=True, numbers="2 > 1"),
    Claim("nobody can know", passed=None, numbers="no visitors there"),
    Claim("the one fails", passed=False, numbers="0.3 > 0.5"),
    Claim("the last holds", passed=True, numbers="3 > 1"),
    Claim("the other fails", passed=False, numbers="7 == 8"),
)
CHECKS = (
    TrustCheck("bots", passed=False, finding="9 visitors at the pace of bots", advice="leave them out"),
    TrustCheck("late events", passed=True, finding="none", advice="wait longer"),
)


def report_of(**contents: Any) -> ReportData:
    """A report without events."""
    return ReportData(FunnelStatistics(make_events()), "summary", **contents)


def summary_of(*findings: tuple[str, float, str], truth: str | None = None) -> Summary:
    """The summary of a model that has found this of its signals, with a sentence each."""
    names = ["signal", "coefficient", "finding"]
    table = pl.DataFrame(list(findings), schema=names, orient="row").with_columns(
        sentence=pl.concat_str("signal", pl.lit(" is such.")), against_truth=pl.lit(truth, pl.String())
    )
    doubled = {"log_session_minutes": np.log(2)}
    ratios = [(name, np.exp(coefficient * doubled.get(name, 1.0))) for name, coefficient, _ in findings]
    per_unit = pl.DataFrame(ratios, schema=["signal", "odds_ratio_per_unit"], orient="row")
    found = SimpleNamespace(findings=table, odds_ratio_unit=per_unit, level=0.95)
    return summary_view(report_of(intent=cast("IntentResults", found)), [])


def test_effects_are_sorted_by_their_size_whichever_way_they_go() -> None:
    """By the change of one unit: a presence, or a doubling of the length of a session."""
    assert summary_of(*FINDINGS).effects == [
        "careers_page_view is such.",
        "security_page_view is such.",
        "log_session_minutes is such.",
    ]


def test_other_findings_are_lists_of_names() -> None:
    """Each has its words, and its signals by size; those of which there are none are left out."""
    assert summary_of(*FINDINGS).others == {
        "Significant only before adjustment for the number of signals": ["region europe"],
        "Too small to matter": ["own"],
        "No effect shown, which is no proof of none": ["utm paid search", "pricing page view"],
        "Not testable: too few accounts": ["region europe × security page view"],
    }
    assert summary_of(FINDINGS[1]).others == {}


def test_no_finding_is_lost() -> None:
    """Eight effects are told and the others counted; every signal is an effect or in a list."""
    summary = summary_of(*((f"s{n:02}", (-1) ** n * (n + 1) / 10, (UP, DOWN)[n % 2]) for n in range(11)))
    assert summary.effects == [f"s{n:02} is such." for n in range(10, 2, -1)]
    assert summary.n_more == 3
    found = summary_of(*FINDINGS)
    assert len(found.effects) + found.n_more + sum(map(len, found.others.values())) == len(FINDINGS)


def test_the_truth_is_compared_where_it_is_known() -> None:
    """The summary has the sentence on coverage, and none for events from elsewhere."""
    assert summary_of(FINDINGS[1], truth="covered").coverage == "1 of 1 intervals cover the true value"
    assert summary_of(FINDINGS[1]).coverage == ""
    assert summary_view(report_of(), []).coverage == ""


@pytest.mark.usefixtures("no_drawings")
def test_the_effects_of_a_model_stand_first_on_its_page() -> None:
    """Careers pages lower the odds by more than a visit that is twice as long, or security pages, raise them."""
    rng, n = np.random.default_rng(11), 12_000
    truth = {"intercept": -1.0, "security_page_view": 0.4, "careers_page_view": -1.2, "log_session_minutes": 1.0}
    columns = {
        "security_page_view": rng.random(n) < 0.5,
        "careers_page_view": rng.random(n) < 0.5,
        "log_session_minutes": np.log1p(rng.exponential(1.0, n)),
    }
    visits = visits_of(columns, truth, rng, per_account=1)
    results = IntentModel([signal_named(name) for name in columns], []).fit(visits, truth)
    order = ["careers_page_view", "log_session_minutes", "security_page_view"]
    sentences = [results.findings.filter(signal=name)["sentence"].item() for name in order]
    assert list(summary_view(report_of(intent=results), []).effects) == sentences
    outline = Page(render_report(report_of(intent=results))).outline
    first = outline.splitlines().index("### What predicts a demo request") + 1
    assert outline.splitlines()[first : first + 3] == [f"- {sentence}" for sentence in sentences]


def test_claims_that_fail_come_first() -> None:
    """Then those without a value, then those that hold, each in the order of the scenario."""
    said = [claim.description for claim in summary_view(report_of(claims=CLAIMS), []).claims]
    assert said == ["the one fails", "the other fails", "nobody can know", "the first holds", "the last holds"]


@pytest.mark.usefixtures("no_drawings")
def test_the_page_names_failed_claims_and_checks() -> None:
    """With their numbers and what to do; what holds and passed is counted, and folded."""
    page = Page(render_report(report_of(claims=CLAIMS, trust=CHECKS)))
    lines = page.outline.splitlines()
    first = lines.index("### What to watch out for")
    assert lines[first + 1 : lines.index("## Traffic and demo requests")] == [
        "Before you use these figures",
        "-",
        "bots:",
        "9 visitors at the pace of bots; leave them out.",
        "Checks passed: 1",
        "table: Checks that need no known truth",
        "| check | found",
        "| late events | none",
        "### Claims of the scenario: 2 of 5 hold",
        "-",
        "fails",
        "the one fails 0.3 > 0.5",
        "-",
        "fails",
        "the other fails 7 == 8",
        "-",
        "not known",
        "nobody can know no visitors there",
        "Claims that hold: 2",
        "-",
        "holds",
        "the first holds 2 > 1",
        "-",
        "holds",
        "the last holds 3 > 1",
    ]
    assert assert_sections(page)[0] == "summary"


@pytest.mark.usefixtures("no_drawings")
def test_where_no_check_fails_the_page_says_so() -> None:
    """It does not where nothing was checked."""
    checked = Page(render_report(report_of(trust=[CHECKS[1], CHECKS[1]]))).outline
    assert "Nothing: none of 2 checks speaks against these figures." in checked
    assert "Before you use these figures" not in checked
    assert "### What to watch out for" not in Page(render_report(report_of())).outline
