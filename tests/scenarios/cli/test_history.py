"""Claims about history on the command line: backfills, wrong clocks, and streams of which nothing is used."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Ended
from event_files import EXPORTS

from analytics.durable.recovery import read_store

BEGIN = datetime(2026, 3, 3, 9, tzinfo=UTC)


def page(number: int, minutes: int, **more: object) -> dict[str, object]:
    """A page view so many minutes after the beginning; a time that is None is not given."""
    time = (BEGIN + timedelta(minutes=minutes)).isoformat()
    event = {"type": "page", "messageId": f"m{number}", "anonymousId": "a", "timestamp": time} | more
    return {key: value for key, value in event.items() if value is not None}


def write(name: str, events: list[dict[str, object]]) -> None:
    """Write events to a file, one a line."""
    Path(name).write_text("".join(json.dumps(event) + "\n" for event in events))


def shuffled_month() -> list[dict[str, object]]:
    """600 page views over a month, in no order."""
    events = [page(n, 24 * 60 * (n // 20) + n % 20) for n in range(600)]
    return [events[place] for place in np.random.default_rng(7).permutation(len(events))]


def test_a_backfill_takes_shuffled_history_whole() -> None:
    """All of 600 events, where most were late without it, as a warning said with the way out."""
    write("month", shuffled_month())
    lost = Ended("ingest", "month", "--store", "lost")
    assert lost.status == 0
    assert "of 600 events are late" in lost.out
    assert "--backfill" in lost.out
    done = Ended("ingest", "month", "--store", "store", "--backfill", "--json").json
    assert (done["accepted"], done["late"], done["warnings"]) == (600, 0, [])
    analysed = Ended("analyze", "month", "--json").json
    assert (analysed["accepted"], analysed["late"]) == (600, 0)
    text = Ended("ingest", "month", "--store", "store", "--backfill").out
    assert f"read {Path('month').resolve()}: 600 lines" in text
    assert "backfill:" not in text


@pytest.mark.parametrize("batch", ["1", "50", "10000"])
@pytest.mark.parametrize("place", [0, 70])
def test_a_clock_that_moves_the_window_is_named(place: int, batch: str) -> None:
    """Also with --quiet: one that comes alone before all others moves it; any other waits, and nothing is late."""
    events = [page(n, 3 * n) | {"anonymousId": f"a{n % 7}"} for n in range(100)]
    write("events", [*events[:place], page(999, 60 * 24 * 120) | {"anonymousId": "ahead"}, *events[place:]])
    ended = Ended("ingest", "events", "--store", "store", "--batch", batch, "--quiet")
    assert (ended.status, ended.out) == (0, "")
    if (place, batch) == (0, "1"):
        (late,) = ended.err.splitlines()
        assert late.startswith(
            "funnelsim: warning: 100 of 101 events are late, as their hours had left the window, where only 'ahead' "
            "has events: its clock may be ahead; they are kept in late.ndjson; stream time is 2026-07-01 09:00: if a "
        )
        assert late.endswith("; if this is history, ingest it into a new folder with --backfill")
    else:
        ahead, invalid = ended.err.splitlines()
        assert ahead.startswith("funnelsim: warning: far ahead of all others, which would then be late: 1 (far_ahead)")
        assert invalid == "funnelsim: warning: 1 of 101 events are invalid, and in no figure (far_ahead 1)"
    done = Ended("ingest", "events", "--store", "whole", "--backfill", "--json").json
    assert (done["accepted"], done["late"], done["warnings"]) == (101, 0, [])


@pytest.mark.parametrize("batch", ["1", "10000"])
def test_a_first_event_of_the_far_future_costs_itself_or_is_named(batch: str) -> None:
    """Beside others it is impossible; alone in its batch nothing shows that, so what it makes late is counted."""
    write("events", [page(999, 0) | {"timestamp": "2090-01-01T00:00:00Z"}, *(page(n, n) for n in range(20))])
    done = Ended("ingest", "events", "--store", "store", "--batch", batch, "--json").json
    expected = "20 of 21 events are late" if batch == "1" else "1 events have times far from all others"
    assert done["warnings"][0].startswith(expected)
    assert done["accepted"] == (1 if batch == "1" else 20)


@pytest.mark.parametrize("option", ["--follow", "--live"])
def test_a_backfill_is_refused_beside_what_comes_now(option: str) -> None:
    """One message, which says what to do, and no store."""
    write("month", shuffled_month())
    ended = Ended("ingest", "month", "--store", "store", "--backfill", option)
    assert ended.status == 2
    assert f"--backfill: is for history, and {option} for what comes now" in ended.err
    assert not Path("store").exists()


def test_a_backfill_into_a_store_past_it_is_refused() -> None:
    """The message says from when the history is, and to take a new folder."""
    write("now", [page(1, 60 * 24 * 40)])
    write("month", shuffled_month())
    Ended("ingest", "now", "--store", "store")
    ended = Ended("ingest", "month", "--store", "store", "--backfill")
    assert (ended.status, "Traceback" in ended.err) == (2, False)
    assert "the history begins at 2026-03-03 09:00" in ended.err
    assert "into a new folder" in ended.err


RESET = {"originalTimestamp": "1970-01-01T00:00:00Z", "timestamp": None}
NOW = BEGIN.isoformat()
WRONG: dict[str, dict[str, Any]] = {
    "1970 on the device, good sentAt": RESET | {"sentAt": NOW, "receivedAt": NOW},
    "corrected to 2090": {"originalTimestamp": "1970-01-01T00:00:00Z", "timestamp": "2090-01-01T00:00:00Z"},
    "2090 and nothing else": {"timestamp": "2090-01-01T00:00:00Z"},
    "2090 at the collector": {"timestamp": "2090-01-01T00:00:00Z", "receivedAt": "2090-01-01T00:00:00Z"},
    "the year 3": {"timestamp": "0003-01-01T00:00:00Z"},
    "the year 9000": {"timestamp": "9000-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("year", ["1970", "2090", "2124"])
def test_many_events_of_one_wrong_clock_are_in_no_figure(year: str) -> None:
    """Eleven of one device beside forty: analyze, ingest and a backfill leave out the same, and warn of it."""
    wrong = [page(100 + n, 0, anonymousId="w", timestamp=f"{year}-01-01T{n:02}:00:00Z") for n in range(11)]
    write("events", [*(page(n, n) for n in range(40)), *wrong])
    analysed = Ended("analyze", "events", "--json").json
    assert (analysed["totals"]["page_views"], analysed["impossible_times"]) == (40, 11)
    for store, options in (("store", []), ("other", ["--backfill"])):
        assert "warning: 11 events have times far" in Ended("ingest", "events", "--store", store, *options).out
        stats = Ended("stats", "--store", store, "--json").json
        assert (stats["totals"]["page_views"], stats["invalid"], stats["late"]) == (40, 11, 0)


def test_a_first_event_of_an_impossible_year_moves_no_window() -> None:
    """Even if it is alone in its batch."""
    write("events", [page(99, 0, timestamp="2124-01-01T00:00:00Z"), *(page(n, n) for n in range(3))])
    printed = Ended("ingest", "events", "--store", "store", "--batch", "1", "--json").json
    assert (printed["accepted"], printed["late"], printed["invalid"]) == (3, 0, 1)


def test_a_lone_device_does_not_move_the_window_of_a_backfill() -> None:
    """One event ten months ahead is a dead letter; where it says when it arrived, it is what came last."""
    ahead = {"timestamp": "2027-01-03T00:00:00Z", "anonymousId": "w"}
    for arrival, kept in (({}, 40), ({"receivedAt": "2027-01-03T00:00:01Z"}, 1)):
        write("events", [page(99, 0, **ahead, **arrival), *(page(n, n) for n in range(40))])
        done = Ended("ingest", "events", "--store", f"store{kept}", "--backfill", "--json").json
        assert (done["accepted"], done["invalid"]) == ((40, 1) if kept == 40 else (41, 0))
        stats = Ended("stats", "--store", f"store{kept}", "--json").json
        assert stats["totals"]["page_views"] == kept


def test_a_claim_of_the_future_counts_at_its_arrival_everywhere() -> None:
    """Analyze and stats count it alike, and both say so."""
    claim = {"originalTimestamp": "2124-01-01T00:00:00Z", "timestamp": None, "sentAt": NOW, "receivedAt": NOW}
    write("events", [*(page(n, n) for n in range(3)), page(9, 0, anonymousId="w", **claim)])
    analysed = Ended("analyze", "events", "--json").json
    assert "1 events claimed a time after their arrival: they count at the arrival" in analysed["warnings"]
    Ended("ingest", "events", "--store", "store")
    for printed in (analysed, Ended("stats", "--store", "store", "--json").json):
        assert (printed["totals"]["page_views"], printed["future"], printed["invalid"]) == (4, 1, 0)


UNREADABLE = {
    "a negative year": {"timestamp": "-0044-03-15T00:00:00Z"},
    "the year 0": {"timestamp": "0000-01-01T00:00:00Z"},
    "the year 9999": {"timestamp": "9999-12-31T23:59:59Z"},
    "epoch seconds": {"timestamp": 1_772_528_400},
}


@pytest.mark.parametrize("times", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("place", ["first", "amid", "last"])
def test_one_wrong_clock_is_in_no_figure(times: dict[str, Any], place: str) -> None:
    """Wherever it is, it sets no span, is counted, and is warned of in analyze, ingest and stats alike."""
    events = [page(n, n * 60) for n in range(3)]
    events.insert({"first": 0, "amid": 1, "last": 3}[place], page(9, 0, anonymousId="w", **times))
    write("events", events)
    analysed = Ended("analyze", "events", "--json", "--out", "o").json
    assert analysed["totals"]["page_views"] == analysed["totals"]["visitors"] + 2 == 3
    assert analysed["impossible_times"] == 1
    assert len(Path("o/statistics/hourly.csv").read_text().splitlines()) == 1 + 3
    assert "a wrong clock" in Path("o/report.html").read_text()
    for store, options in (("store", []), ("other", ["--backfill"])):
        done = Ended("ingest", "events", "--store", store, *options)
        assert "warning: 1 events have times far from all others: a wrong clock set them" in done.out
        stats = Ended("stats", "--store", store, "--json").json
        assert (stats["accepted"], stats["late"], stats["invalid_by_reason"]) == (3, 0, {"impossible_time": 1})
        assert sum(hour["n_page_views"] for hour in stats["hours"]) == 3
        assert "of these 1 impossible_time" in Ended("stats", "--store", store).out
        (letter,) = read_store(Path(store)).dead_letters
        assert json.loads(letter.raw)["messageId"] == "m9"


@pytest.mark.parametrize("times", UNREADABLE.values(), ids=UNREADABLE)
def test_a_time_in_no_possible_year_costs_its_event_only(times: dict[str, Any]) -> None:
    """Of one event of many it is a dead letter, in analyze and ingest alike."""
    write("events", [page(0, 0), page(9, 0, **times), page(1, 60)])
    analysed = Ended("analyze", "events", "--json").json
    ingested = Ended("ingest", "events", "--store", "store", "--json").json
    for printed in (analysed, ingested):
        assert (printed["accepted"], printed["invalid_by_reason"]) == (2, {"bad_time": 1})


@pytest.mark.parametrize(
    ("times", "counted"),
    [
        ({"timestamp": "2124-01-01T00:00:00Z"}, {"future": 1, "accepted": 2, "invalid": 0}),
        (RESET | {"sentAt": datetime.now(UTC).isoformat()}, {"future": 0, "accepted": 1, "invalid": 1}),
    ],
    ids=["future", "past"],
)
def test_a_wrong_clock_in_a_live_store_is_counted(times: dict[str, Any], counted: dict[str, int]) -> None:
    """A lone event of the future counts at its arrival, one of 1970 nowhere; stats say so, and the window stays."""
    write("events", [page(0, 0, timestamp=datetime.now(UTC).isoformat()), page(1, 0, **times)])
    Ended("ingest", "events", "--store", "store", "--live")
    stats = Ended("stats", "--store", "store", "--json").json
    assert {name: stats[name] for name in counted} == counted
    assert stats["lateness"] == {"max_s": None, "mean_s": None}
    text = Ended("stats", "--store", "store").out
    assert ("1 claimed a time after their arrival" in text) == bool(counted["future"])


NOT_EVENTS = {
    "keys of no known format": ('{"who": 1, "what": 2}\n' * 3, "JSON with the keys who, what, of no known format"),
    "text": ("to be or not to be {that}\nis the question\n", "a text that is neither JSON nor a table"),
    "no identity": ('{"type": "page", "timestamp": "2026-03-03T09:00:00Z"}\n', "anonymousId"),
    "broken": ("{broken\n" * 4, "is usable; "),
}


@pytest.mark.parametrize(("text", "why"), NOT_EVENTS.values(), ids=NOT_EVENTS)
@pytest.mark.parametrize("shape", ["file", "files", "folder", "backfill"])
def test_a_stream_of_which_nothing_is_used_is_an_error(text: str, why: str, shape: str) -> None:
    """Status 2, what it looks like and what to do; nothing is stored, so that it can be read in another way."""
    Path("in").mkdir()
    Path("in/1.ndjson").write_text(text)
    if shape in {"files", "folder"}:
        Path("in/2.ndjson").write_text(text)
    names = ["in"] if shape == "folder" else sorted(Path("in").iterdir())
    ended = Ended("ingest", *names, "--store", "store", *(["--backfill"] if shape == "backfill" else []))
    assert (ended.status, ended.out) == (2, "")
    assert "is usable" in ended.err
    assert why in ended.err
    assert "Traceback" not in ended.err
    assert Ended("stats", "--store", "store", "--json").json["received"] == 0
    assert Ended("analyze", *names).status == 2


def test_what_was_refused_can_be_read_with_its_format() -> None:
    """The advice of the message works: nothing was stored of the first attempt."""
    lines = (EXPORTS / "amplitude.ndjson").read_text()
    Path("theirs").write_text(lines)
    assert Ended("ingest", "theirs", "--store", "store", "--format", "segment").status == 2
    assert Ended("ingest", "theirs", "--store", "store", "--format", "amplitude", "--json").json["accepted"] > 1


def test_partly_unusable_events_are_counted_with_their_reasons() -> None:
    """Broken lines first, then good ones: status 0, all are counted, and the reasons are shown."""
    Path("broken").write_text("{broken\n" * 5)
    write("good", [page(0, 0)])
    done = Ended("ingest", "broken", "good", "--store", "store")
    assert done.status == 0
    assert "of these 5 not_json" in done.out
    data = Ended("stats", "--store", "store", "--json").json
    assert (data["accepted"], data["invalid"]) == (1, 5)
    # What is appended later to a file that was good is not refused.
    with Path("good").open("a") as file:
        file.write("{broken\n")
    assert Ended("ingest", "good", "--store", "store").status == 0
