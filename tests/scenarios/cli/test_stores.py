"""Claims about ingest and stats: what they print, where they resume, and how they end."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, Ended

from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.store.event_store import EventStore


def line(number: int, **more: Any) -> bytes:
    """A page view, half an hour after the one before."""
    minutes = 30 * number
    when = f"2026-03-{3 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"
    country = {"location": {"country": "DE" if number % 3 else "US"}}
    event = {"type": "page", "messageId": f"m{number}", "anonymousId": "a", "timestamp": when, "context": country}
    return json.dumps(event | more).encode() + b"\n"


LINES = [line(number) for number in range(100)] + [line(99), b"broken\n", line(0, messageId="late")]


@pytest.fixture
def events() -> Path:
    """A file of events."""
    Path("events.ndjson").write_bytes(b"".join(LINES))
    return Path("events.ndjson")


def test_ingest_counts_the_events(events: Path) -> None:
    """Counts of this call and of the store are printed; a second call has nothing to do, and reports that."""
    first = Ended("ingest", events, "--store", "store")
    assert (first.status, first.err) == (0, "")
    rows = {words[0]: words[1:] for words in map(str.split, first.out.splitlines()) if len(words) == 3}
    expected = {"received": 103, "accepted": 100, "duplicate": 1, "conflict": 0, "late": 1, "invalid": 1}
    assert {name: rows[name] for name in expected} == {name: [str(n), str(n)] for name, n in expected.items()}
    assert f"read {events.absolute()}: 103 lines" in first.out
    again = Ended("ingest", events, "--store", "store", "--json").json
    assert (again["received"], again["store"]["received"], again["was_stopped"]) == (0, 103, False)
    nothing = ("n_records", "n_events", "n_bytes_cut", "n_bytes_doubtful", "n_kept_aside")
    assert again["recovery"] == dict.fromkeys(nothing, 0)


def test_sources_of_all_kinds_go_into_one_store(events: Path) -> None:
    """A file, an archive of the same events and a table are read in turn; what repeats is a duplicate."""
    Path("more.gz").write_bytes(gzip.compress(b"".join([*LINES[90:100], line(100)])))
    store = EventStore()
    store.append_json(line(101))
    store.events().write_parquet("table.parquet")
    done = Ended("ingest", events, "more.gz", "table.parquet", "--store", "store", "--batch", 7, "--json").json
    assert (done["received"], done["accepted"], done["duplicate"]) == (103 + 11 + 1, 102, 11)


def test_live_events_are_not_from_the_future(tmp_path: Path) -> None:
    """With `--live` an event without arrival arrives when it is read: one of 2124 does not push out the others."""
    path, store = tmp_path / "live.ndjson", tmp_path / "store"
    path.write_text(json.dumps({"type": "page", "anonymousId": "a", "timestamp": "2124-01-01T00:00:00Z"}) + "\n")
    before = datetime.now(UTC)
    Ended("ingest", path, "--store", store, "--live")
    stream_time = read_store(store).stream_time
    assert stream_time is not None
    assert before - timedelta(seconds=1) <= stream_time <= datetime.now(UTC)


def test_stats_print_the_content_of_a_store(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, hours and segments, as text and as data, are those of the store; only a terminal gets control codes."""
    Ended("ingest", events, "--store", "store")
    text = Ended("stats", "--store", "store").out
    assert "received   103" in text
    assert "of these 1 not_json" in text
    assert "stream time 2026-03-05 01:30" in text
    assert "lateness: mean 49.5 hours, maximum 49.5 hours" in text
    assert sum(each.startswith("  2026-03-0") for each in text.splitlines()) == 24
    monkeypatch.setenv("TERM", "xterm")
    drawn = Ended("stats", "--store", "store", on_terminal=True).out
    assert drawn != text == re.sub(r"\x1b\[[\d;]*m", "", drawn)
    by_region = Ended("stats", "--store", "store", "--by", "region").out
    # Of the 48 half hours of the window every third view is from the United States.
    assert [each.split() for each in by_region.splitlines()[-2:]] == [["europe", "32"], ["north_america", "16"]]
    data = Ended("stats", "--store", "store", "--by", "region", "--json").json
    assert (data["accepted"], data["stream_time"]) == (100, "2026-03-05T01:30:00+00:00")
    assert len(data["hours"]) == 24
    assert sum(row["page_views"] for row in data["views"]) == 48


def test_a_store_without_events_has_no_hours(tmp_path: Path) -> None:
    """A new store has no events yet."""
    open_store(tmp_path).close()
    assert "no events yet" in Ended("stats", "--store", tmp_path).out
    assert Ended("stats", "--store", tmp_path, "--by", "country", "--json").json["views"] == []


def test_a_second_writer_is_refused(events: Path) -> None:
    """Two writers to one store are refused with the process that has it, and readers are not."""
    with open_store("store"):
        refused = Ended("ingest", events, "--store", "store")
        assert (refused.status, refused.out) == (2, "")
        assert f"process {os.getpid()} writes to this store" in refused.err
        assert Ended("stats", "--store", "store").status == 0


def wait_for(folder: Path, n_received: int) -> None:
    """Wait until a store has received so many events."""
    for _ in range(600):
        if (folder / "checkpoint.json").exists() and read_store(folder).counts.received >= n_received:
            return
        time.sleep(0.05)
    pytest.fail(f"{n_received} events did not arrive within half a minute")


@pytest.mark.parametrize("request_", [signal.SIGTERM, signal.SIGINT])
def test_following_ends_cleanly_on_request(tmp_path: Path, request_: signal.Signals) -> None:
    """A file is followed as it grows; on request the command makes a checkpoint, reports it, and has succeeded."""
    path, folder = tmp_path / "events.ndjson", tmp_path / "store"
    path.write_bytes(b"".join(LINES[:50]))
    command = [*COMMAND, "ingest", str(path), "--store", str(folder), "--follow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(folder, 50)
    with path.open("ab") as file:
        file.write(b"".join(LINES[50:60]) + LINES[60][:20])
    wait_for(folder, 60)
    process.send_signal(request_)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "stopped on request; run the same command to resume" in out
    with open_store(folder) as store:
        assert store.recovery.n_records == 0
        assert store.counts.received == 60


@pytest.mark.parametrize("request_", [signal.SIGTERM, signal.SIGINT])
def test_a_pipe_without_a_writer_is_left_on_request(tmp_path: Path, request_: signal.Signals) -> None:
    """Nobody writes to a named pipe: a signal ends the command, as it ends any other."""
    pipe, folder = tmp_path / "pipe", tmp_path / "store"
    os.mkfifo(pipe)
    command = [*COMMAND, "ingest", str(pipe), "--store", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(folder, 0)
    process.send_signal(request_)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "stopped on request" in out


def test_standard_input_is_stored_as_it_arrives(tmp_path: Path) -> None:
    """Each line from a pipe is soon in the store, though the pipe stays open; its end is the end."""
    folder = tmp_path / "store"
    command = [*COMMAND, "ingest", "-", "--store", str(folder), "--fsync", "0.5", "--json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    for n in (1, 2):
        process.stdin.write(LINES[n])
        process.stdin.flush()
        wait_for(folder, n)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["offsets"] == {"standard input": {"lines": 2}}


def test_watching_repeats_and_ends_on_request(events: Path) -> None:
    """With `--watch --json` there is a line of JSON every two seconds, and a last one on request to end."""
    open_store("store").close()
    command = [*COMMAND, "stats", "--store", "store", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == json.dumps(json.loads(first)) + "\n"
        assert json.loads(first)["received"] == 0
        with open_store("store") as store:
            store.append_json(events)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert json.loads(rest[-1])["received"] == 103
