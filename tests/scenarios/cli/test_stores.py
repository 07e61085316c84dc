"""Claims about `funnelsim ingest` and `funnelsim stats`: what they print, where they go on, and how they end."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.store.event_store import EventStore
from scenarios.cli.app import main

COMMAND = [sys.executable, "-c", "from scenarios.cli.app import main; main()"]


def line(number: int, **more: Any) -> bytes:
    """A page view, half an hour after the one before."""
    minutes = 30 * number
    when = f"2026-03-{3 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"
    country = {"location": {"country": "DE" if number % 3 else "US"}}
    event = {"type": "page", "messageId": f"m{number}", "anonymousId": "a", "timestamp": when, "context": country}
    return json.dumps(event | more).encode() + b"\n"


LINES = [line(number) for number in range(100)] + [line(99), b"broken\n", line(0, messageId="late")]


class Ended:
    """How a command ended: status, what it printed, and what it complained of."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        self.status = caught.value.code
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> dict[str, Any]:
        """What it printed, as data."""
        said: dict[str, Any] = json.loads(self.out)
        return said


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file of events."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(LINES))
    return path


def test_ingest_says_what_became_of_the_events(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts of this time and in all are printed; a second time there is nothing to do, and that is said too."""
    first = Ended(capsys, "ingest", events, "--store", tmp_path / "store")
    assert (first.status, first.err) == (0, "")
    rows = {words[0]: words[1:] for words in map(str.split, first.out.splitlines()) if len(words) == 3}
    expected = {"received": 103, "accepted": 100, "duplicate": 1, "conflict": 0, "late": 1, "invalid": 1}
    assert {name: rows[name] for name in expected} == {name: [str(n), str(n)] for name, n in expected.items()}
    assert f"read {events}: 103 lines" in first.out
    again = Ended(capsys, "ingest", events, "--store", tmp_path / "store", "--json")
    assert (again.json["received"], again.json["store"]["received"]) == (0, 103)
    assert again.json["recovery"] == {"n_records": 0, "n_events": 0, "n_bytes_cut": 0}
    assert again.json["was_stopped"] is False


def test_sources_of_all_kinds_go_into_one_store(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file, an archive of the same events and a table are read one after the other; what repeats is a duplicate."""
    packed = tmp_path / "more.gz"
    packed.write_bytes(gzip.compress(b"".join([*LINES[90:100], line(100)])))
    open_store(tmp_path / "other").close()
    table = tmp_path / "table.parquet"
    store = EventStore()
    store.append_json(line(101))
    store.events().write_parquet(table)
    done = Ended(capsys, "ingest", events, packed, table, "--store", tmp_path / "store", "--batch", 7, "--json").json
    assert (done["received"], done["accepted"], done["duplicate"]) == (103 + 11 + 1, 102, 11)


def test_what_comes_live_is_not_from_the_future(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--live` an event without arrival arrives when it is read: one of 2124 does not push out the others."""
    path, store = tmp_path / "live.ndjson", tmp_path / "store"
    raw = {"type": "page", "anonymousId": "a", "timestamp": "2124-01-01T00:00:00Z"}
    path.write_text(json.dumps(raw) + "\n")
    before = datetime.now(UTC)
    Ended(capsys, "ingest", path, "--store", store, "--live")
    stream_time = read_store(store).stream_time
    assert stream_time is not None
    assert before - timedelta(seconds=1) <= stream_time <= datetime.now(UTC)


def test_stats_say_what_a_store_holds(events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, hours and segments, in text and as data, are those of the store."""
    folder = tmp_path / "store"
    Ended(capsys, "ingest", events, "--store", folder)
    text = Ended(capsys, "stats", "--store", folder).out
    assert "received   103" in text
    assert "of these 1 not_json" in text
    assert "stream time 2026-03-05 01:30" in text
    assert "late by 49.5 hours in the mean, 49.5 at most" in text
    assert sum(line.startswith("  2026-03-0") for line in text.splitlines()) == 24
    cut = Ended(capsys, "stats", "--store", folder, "--by", "region").out
    # Of the 48 half hours of the window every third view is from the United States.
    assert [line.split() for line in cut.splitlines()[-2:]] == [["europe", "32"], ["north_america", "16"]]
    data = Ended(capsys, "stats", "--store", folder, "--by", "region", "--json").json
    assert data["accepted"] == 100
    assert data["stream_time"] == "2026-03-05T01:30:00+00:00"
    assert len(data["hours"]) == 24
    assert sum(row["page_views"] for row in data["views"]) == 48


def test_a_store_without_events_has_no_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a new store it is said that there are no events yet."""
    open_store(tmp_path).close()
    assert "no events yet" in Ended(capsys, "stats", "--store", tmp_path).out
    assert Ended(capsys, "stats", "--store", tmp_path, "--by", "country", "--json").json["views"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "nothing.ndjson", "--store", "new"], "nothing.ndjson: cannot be read: No such file or directory"),
        (
            ["ingest", "events.ndjson", "--store", "new", "--fsync", "soon"],
            "--fsync: must be always, never, or seconds",
        ),
        (["ingest", "events.ndjson", "--store", "events.ndjson/x"], "events.ndjson/x: cannot be written: "),
        (["ingest", "events.ndjson", "--store", "."], ": holds other things than a store"),
        (["ingest", "kafka://nowhere", "--store", "new"], "must be kafka://HOST:PORT/TOPIC"),
        (["stats", "--store", "new"], "new: is not the folder of a store"),
        (["stats", "--store", "store", "--by", "planet"], "planet"),
    ],
)
def test_what_is_wrong_is_one_clear_message(  # noqa: PLR0917 - fixtures
    events: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """What was wrong is said in one line on standard error, nothing is left behind, and the status says whose fault."""
    monkeypatch.chdir(tmp_path)
    open_store(tmp_path / "store").close()
    ended = Ended(capsys, *arguments)
    assert ended.status == (1 if "written" in message else 2)
    assert (ended.out, ended.err.count("\n")) == ("", 1)
    assert message in ended.err
    assert not (tmp_path / "new").exists()


def test_a_second_ingest_is_told_who_has_the_store(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two writers to one store are refused, and readers are not."""
    with open_store(tmp_path / "store"):
        refused = Ended(capsys, "ingest", events, "--store", tmp_path / "store")
        assert (refused.status, refused.out) == (2, "")
        assert f"process {os.getpid()} writes to this store" in refused.err
        assert Ended(capsys, "stats", "--store", tmp_path / "store").status == 0


def waited_for(folder: Path, n_received: int) -> None:
    """Wait until a store has received so many events."""
    for _ in range(600):
        if (folder / "checkpoint.json").exists() and read_store(folder).counts.received >= n_received:
            return
        time.sleep(0.05)
    pytest.fail(f"{n_received} events did not arrive within half a minute")


@pytest.mark.parametrize("request_", [signal.SIGTERM, signal.SIGINT])
def test_following_ends_cleanly_when_asked(tmp_path: Path, request_: signal.Signals) -> None:
    """A file is followed as it grows; asked to end, the command makes a checkpoint, says so, and has succeeded."""
    path, folder = tmp_path / "events.ndjson", tmp_path / "store"
    path.write_bytes(b"".join(LINES[:50]))
    command = [*COMMAND, "ingest", str(path), "--store", str(folder), "--follow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    waited_for(folder, 50)
    with path.open("ab") as file:
        file.write(b"".join(LINES[50:60]) + LINES[60][:20])
    waited_for(folder, 60)
    process.send_signal(request_)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "stopped as asked; the same command goes on from here" in out
    with open_store(folder) as store:
        assert store.recovery.n_records == 0
        assert store.counts.received == 60


def test_standard_input_is_taken_in_as_it_comes(tmp_path: Path) -> None:
    """Each line from a pipe is in the store soon, though the pipe stays open; its end is the end."""
    folder = tmp_path / "store"
    command = [*COMMAND, "ingest", "-", "--store", str(folder), "--fsync", "0.5", "--json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    for n in (1, 2):
        process.stdin.write(LINES[n])
        process.stdin.flush()
        waited_for(folder, n)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["offsets"] == {"standard input": {"lines": 2}}


def test_watching_says_it_again_and_ends_when_asked(events: Path, tmp_path: Path) -> None:
    """With `--watch --json` there is a line of JSON every two seconds, and a last one when asked to end."""
    folder = tmp_path / "store"
    open_store(folder).close()
    command = [*COMMAND, "stats", "--store", str(folder), "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["received"] == 0
        with open_store(folder) as store:
            store.append_json(events)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert json.loads(rest[-1])["received"] == 103
