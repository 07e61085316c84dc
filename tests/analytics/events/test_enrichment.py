"""What is read off an event beyond its own columns."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from flat_events import make_events

from analytics.errors import AnalyticsError, EventFrameError
from analytics.events.enrichment import CHANNELS, DERIVED_SCHEMA, conform, enrich
from analytics.events.geography import REGIONS
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.sessions.visits import visit_table

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
SITE = "https://www.example.com/pricing"


def derived(column: str, **values: object) -> object:
    """The value of a derived column for one event."""
    return enrich(make_events(values))[column].item()


def test_enriched_columns():
    """Enriching adds the derived columns, with their types, after those of the tracking plan."""
    assert dict(enrich(make_events({})).schema) == {**EVENT_SCHEMA, **DERIVED_SCHEMA}


def test_enriching_twice_changes_nothing():
    """Enriching is idempotent and keeps columns that it does not know."""
    once = enrich(make_events({"context_page_referrer": "https://dev.to/x"}, {"email": "a@gmail.com"}))
    once = once.with_columns(visit=pl.Series([1, 2]))
    assert enrich(once).equals(once)


@pytest.mark.parametrize("column", ["anonymous_id", "user_id", "context_group_id"])
@pytest.mark.parametrize("blank", ["", " \t"])
def test_a_blank_identifier_names_nobody(column: str, blank: str):
    """Senders write "" where they know none: those who belong to no company are not one large one."""
    events = make_events({column: blank}, {column: "日本 <b>"})
    assert enrich(events)[column].to_list() == [None, "日本 <b>"]
    assert enrich(events).drop(column).equals(enrich(make_events({}, {})).drop(column))


def test_people_without_a_browser_and_without_a_company_are_kept_apart():
    """Two users whose events have blank ids of browser and account are two visitors, and lone ones."""
    events = make_events(
        *({"user_id": user, "anonymous_id": "", "context_group_id": "", "received_at": NOON} for user in "ab")
    )
    visits = visit_table(events)
    assert sorted(visits["anonymous_id"]) == ["a", "b"]
    assert visits["account"].to_list() == [None, None]


def test_enriching_keeps_the_order_of_rows():
    """Rows stay where they are, however often their values repeat."""
    events = make_events(*({"context_location_country": ["DE", None, "US"][n % 3]} for n in range(100)))
    assert enrich(events).select(EVENT_SCHEMA.names()).equals(events)


def test_no_events_enrich_to_no_events():
    """A table without rows or columns enriches to an empty table with all columns."""
    assert enrich(pl.DataFrame()).schema == pl.Schema({**EVENT_SCHEMA, **DERIVED_SCHEMA})


def test_event_time_takes_off_the_delay_of_the_device():
    """A device whose clock is a day ahead, sending after 5 s, is placed 5 s before arrival."""
    ahead = NOON + timedelta(days=1)
    when = derived("event_time", received_at=NOON, original_timestamp=ahead, sent_at=ahead + timedelta(seconds=5))
    assert when == NOON - timedelta(seconds=5)


@pytest.mark.parametrize("missing", ["original_timestamp", "sent_at"])
def test_event_time_falls_back(missing: str):
    """Without the device's delay, event time is `timestamp`, and without that the arrival."""
    known = {missing: None, "received_at": NOON, "timestamp": NOON - timedelta(minutes=1)}
    assert derived("event_time", **known) == NOON - timedelta(minutes=1)
    assert derived("event_time", **known | {"timestamp": None}) == NOON


@pytest.mark.parametrize(
    ("country", "region"),
    [("US", "north_america"), ("de", "europe"), ("Germany", "europe"), ("NO", "europe"), ("ZZ", None), (None, None)],
)
def test_region(country: str | None, region: str | None):
    """A country's code, in either case, or its name gives its region; an unknown one gives none."""
    assert region is None or region in REGIONS
    assert derived("region", context_location_country=country) == region


@pytest.mark.parametrize(
    ("referrer", "domain"),
    [
        ("https://www.Google.com/search?q=a", "google.com"),
        ("https://techblog.example.org:8080/post", "techblog.example.org"),
        ("https://user@news.ycombinator.com", "news.ycombinator.com"),
        ("https://example.com/blog", None),
        ("https://www.example.com", None),
        ("", None),
        ("about", None),
        (None, None),
    ],
)
def test_referrer_domain(referrer: str | None, domain: str | None):
    """The referrer's host counts, without www., unless it is the site itself."""
    assert derived("referrer_domain", context_page_referrer=referrer, context_page_url=SITE) == domain


@pytest.mark.parametrize(
    ("medium", "source", "referrer", "channel"),
    [
        ("cpc", "google", "https://www.google.com/", "paid_search"),
        ("PPC", None, None, "paid_search"),
        ("cpc", "linkedin", None, "paid_social"),
        ("paid_social", "facebook", None, "paid_social"),
        ("display", "adnetwork", None, "display"),
        ("email", "newsletter", None, "email"),
        ("social", None, None, "organic_social"),
        (None, None, "https://search.example.com/", "organic_search"),
        (None, None, "https://www.google.co.uk/", "organic_search"),
        (None, None, "https://duckduckgo.com/", "organic_search"),
        (None, None, "https://www.linkedin.com/feed", "organic_social"),
        (None, None, "https://social.example.com/", "organic_social"),
        (None, None, "https://techblog.example.org/", "referral"),
        ("referral", "partner", None, "referral"),
        ("podcast", "show", "https://www.google.com/", "other"),
        (None, None, None, "direct"),
        (None, None, "https://www.example.com/", None),
    ],
)
def test_channel(medium: str | None, source: str | None, referrer: str | None, channel: str | None):
    """The campaign's medium decides, then the referrer; a click within the site says nothing."""
    assert channel is None or channel in CHANNELS
    campaign = {"context_campaign_medium": medium, "context_campaign_source": source}
    page = {"context_page_referrer": referrer, "context_page_url": SITE}
    assert derived("channel", **campaign, **page) == channel


def test_a_server_side_event_has_no_channel():
    """An event that was made on no page does not say how the visitor came."""
    assert derived("channel", type="track") is None


@pytest.mark.parametrize(
    ("email", "is_company"),
    [
        ("jo@acme.example.com", True),
        ("jo@GMAIL.com ", False),
        ("jo@freemail.example.net", False),
        ("jo", None),
        (None, None),
    ],
)
def test_company_email(email: str | None, is_company: bool | None):  # noqa: FBT001
    """An address that is not from a free-mail provider is a company's; no address is neither."""
    assert derived("company_email", type="identify", email=email) is is_company


@pytest.mark.parametrize(
    ("agent", "is_bot"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("Mozilla/5.0 (X11) HeadlessChrome/120", True),
        ("python-requests/2.31", True),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT X18) Chrome/120 Mobile", False),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120 Safari/537.36", False),
        (None, False),
    ],
)
def test_bot(agent: str | None, is_bot: bool):  # noqa: FBT001
    """A user agent that calls itself a program is a bot's; a Cubot telephone and an unknown agent are not."""
    assert derived("is_bot", context_user_agent=agent) is is_bot


def test_conform_fills_and_drops():
    """A foreign table gets all columns of the plan, in order, and loses the others."""
    foreign = pl.DataFrame({"shoe_size": [43], "event": ["Bought"], "received_at": ["2026-03-03T13:00:00+01:00"]})
    conformed = conform(foreign)
    assert conformed.schema == EVENT_SCHEMA
    assert conformed.row(0, named=True)["received_at"] == NOON
    assert conformed.row(0, named=True)["user_id"] is None


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
    assert conform(pl.DataFrame({"received_at": times}))["received_at"].to_list() == [NOON]


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
        conform(pl.DataFrame([column]))
    assert issubclass(EventFrameError, AnalyticsError)
