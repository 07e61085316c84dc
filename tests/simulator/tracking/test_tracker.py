"""Claims about the events that the tracker sends."""

from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, SERVER_SIDE_EVENTS, UTC_MS

DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
SERVER = [str(name) for name in SERVER_SIDE_EVENTS]
EXAMPLE_DOMAINS = (".example.com", ".example.org", ".example.net")
CAMPAIGN = [name for name in EVENT_SCHEMA if name.startswith("context_campaign_")]


@pytest.fixture(scope="module")
def events(small_run: SimpleNamespace) -> pl.DataFrame:
    """The events of a small simulation."""
    return small_run.events


@pytest.fixture(scope="module")
def views(events: pl.DataFrame) -> pl.DataFrame:
    """Page views with their number within the visitor and the time since the one before."""
    return events.filter(pl.col("type") == "page").with_columns(
        number=pl.int_range(pl.len()).over("anonymous_id"),
        pause=pl.col("timestamp").diff().over("anonymous_id"),
        previous=pl.col("context_page_url").str.split("?").list.first().shift().over("anonymous_id"),
    )


def test_events_are_a_stream_with_the_columns_of_the_tracking_plan(events: pl.DataFrame, small_run: SimpleNamespace):
    """Every batch has exactly the plan's columns and types; each event its identifier; received_at is in order.

    Without loss all four times of an event are the same, to the millisecond.
    """
    assert events.schema == EVENT_SCHEMA
    assert all(batch.schema == EVENT_SCHEMA for batch in small_run.batches)
    assert events["message_id"].n_unique() == events.height
    assert events["message_id"].null_count() == events["received_at"].null_count() == 0
    assert events["received_at"].is_sorted()
    for name in ("original_timestamp", "sent_at", "timestamp"):
        assert events[name].equals(events["received_at"])
    assert events.schema["received_at"] == UTC_MS
    assert (events["received_at"].dt.millisecond() > 0).any()


def test_columns_are_filled_only_where_the_call_carries_them(events: pl.DataFrame):
    """Pages have names and categories, tracks events, identifies addresses, and none has what belongs to another."""
    for column in COLUMNS:
        filled = events.filter(pl.col(column.name).is_not_null())["type"].cast(pl.String).unique().to_list()
        if column.calls:
            assert set(filled) <= set(column.calls), column.name
    assert events.filter(pl.col("type") == "page")["category"].null_count() == 0
    assert events.filter(pl.col("type") == "track")["event"].null_count() == 0
    assert events.filter(pl.col("type") == "identify")["email"].null_count() == 0


def test_only_the_landing_page_carries_the_campaign(views: pl.DataFrame, events: pl.DataFrame):
    """UTM parameters stand on a visitor's first page view (and what is sent from it) and nowhere else.

    Events of the sales desk come from the server with the person, and name no page.
    """
    later = views.filter(pl.col("number") > 0)
    assert all(later[name].null_count() == later.height for name in CAMPAIGN)
    assert not later["context_page_url"].str.contains("utm_").any()
    server = events.filter(pl.col("event").is_in(SERVER))
    assert all(server[name].null_count() == server.height for name in (*CAMPAIGN, "context_page_url"))
    assert server["user_id"].null_count() == 0
    assert server["context_library_name"].unique().to_list() == ["analytics-python"]
    assert server["asset"].unique().to_list() == ["demo"]
    assert 0 < views.filter(pl.col("number") == 0)["context_campaign_medium"].count() < later.height


def test_visitors_come_in_the_channels_of_the_world(views: pl.DataFrame, small_run: SimpleNamespace):
    """Referrer and campaign of each first page view are those of the channel; its address has the same parameters."""
    channels, cohort = list(small_run.world.traffic.channels.values()), small_run.cohort
    channel_of = dict(zip(cohort.person_ids, cohort.people.channel, strict=True))
    for row in views.filter(pl.col("number") == 0).iter_rows(named=True):
        channel = channels[channel_of[row["anonymous_id"]]]
        assert row["context_page_referrer"] == channel.referrer
        assert row["context_campaign_source"] == (channel.campaign.source if channel.campaign else None)
        query = {key: values[0] for key, values in parse_qs(urlsplit(row["context_page_url"]).query).items()}
        keys = {"context_campaign_name": "utm_campaign"}
        columns = {keys.get(name, name.replace("context_campaign", "utm")): row[name] for name in CAMPAIGN}
        assert query == {key: value for key, value in columns.items() if value is not None}


def test_within_a_visit_the_referrer_is_the_page_before(views: pl.DataFrame):
    """Later pages of a visit come from the one before; a later visit begins without a referrer."""
    idle = pl.duration(minutes=30)
    inside = views.filter((pl.col("number") > 0) & (pl.col("pause") <= idle))
    later_visit = views.filter((pl.col("number") > 0) & (pl.col("pause") > idle))
    assert inside.height > 1000
    assert later_visit.height > 100
    assert inside["context_page_referrer"].equals(inside["previous"].alias("context_page_referrer"))
    assert later_visit["context_page_referrer"].null_count() == later_visit.height


def test_a_form_sends_identify_and_then_track(events: pl.DataFrame):
    """Each form is sent as an identify and, at the same millisecond and right after it, a track call."""
    forms = ("White Paper Downloaded", "Webinar Registered", "Newsletter Subscribed")
    lines = events.with_row_index("line")
    identifies = lines.filter(pl.col("type") == "identify")
    tracks = lines.filter(pl.col("event").is_in(forms))
    assert identifies.height == tracks.height > 50
    assert (tracks["line"] == identifies["line"] + 1).all()
    for name in ("anonymous_id", "user_id", "timestamp", "context_page_url"):
        assert tracks[name].equals(identifies[name])


def test_a_person_is_one_person(events: pl.DataFrame):
    """A browser has one person, account, country, device and address, and a person one browser.

    An address given in a form ends in the account's domain or in that of a free-mail provider.
    """
    people = events.group_by("anonymous_id").agg(
        pl.col("user_id", "context_group_id", "context_location_country", "context_device_type", "context_ip", "email")
        .drop_nulls()
        .n_unique()
    )
    assert people.drop("anonymous_id").max().row(0) == (1, 1, 1, 1, 1, 1)
    known = events.filter(pl.col("user_id").is_not_null())
    assert known["user_id"].n_unique() == known["anonymous_id"].n_unique()
    given = events.filter(pl.col("email").is_not_null()).select("email", "context_group_id")
    domains = given["email"].str.split("@").list.last()
    company = (domains == given["context_group_id"]).fill_null(value=False)
    assert (company | (domains == "freemail.example.net")).all()
    assert 0 < company.sum() < given.height


def test_addresses_are_synthetic(events: pl.DataFrame):
    """Network addresses are those set aside for documentation, and every domain is of the example family."""
    for address in events["context_ip"].unique().drop_nulls():
        assert any(ip_address(address) in network for network in DOCUMENTATION)
    hosts = {
        urlsplit(url).hostname or ""
        for name in ("context_page_url", "context_page_referrer")
        for url in events[name].unique().drop_nulls()
    }
    hosts |= set(events["email"].drop_nulls().str.split("@").list.last())
    hosts |= set(events["context_group_id"].drop_nulls())
    assert all(f".{host}".endswith(EXAMPLE_DOMAINS) for host in hosts)


def test_page_views_are_those_of_the_cohort(events: pl.DataFrame, small_run: SimpleNamespace):
    """Every page view that took place is sent once, with the page's path and at its millisecond."""
    cohort, clock = small_run.cohort, small_run.world.clock
    asked = dict(
        zip(*events.filter(pl.col("event") == "Demo Requested").select("anonymous_id", "timestamp"), strict=True)
    )
    start_ms, expected = round(clock.start.timestamp() * 1000), []
    paths = [page.path for page in small_run.world.site.pages.values()]
    ids = cohort.person_ids.to_list()
    for view, visit in enumerate(cohort.journeys.visit_of_view.tolist()):
        who, at = ids[cohort.journeys.visitor[visit]], int(cohort.view_ms[view])
        gone = who in asked and start_ms + at > asked[who].timestamp() * 1000
        if at < clock.hours * 3_600_000 and not gone:
            expected.append((start_ms + at, who, paths[cohort.journeys.page[view]]))
    pages = events.filter(pl.col("type") == "page")
    found = zip(pages["timestamp"].dt.epoch("ms"), pages["anonymous_id"], pages["context_page_path"], strict=True)
    assert sorted(found) == sorted(expected)
