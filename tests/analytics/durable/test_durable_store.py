"""Claims about a store in a folder that its model does not make: what it refuses, and what its files hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from flat_events import START
from stores_on_disk import archived, batches, dead_letters_in, state_of

from analytics.durable import journal
from analytics.durable.archive import archive_path
from analytics.durable.checkpoint import read_checkpoint
from analytics.durable.durable_store import DurableStore
from analytics.durable.journal_file import read_segment
from analytics.durable.opening import open_store
from analytics.durable.recovery import Recovery, read_store
from analytics.durable.settings import StoreSettings
from analytics.durable.window_files import read_part
from analytics.errors import AnalyticsError, StoreCorruptError, StoreFormatError, StoreLockedError, StoreWriteError
from analytics.store.event_store import EventStore
from analytics.store.hour import STORED_SCHEMA

STREAM = batches(seed=5, n_batches=30, n_rows=20, hours_each=0.5)
SETTINGS = StoreSettings(window_hours=6, checkpoint_events=150, max_dead_letters=5, fsync="never")


def filled(folder: Path, settings: StoreSettings = SETTINGS, n_batches: int = len(STREAM)) -> DurableStore:
    """A store in a folder that has ingested so many batches of the stream."""
    store = open_store(folder, settings)
    for batch in STREAM[:n_batches]:
        store.append_flattened(batch.events, batch.position)
    return store


def last_segment(folder: Path) -> Path:
    """The last file of the journal."""
    return max((folder / "journal").iterdir())


def contents_of(folder: Path) -> dict[Path, bytes]:
    """The files of a store, but for those of its lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"lock", "writer"})
    return {path: path.read_bytes() for path in files}


def test_the_arrival_of_a_batch_is_remembered(tmp_path: Path) -> None:
    """The arrival by which a live batch was judged is in the journal: replayed, the batch gets the same verdicts."""
    page = b'{"type": "page", "messageId": "%d", "anonymousId": "a", "timestamp": "2126-01-01T00:00:00Z"}'
    arrived_at = START + timedelta(microseconds=1234567)
    store = open_store(tmp_path)
    store.append_json(page % 1, arrived_at=arrived_at)
    store.append_json(page % 2, arrived_at=arrived_at + timedelta(hours=1))
    store.release()
    assert store.stream_time == START + timedelta(hours=1, milliseconds=1234)
    assert store.n_future == 2
    assert state_of(read_store(tmp_path)) == state_of(store)


def test_the_policy_decides_when_the_disk_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`always` flushes once for each batch, `never` not at all, a number within so many seconds."""
    flushed, calls = threading.Event(), list[int]()
    monkeypatch.setattr(journal.os, "fsync", lambda descriptor: (calls.append(descriptor), flushed.set()))
    for fsync, n_calls in (("always", 4), ("never", 0), (0.02, None)):
        store = open_store(tmp_path / str(fsync), StoreSettings(fsync=fsync))  # type: ignore[arg-type]
        calls.clear()
        flushed.clear()
        for batch in STREAM[:4]:
            store.append_flattened(batch.events)
        assert flushed.wait(10) if n_calls is None else len(calls) == n_calls
        store.release()


def test_a_torn_tail_is_cut_off_wherever_it_is_torn(tmp_path: Path) -> None:
    """Cut at any byte of its last record, or ending in zeros, a journal has all records before; the store says so."""
    folder = tmp_path / "store"
    filled(folder, n_batches=2).release()
    path, begin = last_segment(folder), last_segment(folder).stat().st_size
    store = open_store(folder, SETTINGS)
    store.append_flattened(STREAM[2].events, STREAM[2].position)
    store.release()
    whole = path.read_bytes()
    ends = [*range(begin, begin + 40), *range(begin + 40, len(whole) - 20, 97), *range(len(whole) - 20, len(whole))]
    for torn in [*(whole[:end] for end in ends), whole[:begin] + bytes(50)]:
        path.write_bytes(torn)
        segment = read_segment(path)
        assert (len(segment.records), segment.n_torn) == (2, len(torn) - begin)
    for end in (begin + 10, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert read_store(folder).counts.received == sum(batch.events.n_received for batch in STREAM[:2])
        store = open_store(folder, SETTINGS)
        assert store.recovery == Recovery(2, store.counts.received, end - begin)
        store.append_flattened(STREAM[2].events, STREAM[2].position)
        store.release()
        assert path.read_bytes() == whole


def test_damage_that_no_crash_does_is_refused(tmp_path: Path) -> None:
    """One flipped bit anywhere before the last record, or in any other file, and the store is not opened."""
    folder = tmp_path / "store"
    store = filled(folder, SETTINGS.model_copy(update={"fsync": "always"}), n_batches=14)
    last = last_segment(folder).stat().st_size
    store.append_flattened(STREAM[14].events, STREAM[14].position)
    store.release()
    checkpoint = read_checkpoint(folder)
    assert checkpoint is not None
    assert checkpoint.redeliveries is not None
    readers: dict[Path, Callable[[Path], object]] = {
        last_segment(folder): read_segment,
        folder / "checkpoint.json": lambda path: read_checkpoint(path.parent),
    }
    for part in (*checkpoint.parts, checkpoint.redeliveries):
        readers[folder / "window" / part.name] = lambda path, part=part: read_part(path.parent, part)
    assert len(readers) == 4
    for file, read in readers.items():
        whole = file.read_bytes()
        end = last if file == last_segment(folder) else len(whole)
        for place in range(0, end, max(1, end // 100)):
            damaged = bytearray(whole)
            damaged[place] ^= 0b100
            file.write_bytes(damaged)
            # A damaged version number may look like a newer version's.
            with pytest.raises((StoreCorruptError, StoreFormatError), match=file.name):
                read(file)
        for opened in (read_store, open_store):
            with pytest.raises((StoreCorruptError, StoreFormatError), match=file.name):
                opened(folder)
        file.write_bytes(whole)
    open_store(folder, SETTINGS).close()


def test_missing_files_are_missed(tmp_path: Path) -> None:
    """Without a part of the window or a file of the journal, the store is not opened."""
    folder = tmp_path / "store"
    filled(folder, n_batches=2).release()
    checkpoint = (folder / "checkpoint.json").read_bytes()
    filled(folder).close()
    part = next((folder / "window").iterdir())
    shutil.move(part, tmp_path / "part")
    with pytest.raises(StoreCorruptError, match=r"is missing\. The store is not opened.*put the folder back"):
        open_store(folder, SETTINGS)
    shutil.move(tmp_path / "part", part)
    store = open_store(folder)
    store.append_flattened(STREAM[3].events)
    store.release()
    (folder / "checkpoint.json").write_bytes(checkpoint)
    with pytest.raises(StoreCorruptError, match="where 1 should be"):
        open_store(folder)


@pytest.mark.parametrize("harm", ["emptied", "deleted", "damaged"])
def test_dead_letters_never_keep_a_store_from_opening(tmp_path: Path, harm: str) -> None:
    """Whatever becomes of their file, the store opens with all its counts, and adds the next letters to it."""
    filled(tmp_path, n_batches=15).close()
    file = tmp_path / "dead_letters.ndjson"
    if harm == "damaged":
        file.write_bytes(file.read_bytes().replace(b'"reason"', b'"seasoN"', 1).replace(b"not_json", b"\xff\xfe", 1))
    elif harm == "emptied":
        file.write_bytes(b"")
    else:
        file.unlink()
    n_before = len(read_store(tmp_path).dead_letters)
    with open_store(tmp_path, SETTINGS) as store:
        for batch in STREAM[15:]:
            store.append_flattened(batch.events, batch.position)
    with filled(tmp_path / "undisturbed") as expected:
        assert store.counts == expected.counts
        assert list(store.dead_letters)[-3:] == list(expected.dead_letters)[-3:]
    assert n_before < 5
    new = sum(len(batch.events.dead_letters) for batch in STREAM[15:])
    assert len(file.read_bytes().splitlines()) >= new


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A checkpoint or a journal of a newer format is refused with advice, and not one byte is changed."""
    filled(tmp_path, n_batches=2).release()
    for file, newer in (
        (tmp_path / "checkpoint.json", lambda data: re.sub(rb'"format": 2, "head": \d+', b'"format": 3', data)),
        (last_segment(tmp_path), lambda data: data[:6] + b"\x03\x00" + data[8:]),
    ):
        before = file.read_bytes()
        file.write_bytes(newer(before))
        written = contents_of(tmp_path)
        with pytest.raises(StoreFormatError, match=r"of format 3, and this funnelsim reads format 2.*Update funnelsim"):
            open_store(tmp_path)
        assert contents_of(tmp_path) == written
        file.write_bytes(before)


HOLDER = """
import sys, time
from analytics import open_store

store = open_store(sys.argv[1])
print("open", flush=True)
time.sleep(60)
"""


def test_one_store_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    """A second writer, in this process or another, learns which process has the store; readers read all the same.

    The death of the process, ``kill -9`` too, releases the lock.
    """
    store = filled(tmp_path, n_batches=3)
    with pytest.raises(StoreLockedError, match=rf"process {os.getpid()} writes to this store.*stop it first"):
        open_store(tmp_path)
    assert state_of(read_store(tmp_path)) == state_of(store)
    store.close()
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(StoreLockedError, match=f"process {process.pid} writes to this store"):
            open_store(tmp_path)
        assert read_store(tmp_path).counts == store.counts
        process.kill()
    open_store(tmp_path).close()


def test_a_reader_leaves_everything_as_it_is(tmp_path: Path) -> None:
    """To read a store, torn tail and all, changes no file and makes none."""
    filled(tmp_path, n_batches=12).release()
    with last_segment(tmp_path).open("ab") as file:
        file.write(b"torn")
    before = contents_of(tmp_path)
    assert type(read_store(tmp_path)) is EventStore
    assert contents_of(tmp_path) == before


def test_a_reader_keeps_up_with_a_writer(tmp_path: Path) -> None:
    """Whatever a writer does meanwhile, a reader sees the store as it was after some batch."""
    store = open_store(tmp_path, SETTINGS.model_copy(update={"checkpoint_events": 30}))
    received = [0]
    for batch in STREAM[:15]:
        received.append(received[-1] + batch.events.n_received)
    seen, done = list[int](), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(read_store(tmp_path).counts.received)

    reader = threading.Thread(target=read)
    reader.start()
    for batch in STREAM[:15]:
        store.append_flattened(batch.events, batch.position)
    done.set()
    reader.join()
    store.close()
    assert seen == sorted(seen)
    assert set(seen) <= set(received)


def test_a_store_keeps_to_its_rules(tmp_path: Path) -> None:
    """Another window than that by which the store has judged is refused; unless given, it stays. So do moments."""
    filled(tmp_path, StoreSettings(window_hours=6, skew_seconds=5.0), n_batches=1).close()
    with pytest.raises(StoreFormatError, match="window_hours=6, and 24 is asked for"):
        open_store(tmp_path, StoreSettings(window_hours=24))
    with open_store(tmp_path) as store:
        assert store.window is not None
        assert store.window[1] - store.window[0] == timedelta(hours=6)
        with pytest.raises(AnalyticsError, match="now must have a time zone"):
            store.advance_to(START.replace(tzinfo=None))
        with pytest.raises(TypeError, match="cannot be copied"):
            store.__getstate__()


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """A folder that holds other things is not made a store, and below a file none can be made."""
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("…")
    with pytest.raises(StoreFormatError, match="holds other things than a store"):
        open_store(tmp_path)
    with pytest.raises(StoreFormatError, match="is not the folder of a store"):
        read_store(tmp_path)
    with pytest.raises(StoreWriteError, match=r"cannot be written: .*make room, or mend the folder"):
        open_store(thesis / "store")
    assert [*tmp_path.iterdir()] == [thesis]


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


def test_polars_and_duckdb_read_the_archive(tmp_path: Path) -> None:
    """Each hour is one file, named by day and hour; both libraries count the same, and see types that Spark knows."""
    filled(tmp_path).close()
    first = START + timedelta(hours=2)
    assert archive_path(Path(), first) == Path("date=2026-03-03/hour=02/events.parquet")
    table = pl.read_parquet(archive_path(tmp_path / "archive", first))
    assert table["event_time"].dt.truncate("1h").unique().to_list() == [first]
    assert table.columns == STORED_SCHEMA.names()
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
    """A store with a checkpoint after every batch keeps its window in a few files, not in one for each."""
    with open_store(tmp_path, StoreSettings(window_hours=24 * 30, fsync="never")) as store:
        for batch in STREAM[:20]:
            store.append_flattened(batch.events)
            store.checkpoint()
    # Each part is at least half as long as all that came after it in one go, so their number is a logarithm.
    assert len(list((tmp_path / "window").iterdir())) <= 6
    assert len(list((tmp_path / "journal").iterdir())) == 1
    assert read_store(tmp_path).counts == store.counts


def test_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    """An empty batch leaves the journal as it was, and a checkpoint of nothing new is none."""
    store, states = filled(tmp_path, n_batches=1), []
    for lines in (b"", b"\n\n"):
        store.append_json(lines)
        store.checkpoint()
        states.append((contents_of(tmp_path), (tmp_path / "checkpoint.json").stat().st_mtime_ns))
    assert states[0] == states[1]
    store.close()
