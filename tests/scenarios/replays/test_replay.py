"""Claims about replays: what is sent, in which order, at which pace, and how one is resumed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from replay_clock import QuickClock

from analytics.events.event_time import event_times
from analytics.io.ndjson import decode, encode
from scenarios.errors import DeliveryError, InputError, OutputError
from scenarios.replays.pace import Pace
from scenarios.replays.recorded_run import RecordedRun
from scenarios.replays.sending import replay
from scenarios.run.folder import run_to_folder
from scenarios.scenario import Scenario

DIRT = {"tracking.duplicate_rate": 0.05, "tracking.malformed_rate": 0.05, "tracking.late_rate": 0.05}
SMALL = {"clock.hours": 2, "traffic.visitors_per_day": 2000} | DIRT


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same run in both forms, with duplicate, broken and late lines."""
    folder = tmp_path_factory.mktemp("runs")
    for form in ("parquet", "ndjson"):
        run_to_folder(Scenario(name="small").replace(SMALL), folder / form, events=form, analyse=False)
    return folder


def sent(run: Path, file: Path, **options: object) -> list[bytes]:
    """Lines that a replay as fast as possible writes to a new file."""
    replay(run, to=f"file:{file}", speed="max", **options)
    return file.read_bytes().splitlines()


def test_every_event_is_sent_as_it_was_received(runs: Path, tmp_path: Path) -> None:
    """From Parquet come the events in order of arrival, from NDJSON the very bytes, broken lines at their places."""
    events = pl.read_parquet(runs / "parquet/events.parquet")
    assert sent(runs / "parquet", tmp_path / "a") == encode(events).splitlines()
    received = (runs / "ndjson/events.ndjson").read_bytes()
    assert b"\n".join([*sent(runs / "ndjson", tmp_path / "b"), b""]) == received
    manifest = json.loads((runs / "ndjson/manifest.json").read_text())
    assert manifest["counts"]["malformed_lines"] > 10
    assert received.count(b"\n") == events.height + manifest["counts"]["malformed_lines"]


def test_a_notebook_can_replay_to_a_file(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard output of a notebook is text only, and none of a file's business."""
    monkeypatch.setattr(sys, "stdout", StringIO())
    assert len(sent(runs / "parquet", tmp_path / "a")) > 10


def test_event_time_order_is_that_in_which_things_happened(runs: Path, tmp_path: Path) -> None:
    """By event time the same events come, each no earlier than those before it; by arrival some do."""
    arrival, happened = (
        decode(b"\n".join(sent(runs / "parquet", tmp_path / order, order=order))).frame
        for order in ("arrival", "event-time")
    )
    assert not event_times(arrival).is_sorted()
    assert event_times(happened).is_sorted()
    assert Counter(encode(arrival).splitlines()) == Counter(encode(happened).splitlines())


def test_a_part_can_be_replayed(runs: Path, tmp_path: Path) -> None:
    """From the first moment on, the second one excluded; parts that touch each other make the whole."""
    noon = datetime(2026, 3, 3, 1, tzinfo=UTC)
    before = sent(runs / "parquet", tmp_path / "before", until=noon)
    after = sent(runs / "parquet", tmp_path / "after", since=noon)
    assert before + after == sent(runs / "parquet", tmp_path / "all")
    assert decode(b"\n".join(before)).frame["received_at"].max() < noon
    assert decode(b"\n".join(after)).frame["received_at"].min() >= noon


@pytest.mark.parametrize("speed", [60.0, 600.0, 0.5])
def test_the_pace_is_as_asked(runs: Path, tmp_path: Path, speed: float) -> None:
    """Though each sleep is 20 ms too long and work takes time, the whole takes what was asked, within 5 %."""
    clock = QuickClock(late_s=0.02, read_s=0.0001)
    result = replay(runs / "parquet", to=f"file:{tmp_path / 'o'}", speed=speed, clock=clock)
    received = pl.read_parquet(runs / "parquet/events.parquet")["received_at"]
    asked_s = (received.max() - received.min()).total_seconds() / speed
    assert result.seconds == pytest.approx(asked_s, rel=0.05)
    assert result.behind_seconds < 0.05


def test_the_pace_is_kept_by_the_real_clock(runs: Path, tmp_path: Path) -> None:
    """Half an hour at 1200 times the speed takes 1.5 seconds, within 5 %, and never less."""
    until = datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
    ratios = []
    while len(ratios) < 5 and not any(ratio < 1.05 for ratio in ratios):  # this machine may be busy for a while
        result = replay(runs / "parquet", to=f"file:{tmp_path / str(len(ratios))}", speed=1200, until=until)
        ratios.append(result.seconds / ((result.last - result.first).total_seconds() / 1200))
    assert 1 <= min(ratios) < 1.05


def test_a_late_replay_catches_up() -> None:
    """A moment whose turn has passed is due at once, and the next ones keep to the beginning."""
    clock = QuickClock()
    pace = Pace(10, clock)
    pace.wait(0)
    clock.time_s += 5
    pace.wait(20_000)
    assert (clock.slept, pace.behind_s) == ([], 3.0)
    pace.wait(60_000)
    assert clock.slept == [1.0]
    assert not pace.is_due(60_001)


def test_a_stopped_replay_is_resumed(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it fails, and though the file has got lines that were not noted, it ends with each line once."""
    monkeypatch.setattr("scenarios.replays.files._MOST_BYTES", 50_000)
    file, state = tmp_path / "o", tmp_path / "state"
    options = {"to": f"file:{file}", "speed": "max", "resume": state}
    n_sent = 0

    class StoppedError(Exception):
        """The end of a try."""

    def stop(_: float) -> None:
        nonlocal n_sent
        n_sent += 1
        if n_sent % 3 == 0:
            with file.open("ab") as torn:
                torn.write(b'{"half a li')
            raise StoppedError

    while True:
        try:
            result = replay(runs / "parquet", **options, progress=stop)
            break
        except StoppedError:
            continue
    assert n_sent > 6
    assert file.read_bytes() == encode(pl.read_parquet(runs / "parquet/events.parquet"))
    assert json.loads(state.read_text())["acknowledged"] == result.resumed_at + result.sent
    again = replay(runs / "parquet", **options)
    assert (again.sent, again.first) == (0, None)


@pytest.mark.slow
def test_a_killed_replay_is_resumed(runs: Path, tmp_path: Path) -> None:
    """A process that is killed without warning, twice, leaves a state by which the third one completes the file."""
    file, state = tmp_path / "o", tmp_path / "state"
    command = [sys.executable, "-m", "funnelsim", "replay", str(runs / "parquet"), "--to", f"file:{file}"]
    command += ["--resume", str(state)]
    for _ in range(2):
        n_before = file.stat().st_size if file.exists() else 0
        process = subprocess.Popen([*command, "--speed", "600"])
        deadline = time.monotonic() + 60
        while (not file.exists() or file.stat().st_size < n_before + 5000) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert file.stat().st_size > 5000
    subprocess.run([*command, "--speed", "max"], check=True, capture_output=True)
    assert file.read_bytes() == encode(pl.read_parquet(runs / "parquet/events.parquet"))


def test_a_state_is_for_one_replay_only(runs: Path, tmp_path: Path) -> None:
    """The state of another order, and a file that is no state, are refused before anything is sent."""
    state = tmp_path / "state"
    sent(runs / "parquet", tmp_path / "a", resume=state)
    with pytest.raises(InputError, match="order: 'arrival' there, 'event-time' now"):
        replay(runs / "parquet", to=f"file:{tmp_path / 'a'}", order="event-time", resume=state)
    with pytest.raises(InputError, match="another replay"):
        sent(runs / "parquet", tmp_path / "b", resume=state)
    state.write_text('{"a": 1}')
    with pytest.raises(InputError, match="does not keep how far a replay has come"):
        sent(runs / "parquet", tmp_path / "b", resume=state)


def test_a_file_that_holds_something_is_left_alone(runs: Path, tmp_path: Path) -> None:
    """Another file is not overwritten; one that was truncated after a replay, and a full disk, are noticed."""
    file, state = tmp_path / "o", tmp_path / "state"
    file.write_text("mine")
    with pytest.raises(OutputError, match="holds something already"):
        sent(runs / "parquet", file)
    assert file.read_text() == "mine"
    file.unlink()
    sent(runs / "parquet", file, resume=state)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(OutputError, match="is shorter than what it has been sent"):
        sent(runs / "parquet", file, resume=state)
    if Path("/dev/full").exists():
        with pytest.raises(DeliveryError, match="No space left on device"):
            replay(runs / "parquet", to="file:/dev/full", speed="max")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "ftp://x"}, "--to: must be one of stdout, file:PATH"),
        ({"to": "stdou"}, "did you mean 'stdout'"),
        ({"to": "http://"}, "must be http://HOST:PORT"),
        ({"to": "http://key:@localhost"}, "give the write key by --write-key"),
        ({"to": "kafka:localhost"}, "must be kafka://HOST:PORT/TOPIC"),
        ({"to": "stdout", "speed": -1}, "--speed: must be a number greater than 0"),
        ({"to": "stdout", "speed": float("nan")}, "--speed: must be a number greater than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(runs: Path, options: dict[str, object], message: str) -> None:
    """Wrong addresses and speeds are refused before anything is sent."""
    with pytest.raises(InputError, match=message):
        replay(runs / "parquet", **options)


def test_only_a_run_with_events_can_be_replayed(runs: Path, tmp_path: Path) -> None:
    """A folder that is no run and a run without events are refused; after a misspelt name a neighbour is suggested."""
    with pytest.raises(InputError, match="is not a run folder"):
        RecordedRun(tmp_path)
    with pytest.raises(InputError, match=r"did you mean '.*parquet'"):
        RecordedRun(runs / "parqet")
    run_to_folder(Scenario(name="small").replace({"clock.hours": 1}), tmp_path / "none", events="none", analyse=False)
    with pytest.raises(InputError, match="holds no events; run it with --events parquet or ndjson"):
        RecordedRun(tmp_path / "none")


def test_one_replay_at_a_time_uses_a_state(runs: Path, tmp_path: Path) -> None:
    """A second one is told and sends nothing; when the first has ended, also by a kill, the state can be used."""
    state, options = tmp_path / "state", ["--speed", "30", "--quiet"]
    command = [sys.executable, "-m", "funnelsim", "replay", str(runs / "ndjson"), "--resume", str(state), *options]
    first = subprocess.Popen([*command, "--to", f"file:{tmp_path / 'sent'}"])
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(InputError, match=r"state: another replay uses this file; wait for it, or give another"):
        replay(runs / "ndjson", to=f"file:{tmp_path / 'sent'}", speed="max", resume=state)
    first.kill()
    first.wait()
    replay(runs / "ndjson", to=f"file:{tmp_path / 'sent'}", speed="max", resume=state)
    assert (tmp_path / "sent").read_bytes() == (runs / "ndjson/events.ndjson").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"acknowledged": -5},
        {"acknowledged": True},
        {"acknowledged": 10**30},
        {"acknowledged": 1.5},
        {"acknowledged": 10**9},
        {"n_bytes": 10},
        {"n_bytes": -1},
        {"n_bytes": "7"},
        {"to": 5},
        {"since": 5},
    ],
)
def test_a_state_by_hand_has_possible_values(runs: Path, tmp_path: Path, change: dict[str, object]) -> None:
    """Of an earlier version, or written by hand, it has no checksum: what cannot be is one clear error."""
    state, sent = tmp_path / "state", tmp_path / "sent"
    replay(runs / "parquet", to=f"file:{sent}", speed="max", resume=state)
    lines, kept = sent.read_bytes(), json.loads(state.read_text())
    del kept["crc32"]
    state.write_text(json.dumps(kept))
    assert replay(runs / "parquet", to=f"file:{sent}", speed="max", resume=state).sent == 0
    state.write_text(json.dumps({**kept, **change}))
    with pytest.raises((InputError, OutputError), match=r"damaged|does not keep|it has been changed"):
        replay(runs / "parquet", to=f"file:{sent}", speed="max", resume=state)
    assert sent.read_bytes() == lines
