"""Clocks that are far ahead: they move no window, and where one did, it is set back and nothing is lost."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from flat_events import START
from hypothesis import given, settings, strategies as st
from stores_on_disk import archived, dead_letters_in

from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.durable.upkeep.reprocessing import reprocess
from analytics.durable.upkeep.rewinding import rewind
from analytics.durable.upkeep.salvaging import recover_store
from analytics.errors import AnalyticsError, StoreError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.ingestion import ingest
from analytics.io.flatten import Flattened
from analytics.io.ndjson import decode
from analytics.store.clock_guard import SteadyClock
from analytics.store.counts import Counts
from analytics.store.quarantine import Quarantine

SETTINGS = StoreSettings(fsync="never")
PAGE = '{"type": "page", "messageId": "%s", "anonymousId": "%s", "timestamp": "%s"}\n'


def page(number: object, hours: float, device: str) -> str:
    """A page view so many hours after the start."""
    return PAGE % (number, device, (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def pages(n: int, begin: float = 0.0, hours: float = 2.0, first: int = 0) -> list[str]:
    """Page views of seven devices, evenly spread."""
    return [page(f"{first + k}", begin + hours * k / n, f"d{k % 7}") for k in range(n)]


def written(path: Path, lines: list[str]) -> str:
    """Write lines to a file."""
    path.write_text("".join(lines))
    return str(path)


@pytest.mark.parametrize("n_events", [50_000, 100, 7])
@pytest.mark.parametrize("ahead", [30, 24 * 40, 24 * 200])
def test_one_event_far_ahead_costs_no_other(tmp_path: Path, ahead: int, n_events: int) -> None:
    """However far ahead one clock is, nothing that follows is late; its events wait, and are told of."""
    lines = [*pages(300), page("poison", ahead, "x"), page("more", ahead + 0.5, "x"), *pages(300, 2, first=300)]
    done = ingest([written(tmp_path / "events", lines)], tmp_path / "store", SETTINGS, n_events=n_events)
    assert (done.counts.accepted, done.counts.late) == (600, 0)
    assert done.invalid_by_reason == {DeadLetterReason.FAR_AHEAD: 2}
    assert [warning[:57] for warning in done.warnings] == ["far ahead of all others, which would then be late: 2 (far"]
    assert "days ahead of all others" in dead_letters_in(tmp_path / "store")[0]["detail"]


def test_what_waits_is_taken_once_time_has_moved_on(tmp_path: Path) -> None:
    """After a quiet weekend the first visitor waits, over a restart, until two more come; none is lost."""
    folder = tmp_path / "store"
    first = [*pages(100), page("monday", 70, "x")]
    done = ingest([written(tmp_path / "1", first)], folder, SETTINGS)
    assert (done.counts.accepted, done.counts.invalid) == (100, 1)
    second = [written(tmp_path / "2", [page("second", 70.5, "y"), page("third", 70.6, "z")])]
    done = ingest(second, folder, SETTINGS)
    assert (done.counts.accepted, done.counts_again.accepted) == (2, 1)
    assert done.warnings == ()
    third = ingest([written(tmp_path / "3", pages(10, 71, first=200))], folder, SETTINGS)
    assert third.counts_again.received == 0
    store = read_store(folder)
    assert (store.counts.received, store.n_accepted) == (113, 113)
    assert archived(folder).height + store.events().height == 113
    assert sorted(store.events()["message_id"].to_list())[-3:] == ["monday", "second", "third"]


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.floats(0.01, 60), min_size=30, max_size=120),
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=20),
    seed=st.integers(0, 99),
)
def test_a_stream_in_order_loses_nothing_to_the_quarantine(gaps: list[float], cuts: list[int], seed: int) -> None:
    """Whatever its gaps and batches: each event of a stream in order is passed on once, or waits at its end."""
    rng, hours = np.random.default_rng(seed), np.cumsum(gaps)
    lines = [page(k, hour, f"d{rng.integers(5)}") for k, hour in enumerate(hours)]
    quarantine, passed, begin = Quarantine(), list[str](), 0
    for cut in [*cuts, len(lines)]:
        batch = decode("".join(lines[begin : begin + cut]).encode())
        for part in quarantine.checked(batch):
            if part is not None:
                passed += part.frame["message_id"].to_list()
        begin += cut
    waiting = quarantine._waiting["message_id"].to_list()
    assert sorted(passed + waiting, key=int) == [str(k) for k in range(len(lines))]
    assert len(waiting) < 30


def test_a_clock_that_jumps_is_not_followed() -> None:
    """The system's clock jumps by two days and back: arrivals go on; a correction by seconds is followed."""
    wall, steady = START, 0.0
    clock = SteadyClock(lambda: wall, lambda: steady)
    for passed, jump in ((10, 0), (20, 49 * 3600), (30, 0), (40, 5), (50, 5), (60, -7200)):
        wall, steady = START + timedelta(seconds=passed + jump), float(passed)
        expected = jump if abs(jump) < 60 else {20: 0, 60: 5}[passed]
        assert clock() == START + timedelta(seconds=passed + expected)
    assert clock.jump == timedelta(seconds=-7205)


def poisoned(folder: Path, side_files_mib: float = 64) -> None:
    """A store whose stream time a wrong clock has moved by forty days, as before there was a quarantine."""
    with open_store(folder, StoreSettings(fsync="never", checkpoint_events=80, side_files_mib=side_files_mib)) as store:
        late = pages(200, 30, 10, first=300)
        for lines in (pages(300, hours=30), [page("poison", 24 * 40, "x")], late[:60], late[60:120], late[120:]):
            store.append_json("".join(lines).encode())
            store.checkpoint()


def test_stream_time_is_set_back_and_late_events_come_back(tmp_path: Path) -> None:
    """Set back, and late events taken in again, a store has what it would have had without the wrong clock."""
    folder = tmp_path / "store"
    poisoned(folder)
    assert read_store(folder).counts.late == 200
    assert len((folder / "late.ndjson").read_bytes().splitlines()) == 200
    done = rewind(folder, START + timedelta(days=3), SETTINGS)
    assert (done.n_removed, done.n_hours) == (1, 24)
    store = read_store(folder)
    assert (store.counts.accepted, store.counts.late, store.counts.invalid) == (300, 200, 1)
    assert store.stream_time == START + timedelta(hours=29.9)
    again = reprocess(folder, "late", SETTINGS)
    assert (again.counts.accepted, again.counts.received) == (200, 200)
    assert not (folder / "late.ndjson").read_bytes()
    with open_store(tmp_path / "other", SETTINGS) as expected:
        expected.append_json("".join([*pages(300, hours=30), *pages(200, 30, 10, first=300)]).encode())
    store = read_store(folder)
    assert store.hourly().drop("revision").equals(expected.hourly().drop("revision"))
    assert store.events().equals(expected.events())
    assert archived(folder).equals(archived(tmp_path / "other"))
    assert store.n_accepted == expected.n_accepted == 500
    # Who comes once more is a duplicate still.
    with open_store(folder) as once_more:
        assert once_more.append_json("".join(pages(200, 30, 10, first=300)[-50:]).encode()).duplicate == 50


def test_what_is_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late events in many files, and a stop after every few of them: each is taken in again once."""
    poisoned(tmp_path, side_files_mib=0.1)
    rewind(tmp_path, START + timedelta(days=3), SETTINGS)
    assert len(list(tmp_path.glob("late*.ndjson"))) > 3
    monkeypatch.setattr("analytics.durable.upkeep.reprocessing._LINES", 30)
    stop, n_accepted = threading.Event(), []
    stop.set()
    while sum(n_accepted) < 200:
        counts = reprocess(tmp_path, "late", SETTINGS, stop=stop).counts
        assert counts.received == counts.accepted > 0
        n_accepted.append(counts.accepted)
    assert max(n_accepted) <= 30
    assert reprocess(tmp_path, "late", SETTINGS).counts.received == 0
    assert read_store(tmp_path).counts_again == Counts(received=200, accepted=200)


def test_a_store_is_not_set_back_without_need(tmp_path: Path) -> None:
    """Stream time that is not later, a moment without a time zone or without events before it: nothing is changed."""
    poisoned(tmp_path)
    before = read_store(tmp_path).digest()
    for to, message in (
        (START + timedelta(days=90), "not after 2026-06-01"),
        (START - timedelta(days=9), "no event is left"),
    ):
        with pytest.raises(StoreError, match=message):
            rewind(tmp_path, to)
    with pytest.raises(AnalyticsError, match="time zone"):
        rewind(tmp_path, datetime(2026, 3, 3))  # noqa: DTZ001 - the fault
    assert read_store(tmp_path).digest() == before


def test_what_was_denied_before_a_restart_is_not_confirmed_after_it(tmp_path: Path) -> None:
    """Two wrong clocks, with normal events and a restart between them, move nothing."""
    folder = tmp_path / "store"
    first = [*pages(100), page("x", 960, "x"), *pages(50, 2, 1, first=100)]
    ingest([written(tmp_path / "1", first)], folder, SETTINGS)
    done = ingest([written(tmp_path / "2", [page("y", 961, "y"), *pages(50, 3, 1, first=200)])], folder, SETTINGS)
    assert (done.counts.accepted, done.counts.late, done.counts_again.received) == (50, 0, 0)


def test_hours_that_have_left_the_window_come_back_once(tmp_path: Path) -> None:
    """A file of the window may have hours that are in the archive too: set back, each event is there once."""
    with open_store(tmp_path, SETTINGS) as store:
        store.append_json("".join(pages(100, hours=20)).encode())
        store.checkpoint()
        store.append_json("".join(pages(10, 30, 1, first=100)).encode())
    rewind(tmp_path, START + timedelta(hours=25), SETTINGS)
    store = read_store(tmp_path)
    assert store.events()["message_id"].n_unique() == store.events().height == 100
    assert archived(tmp_path).is_empty()


def test_stream_time_is_set_back_below_what_was_taken_in_again(tmp_path: Path) -> None:
    """No count is ever negative, whatever comes first."""
    poisoned(tmp_path)
    rewind(tmp_path, START + timedelta(days=3), SETTINGS)
    reprocess(tmp_path, "late", SETTINGS)
    rewind(tmp_path, START + timedelta(hours=2), SETTINGS)
    store = read_store(tmp_path)
    assert min(vars(store.counts).values()) >= 0
    assert min(vars(store.counts_again).values()) >= 0
    assert store.n_accepted == store.events().height + archived(tmp_path).height


def test_a_file_of_events_that_all_wait_is_not_refused(tmp_path: Path) -> None:
    """After a quiet weekend a new file of one device waits as a whole, and is told of."""
    folder = tmp_path / "store"
    ingest([written(tmp_path / "1", pages(100))], folder, SETTINGS)
    done = ingest([written(tmp_path / "2", [page(f"x{k}", 90 + k / 10, "x") for k in range(20)])], folder, SETTINGS)
    assert done.invalid_by_reason == {DeadLetterReason.FAR_AHEAD: 20}
    assert "20 (far_ahead)" in done.warnings[-1]


def test_what_is_still_late_is_no_later_than_before(tmp_path: Path) -> None:
    """Judged again and again, late events change no figure of how late they came."""
    poisoned(tmp_path)
    before = read_store(tmp_path).lateness
    assert before.max_s is not None
    assert before.mean_s is not None
    assert before.mean_s <= before.max_s
    for _ in range(2):
        assert reprocess(tmp_path, "late", SETTINGS).counts.late == 200
        assert read_store(tmp_path).lateness == before


def test_only_what_is_asked_for_is_taken_in_again(tmp_path: Path) -> None:
    """Others are kept as they are, with the places they came from, and are in no count of this time."""
    untimely = '{"type": "page", "anonymousId": "a", "timestamp": "yesterday"}\n'
    source = written(tmp_path / "events", [*pages(20), "broken\n", untimely, page("far", 900, "x")])
    folder = tmp_path / "store"
    done = ingest([source], folder, SETTINGS)
    assert done.invalid_by_reason == {"not_json": 1, "bad_time": 1, "far_ahead": 1}
    places = {letter["reason"]: letter["position"] for letter in dead_letters_in(folder)}
    assert places["not_json"] != places["bad_time"]
    # By default all but what would move stream time; that is named.
    again = reprocess(folder, "dead-letters", SETTINGS)
    assert (again.counts, again.stream_time) == (Counts(received=2, invalid=2), done.stream_time)
    again = reprocess(folder, "dead-letters", SETTINGS, reasons=[DeadLetterReason.NOT_JSON])
    assert again.counts == Counts(received=1, invalid=1)
    letters = dead_letters_in(folder)
    assert {letter["reason"]: letter["position"] for letter in letters} == places
    assert {letter["source"] for letter in letters} == {source}
    again = reprocess(folder, "dead-letters", SETTINGS, reasons=[DeadLetterReason.FAR_AHEAD])
    assert again.counts == Counts(received=1, accepted=1)
    assert read_store(folder).counts_again == Counts(received=4, accepted=1, invalid=3)
    # Set back, the event is where it was, and the counts of the stream say what they said.
    assert rewind(folder, START + timedelta(days=3), SETTINGS).n_removed == 1
    store = read_store(folder)
    assert (store.counts, store.counts_again.accepted) == (done.counts, 0)
    assert store.counts_by_type["page"] == 20


def test_a_mended_event_far_ahead_waits_too(tmp_path: Path) -> None:
    """Dead letters that can be read now are as little believed as others where they are far ahead."""
    with open_store(tmp_path, SETTINGS) as store:
        store.append_json("".join(pages(50)).encode())
        line = json.dumps({"type": "page", "messageId": "1", "anonymous_id": "a", "timestamp": "2026-05-03T10:00:00Z"})
        letter = DeadLetter(line.replace("anonymous_id", "anonymousId").encode(), DeadLetterReason.NO_IDENTITY, "no", 7)
        store.append_flattened(Flattened(EVENT_SCHEMA.to_frame(), (letter,)))
        before = store.stream_time
    again = reprocess(tmp_path, "dead-letters", SETTINGS)
    assert (again.counts, again.stream_time) == (Counts(received=1, invalid=1), before)
    assert dead_letters_in(tmp_path)[0]["reason"] == "far_ahead"


def test_no_count_is_negative_where_the_checkpoint_was_lost(tmp_path: Path) -> None:
    """Of events that only the archive has, a salvaged store knows no count."""
    poisoned(tmp_path)
    (tmp_path / "checkpoint.json").unlink()
    recover_store(tmp_path)
    rewind(tmp_path, START + timedelta(hours=3), SETTINGS)
    store = read_store(tmp_path)
    assert min(*vars(store.counts).values(), *store.counts_by_type.values(), 0) == 0
