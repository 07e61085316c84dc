"""Claims about backfills: history in any order is taken whole, with few events in memory, once, whatever interrupts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from stores_on_disk import archived, dead_letters_in, state_of

from analytics.durable.backfill import BACKFILL
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.errors import AnalyticsError, StoreError
from analytics.ingestion import Ingested, ingest
from analytics.io.ndjson import decode
from analytics.io.position import SourceBatch
from analytics.store import hour_sorter
from analytics.store.counts import Counts

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = StoreSettings(window_hours=6, checkpoint_events=300, fsync="never")
BACKFILLING = Path(__file__).parents[2] / "helpers" / "backfilling.py"


def month(*, received: bool = True) -> list[dict[str, Any]]:
    """600 page views over a month, by time, in two hours of each day; one hour has more than a hundred of them."""
    minutes = [*(720 * (number // 8) + number % 8 for number in range(500)), *(20_160 + n % 60 for n in range(100))]
    times = [(BEGIN + timedelta(minutes=each)).isoformat() for each in sorted(minutes)]
    return [
        {"type": "page", "messageId": f"m{n}", "anonymousId": f"a{n % 7}", "timestamp": time}
        | ({"receivedAt": time} if received else {})
        for n, time in enumerate(times)
    ]


def shuffled(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events in another order."""
    return [events[place] for place in np.random.default_rng(7).permutation(len(events))]


def write(path: Path, events: list[dict[str, Any]], more: bytes = b"") -> str:
    """Write a file of NDJSON, and return its name."""
    path.write_bytes("\n".join(map(json.dumps, events)).encode() + b"\n" + more)
    return str(path)


def by_hour(folder: Path) -> pl.DataFrame:
    """Accepted events of each hour, of the archive and the window."""
    store = read_store(folder)
    events = pl.concat([part.select("event_time") for part in (archived(folder), store.events()) if part.width])
    return events.group_by(pl.col("event_time").dt.truncate("1h")).len().sort("event_time")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that there are many files and parts, and an hour that has several."""
    monkeypatch.setattr(hour_sorter, "_RUN_ROWS", 150)
    monkeypatch.setattr(hour_sorter, "_PART_ROWS", 40)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("received", [True, False])
@pytest.mark.parametrize("kind", ["lines", "array", "table", "two files"])
def test_shuffled_history_is_taken_whole(tmp_path: Path, kind: str, *, received: bool) -> None:
    """All of 600 events over a month count, hour by hour as in a sorted file, in whatever files they are."""
    events = shuffled(month(received=received))
    names = [write(tmp_path / "events", events)]
    if kind == "array":
        (tmp_path / "events").write_text(json.dumps(events))
    elif kind == "table":
        decode(tmp_path / "events").frame.write_parquet(tmp_path / "events")
    elif kind == "two files":
        names = [write(tmp_path / "later", events[200:]), write(tmp_path / "events", events[:200])]
    done = ingest(names, tmp_path / "store", SETTINGS, n_events=100, backfill=True)
    assert (done.counts.received, done.counts.accepted, done.counts.late) == (600, 600, 0)
    assert sorted(done.offsets) == sorted(str(Path(name).resolve()) for name in names)
    in_order = write(tmp_path / "sorted", month(received=received))
    assert ingest([in_order], tmp_path / "other", SETTINGS).counts.accepted == 600
    assert by_hour(tmp_path / "store").equals(by_hour(tmp_path / "other"))
    assert by_hour(tmp_path / "store")["len"].max() == 108
    again = ingest(names, tmp_path / "store", SETTINGS, backfill=True)
    assert again.counts.received == 0


@pytest.mark.usefixtures("small_parts")
def test_without_it_most_events_are_late_and_the_way_out_is_named(tmp_path: Path) -> None:
    """The kind of fault: a store takes events as they come, so that shuffled history is lost, which it now says."""
    name = write(tmp_path / "events", shuffled(month()))
    done = ingest([name], tmp_path / "store", SETTINGS)
    assert done.counts.late > 400
    warning = next(each for each in done.warnings if "events are late, as" in each)
    assert warning.startswith(f"{done.counts.late} of {600 - done.counts.invalid} events are late")
    assert "--backfill" in warning
    assert "`funnelsim rewind --store DIR --to TIME` sets it back" in warning
    assert done.to_dict()["warnings"] == list(done.warnings)
    assert ingest([write(tmp_path / "sorted", month())], tmp_path / "other", SETTINGS).warnings == ()


@pytest.mark.usefixtures("small_parts")
def test_memory_holds_a_part_of_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held is bounded by the size of a run and of a part, not by that of the history or of its hours."""
    held, files = list[int](), list[int]()
    collect, write_file = pl.LazyFrame.collect, hour_sorter.write_temporary
    monkeypatch.setattr(
        pl.LazyFrame,
        "collect",
        lambda *args, **options: held.append((table := collect(*args, **options)).height) or table,
    )
    monkeypatch.setattr(
        hour_sorter, "write_temporary", lambda table, path: files.append(table.height) or write_file(table, path)
    )
    sizes = list[int]()
    name = write(tmp_path / "events", shuffled(month()))
    ingest(
        [name],
        tmp_path / "store",
        SETTINGS,
        n_events=50,
        backfill=True,
        acknowledged=lambda batch, _: sizes.append(batch.events.n_received),
    )
    assert sum(files) == sum(sizes) == 600
    assert max(files) <= 150 + 50
    assert max(sizes) <= 40
    assert max(held) <= 200
    assert not [*(tmp_path / "store" / "passing").glob("backfill-*")], "temporary files are gone"


class Death(BaseException):
    """The end of the process."""


def everything() -> tuple[list[dict[str, Any]], bytes]:
    """History with duplicates, conflicts, redeliveries of days later, broken lines and a wrong clock."""
    events = month()
    again = [events[5], events[8] | {"name": "other"}]
    late = [
        events[n] | {"sentAt": events[n]["timestamp"], "receivedAt": (BEGIN + timedelta(days=6)).isoformat()}
        for n in (1, 2)
    ]
    wrong = events[9] | {"messageId": "w", "timestamp": "2090-01-01T00:00:00Z", "receivedAt": "2090-01-01T00:00:00Z"}
    return shuffled([*events, *again, *late, wrong]), b'broken\n{"type": "page"}\n'


@pytest.fixture
def undisturbed(tmp_path: Path, small_parts: None) -> tuple[list[str], dict[str, Any]]:
    """Two files, and what a backfill that nothing interrupts makes of them."""
    events, broken = everything()
    names = [write(tmp_path / "1.ndjson", events[:300], broken), write(tmp_path / "2.ndjson", events[300:])]
    done = ingest(names, tmp_path / "undisturbed", SETTINGS, n_events=100, backfill=True)
    return names, outcome(tmp_path / "undisturbed", done)


def outcome(folder: Path, done: Ingested) -> dict[str, Any]:
    """All that there is in the end."""
    return {
        **state_of(read_store(folder)),
        "hours": by_hour(folder).rows(),
        "dead_letters": sorted(letter["detail"] for letter in dead_letters_in(folder)),
        "offsets": done.offsets,
    }


def test_each_event_has_its_verdict(undisturbed: tuple[list[str], dict[str, Any]]) -> None:
    """A redelivery of days later is late, a wrong clock a dead letter beside the broken lines, with its file."""
    _, found = undisturbed
    counts = {"received": 607, "accepted": 600, "duplicate": 1, "conflict": 1, "late": 2, "invalid": 3}
    assert found["counts"] == counts
    assert found["by_reason"] == {"not_json": 1, "no_identity": 1, "impossible_time": 1}
    assert found["stream_time"] < datetime(2026, 4, 2, tzinfo=UTC)
    assert [detail.partition(",")[0].rpartition("/")[2] for detail in found["dead_letters"][:2]] == ["1.ndjson"] * 2


@pytest.mark.parametrize("way", ["death", "request"])
@pytest.mark.parametrize("n_parts", [1, pytest.param(9, marks=pytest.mark.slow), 17, 18])
def test_an_interrupted_backfill_resumes(
    undisturbed: tuple[list[str], dict[str, Any]], tmp_path: Path, n_parts: int, way: str
) -> None:
    """Run again after so many parts, it ends as if nothing had happened: nothing is lost or counted twice."""
    names, expected = undisturbed
    stop, taken = threading.Event(), list[Counts]()

    def acknowledge(_: SourceBatch, counts: Counts) -> None:
        taken.append(counts)
        if len(taken) == n_parts:
            if way == "death":
                raise Death
            stop.set()

    options: dict[str, Any] = {"n_events": 100, "backfill": True, "stop": stop, "acknowledged": acknowledge}
    if way == "death":
        with pytest.raises(Death):
            ingest(names, tmp_path / "store", SETTINGS, **options)
    else:
        assert ingest(names, tmp_path / "store", SETTINGS, **options).was_stopped
    assert read_store(tmp_path / "store").counts.received == sum(each.received for each in taken)
    done = ingest(names, tmp_path / "store", SETTINGS, n_events=100, backfill=True)
    assert outcome(tmp_path / "store", done) == expected


def test_stopped_while_it_reads_it_stores_nothing(
    undisturbed: tuple[list[str], dict[str, Any]], tmp_path: Path
) -> None:
    """A part of the history has other hours than all of it, so none is taken before all is read."""
    names, expected = undisturbed
    stop = threading.Event()
    stop.set()
    done = ingest(names, tmp_path / "store", SETTINGS, backfill=True, stop=stop)
    assert (done.was_stopped, done.counts.received, done.offsets) == (True, 0, {})
    done = ingest(names, tmp_path / "store", SETTINGS, n_events=100, backfill=True)
    assert outcome(tmp_path / "store", done) == expected


def test_a_killed_backfill_resumes(undisturbed: tuple[list[str], dict[str, Any]], tmp_path: Path) -> None:
    """After ``kill -9`` amid the parts, the same command ends with the same."""
    names, expected = undisturbed
    process = subprocess.Popen([sys.executable, BACKFILLING, tmp_path / "store", *names], stdout=subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(3)]
    process.kill()
    acknowledged += map(int, process.stdout.read().split(b"\n")[:-1])
    process.stdout.close()
    process.wait()
    assert read_store(tmp_path / "store").counts.received >= sum(acknowledged)
    done = ingest(names, tmp_path / "store", SETTINGS, n_events=100, backfill=True)
    assert outcome(tmp_path / "store", done) == expected
    assert not [*(tmp_path / "store" / "passing").glob("backfill-*")], "what the killed process left is gone"


def test_a_store_that_is_past_the_history_is_refused(tmp_path: Path) -> None:
    """What lies before the window would be late; what lies in it or after it may be backfilled."""
    events = month()
    first, last = write(tmp_path / "first", events[:300]), write(tmp_path / "last", events[300:])
    ingest([last], tmp_path / "store", SETTINGS)
    with pytest.raises(StoreError, match=r"history begins at 2026-03-01 00:00, .* a new folder"):
        ingest([first], tmp_path / "store", SETTINGS, backfill=True)
    assert read_store(tmp_path / "store").counts.received == 300
    ingest([first], tmp_path / "other", SETTINGS, backfill=True)
    assert ingest([last], tmp_path / "other", SETTINGS, backfill=True).counts.accepted == 300
    now = dict.fromkeys(("timestamp", "receivedAt"), "2026-04-01T00:00:00Z")
    follow_up = write(tmp_path / "now", [events[0] | {"messageId": "n"} | now])
    assert ingest([follow_up], tmp_path / "other", SETTINGS).counts.accepted == 1
    assert not any(name.startswith(BACKFILL) for name in ingest([follow_up], tmp_path / "other").offsets)


@pytest.mark.parametrize("option", ["live", "follow"])
def test_a_backfill_is_of_the_past(tmp_path: Path, option: str) -> None:
    """It can be neither live nor followed."""
    with pytest.raises(AnalyticsError, match="a backfill is of the past"):
        ingest([write(tmp_path / "events", month())], tmp_path / "store", backfill=True, **{option: True})
