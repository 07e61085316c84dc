"""Claims about adapters: what each reads from an export as its tool documents it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from event_files import EXPORTS, page, read_all

from analytics.errors import EventFileError
from analytics.events.enrichment import enrich
from analytics.events.tracking_plan import COLUMNS
from analytics.io.adapters import registry
from analytics.io.adapters.adapter import Adapter, Record
from analytics.io.adapters.clocks import from_epoch
from analytics.io.adapters.devices import device_type
from analytics.io.flatten import flatten
from analytics.io.reading import EventFormat
from analytics.sessions.persons import Persons
from analytics.statistics.funnel import FunnelStatistics
from scenarios.run.events_analysis import analyze

BROWSER = {"mixpanel": "dev-1", "posthog": "dev-1", "amplitude": "dev-1", "rudderstack": "anon-1"}
FIRST = {
    "type": "page",
    "context_page_title": "Pricing",
    "context_page_referrer": "https://www.google.com/",
    "context_campaign_source": "google",
    "context_campaign_medium": "cpc",
}
"""What the first event of each export is, whatever tool it is from."""

FILES = {
    "rudderstack.ndjson": {"context_ip": "203.0.113.9", "context_timezone": "GMT+0100", "category": "pricing"},
    "ga4.ndjson": {"context_device_type": "mobile", "context_location_country": "Germany"},
    "posthog.ndjson": {
        "context_device_type": "desktop",
        "context_location_country": "DE",
        "context_page_path": "/pricing",
    },
    "amplitude.ndjson": {
        "context_device_type": "desktop",
        "context_ip": "203.0.113.9",
        "context_page_path": "/pricing",
    },
    "mixpanel.ndjson": {
        "context_device_type": "desktop",
        "context_location_country": "DE",
        "context_page_path": "/pricing",
    },
    "snowplow.tsv": {
        "context_device_type": "desktop",
        "context_timezone": "Europe/Berlin",
        "context_page_path": "/pricing",
    },
    "snowplow.ndjson": {"context_device_type": "desktop", "context_location_country": "DE", "message_id": "e-1"},
}


def first(frame: pl.DataFrame) -> dict[str, Any]:
    """The first row, without what is empty."""
    return {name: value for name, value in frame.row(0, named=True).items() if value is not None}


@pytest.mark.parametrize("name", FILES)
def test_an_export_is_recognised_and_read(name: str) -> None:
    """The page view has its page, campaign, place and device; the request its name; nobody is lost."""
    frame, letters = read_all(EXPORTS / name)
    assert letters == []
    row = first(frame)
    assert row | FIRST | FILES[name] == row
    assert row["context_page_url"].startswith("https://acme.example/pricing")
    assert row["received_at"].strftime("%Y-%m-%d %H:%M") == "2026-03-03 10:00"
    assert frame["anonymous_id"].n_unique() == 1
    requests = frame.filter(pl.col("event").is_not_null())
    assert requests["user_id"].drop_nulls().len() > 0
    assert "demo" in str(requests["asset"].to_list()) or name.startswith("rudder")
    assert frame["message_id"].n_unique() == frame.height


@pytest.mark.parametrize("name", FILES)
def test_the_format_can_be_named(name: str) -> None:
    """Named, a format gives what it gives recognised; the wrong one gives no events but dead letters."""
    tool = name.partition(".")[0]
    assert read_all(EXPORTS / name, EventFormat(tool))[0].equals(read_all(EXPORTS / name)[0])


@pytest.mark.parametrize(("name", "email_event"), [("posthog", 1), ("amplitude", 2), ("rudderstack", 1)])
def test_identify_calls_join_browser_and_person(name: str, email_event: int) -> None:
    """The call that says who a browser's user is has both identifiers and the address."""
    frame, _ = read_all(EXPORTS / f"{name}.ndjson")
    row = frame.row(email_event, named=True)
    assert (row["type"], row["email"], row["anonymous_id"]) == ("identify", "ann@acme.example", BROWSER[name])
    assert row["user_id"].startswith("u-")
    assert frame.row(0, named=True)["user_id"] is None


def at(minute: int, name: str, **properties: object) -> Record:
    """A record of Mixpanel's."""
    return {"event": name, "properties": {"time": 1772532000 + 60 * minute, **properties}}


def record(minute: int, name: str, who: str, **properties: object) -> Record:
    """A record of PostHog's."""
    when = f"2026-03-03T10:{minute:02}:00Z"
    return {"uuid": f"{minute}", "event": name, "distinct_id": who, "timestamp": when, "properties": properties}


ALIASES = {
    "mixpanel, alias": [
        at(0, "$mp_web_page_view", distinct_id="$device:d", **{"$device_id": "d"}),
        at(1, "$create_alias", distinct_id="u", alias="$device:d"),
        at(2, "Demo Requested", distinct_id="u"),
    ],
    "mixpanel, merge": [
        at(0, "$mp_web_page_view", distinct_id="$device:d", **{"$device_id": "d"}),
        at(1, "$merge", **{"$distinct_ids": ["u", "$device:d"]}),
        at(2, "Demo Requested", distinct_id="u"),
    ],
    "mixpanel, server": [
        at(0, "$mp_web_page_view", distinct_id="u", **{"$device_id": "d", "$user_id": "u"}),
        at(1, "Demo Requested", distinct_id="u"),
    ],
    "posthog, alias": [
        record(0, "$pageview", "d", **{"$device_id": "d"}),
        record(1, "$create_alias", "u", alias="d"),
        record(2, "Demo Requested", "u"),
    ],
    "posthog, alias from the browser": [
        record(0, "$pageview", "d", **{"$device_id": "d"}),
        record(1, "$create_alias", "d", alias="u", **{"$device_id": "d"}),
        record(2, "Demo Requested", "u"),
    ],
    "posthog, no device": [
        record(0, "$pageview", "d"),
        record(1, "$identify", "u", **{"$anon_distinct_id": "d"}),
        record(2, "Demo Requested", "u"),
    ],
    "posthog, reset": [
        record(0, "$pageview", "d", **{"$device_id": "old", "$is_identified": False}),
        record(1, "$identify", "u", **{"$anon_distinct_id": "d", "$device_id": "old", "$is_identified": True}),
        record(2, "Demo Requested", "u", **{"$device_id": "old", "$is_identified": True}),
    ],
    "mixpanel, no device": [
        at(0, "$mp_web_page_view", distinct_id="d"),
        at(1, "$identify", distinct_id="u", **{"$anon_id": "d", "$identified_id": "u"}),
        at(2, "Demo Requested", distinct_id="u"),
    ],
    "posthog, server": [
        record(0, "$identify", "u", **{"$anon_distinct_id": "d"}),
        record(1, "$pageview", "u", **{"$device_id": "d", "$user_id": "u"}),
        record(2, "Demo Requested", "u"),
    ],
}


@pytest.mark.parametrize("name", ALIASES)
def test_aliases_and_servers_of_other_tools_name_the_same_person(tmp_path: Path, name: str) -> None:
    """These tools have one kind of identifier: what a server sends is that of the person whom a browser had."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in ALIASES[name]))
    frame, letters = read_all(path, EventFormat(name.partition(",")[0]))
    assert letters == []
    totals = FunnelStatistics(frame).totals()
    assert totals.select("visitors", "demo_requests", "converted").row(0) == (1, 1, 1)
    assert Persons(frame).identities.shared_browsers.is_empty()


def test_the_users_of_one_browser_are_counted_without_its_own_id(tmp_path: Path) -> None:
    """Two people who share a browser are still named in a warning."""
    calls = [record(n, "$identify", who, **{"$anon_distinct_id": "d"}) for n, who in enumerate(("u", "v"))]
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in (record(9, "$pageview", "d"), *calls)))
    assert Persons(read_all(path, EventFormat("posthog"))[0]).identities.shared_browsers.rows() == [("d", 2)]


def test_a_visit_of_matomo_is_several_events() -> None:
    """Each action of a visit is an event; only the first came from the referrer, all from the campaign."""
    frame, letters = read_all(EXPORTS / "matomo.json")
    assert letters == []
    assert frame["type"].to_list() == ["page", "page", "track", "track"]
    assert frame["event"].to_list() == [None, None, "Demo Requested", "Newsletter"]
    assert frame["context_page_referrer"].to_list() == ["https://www.google.com/", None, None, None]
    assert frame["context_campaign_name"].unique().to_list() == ["spring"]
    assert frame["context_location_country"].unique().to_list() == ["DE"]
    assert frame["context_device_type"].unique().to_list() == ["mobile"]
    assert frame["timestamp"].dt.strftime("%H:%M:%S").to_list() == ["10:00:00", "10:01:00", "10:01:30", "10:01:35"]


@pytest.mark.parametrize(
    ("kind", "name", "channel"),
    [("search", "Google", "organic_search"), ("social", "Mastodon", "organic_social"), ("direct", "", "direct")],
)
def test_matomo_may_have_the_name_of_a_referrer_alone(kind: str, name: str, channel: str) -> None:
    """Search engines often hide the address; where there is one, it counts."""
    actions = [{"type": "action", "url": f"https://acme.io/{i}", "timestamp": 1_772_532_000 + i} for i in range(2)]
    visit = {"idVisit": 1, "visitorId": "v", "referrerType": kind, "referrerName": name, "referrerUrl": ""}
    adapter = registry.find_adapter("matomo")
    events = [adapter.event(record) for record in adapter.split(visit | {"actionDetails": actions})]
    assert enrich(flatten(events).frame)["channel"][0] == channel
    assert "campaign" not in events[1]["context"]
    (event, _) = adapter.split(visit | {"referrerUrl": "https://www.bing.com/", "actionDetails": actions})
    assert "campaign" not in adapter.event(event)["context"]


def test_a_click_identifier_of_ga4_is_a_paid_search() -> None:
    """Where Google's advertisements tag no source; one that is tagged counts first."""
    record = {"event_name": "page_view", "event_timestamp": 1_772_532_000_000_000, "event_params": []}
    for tagged, campaign in (({}, ("google", "cpc")), ({"manual_source": "bing"}, ("bing", None))):
        event = registry.find_adapter("ga4").event(record | {"collected_traffic_source": {"gclid": "x"} | tagged})
        found = event["context"]["campaign"]
        assert (found["source"], found.get("medium")) == campaign


def test_ga4_is_read_from_parquet_as_from_json(tmp_path: Path) -> None:
    """BigQuery's Parquet has numbers where its JSON has texts; the events are the same."""
    rows = [json.loads(line) for line in (EXPORTS / "ga4.ndjson").read_text().splitlines()]
    for row in rows:
        row["event_timestamp"] = int(row["event_timestamp"])
        for parameter in row["event_params"]:
            value = parameter["value"]
            parameter["value"] = {
                "string_value": value.get("string_value"),
                "int_value": int(value["int_value"]) if "int_value" in value else None,
                "float_value": None,
                "double_value": None,
            }
    pl.DataFrame(rows).write_parquet(tmp_path / "events_20260303.parquet")
    columns = [name for name in FIRST if name != "extra"] + ["timestamp", "anonymous_id", "context_page_url"]
    table, letters = read_all(tmp_path / "events_20260303.parquet")
    assert letters == []
    assert table.select(columns).equals(read_all(EXPORTS / "ga4.ndjson")[0].select(columns))


def test_posthog_is_read_from_tables_too(tmp_path: Path) -> None:
    """In Parquet and CSV the properties are a text of JSON; a body of the capture API has its own time of sending."""
    lines = [json.loads(line) for line in (EXPORTS / "posthog.ndjson").read_text().splitlines()]
    columns = ("uuid", "event", "distinct_id", "timestamp", "created_at")
    rows = [{name: each[name] for name in columns} | {"properties": json.dumps(each["properties"])} for each in lines]
    pl.DataFrame(rows).write_parquet(tmp_path / "events.parquet")
    pl.DataFrame(rows).write_csv(tmp_path / "events.csv")
    expected, _ = read_all(EXPORTS / "posthog.ndjson")
    for name in ("events.parquet", "events.csv"):
        assert read_all(tmp_path / name)[0].equals(expected)
    body = {
        "api_key": "k",
        "sent_at": "2026-03-03T11:00:00Z",
        "batch": [{key: each[key] for key in each} for each in lines],
    }
    (tmp_path / "body.json").write_text(json.dumps(body))
    assert read_all(tmp_path / "body.json")[0]["sent_at"].dt.hour().unique().to_list() == [11]


@pytest.mark.parametrize("adapter", registry.adapters().values(), ids=lambda each: each.name)
def test_every_field_of_an_adapter_is_one_of_the_plan(adapter: Adapter) -> None:
    """Its table fills paths of the tracking plan, or the user's own properties; each is in its docstring."""
    paths = {".".join(column.path) for column in COLUMNS}
    assert {path for path in adapter.fields if path not in paths and not path.startswith("properties.")} <= {
        "traits.email"
    }
    table = __import__(type(adapter).__module__, fromlist=["_"]).__doc__
    assert "| field of the tracking plan |" in table
    sources = [path.rpartition(".")[2] for paths in adapter.fields.values() for path in paths[:1]]
    missing = [
        name
        for name in sources
        if name.strip("$") not in table and not name.startswith(("utm", "manual", "[", "campaign"))
    ]
    assert set(missing) <= {"user_agent", "page_title", "v_tracker", "$lib", "message_id", "referrer"}


def test_what_an_adapter_cannot_convert_is_a_dead_letter() -> None:
    """A damaged record does not end the reading, and is kept as it was exported."""
    broken = '{"visitorId": "a", "actionDetails": [7], "serverTimestamp": 1}'
    data = (json.dumps(json.loads((EXPORTS / "matomo.json").read_text())) + broken).encode()
    frame, letters = read_all(__import__("io").BytesIO(data))
    assert frame.height == 4
    assert [json.loads(each.raw) for each in letters] == [json.loads(broken)]


class Shop(Adapter):
    """An adapter of somebody else's."""

    name = "shop"
    fields = {"anonymousId": ("visitor",), "timestamp": ("when",)}  # noqa: RUF012
    event_path = "what"
    page_events = frozenset({"viewed"})

    def recognises(self, record: Record) -> bool:
        """Whether it has a visitor."""
        return "visitor" in record


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of entry points of the group, as an installed package would register them."""
    values: list[str] = []
    found = lambda group: [metadata.EntryPoint("shop", value, group) for value in values]  # noqa: E731
    monkeypatch.setattr(registry.metadata, "entry_points", found)
    registry.adapters.cache_clear()
    yield values
    registry.adapters.cache_clear()


def test_others_can_add_adapters(installed: list[str], tmp_path: Path) -> None:
    """An installed package's adapter is recognised, and named like a built-in one; a broken one is reported."""
    (tmp_path / "shop.ndjson").write_text('{"visitor": "a", "what": "viewed", "when": "2026-03-03T10:00:00Z"}\n')
    assert read_all(tmp_path / "shop.ndjson", note=lambda _: None)[0].is_empty()
    installed.append(f"{__name__}:Shop")
    __import__("sys").modules.setdefault(__name__, __import__("types").SimpleNamespace(Shop=Shop))  # type: ignore[arg-type]
    registry.adapters.cache_clear()
    for form in (None, EventFormat("shop")):
        assert read_all(tmp_path / "shop.ndjson", form)[0]["type"].to_list() == ["page"]
    installed[:] = ["no.such.module:Shop"]
    registry.adapters.cache_clear()
    with pytest.raises(EventFileError, match=r"the adapter 'shop' .* cannot be loaded"):
        read_all(tmp_path / "shop.ndjson")


def test_an_unknown_format_is_refused() -> None:
    """The error has all formats there are."""
    with pytest.raises(EventFileError, match="there is no format 'ga5'; there are segment, amplitude, ga4, matomo"):
        read_all(EXPORTS / "ga4.ndjson", EventFormat("ga5"))


def test_events_of_segment_among_others_stay_as_they_are(tmp_path: Path) -> None:
    """An adapter leaves events of the Segment Spec alone."""
    data = json.dumps(page(1)) + "\n" + (EXPORTS / "mixpanel.ndjson").read_text()
    (tmp_path / "mixed").write_text(data)
    frame, letters = read_all(tmp_path / "mixed")
    assert (frame["message_id"].to_list(), letters) == (["m1", "mp-1", "mp-2"], [])


def test_an_export_is_analysed() -> None:
    """From the export to the figures: a page view and a conversion by a renamed event."""
    found = analyze(EXPORTS / "matomo.json")
    assert (found.store.counts.accepted, found.to_dict()["totals"]["demo_requests"]) == (4, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1772532000, "2026-03-03T10:00:00+00:00"),
        (1772532000000, "2026-03-03T10:00:00+00:00"),
        (1772532000000001, "2026-03-03T10:00:00.000001+00:00"),
        (1772532000.5, "2026-03-03T10:00:00.500000+00:00"),
        ("1772532000", "2026-03-03T10:00:00+00:00"),
        (10**30, 10**30),
        ("soon", "soon"),
        (None, None),
    ],
)
def test_numbers_are_read_in_any_unit(given: object, expected: object) -> None:
    """Seconds, milliseconds and microseconds are told apart by their size; what is no time stays."""
    assert from_epoch(given) == expected


def test_devices_are_named_as_in_the_plan() -> None:
    """Names of devices and of systems become the three kinds."""
    names = ["Computer", "Smartphone", "iPad", "Chrome OS", "Android", "Linux", "TV"]
    assert [device_type(name) for name in names] == [
        "desktop", "mobile", "tablet", "desktop", "mobile", "desktop", "TV",
    ]  # fmt: skip


def test_a_selection_of_the_columns_of_snowplow_is_recognised(tmp_path: Path) -> None:
    """Without the collector's version, by the identifier, the collector's time and the visitor."""
    row = {"event_id": "1", "collector_tstamp": "2026-03-03 10:00:00", "domain_userid": "a", "event": "page_view"}
    (tmp_path / "events.json").write_text(json.dumps(row | {"page_url": "https://x.org/"}))
    found = read_all(tmp_path / "events.json")[0].row(0, named=True)
    assert (found["type"], found["anonymous_id"], found["context_page_url"]) == ("page", "a", "https://x.org/")
