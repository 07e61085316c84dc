"""Claims about analyze: events of any form and origin."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from command_line import Ended
from polars.testing import assert_frame_equal

from analytics.io.ndjson import decode
from scenarios.errors import InputError
from scenarios.run.events_analysis import analyze
from scenarios.scenario import Scenario

PAGE = {
    "type": "page",
    "messageId": "1",
    "anonymousId": "a",
    "timestamp": "2026-03-03T10:00:00Z",
    "properties": {"category": "docs", "funnel_stage": "top"},
}
DEMO = PAGE | {"type": "track", "event": "Demo Requested", "messageId": "2"}
TIMES = [f"2026-03-0{day}T10:00:00Z" for day in range(1, 7)]


def write(name: str, events: list[dict[str, object]]) -> None:
    """Write events to a file, one a line."""
    Path(name).write_text("\n".join(map(json.dumps, events)))


def test_every_event_is_counted() -> None:
    """Broken lines, duplicates and events days apart are counted; the statistics cover all that was accepted."""
    days_later = PAGE | {"messageId": "3", "timestamp": "2026-03-09T10:00:00Z"}
    behind = PAGE | {"messageId": "4", "receivedAt": "2026-03-09T11:00:00Z"}
    lines = [json.dumps(event) for event in (PAGE, DEMO, PAGE)]
    lines += ["{broken", json.dumps(days_later), json.dumps(behind)]
    with gzip.open("events.gz", "wt") as file:
        file.write("\n".join(lines))
    printed = Ended("analyze", "events.gz", "--json", "--out", "o").json
    counters = ["received", "accepted", "duplicate", "conflict", "late", "invalid"]
    assert [printed[name] for name in counters] == [6, 4, 1, 0, 0, 1]
    assert (printed["totals"]["page_views"], printed["totals"]["demo_requests"]) == (3, 1)
    assert printed["model"]["error"]
    (warning,) = printed["warnings"]
    assert warning.startswith("1 of 1 visitors with a demo request made it at the very time of their first page view")
    letter = json.loads(Path("o/dead_letters.ndjson").read_text())
    assert (letter["position"], letter["raw"]) == (4, "{broken")


def test_a_pipe_is_read_completely() -> None:
    """What the shell makes of `<(zcat events.gz)` can be read once only, and is."""
    events = [PAGE | {"messageId": str(number)} for number in range(500)]
    os.mkfifo("pipe")
    writer = threading.Thread(target=write, args=("pipe", events), daemon=True)
    writer.start()
    assert Ended("analyze", "pipe", "--json").json["accepted"] == len(events)
    writer.join()


@pytest.mark.slow
def test_files_lines_and_forms_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of pages and then of tracks, in one file or two, backwards, as Parquet or from a pipe: the results agree."""
    pages = [PAGE | {"messageId": f"p{time}", "timestamp": time} for time in TIMES]
    tracks = [DEMO | {"messageId": f"t{time}", "timestamp": time} for time in TIMES]
    write("pages", pages)
    write("tracks", tracks)
    write("backwards", [*tracks[::-1], *pages[::-1]])
    decode(Path("backwards").read_bytes()).frame.write_parquet("table")
    stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(Path("backwards").read_bytes())))
    monkeypatch.setattr("sys.stdin", stdin)
    ways = [["pages", "tracks"], ["tracks", "pages"], ["backwards"], ["table"], ["-"]]
    printed = [Ended("analyze", *names, "--json").json for names in ways]
    assert [each.pop("inputs") for each in printed] == ways
    # The pages and the requests have the same times.
    assert (printed[0]["received"], printed[0]["accepted"], len(printed[0]["warnings"])) == (12, 12, 1)
    assert all(each == printed[0] for each in printed)


def test_an_unreadable_time_costs_its_row_only() -> None:
    """A time that is none makes a dead letter with its row in the Parquet file, though rows are sorted."""
    times = [*TIMES[:1:-1], "n/a", *TIMES[:2]]
    columns = {"type": "page", "message_id": list("1234567"), "anonymous_id": "a", "timestamp": times}
    pl.DataFrame(columns).write_parquet("theirs.parquet")
    printed = Ended("analyze", "theirs.parquet", "--json", "--out", "o").json
    assert (printed["accepted"], printed["invalid"], printed["invalid_by_reason"]) == (6, 1, {"bad_time": 1})
    assert json.loads(Path("o/dead_letters.ndjson").read_text())["position"] == 5


def test_wrong_clocks_and_unreadable_times_are_warned_of() -> None:
    """A first event of 1970 makes no table of half a century; a time that is not needed costs nothing."""
    reset = {"originalTimestamp": "1970-01-01T00:00:00Z", "sentAt": TIMES[0], "receivedAt": TIMES[0]}
    wrong = {"type": "page", "messageId": "w", "anonymousId": "w", **reset}
    pages = [PAGE | {"messageId": time, "timestamp": time, "sentAt": "invalid"} for time in TIMES[:3]]
    write("events", [wrong, *pages])
    printed = Ended("analyze", "events", "--json", "--out", "o").json
    assert (printed["accepted"], printed["invalid"], printed["totals"]["page_views"]) == (4, 0, 3)
    assert printed["impossible_times"] == 1
    assert "1 of the accepted events have times far from all others" in Path("o/report.html").read_text()
    assert printed["warnings"] == [
        "3 times could not be read, and were ignored because others can (sentAt 3)",
        "1 events have times far from all others: a wrong clock set them; they are in no figure",
    ]
    assert len(Path("o/statistics/hourly.csv").read_text().splitlines()) == 1 + 2 * 24 + 1


def test_dropped_requests_are_reported_and_can_be_kept() -> None:
    """Of two colleagues who request a demo the second's visit is dropped with a warning, or kept on request."""
    events = []
    for hour, visitor in ((10, "a"), (12, "b")):
        at = {"anonymousId": visitor, "context": {"groupId": "acme.example.com"}}
        events.append(PAGE | at | {"messageId": f"{visitor}1", "timestamp": f"2026-03-03T{hour}:00:00Z"})
        events.append(DEMO | at | {"messageId": f"{visitor}2", "timestamp": f"2026-03-03T{hour}:05:00Z"})
    write("events.ndjson", events)
    (warning,) = Ended("analyze", "events.ndjson", "--json").json["warnings"]
    assert warning.startswith("1 demo requests came after the first one of their account")
    assert "--conversion-unit visitor" in warning
    assert Ended("analyze", "events.ndjson", "--json", "--conversion-unit", "visitor").json["warnings"] == []
    assert analyze(["events.ndjson"], conversion_unit="visitor").analysis.visits["at_risk"].all()


@pytest.mark.parametrize(
    "options",
    [["--rename-event", "Demo Request Submitted=Demo Requested"], ["--config", "renaming.yaml"]],
    ids=str,
)
def test_events_can_be_renamed(options: list[str]) -> None:
    """Once the command line or a file says what the stream calls a demo request, it is counted."""
    Path("renaming.yaml").write_text(
        'name: x\nanalytics: {event_names: {"Demo Request Submitted": Demo Requested}}\n', encoding="utf-8"
    )
    write("theirs", [PAGE, DEMO | {"event": "Demo Request Submitted", "timestamp": "2026-03-03T10:01:00Z"}])
    printed = Ended("analyze", "theirs", "--json").json
    assert printed["totals"]["demo_requests"] == 0
    # One of a kind is singular.
    assert "1 visitor seen, 1 visit, 1 page view, 0 demo requests" in Ended("analyze", "theirs").out
    assert "'Demo Request Submitted' (1) (--rename-event 'THEIRS=Demo Requested'" in printed["warnings"][0]
    renamed = Ended("analyze", "theirs", "--json", *options).json
    assert (renamed["totals"]["demo_requests"], renamed["warnings"]) == (1, [])
    misspelt = Ended("analyze", "theirs", "--json", "--rename-event", "Demo Reqest=Demo Requested").json
    assert "no event is called 'Demo Reqest', so nothing is renamed there" in misspelt["warnings"]


def shuffled_month(*, received: bool) -> list[dict[str, object]]:
    """600 page views over a month, in no order, of which nothing but their own clock says when they arrived."""
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    times = [(begin + timedelta(minutes=72 * number)).isoformat() for number in range(600)]
    pages = [
        PAGE | {"messageId": f"m{n}", "timestamp": time} | ({"receivedAt": time} if received else {})
        for n, time in enumerate(times)
    ]
    return [pages[place] for place in np.random.default_rng(7).permutation(len(pages))]


@pytest.mark.parametrize("received", [True, False])
def test_shuffled_history_is_taken_whole(*, received: bool) -> None:
    """All of 600 events over a month count, in one file or two, and a redelivery of weeks later counts once."""
    events = shuffled_month(received=received)
    write("month", events)
    write("first", events[:300])
    write("second", [*events[300:], events[0] | {"receivedAt": "2026-04-20T00:00:00Z"}])
    whole = Ended("analyze", "month", "--json").json
    assert (whole["accepted"], whole["late"], whole["totals"]["page_views"]) == (600, 0, 600)
    halves = Ended("analyze", "first", "second", "--json").json
    assert (halves["accepted"], halves["duplicate"], halves["totals"]["page_views"]) == (600, 1, 600)


def visitors_of(name: str) -> list[dict[str, object]]:
    """Forty visitors with a page view each, of whom every second has a track call of this name."""
    time = "2026-03-03T10:{:02}:00Z".format
    pages = [PAGE | {"messageId": f"p{k}", "anonymousId": f"a{k}", "timestamp": time(k)} for k in range(40)]
    track = {"type": "track", "event": name}
    asked = [page | track | {"messageId": f"t{k}", "timestamp": time(k + 1)} for k, page in enumerate(pages) if k % 2]
    return [*pages, *asked, PAGE | {"messageId": "last", "anonymousId": "z", "timestamp": "2026-03-03T12:00:00Z"}]


def test_a_stream_whose_requests_have_another_name_is_not_told_to_wait() -> None:
    """To observe longer would not help: the names that there are, and the option, would."""
    write("named.ndjson", visitors_of("Call Booked"))
    error = Ended("analyze", "named.ndjson", "--json").json["model"]["error"]
    assert error.startswith("no event is called 'Demo Requested'")
    assert "'Call Booked' (20)" in error
    assert "--rename-event" in error
    assert "observe longer" not in error
    write("pages.ndjson", visitors_of("Call Booked")[:40])
    error = Ended("analyze", "pages.ndjson", "--json").json["model"]["error"]
    assert error.endswith("observe longer, or check that requests are events called 'Demo Requested'")


def test_a_model_without_any_signal_has_no_empty_table() -> None:
    """Nobody shows a signal: that is said, and no heading stands above nothing."""
    write("events.ndjson", visitors_of("Demo Requested"))
    printed = Ended("analyze", "events.ndjson").out
    assert (
        "intent model: on 40 visits with 20 demo requests no signal can be fitted\n  not seen in these events:"
        in printed
    )
    assert "odds ratio" not in printed


def test_little_memory_changes_no_result() -> None:
    """Events that do not fit are sorted and analysed in parts; where not even the visits fit, an error says so."""
    world = {"clock.hours": 30, "traffic.visitors_per_day": 1500, "tracking.duplicate_rate": 0.02}
    Scenario.load("ad-blocker-heavy", world).run(seed=3).save("run", "ndjson")
    whole = Ended("analyze", "run/events.ndjson", "--out", "whole", "--json").json
    in_parts = f"{whole['received'] * 400 // 1000}KB"
    parts = Ended("analyze", "run/events.ndjson", "--memory", in_parts, "--out", "parts", "--json").json
    fits = [pl.DataFrame(found.pop("model")["coefficients"], infer_schema_length=None) for found in (parts, whole)]
    assert_frame_equal(*fits, rel_tol=1e-9, abs_tol=1e-12)
    assert parts == whole
    for table in Path("whole/statistics").iterdir():
        assert Path("parts/statistics", table.name).read_bytes() == table.read_bytes(), table.name
    refused = Ended("analyze", "run/events.ndjson", "--memory", "100KB")
    assert (refused.status, refused.out) == (2, "")
    assert "MB of memory, and 0.1 MB are allowed; allow more, or analyse a part of them" in refused.err
    with pytest.raises(InputError, match="memory: must be a number of bytes"):
        analyze("run/events.ndjson", memory=-5)


@pytest.mark.parametrize("size", ["1,5GB", "5%", "0", "0 MB", "abc", "-1", "1e3MB", ""])
def test_what_is_no_size_is_refused(size: str) -> None:
    """Also what begins like one."""
    write("events.ndjson", [PAGE, DEMO])
    refused = Ended("analyze", "events.ndjson", "--memory", size)
    assert refused.status == 2
    assert "is no size such as 4GB" in refused.err


def test_experiments_are_compared() -> None:
    """The arms, a sentence for each, and the same numbers in JSON and CSV; a mismatch of the shares is a warning."""
    rows = []
    for n in range(400):
        arm = "new" if n % 4 == 0 else "control"
        event = PAGE | {"messageId": f"p{n}", "anonymousId": f"v{n}", "context": {"experiments": f"form={arm}"}}
        asks = n % (3 if arm == "new" else 10) == 0
        rows += [event, *([event | {"type": "track", "event": "Demo Requested", "messageId": f"d{n}"}] if asks else [])]
    write("ab.ndjson", rows)
    ended = Ended("analyze", "ab.ndjson", "--out", "o")
    assert "warning: sample-ratio mismatch in form" in ended.out
    assert re.search(r"  new +100 +34 +34.0% \[25.5, 43.7\] +\+27.33", ended.out)
    assert "  new: 34.0% of 100 visitors requested a demo, 27.33 percentage points more than control" in ended.out
    effects = Ended("analyze", "ab.ndjson", "--json").json["experiment_effects"]
    table = pl.read_csv("o/statistics/experiment_effects.csv")
    assert [row["difference"] for row in effects] == table["difference"].to_list()
    assert pl.read_csv("o/statistics/experiment_sequences.csv").columns[:3] == ["experiment", "arm", "until"]
