"""Claims about a store in a folder: what it keeps, what it refuses, and what it says."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from stores_on_disk import START, archived, batches, dead_letters_in, kept_in, said_by

from analytics.durable import journal
from analytics.durable.archive import archive_path
from analytics.durable.durable_store import DurableStore
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import Fsync, StoreSettings
from analytics.durable.snapshot import RestorableStore
from analytics.errors import (
    AnalyticsError,
    StoreCorruptError,
    StoreError,
    StoreFormatError,
    StoreLockedError,
    StoreWriteError,
)
from analytics.io.position import SourceBatch
from analytics.store.event_store import EventStore
from analytics.store.hour import STORED_SCHEMA

STREAM = batches(seed=5, n_batches=30, n_rows=20, hours_each=0.5)
SETTINGS = StoreSettings(window_hours=6, checkpoint_events=150, max_dead_letters=5)


def in_memory() -> EventStore:
    """A store in memory that has taken in the stream."""
    store = EventStore(window_hours=6, max_dead_letters=5)
    for batch in STREAM:
        store.append_flattened(batch.events)
    return store


def filled(folder: Path, settings: StoreSettings = SETTINGS, n_batches: int = len(STREAM)) -> DurableStore:
    """A store in a folder that has taken in so many batches of the stream."""
    store = open_store(folder, settings)
    take_in(store, STREAM[:n_batches])
    return store


def take_in(store: DurableStore, stream: Sequence[SourceBatch]) -> None:
    """Let a store take in a stream."""
    for batch in stream:
        store.append_flattened(batch.events, batch.position)


def the_segment(folder: Path) -> Path:
    """The last file of the journal."""
    return max((folder / "journal").iterdir())


@pytest.mark.parametrize("ending", ["close", "release"])
def test_a_store_in_a_folder_says_what_one_in_memory_says(tmp_path: Path, ending: str) -> None:
    """Open, closed and opened again, or left without goodbye, it says what a store in memory says of the stream."""
    expected = said_by(in_memory())
    store = filled(tmp_path)
    assert said_by(store) == expected
    getattr(store, ending)()
    assert said_by(read_store(tmp_path)) == expected
    with open_store(tmp_path, SETTINGS) as again:
        assert said_by(again) == expected
        assert again.offsets == {"stream": {"batches": len(STREAM)}}
        assert (again.recovery.n_records > 0) == (ending == "release")


def test_a_restored_store_has_all_that_a_store_has(tmp_path: Path) -> None:
    """What a store knows comes back, and nothing that a store knows is unknown to this test."""
    store = filled(tmp_path)
    store.hourly()
    store.append_flattened(STREAM[-1].events)
    store.hourly()
    store.close()
    again = open_store(tmp_path, SETTINGS)
    assert (again.digest(), again.summary, again.offsets) == (store.digest(), store.summary, store.offsets)
    assert again.repeats.equals(store.repeats)
    assert len(again._seen) == len(store._seen)
    # Whoever teaches a store something new must let it be restored, and add it here.
    rules = {"_window_hours", "_skew_ms"}
    assert set(vars(EventStore())) == {"dead_letters", "_hours", "_seen", "_repeats", "_tallies"} | rules
    means = {"_n_hours", "_on_evict", "_spill", "_counts"}
    assert set(vars(EventStore()._hours)) == {"stream_ms", "reports", "_events_of_hour"} | means
    again.close()


@pytest.mark.parametrize("ending", ["close", "release"])
def test_what_readers_were_told_is_remembered(tmp_path: Path, ending: str) -> None:
    """The numbers of an hour's reports go on after the end of a process, however it ended."""
    store, memory = open_store(tmp_path, SETTINGS), EventStore(window_hours=6)
    for batch in STREAM[:12]:
        for each in (store, memory):
            each.append_flattened(batch.events)
        assert store.hourly(evicted=True).equals(memory.hourly(evicted=True))
        getattr(store, ending)()
        store = open_store(tmp_path, SETTINGS)
    assert store.hourly()["revision"].max() > 0
    assert store.views("country").equals(memory.views("country"))
    assert store.buckets == memory.buckets
    store.close()


def test_the_arrival_of_a_batch_is_remembered(tmp_path: Path) -> None:
    """What a live stream was judged by is written down with it: replayed, the batch gets the same verdicts."""
    page = b'{"type": "page", "messageId": "%d", "anonymousId": "a", "timestamp": "2126-01-01T00:00:00Z"}'
    arrived_at = START + timedelta(microseconds=1234567)
    store = open_store(tmp_path)
    store.append_json(page % 1, arrived_at=arrived_at)
    store.append_json(page % 2, arrived_at=arrived_at + timedelta(hours=1))
    store.release()
    again = read_store(tmp_path)
    assert again.stream_time == store.stream_time == START + timedelta(hours=1, milliseconds=1234)
    assert again.digest() == store.digest()
    assert again.n_future == store.n_future == 2


def test_judgement_goes_on_after_a_restore_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """A store that is closed and opened, or left and opened, after every batch ends up like one never closed."""
    for number, batch in enumerate(STREAM):
        store = open_store(tmp_path, SETTINGS)
        store.append_flattened(batch.events, batch.position)
        (store.close if number % 2 else store.release)()
    assert said_by(read_store(tmp_path)) == said_by(in_memory())


def test_time_that_moved_on_is_remembered(tmp_path: Path) -> None:
    """The stream stays where it was told to be, also after a crash, and hours that left then are in the archive."""
    store = filled(tmp_path, n_batches=4)
    later = START + timedelta(hours=30)
    store.advance_to(later)
    store.release()
    again = read_store(tmp_path)
    assert again.stream_time == later
    assert again.events().is_empty()
    assert archived(tmp_path).height == again.counts.accepted
    with pytest.raises(AnalyticsError), open_store(tmp_path) as opened:
        opened.advance_to(START.replace(tzinfo=None))


@pytest.mark.parametrize("fsync", ["always", "never", 0.01])
def test_the_policy_does_not_change_what_is_kept(tmp_path: Path, fsync: Fsync) -> None:
    """Under each policy what was acknowledged survives the end of the process."""
    store = filled(tmp_path, SETTINGS.model_copy(update={"fsync": fsync}))
    expected = said_by(store)
    store.release()
    assert said_by(read_store(tmp_path)) == expected


def test_the_policy_says_when_the_disk_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`always` asks the disk once for each batch, `never` not at all, a number of seconds soon."""
    asked = threading.Event()
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        asked.set()

    n_calls = {}
    settings = StoreSettings(checkpoint_events=10**6)
    for policy in ("always", "never"):
        store = filled(tmp_path / policy, settings.model_copy(update={"fsync": policy}), 0)
        with monkeypatch.context() as patch:
            patch.setattr(journal.os, "fsync", fsync)
            calls.clear()
            for batch in STREAM[:4]:
                store.append_flattened(batch.events)
            n_calls[policy] = len(calls)
        store.release()
    assert n_calls == {"always": 4, "never": 0}
    store = filled(tmp_path / "soon", settings.model_copy(update={"fsync": 0.02}), 0)
    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", fsync)
        asked.clear()
        store.append_flattened(STREAM[0].events)
        assert asked.wait(10)
    store.release()


def test_a_torn_tail_is_cut_off_wherever_it_is_torn(tmp_path: Path) -> None:
    """Cut at any byte of its last record, the journal gives all the records before, and says how much was cut."""
    folder = tmp_path / "store"
    store = filled(folder, n_batches=2)
    before = store.counts
    store.release()
    begin = the_segment(folder).stat().st_size  # that hours were reported is in the journal too
    store = open_store(folder, SETTINGS)
    store.append_flattened(STREAM[2].events, STREAM[2].position)
    after = store.digest()
    store.release()
    whole = the_segment(folder).read_bytes()
    for end in [
        *range(begin, begin + 40),
        *range(begin + 40, len(whole) - 20, 233),
        *range(len(whole) - 20, len(whole)),
    ]:
        the_segment(folder).write_bytes(whole[:end])
        with_zeros = whole[:end] + bytes(50 if end == begin else 0)
        the_segment(folder).write_bytes(with_zeros)
        assert read_store(folder).counts == before
        torn = open_store(folder, SETTINGS)
        assert torn.recovery.n_bytes_cut == len(with_zeros) - begin
        assert torn.recovery.n_records == 2
        torn.append_flattened(STREAM[2].events, STREAM[2].position)
        if end % 10 == 0:
            assert torn.digest() == after
        torn.release()
        assert the_segment(folder).read_bytes() == whole


def test_damage_that_no_crash_does_is_refused(tmp_path: Path) -> None:
    """One flipped bit anywhere before the last record, or in any other file, and the store is not opened."""
    folder = tmp_path / "store"
    store = filled(folder, n_batches=14)
    last = the_segment(folder).stat().st_size
    store.append_flattened(STREAM[14].events, STREAM[14].position)
    store.release()
    files = [the_segment(folder), folder / "checkpoint.json", *(folder / "window").iterdir()]
    assert len(files) == 4
    for file in files:
        whole = file.read_bytes()
        end = last if file == files[0] else len(whole)
        for place in range(0, end, max(1, end // 60)):
            damaged = bytearray(whole)
            damaged[place] ^= 0b100
            file.write_bytes(damaged)
            # A damaged version number may look like a newer version's.
            with pytest.raises((StoreCorruptError, StoreFormatError), match=file.name):
                open_store(folder, SETTINGS)
            with pytest.raises((StoreCorruptError, StoreFormatError)):
                read_store(folder)
        file.write_bytes(whole)
    open_store(folder, SETTINGS).close()


def test_what_is_missing_is_missed(tmp_path: Path) -> None:
    """Without a part of the window, or with dead letters taken away, the store is not opened."""
    folder = tmp_path / "store"
    filled(folder).close()
    part = next((folder / "window").iterdir())
    shutil.move(part, tmp_path / "part")
    with pytest.raises(StoreCorruptError, match=r"is missing\. The store is not opened.*put the folder back"):
        open_store(folder, SETTINGS)
    shutil.move(tmp_path / "part", part)
    (folder / "dead_letters.ndjson").write_bytes(b"")
    with pytest.raises(StoreCorruptError, match="lines may be read, not taken away"):
        open_store(folder, SETTINGS)


def test_a_gap_in_the_journal_is_refused(tmp_path: Path) -> None:
    """If a file of the journal is missing, what comes after it is not taken for all there is."""
    store = filled(tmp_path, n_batches=2)
    store.release()
    checkpoint = (tmp_path / "checkpoint.json").read_bytes()
    store = filled(tmp_path, StoreSettings(window_hours=6), n_batches=3)
    store.checkpoint()
    store.append_flattened(STREAM[3].events)
    store.release()
    (tmp_path / "checkpoint.json").write_bytes(checkpoint)
    with pytest.raises(StoreCorruptError, match="where 1 should be"):
        open_store(tmp_path)


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A checkpoint or a journal of a newer format is refused with advice, and not one byte is changed."""
    filled(tmp_path).release()
    for file, newer in (
        (tmp_path / "checkpoint.json", lambda data: json.dumps(json.loads(data) | {"format": 2}).encode()),
        (the_segment(tmp_path), lambda data: data[:6] + b"\x02\x00" + data[8:]),
    ):
        before = file.read_bytes()
        file.write_bytes(newer(before))
        written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"}
        with pytest.raises(StoreFormatError, match=r"of format 2, and this funnelsim reads format 1.*Update funnelsim"):
            open_store(tmp_path)
        assert written == {
            path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"
        }
        file.write_bytes(before)


def test_two_writers_are_refused(tmp_path: Path) -> None:
    """A second writer is told which process has the store; readers read all the same."""
    store = filled(tmp_path, n_batches=3)
    with pytest.raises(StoreLockedError, match=rf"process {os.getpid()} writes to this store.*stop it first"):
        open_store(tmp_path)
    assert said_by(read_store(tmp_path)) == said_by(store)
    store.close()
    open_store(tmp_path).close()


def test_a_reader_leaves_everything_as_it_is(tmp_path: Path) -> None:
    """To read a store, torn tail and all, changes no file and makes none."""
    filled(tmp_path, n_batches=12).release()
    with the_segment(tmp_path).open("ab") as file:
        file.write(b"torn")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    store = read_store(tmp_path)
    assert type(store) is RestorableStore
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_reader_keeps_up_with_a_writer(tmp_path: Path) -> None:
    """However a writer goes on meanwhile, a reader sees the store as it was after some batch."""
    store = open_store(tmp_path, SETTINGS.model_copy(update={"checkpoint_events": 30, "fsync": "never"}))
    received = [0]
    for batch in STREAM:
        received.append(received[-1] + batch.events.n_received)
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(read_store(tmp_path).counts.received)

    reader = threading.Thread(target=read)
    reader.start()
    for batch in STREAM:
        store.append_flattened(batch.events, batch.position)
    done.set()
    reader.join()
    store.close()
    assert seen == sorted(seen)
    assert set(seen) <= set(received)


def test_a_store_keeps_to_its_rules(tmp_path: Path) -> None:
    """Another window than that by which the store has judged is refused; unless given, it stays."""
    filled(tmp_path, StoreSettings(window_hours=6, skew_seconds=5.0)).close()
    with pytest.raises(StoreFormatError, match="window_hours=6, and 24 is asked for"):
        open_store(tmp_path, StoreSettings(window_hours=24))
    with open_store(tmp_path) as store:
        assert store.window is not None
        assert store.window[1] - store.window[0] == timedelta(hours=6)


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    """A folder that holds other things is not made a store."""
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(StoreFormatError, match="holds other things than a store"):
        open_store(tmp_path)
    with pytest.raises(StoreFormatError, match="is not the folder of a store"):
        read_store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_that_cannot_be_written_to_is_one_clear_error(tmp_path: Path) -> None:
    """Below a file no store can be made."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreWriteError, match=r"cannot be written: .*make room, or mend the folder"):
        open_store(tmp_path / "file" / "store")


FULL_DISK = """
import resource, sys
from pathlib import Path
from stores_on_disk import batches
from analytics.durable.opening import open_store
from analytics.errors import StoreWriteError
from analytics.durable.settings import StoreSettings

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
store = open_store(sys.argv[1], StoreSettings(window_hours=6, checkpoint_events=10**6))
try:
    for n, batch in enumerate(batches(seed=5, n_batches=30, n_rows=20, hours_each=0.5)):
        store.append_flattened(batch.events, batch.position)
except StoreWriteError as error:
    print(n, store.counts.received, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.append_flattened(batch.events, batch.position)  # there is room again
    store.close()
"""


def test_a_full_disk_is_one_clear_error_and_harms_nothing(tmp_path: Path) -> None:
    """Where the system takes part of a record only, the store says so, stands as before, and can go on."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "helpers")}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "store"), "40000"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    n, received, message = done.stdout.split(maxsplit=2)
    assert 0 < int(n) < len(STREAM)
    assert int(received) == sum(batch.events.n_received for batch in STREAM[: int(n)])
    assert "File too large. All that was acknowledged is safe" in message
    expected = EventStore(window_hours=6)
    for batch in STREAM[: int(n) + 1]:
        expected.append_flattened(batch.events)
    assert said_by(read_store(tmp_path / "store")) == said_by(expected)


@pytest.mark.parametrize("what", ["archive", "window", "checkpoint.json", "journal"])
def test_whatever_cannot_be_written_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """If one kind of file cannot be written for a while, each batch is in or out, and all come in once it can."""
    is_full, real = [True], os.open

    def scarce(path: Any, flags: int, mode: int = 0o777) -> int:
        if is_full[0] and flags & os.O_CREAT and what in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, mode)

    store = open_store(tmp_path, SETTINGS)
    monkeypatch.setattr("analytics.durable.files.os.open", scarce)
    with pytest.raises(StoreWriteError, match="No space left on device"):
        take_in(store, STREAM)
    is_full[0] = False
    store.release()
    with open_store(tmp_path, SETTINGS) as again:
        done = again.offsets["stream"]["batches"]
        assert 0 < done < len(STREAM)
        take_in(again, STREAM[done:])
    assert said_by(read_store(tmp_path)) == said_by(in_memory())


def test_after_a_failed_flush_the_store_must_be_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed once is not believed when it then says that all is well; what is in the journal decides."""
    store = filled(tmp_path, n_batches=2)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", fail)
        with pytest.raises(StoreWriteError, match="Input/output error"):
            store.append_flattened(STREAM[2].events, STREAM[2].position)
    for forbidden in (lambda: store.append_flattened(STREAM[3].events), store.checkpoint):
        with pytest.raises(StoreError, match="open it again to go on"):
            forbidden()
    store.close()
    with open_store(tmp_path) as again:
        assert again.counts.received == sum(batch.events.n_received for batch in STREAM[:3])


def test_dead_letters_are_bounded_in_memory_and_complete_on_disk(tmp_path: Path) -> None:
    """Memory keeps the last five; the file has each of them once, with its bytes, its reason and its place."""
    store = filled(tmp_path)
    store.close()
    letters = [letter for batch in STREAM for letter in batch.events.dead_letters]
    entries = dead_letters_in(tmp_path)
    assert [(entry["reason"], entry["position"], entry["source"]) for entry in entries] == [
        (letter.reason, letter.position, "stream") for letter in letters
    ]
    assert {entry.get("raw") or entry["raw_base64"] for entry in entries} == {'{"é": 1}', "YnJva2VuIP8gCg0="}
    assert len(store.dead_letters) == 5 < len(letters)
    assert list(open_store(tmp_path, SETTINGS).dead_letters) == letters[-5:]


def test_the_archive_holds_the_hours_that_left(tmp_path: Path) -> None:
    """Each hour that has left the window is one file, named by day and hour; with the window they are all events."""
    store = filled(tmp_path)
    assert store.window is not None
    old = archived(tmp_path)
    assert old.height + store.events().height == store.counts.accepted
    assert old["event_time"].max() < store.window[0]
    first = START + timedelta(hours=2)
    table = pl.read_parquet(archive_path(tmp_path / "archive", first))
    assert archive_path(Path(), first) == Path("date=2026-03-03/hour=02/events.parquet")
    assert table["event_time"].dt.truncate("1h").unique().to_list() == [first]
    assert table.columns == STORED_SCHEMA.names()
    store.close()


def test_polars_and_duckdb_read_the_archive(tmp_path: Path) -> None:
    """Both read days and hours off the paths, count the same, and see types that Spark knows."""
    filled(tmp_path).close()
    files = str(tmp_path / "archive" / "**" / "*.parquet")
    by_polars = pl.scan_parquet(tmp_path / "archive", hive_partitioning=True).group_by("date", "hour").len().collect()
    read = duckdb.read_parquet(files, hive_partitioning=True)
    # DuckDB takes a number that begins with a zero for a text.
    by_duckdb = read.aggregate("date, hour::INTEGER AS hour, count(*)").fetchall()
    assert sorted(by_polars.rows()) == sorted(by_duckdb)
    assert sum(n for *_, n in by_duckdb) == archived(tmp_path).height
    assert read.min("event_time").fetchall() == [(archived(tmp_path)["event_time"].min(),)]
    types = duckdb.execute(
        "SELECT DISTINCT type, logical_type FROM parquet_schema($1) WHERE num_children IS NULL", [files]
    )
    # Spark: https://spark.apache.org/docs/latest/sql-data-sources-parquet.html; no unsigned or nested types.
    assert {(kind, (logical or "").split("(")[0]) for kind, logical in types.fetchall()} == {
        ("BYTE_ARRAY", "StringType"),
        ("INT64", "TimestampType"),
        ("BOOLEAN", ""),
    }


def test_the_window_is_in_few_files(tmp_path: Path) -> None:
    """A store that is closed after every batch keeps its window in a few files, not in one for each."""
    settings = StoreSettings(window_hours=24 * 30)
    for batch in STREAM:
        with open_store(tmp_path, settings) as store:
            store.append_flattened(batch.events)
    # Each part is at least half as long as all that came after it in one go, so their number is a logarithm.
    assert len(list((tmp_path / "window").iterdir())) <= 6
    assert len(list((tmp_path / "journal").iterdir())) == 1
    assert said_by(read_store(tmp_path))["counts"] == said_by(store)["counts"]


def test_a_store_on_disk_is_not_copied(tmp_path: Path) -> None:
    """Two copies would write to the same files."""
    with open_store(tmp_path) as store, pytest.raises(TypeError, match="cannot be copied"):
        store.__getstate__()


def test_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    """An empty batch leaves the journal as it was, and a checkpoint of nothing new is none."""
    store = filled(tmp_path, n_batches=1)
    store.checkpoint()
    before = kept_in(tmp_path), the_segment(tmp_path).stat().st_size, (tmp_path / "checkpoint.json").stat().st_mtime_ns
    store.append_json(b"\n\n")
    store.checkpoint()
    after = kept_in(tmp_path), the_segment(tmp_path).stat().st_size, (tmp_path / "checkpoint.json").stat().st_mtime_ns
    assert before == after
    store.close()


def test_conservation_holds_after_every_restore(tmp_path: Path) -> None:
    """What was received is accounted for after each restore, and accepted events are there, in window or archive."""
    for begin in range(0, len(STREAM), 3):
        store = open_store(tmp_path, SETTINGS)
        take_in(store, STREAM[begin : begin + 3])
        store.release()
        counts = read_store(tmp_path).counts
        assert counts.accepted == archived(tmp_path).height + read_store(tmp_path).events().height
        assert counts.invalid == len(dead_letters_in(tmp_path))
        parts = counts.accepted + counts.duplicate + counts.conflict + counts.late + counts.invalid
        assert counts.received == parts
