"""Claims about signals as settings define them."""

from typing import Any

import pytest
from pydantic import ValidationError

from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import EventCount, EverSeen, Expectation, SessionLength, Signal
from analytics.signals.settings import column_of


def signal_of(**definition: Any) -> Signal:
    """The signal that a definition makes."""
    (signal,) = AnalyticsSettings.model_validate({"signals": {"mine": definition}}).user_signals
    return signal


def attribute(name: str, equals: list[object]) -> dict[str, Any]:
    """The definition of a signal that has one of these values of an attribute."""
    return {"kind": "attribute", "attribute": name, "equals": equals}


def seen(meaning: str, column: str, *values: object, expectation: Expectation = "context") -> EverSeen:
    """The signal that a visitor has shown one of these values."""
    return EverSeen("mine", meaning, expectation, column, values)


@pytest.mark.parametrize(
    ("definition", "signal"),
    [
        (
            {"kind": "page_category", "categories": ["docs", "blog"]},
            seen("has seen a page on docs or blog", "category", "docs", "blog"),
        ),
        (
            {"kind": "event", "events": ["Video Watched"], "expectation": "high"},
            seen("has done Video Watched", "event", "Video Watched", expectation="high"),
        ),
        (
            {**attribute("industry", ["banking"]), "meaning": "works in a bank"},
            seen("works in a bank", "context_company_industry", "banking"),
        ),
        (
            attribute("company_email", [True]),
            EverSeen("mine", "has shown company_email true", "context", "company_email", (True,)),
        ),
        (
            attribute("properties.trial", [True, 5, "x"]),
            seen("has shown properties.trial true or 5 or x", "properties.trial", "true", "5", "x"),
        ),
        (
            attribute("context.device.type", ["tv"]),
            seen("has shown context.device.type tv", "context_device_type", "tv"),
        ),
        (
            attribute("properties.category", ["tv"]),
            seen("has shown properties.category tv", "properties.category", "tv"),
        ),
        ({"kind": "count"}, EventCount("mine", "number of page views so far", "context")),
        (
            {"kind": "count", "attribute": "page_group", "equals": ["docs"], "within": "visit", "at_least": 3},
            EventCount(
                *("mine", "has 3 or more page views with page_group docs in the visit", "context", "page_views"),
                *("category", ("docs",), "visit", "count", 3),
            ),
        ),
        (
            {"kind": "count", "of": "visits", "scale": "log1p"},
            EventCount("mine", "natural logarithm of 1 + visits so far", "context", "visits", scale="log1p"),
        ),
        ({"kind": "minutes"}, SessionLength("mine", "minutes of the visit", "context", "minutes")),
        (
            {"kind": "minutes", "within": "visitor", "longer_than": 15},
            SessionLength(
                "mine", "has spent more than 15 minutes in all visits so far", "context", "minutes", "visitor", 15.0
            ),
        ),
    ],
)
def test_each_kind_makes_its_signal(definition: dict[str, Any], signal: Signal):
    """With the column an analyst means, a meaning in words unless one is given, and an expectation."""
    assert signal_of(**definition) == signal


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            attribute("industri", ["x"]),
            "attribute: there is no attribute 'industri'; did you mean 'industry'?",
        ),
        (attribute("integrations.x", ["x"]), "no path of names below properties"),
        (attribute("properties.", ["x"]), "no path of names below properties"),
        (attribute("properties.it's", ["x"]), "no path of names below properties"),
        (attribute("received_at", ["x"]), "there is no attribute 'received_at'"),
        (attribute("industry", []), "equals: must have at least 1 item"),
        (attribute("industry", [True]), "put numbers, true and false in quotation"),
        (attribute("company_email", ["yes"]), "equals: must be [true] or [false]"),
        ({"kind": "page_category", "categories": []}, "at least 1 item"),
        ({"kind": "event", "events": [""]}, "at least 1 character"),
        ({"kind": "count", "attribute": "page_group"}, "attribute and equals belong together"),
        ({"kind": "count", "equals": ["docs"]}, "attribute and equals belong together"),
        ({"kind": "count", "of": "visits", "within": "visit"}, "of: visits have no attribute"),
        ({"kind": "count", "at_least": 2, "scale": "log1p"}, "scale: a binary signal (at_least) has none"),
        ({"kind": "minutes", "longer_than": 2, "scale": "log1p"}, "scale: a binary signal (longer_than) has none"),
        ({"kind": "minutes", "longer_than": float("nan")}, "longer_than"),
    ],
)
def test_what_makes_no_signal_is_refused(definition: dict[str, Any], message: str):
    """The message says which setting, and what it should be."""
    with pytest.raises(ValidationError) as caught:
        signal_of(**definition)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["multi_page_visit", "log_session_minutes", "intercept", "account", "requested_demo", "started_at"],
            "is the name of a built-in signal",
        ),
        (["Mine", "a:b", "a=b", "a b", ""], "pattern"),
    ],
    ids=["taken by a signal, or another column of the visit table", "ambiguous in the name of a product"],
)
def test_a_name_stands_for_one_signal(names: list[str], message: str):
    """A signal cannot take the place of another column, and its name can be part of that of an interaction."""
    for name in names:
        with pytest.raises(ValidationError, match=message):
            AnalyticsSettings.model_validate({"signals": {name: {"kind": "minutes"}}})


def test_interactions_may_name_signals_of_ones_own():
    """Products of own and built-in signals are known, misspelt ones answered with what was meant."""
    mine = {"signals": {"docs_view": {"kind": "page_category", "categories": ["docs"]}}}
    settings = AnalyticsSettings.model_validate({**mine, "interactions": ["region_europe:docs_view"]})
    assert settings.interactions == ("region_europe:docs_view",)
    for terms, message in {
        ("region_europe:doc_view",): "there is no signal 'doc_view'; did you mean 'docs_view'?",
        ("docs_view:docs_view",): "is not a product of two signals",
        ("docs_view",): "is not a product of two signals",
        ("region_europe:docs_view",) * 2: "an interaction is given twice",
    }.items():
        with pytest.raises(ValidationError) as caught:
            AnalyticsSettings.model_validate({**mine, "interactions": terms})
        assert message in str(caught.value)


def test_the_old_name_of_a_dimension_is_accepted_with_a_warning() -> None:
    """As an attribute and as a segment it stands for the new name, which the warning gives."""
    with pytest.warns(FutureWarning, match="'content' is now called 'page_group'"):
        assert column_of("content") == column_of("page_group") == "category"
    with pytest.warns(FutureWarning, match="'content' is now called 'page_group'"):
        settings = AnalyticsSettings(segments=("content", "region:content"))
    assert settings.segments == ("page_group", "region:page_group")
