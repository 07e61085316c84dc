"""Claims about checks of trust: each fires where what it looks for is there, and is silent elsewhere."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analytics.analysis import Analysis
from analytics.intent.model import IntentModel
from analytics.report.trust import TrustCheck, trust_checks
from analytics.settings import AnalyticsSettings
from analytics.store.counts import Counts
from scenarios.run.run import Run
from scenarios.scenario import Scenario


def run_of(name: str, n_visitors: int, **settings: object) -> Run:
    """A run of a scenario of the library, with settings by path, ``__`` for a dot."""
    changed = {path.replace("__", "."): value for path, value in settings.items()}
    return Scenario.load(name, {"traffic.visitors_per_day": n_visitors, **changed}).run(seed=3)


def failed(run: Run) -> dict[str, TrustCheck]:
    """The checks of a run that failed, by name."""
    return {check.name: check for check in trust_checks(run.analysis, run.store.counts) if not check.passed}


@pytest.fixture(scope="module")
def clean() -> Run:
    """A day without faults of tracking, and with enough requests."""
    return run_of("baseline", 20_000)


def test_a_clean_day_passes_all_checks(clean: Run) -> None:
    """Twelve checks are made, and none fails."""
    checks = trust_checks(clean.analysis, clean.store.counts)
    assert len(checks) == 12
    assert failed(clean) == {}


@pytest.mark.parametrize(
    ("scenario", "settings", "name"),
    [
        ("ad-blocker-heavy", {}, "requests with a visit"),
        ("bot-storm", {}, "visitors at a human pace"),
        ("baseline", {"tracking__malformed_rate": 0.05}, "unreadable events"),
        (
            "baseline",
            {"intent__account_sd": 2.0, "intent__conversion_unit": "visitor"},
            "accounts alike but for signals",
        ),
    ],
)
def test_what_is_wrong_with_the_events_is_found(scenario: str, settings: dict[str, object], name: str) -> None:
    """By nothing but the events; the check has numbers, and something to do."""
    check = failed(run_of(scenario, 12_000, **settings))[name]
    assert any(character.isdigit() for character in check.finding)
    assert check.advice


def test_people_and_pages_that_nothing_joins_are_found(clean: Run) -> None:
    """One user id in ten without a browser, and one page view in four without a category."""
    events = clean.events.with_columns(
        pl.when(pl.int_range(pl.len()) % 4 > 0).then("category").alias("category"),
        pl.when(pl.col("user_id").hash(1) % 10 > 0).then("anonymous_id").alias("anonymous_id"),
    )
    found = {each.name: each for each in trust_checks(Analysis(lambda: events, AnalyticsSettings())) if not each.passed}
    assert found["user ids with a browser"].finding.endswith("user ids were never seen with a browser")
    assert "are of pages with a category" in found["pages with a category"].finding


def test_few_requests_and_signals_that_decide_alone_are_found() -> None:
    """A small day has too few requests for its terms, and signals without any request."""
    found = failed(run_of("baseline", 2_000))
    assert "requests per signal" in found
    assert "no signal decides alone" in found
    assert "separated: " in found["no signal decides alone"].finding


def test_without_a_model_the_other_checks_are_made(clean: Run) -> None:
    """A stream without any request cannot be fitted: its events and visitors are checked all the same."""
    nobody = run_of("baseline", 300, intent__target_conversion=1e-9)
    names = {check.name for check in trust_checks(nobody.analysis, nobody.store.counts)}
    of_visitors = {"user ids with a browser", "pages with a category", "visitors at a human pace"}
    assert names == {"unreadable events", "late events", *of_visitors}
    assert len(trust_checks(clean.analysis)) == 10


@pytest.mark.parametrize(("lost", "name"), [("late", "late events"), ("invalid", "unreadable events")])
def test_one_event_in_a_hundred_may_be_lost_and_no_more(clean: Run, lost: str, name: str) -> None:
    """Shares are of what was received."""
    for n, passed in ((9, True), (11, False)):
        counts = Counts(received=1_000, accepted=1_000 - n, **{lost: n})
        check = next(check for check in trust_checks(clean.analysis, counts) if check.name == name)
        assert (check.passed, check.finding) == (passed, f"{n} of 1,000 events ({n / 1000:.1%})")


def test_residuals_of_an_account_are_alike_where_something_is_shared() -> None:
    """The score statistic is the sum over pairs of visits, by hand; it is large where accounts differ."""
    rng = np.random.default_rng(4)
    account, docs = np.repeat(np.arange(200), 10), rng.random(2_000) < 0.4
    shared = rng.normal(0, 1.5, 200)[account]
    for effect, low, high in ((0.0, -3.0, 3.0), (1.0, 8.0, 60.0)):
        asked = rng.random(2_000) < 1 / (1 + np.exp(1.5 - docs - effect * shared))
        table = pl.DataFrame({"docs": docs, "account": [f"a{a}" for a in account], "asked": asked})
        results = IntentModel.fit(table, signals=["docs"], outcome="asked", account="account")
        p = results.predict(table).to_numpy()
        r, v = asked - p, p * (1 - p)
        same = (account[:, np.newaxis] == account) & ~np.eye(2_000, dtype=bool)
        expected = r @ same @ r / np.sqrt(2 * (v @ same @ v))
        assert results.basis.shared_residuals == pytest.approx(expected, rel=1e-8)
        assert low < expected < high
