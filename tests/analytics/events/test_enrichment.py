"""What is read off an event beyond its own columns."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from flat_events import make_events

from analytics.errors import AnalyticsError, EventFrameError
from analytics.events.acquisition import CHANNELS
from analytics.events.enrichment import DERIVED_SCHEMA, conform, enrich
from analytics.events.geography import REGIONS
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.sessions.visits import visit_table

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
SITE = "https://www.example.com/pricing"


def derived(column: str, **values: object) -> object:
    """The value of a derived column for one event."""
    return enrich(make_events(values))[column].item()


def test_enriching_adds_the_derived_columns_and_changes_nothing_else():
    """They come after those of the tracking plan, with their types, and rows stay where they are.

    Enriching again changes nothing and keeps columns that it does not know; no events become none, with all columns.
    """
    events = make_events(*({"context_location_country": ["DE", None, "US"][n % 3]} for n in range(100)))
    once = enrich(events)
    assert once.schema == pl.Schema({**EVENT_SCHEMA, **DERIVED_SCHEMA}) == enrich(pl.DataFrame()).schema
    assert once.select(EVENT_SCHEMA.names()).equals(events)
    assert set(once["region"]) <= {*REGIONS, None}
    once = once.with_columns(visit=pl.int_range(pl.len()))
    assert enrich(once).equals(once)


@pytest.mark.parametrize("column", ["anonymous_id", "user_id", "context_group_id"])
@pytest.mark.parametrize("blank", ["", " \t"])
def test_a_blank_identifier_names_nobody(column: str, blank: str):
    """Senders write "" where they know none: those who belong to no company are not one large one, but kept apart."""
    events = make_events({column: blank}, {column: "日本 <b>"})
    assert enrich(events)[column].to_list() == [None, "日本 <b>"]
    assert enrich(events).drop(column).equals(enrich(make_events({}, {})).drop(column))
    visits = visit_table(make_events(*({"user_id": u, "anonymous_id": blank, "context_group_id": blank} for u in "ab")))
    assert visits.sort("anonymous_id").select("anonymous_id", "account").rows() == [("a", None), ("b", None)]


@pytest.mark.parametrize(
    ("source", "derived", "expected"),
    [
        (
            "context_location_country",
            "region",
            {"US": "north_america", "de": "europe", "Germany": "europe", "NO": "europe", "ZZ": None, None: None},
        ),
        (
            "email",
            "company_email",
            {
                "jo@a.example.com": True,
                "jo@GMAIL.com ": False,
                "jo@freemail.example.net": False,
                "jo": None,
                None: None,
            },
        ),
        (
            "context_user_agent",
            "is_bot",
            {
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": True,
                "Mozilla/5.0 (X11) HeadlessChrome/120": True,
                "python-requests/2.31": True,
                "Mozilla/5.0 (Linux; Android 9; CUBOT X18) Chrome/120 Mobile": False,
                "Mozilla/5.0 (Windows NT 10.0) Chrome/120 Safari/537.36": False,
                None: False,
            },
        ),
        (
            "context_page_referrer",
            "referrer_domain",
            {
                "https://www.Google.com/search?q=a": "google.com",
                "https://techblog.example.org:8080/post": "techblog.example.org",
                "https://user@news.ycombinator.com": "news.ycombinator.com",
                "https://example.com/blog": None,
                "https://www.example.com": None,
                "": None,
                "about": None,
                None: None,
            },
        ),
    ],
    ids=[
        "a country's code, in either case, or its name gives its region",
        "an address is a company's or of a free-mail provider",
        "a user agent that calls itself a program is a bot's; a Cubot telephone is not",
        "the referrer's host counts, without www, unless it is the site itself",
    ],
)
def test_what_is_read_off_one_column(source: str, derived: str, expected: dict[str | None, object]):
    """A value that is not known, and no value, give null; an unknown user agent is no bot's."""
    events = make_events(*({source: value, "context_page_url": SITE} for value in expected))
    assert enrich(events)[derived].to_list() == list(expected.values())


@pytest.mark.parametrize(
    ("medium", "source", "referrer", "channel"),
    [
        ("cpc", "google", "www.google.com", "paid_search"),
        ("PPC", None, None, "paid_search"),
        ("cpc", "linkedin", None, "paid_social"),
        ("paid_social", "facebook", None, "paid_social"),
        ("display", "adnetwork", None, "display"),
        ("email", "newsletter", None, "email"),
        ("social", None, None, "organic_social"),
        (None, None, "search.example.com", "organic_search"),
        (None, None, "www.google.co.uk", "organic_search"),
        (None, None, "duckduckgo.com", "organic_search"),
        (None, None, "www.linkedin.com", "organic_social"),
        (None, None, "social.example.com", "organic_social"),
        (None, None, "techblog.example.org", "referral"),
        ("referral", "partner", None, "referral"),
        ("podcast", "show", "www.google.com", "other"),
        (None, None, None, "direct"),
        (None, None, "www.example.com", None),
    ],
)
def test_channel(medium: str | None, source: str | None, referrer: str | None, channel: str | None):
    """The campaign's medium decides, then the referrer; a click within the site says nothing.

    Nor does an event that was made on no page say how the visitor came.
    """
    assert channel is None or channel in CHANNELS
    campaign = {"context_campaign_medium": medium, "context_campaign_source": source}
    page = {"context_page_referrer": referrer and f"https://{referrer}/feed", "context_page_url": SITE}
    assert derived("channel", **campaign, **page) == channel
    assert derived("channel", type="track") is None


def test_conform_fills_and_drops():
    """A foreign table gets all columns of the plan, in order, and loses the others."""
    conformed = conform(pl.DataFrame({"type": "track", "shoe_size": [43], "received_at": [NOON.isoformat()]}))
    assert conformed.schema == EVENT_SCHEMA
    assert conformed.select("received_at", "user_id").row(0) == (NOON, None)


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([NOON.replace(tzinfo=None)]),
        pl.Series([NOON]).dt.convert_time_zone("Asia/Kolkata"),
        pl.Series([NOON]).cast(pl.Datetime("ns", "UTC")),
        pl.Series(["2026-03-03T12:00:00Z"]),
        pl.Series([1772539200000]),
    ],
)
def test_conform_reads_times(times: pl.Series):
    """Naive times are UTC; other zones, texts and epoch milliseconds name the same moment."""
    assert conform(pl.DataFrame({"type": "page", "received_at": times}))["received_at"].to_list() == [NOON]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("received_at", ["yesterday"]),
        pl.Series("received_at", [True]),
        pl.Series("sent_at", [timedelta(1)]),
        pl.Series("name", [["a"]]),
        pl.Series("user_id", [b"a"]),
    ],
)
def test_conform_refuses_impossible_types(column: pl.Series):
    """A column that cannot hold what the plan says is refused by name."""
    with pytest.raises(EventFrameError, match=f"column '{column.name}' is .* cannot be read as"):
        conform(pl.DataFrame([column]).with_columns(type=pl.lit("page")))
    assert issubclass(EventFrameError, AnalyticsError)
