"""Claims about whose event it is: analyze, stats and reports count the same persons, and warn of who is unmatched."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import Ended

import funnelsim as fs

START = datetime(2026, 3, 3, 9, tzinfo=UTC)


def call(
    minute: int, kind: str, browser: str | None = None, user: str | None = None, **fields: object
) -> dict[str, Any]:
    """An event as SDKs send it."""
    when = f"{START + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
    who = {key: value for key, value in (("anonymousId", browser), ("userId", user)) if value is not None}
    return {"type": kind, "messageId": f"m{minute}", "timestamp": when, **who, **fields}


def demo(minute: int, browser: str | None = None, user: str | None = None) -> dict[str, Any]:
    """A demo request."""
    return call(minute, "track", browser, user, event="Demo Requested")


BY_SERVER = [call(0, "page", "a"), call(1, "identify", "a", "u"), demo(2, user="u")]
HALF = [call(0, "page", "a", "u"), *(demo(n, "a" if n % 2 else None, "u") for n in range(1, 11))]
BY_ALIAS = [
    call(0, "page", "anon"),
    call(1, "alias", user="u", previousId="anon"),
    call(2, "page", "phone", "u"),
    demo(3, user="u"),
]
UNMATCHED = [call(0, "page", "a"), demo(1, user="u"), demo(2, user="v")]


def write(events: list[dict[str, Any]], form: str) -> str:
    """Write events to a file, as lines or as tables in the columns of the event table."""
    if form == "ndjson":
        Path("events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
        return "events.ndjson"
    keys = {"messageId": "message_id", "anonymousId": "anonymous_id", "userId": "user_id", "previousId": "previous_id"}
    rows = [{keys.get(key, key): value for key, value in event.items()} for event in events]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if form == "parquet":
        frame.write_parquet("events.parquet")
    else:
        frame.write_csv("events.csv")
    return f"events.{form}"


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
@pytest.mark.parametrize("events", [BY_SERVER, HALF, BY_ALIAS], ids=["by a server", "half by a server", "by alias"])
def test_persons_are_counted_everywhere(events: list[dict[str, Any]], form: str) -> None:
    """Analyze, a store and Python make one converted person of all identifiers, from whatever form of file."""
    name = write(events, form)
    analysed = Ended("analyze", name, "--json").json
    Ended("ingest", name, "--store", "store")
    kept = Ended("stats", "--store", "store", "--json").json
    frames = pl.concat([batch.frame for batch in fs.read_events(name)])
    for totals in (analysed["totals"], kept["totals"], fs.FunnelStatistics(frames).totals().to_dicts()[0]):
        assert (totals["visitors"], totals["converted"], totals["conversion"]) == (1, 1, 1.0)
    assert fs.visit_table(frames)["anonymous_id"].n_unique() == 1
    assert not [each for each in (*analysed["warnings"], *kept["warnings"]) if "no page view" in each]


def test_browsers_are_counted_on_request() -> None:
    """`--no-stitch` and the setting leave browsers as they are, in analyze and stats alike, and say what that costs."""
    name = write(BY_ALIAS, "ndjson")
    Ended("ingest", name, "--store", "store")
    chosen = (
        Ended("analyze", name, "--no-stitch", "--json"),
        Ended("analyze", name, "--set", "analytics.stitch=false", "--json"),
        Ended("stats", "--store", "store", "--no-stitch", "--json"),
    )
    for ended in chosen:
        totals = ended.json["totals"]
        assert (totals["visitors"], totals["demo_requests"], totals["conversion"]) == (2, 1, 0.0)
        assert any("without --no-stitch" in warning for warning in ended.json["warnings"])
    back = Ended("analyze", name, "--set", "analytics.stitch=false", "--stitch", "--json").json
    assert back["totals"]["visitors"] == 1


def test_the_unmatched_are_counted_in_every_output() -> None:
    """Text, data and report page have the warning that so many requests are of nobody who was seen."""
    name, expected = write(UNMATCHED, "ndjson"), "2 of 2 demo requests are of people of whom no page view was seen"
    Ended("ingest", name, "--store", "store")
    assert expected in Ended("analyze", name, "--out", "results").out
    assert expected in Path("results/report.html").read_text()
    assert expected in Ended("stats", "--store", "store").out
    for ended in (Ended("analyze", name, "--json"), Ended("stats", "--store", "store", "--json")):
        assert [each for each in ended.json["warnings"] if expected in each]
        assert [each for each in ended.json["warnings"] if "2 of 2 user ids were never seen with a browser" in each]


def test_a_stream_of_which_nothing_is_used_is_never_zeros_in_silence() -> None:
    """Calls that are not used, and lines that cannot be, are named by every command."""
    name = write([call(0, "identify", "a", "u"), call(1, "screen", "a")], "ndjson")
    Ended("ingest", name, "--store", "store")
    for ended in (Ended("analyze", name), Ended("stats", "--store", "store")):
        assert "no page view among these 2 events (1 identify, 1 screen)" in ended.out
    Path("broken.ndjson").write_text('{"type": "page"}\n' * 3)
    assert Ended("analyze", "broken.ndjson").status == 2
    refused = Ended("ingest", "broken.ndjson", "--store", "other")
    assert refused.status == 2
    assert "none of 3 events is usable" in refused.err
    with fs.open_store("other") as store:
        store.append_json("broken.ndjson")
    assert "no event was accepted, of 3 received" in Ended("stats", "--store", "other").out
    Path("empty.ndjson").write_text("")
    assert Ended("ingest", "empty.ndjson", "--store", "new", "--json").json["warnings"] == [
        "nothing was read: the sources hold no events"
    ]


def test_a_default_user_id_does_not_swallow_everybody_in_silence() -> None:
    """A user id on all browsers makes one person of them, with a warning that names it and the way out."""
    name = write([call(n, "page", f"b{n}", "default") for n in range(30)], "ndjson")
    analysed = Ended("analyze", name, "--json").json
    assert analysed["totals"]["visitors"] == 1
    (warning,) = [each for each in analysed["warnings"] if "one person" in each]
    assert "the user id 'default' was seen with 30 browsers" in warning
    assert "--no-stitch" in warning
    assert Ended("analyze", name, "--no-stitch", "--json").json["totals"]["visitors"] == 30
