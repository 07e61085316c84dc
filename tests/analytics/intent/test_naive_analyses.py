"""Claims about the analyses by visitor: by how much hindsight deceives, against independent computations."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from flat_events import DEMO, START, Row, make_events
from scipy.special import logit

from analytics.intent.model import IntentModel
from analytics.intent.naive_analyses import BEFORE_REQUEST, BY_VISIT, EVERYTHING, compare_analyses, visitor_table
from analytics.signals.definitions import EventCount, SessionLength, signal_named

SECURITY = signal_named("security_page_view")
Rows = list[Row]


def people(n: int, n_saw: int, n_asked_after_seeing: int, n_asked_unseeing: int, n_saw_later: int) -> Rows:
    """Page views and requests of n visitors, one visit each; some who asked unseeing saw the security page later."""
    rows: Rows = []
    for i in range(n):
        who = {"anonymous_id": f"v{i}", "context_group_id": f"g{i}"}
        saw = i < n_saw
        asked = i < n_asked_after_seeing if saw else i - n_saw < n_asked_unseeing
        rows.append({**who, "at": 0.0, "category": "security" if saw else "product"})
        rows.append({**who, "at": 0.1, "category": "product"})
        if asked:
            rows.append({**who, "at": 0.2, "type": "track", "event": DEMO})
        if asked and not saw and i - n_saw < n_saw_later:
            rows.append({**who, "at": 0.3, "category": "security"})
    return rows


def test_hindsight_is_wrong_by_what_the_cross_table_says():
    """Of 60 who asked without having seen the page 40 saw it later: they change their cell, and the estimate with it.

    By visit and before the request the coefficient is the log odds ratio of seeing before asking, 120 of 400 against 60
    of 600. With everything it is that of seeing ever, in closed form 160 of 440 against 20 of 560.
    """
    events = make_events(*people(1_000, 400, 120, 60, 40))
    truth = logit(120 / 400) - logit(60 / 600)
    until = START + timedelta(days=1)
    compared = compare_analyses(
        events, IntentModel([SECURITY], []), {"security_page_view": truth}, observed_until=until
    )
    rows = {row["analysis"]: row for row in compared.table.filter(signal="security_page_view").to_dicts()}
    assert rows[BY_VISIT]["bias"] == pytest.approx(0, abs=1e-9)
    assert rows[BEFORE_REQUEST]["bias"] == pytest.approx(0, abs=1e-9)
    expected = logit(160 / 440) - logit(20 / 560) - truth
    assert rows[EVERYTHING]["bias"] == pytest.approx(expected, abs=1e-9)
    assert expected > 1.3
    verdict = compared.verdicts.row(by_predicate=pl.col("analysis") == EVERYTHING, named=True)
    assert (verdict["worst_signal"], verdict["n_covered"]) == ("security_page_view", 0)
    assert verdict["worst_standardised_error"] > 4


def test_the_rows_of_visitors_are_those_counted_by_hand():
    """A plain loop over the events of random visitors finds the same signals, minutes and requests, either way."""
    rng = np.random.default_rng(9)
    rows: Rows = []
    for i in range(60):
        at = 0.0
        for _ in range(rng.integers(1, 9)):
            at += float(rng.choice([0.05, 0.2, 3.0]))
            category = str(rng.choice(["security", "careers", "product"]))
            kind = {"type": "track", "event": DEMO} if rng.random() < 0.15 else {"category": category}
            rows.append({"anonymous_id": f"v{i:02}", "at": at, **kind})
    signals = (SECURITY, signal_named("careers_page_view"), signal_named("log_session_minutes"))
    events = make_events(*rows)
    for everything in (False, True):
        table = visitor_table(events, signals, everything=everything)
        expected = [by_hand([r for r in rows if r["anonymous_id"] == f"v{i:02}"], everything) for i in range(60)]
        expected = [(f"v{i:02}", *row) for i, row in enumerate(expected) if row is not None]
        seen = table.sort("anonymous_id").select("anonymous_id", *(s.name for s in signals), "requested_demo").rows()
        assert [row[:3] + row[4:] for row in seen] == [row[:3] + row[4:] for row in expected]
        np.testing.assert_allclose([row[3] for row in seen], [row[3] for row in expected], atol=1e-9)


def by_hand(rows: Rows, everything: bool) -> tuple[bool, bool, float, bool] | None:  # noqa: FBT001 - of a test
    """Signals, session length and outcome of one visitor's events, none without a page view that counts."""
    requests = [row["at"] for row in rows if "event" in row]
    end = np.inf if everything or not requests else requests[0]
    views = [row for row in rows if "category" in row and row["at"] < end]
    if not views:
        return None
    minutes, last = 0.0, None
    for row in views:
        at = row["at"] * 60
        minutes += at - last if last is not None and at - last <= 30 else 0.0
        last = at
    categories = {row["category"] for row in views}
    return "security" in categories, "careers" in categories, float(np.log1p(minutes)), bool(requests)


def test_quantities_of_a_visit_add_up_over_visits_and_those_of_a_visitor_do_not():
    """Two visits of 6 and 12 minutes with two pages each: 18 minutes, by visit and by visitor."""
    rows = [{"anonymous_id": "v", "at": at} for at in (0.0, 0.1, 5.0, 5.2)]
    signals = (
        SessionLength("minutes", "", "high", "minutes"),
        SessionLength("so_far", "", "high", "minutes", within="visitor"),
        SessionLength("long", "", "high", "minutes", longer_than=10),
        EventCount("pages", "", "high", within="visit"),
        EventCount("log_pages", "", "high", within="visit", scale="log1p"),
    )
    row = visitor_table(make_events(*rows), signals, everything=True).row(0, named=True)
    assert row["minutes"] == pytest.approx(18)
    assert row["so_far"] == pytest.approx(18)
    assert (row["long"], row["pages"]) == (True, 4)
    assert row["log_pages"] == pytest.approx(np.log(5))


def test_an_analysis_that_cannot_be_done_is_named_with_its_reason():
    """Where nobody asked, none can be done, and each says why."""
    compared = compare_analyses(make_events(*people(20, 10, 0, 0, 0)), IntentModel([SECURITY], []))
    assert compared.results == {}
    assert set(compared.not_available) == {BY_VISIT, BEFORE_REQUEST, EVERYTHING}
    assert all("observe longer" in reason for reason in compared.not_available.values())
    assert compared.to_dict()["verdicts"] == []
