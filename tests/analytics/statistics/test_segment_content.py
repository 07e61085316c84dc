"""Claims about the table of conversion by segment and content."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from flat_events import CRAWLER, DEMO, START, Row, event, events_of, request, view
from hypothesis import given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.errors import AnalyticsError
from analytics.events.dimensions import DimensionError
from analytics.sessions.visits import visit_table
from analytics.signals.definitions import EverSeen
from analytics.statistics.intervals import wilson_interval
from analytics.statistics.odds_ratios import homogeneity_of_odds_ratios
from analytics.statistics.segment_content import segment_content

LATE = START + timedelta(days=2)
COUNTS = ("n_seen", "converted_seen", "n_unseen", "converted_unseen")


SMALL = [
    # Ann, in Europe, sees the page on security and asks in her second visit; what she sees afterwards counts no more.
    *(view(0, "ann", "security", "DE"), view(100, "ann", "docs"), request(101, "ann"), view(102, "ann", "pricing")),
    *(view(0, "bob", "docs", "FR"), view(0, "cy", "security", "US"), view(50, "cy"), view(0, "di", "docs")),
]


def counts_of(events: pl.DataFrame, segment: str = "region", **options: Any) -> dict[tuple[str, str], tuple[int, ...]]:
    """The four counts by segment and content."""
    table = segment_content(events, segment, observed_until=LATE, **options).conversion
    return {(row[0], row[1]): row[2:] for row in table.select(segment, "content", *COUNTS).iter_rows()}


def test_visits_are_split_by_what_was_seen_before_their_decision():
    """Visits count by what their visitor had seen by then, in this visit or an earlier one."""
    found = counts_of(events_of(*SMALL))
    assert found["europe", "security"] == (2, 1, 1, 0)
    assert found["europe", "docs"] == (2, 1, 1, 0)
    assert found["europe", "pricing"] == (0, 0, 3, 1)
    assert found["north_america", "security"] == (2, 0, 0, 0)
    assert found["(not set)", "docs"] == (1, 0, 0, 0)


def test_visitors_can_be_counted_instead():
    """Each visitor counts once, with all they had seen at their last visit before or with a request."""
    found = counts_of(events_of(*SMALL), per="visitor")
    assert found["europe", "security"] == (1, 1, 1, 0)
    assert found["north_america", "security"] == (1, 0, 0, 0)


def test_visits_that_are_not_over_do_not_count():
    """Observed until a visit could still go on, its outcome is not known and it is left out; bots always are."""
    bot = view(0, "bot", "security", "DE", context_user_agent=CRAWLER)
    events = events_of(view(0, "ann", "security", "DE"), view(40, "bob", "security", "DE"), bot)
    table = segment_content(events, "region", observed_until=START + timedelta(minutes=45)).conversion
    assert table.select(COUNTS).rows() == [(1, 0, 0, 0)]


def test_rates_ratios_and_tests_follow_from_the_counts():
    """Each rate has Wilson's interval; the odds ratio is ad / bc, without a value where one of the four is 0."""
    rows: list[Row] = []
    shape = {"DE": (9, 4, 20, 3), "US": (12, 2, 30, 6), "JP": (5, 0, 9, 2)}
    for country, (n_seen, asked_seen, n_unseen, asked_unseen) in shape.items():
        for category, n, asked in (("security", n_seen, asked_seen), (None, n_unseen, asked_unseen)):
            people = [f"{country}{category}{number}" for number in range(n)]
            rows += [view(0, who, category, country) for who in people]
            rows += [request(1, who) for who in people[:asked]]
    found = segment_content(events_of(*rows), "country", observed_until=LATE, level=0.9)
    conversion = found.conversion.sort("country")
    assert conversion.select(COUNTS).rows() == [shape[country] for country in ("DE", "JP", "US")]
    for which in ("seen", "unseen"):
        low, high = wilson_interval(conversion[f"converted_{which}"], conversion[f"n_{which}"], 0.9)
        np.testing.assert_allclose(conversion[f"conversion_{which}_low"], low, rtol=1e-12)
        np.testing.assert_allclose(conversion[f"conversion_{which}_high"], high, rtol=1e-12)
    de, jp, us = conversion.select("odds_ratio", "odds_ratio_low", "odds_ratio_high").rows()
    assert jp == (None, None, None)
    assert (de[0], us[0]) == (pytest.approx(4 * 17 / (5 * 3)), pytest.approx(2 * 24 / (10 * 6)))
    error = (1 / 4 + 1 / 5 + 1 / 3 + 1 / 17) ** 0.5
    assert de[2] / de[1] == pytest.approx(np.exp(2 * 1.6448536269514722 * error))
    (test,) = found.tests.to_dicts()
    expected = homogeneity_of_odds_ratios(*np.array(list(shape.values()), dtype=float).T)
    assert {name: test[name] for name in vars(expected)} == pytest.approx(vars(expected))
    assert test["p_adjusted"] == test["p_value"]


def test_contents_can_be_chosen_and_be_signals():
    """A category that nobody has seen is unseen by all; a signal of one's own is read as any other."""
    home = EverSeen("came home", "", "context", "category", ("docs", "home"))
    found = counts_of(events_of(view(0, "ann", "docs", "DE"), view(0, "bob", "blog", "DE")), contents=["tv", home])
    assert found == {("europe", "tv"): (0, 0, 2, 0), ("europe", "came home"): (1, 0, 1, 0)}


def test_categories_may_be_called_as_columns_are():
    """A page category `visit`, `requested_demo` or `seen` is a category like another, and so is the segment account."""
    names = ["account", "requested_demo", "seen", "visit"]
    rows = [view(0, who, who, context_group_id="acme") for who in names]
    found = counts_of(events_of(*rows), "account")
    assert found == {("acme", name): (1, 0, 3, 0) for name in names}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"segment": "regoin"}, DimensionError, "did you mean 'region'?"),
        ({"segment": "stage"}, DimensionError, "stage: a visitor is in several of these segments"),
        ({"per": "company"}, AnalyticsError, "per: must be one of visit, visitor"),
        ({"contents": ["docs", "docs"]}, AnalyticsError, "given twice: docs, docs"),
        ({"level": 1.0}, ValueError, "level"),
    ],
)
def test_what_cannot_be_counted_is_refused(options: dict[str, Any], error: type[Exception], message: str):
    """The message names what is wrong."""
    with pytest.raises(error, match=message.replace("?", r"\?")):
        segment_content(events_of(*SMALL), **{"segment": "region", **options})


def test_no_events_make_empty_tables():
    """With the columns that they always have."""
    none, some = segment_content(events_of(), "region"), segment_content(events_of(*SMALL), "region")
    assert none.conversion.is_empty()
    assert none.tests.is_empty()
    assert none.conversion.schema == some.conversion.schema
    assert none.tests.schema == some.tests.schema


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(
        st.builds(
            event,
            minute=st.integers(0, 40).map(lambda step: 7 * step),
            name=st.sampled_from(["page", "page", "page", "Video Watched", DEMO]),
            who=st.sampled_from(["ann", "bob", "cy"]),
            category=st.sampled_from(["docs", "security", None]),
        ),
        max_size=20,
    )
)
def test_the_counts_are_those_of_the_visit_table(rows: list[Row]):
    """Whatever happens, they equal a count over the rows of the visit table, in plain Python."""
    country = {"ann": "DE", "bob": "US", "cy": None}
    events = events_of(*(row | {"context_location_country": country[row["anonymous_id"]]} for row in rows))
    signals = tuple(EverSeen(f"has {name}", "", "context", "category", (name,)) for name in ("docs", "security"))
    segments = {"ann": "europe", "bob": "north_america", "cy": "(not set)"}
    expected: dict[tuple[str, str], list[int]] = {}
    for row in visit_table(events, signals=signals, observed_until=LATE).to_dicts():
        for content in ("docs", "security") if row["at_risk"] else ():
            counts = expected.setdefault((segments[row["anonymous_id"]], content), [0, 0, 0, 0])
            first = 0 if row[f"has {content}"] else 2
            counts[first] += 1
            counts[first + 1] += row["requested_demo"]
    found = counts_of(events, contents=["docs", "security"])
    assert found == {key: tuple(counts) for key, counts in expected.items()}


def test_the_order_of_events_does_not_matter():
    """Shuffled events make the same tables."""
    events = events_of(*SMALL)
    shuffled = events.sample(fraction=1, shuffle=True, seed=3)
    one, other = (segment_content(each, "region", observed_until=LATE) for each in (events, shuffled))
    assert_frame_equal(one.conversion, other.conversion)
    assert_frame_equal(one.tests, other.tests)
