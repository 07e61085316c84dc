"""Damage, foreign hands and earlier formats: what a store makes of files that are not as it left them."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from stores_on_disk import batches, dead_letters_in, state_of

from analytics.durable import recovery
from analytics.durable.checkpoint import read_checkpoint
from analytics.durable.files import put_file
from analytics.durable.journal_file import read_segment, records_in
from analytics.durable.opening import open_store
from analytics.durable.recovery import Recovery, read_recovered, read_store
from analytics.durable.settings import StoreSettings
from analytics.errors import StoreCorruptError, StoreError, StoreLockedError, StoreWriteError
from analytics.store.event_store import EventStore

STREAM = batches(seed=5, n_batches=12, n_rows=6, hours_each=0.7)
SETTINGS = StoreSettings(window_hours=3, max_dead_letters=3)
DATA = Path(__file__).parents[1] / "data"


def filled(folder: Path, n_batches: int, settings: StoreSettings = SETTINGS) -> list[int]:
    """Fill a store and abandon it; return where each record of its journal ends."""
    store, ends = open_store(folder, settings), list[int]()
    for batch in STREAM[:n_batches]:
        store.append_flattened(batch.events, batch.position)
        ends.append(segment_of(folder).stat().st_size)
    store.release()
    return ends


def segment_of(folder: Path) -> Path:
    """The last file of the journal."""
    return max((folder / "journal").iterdir())


def flip(path: Path, place: int) -> None:
    """Flip a bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_what_was_on_the_disk_cannot_be_damaged_by_a_crash(tmp_path: Path) -> None:
    """With `always`, a flipped bit in any record but the last is no power cut: the store is refused."""
    ends = filled(tmp_path, 4)
    for place in (ends[0] + 5, ends[1] - 3, ends[2] - 100):
        flip(segment_of(tmp_path), place)
        for opened in (open_store, read_store):
            with pytest.raises(StoreCorruptError, match=r"damaged at byte [\d,]+: a record there"):
                opened(tmp_path)
        flip(segment_of(tmp_path), place)
    assert open_store(tmp_path).recovery.n_records == 4


@pytest.mark.parametrize("n_whole", [1, 3])
def test_what_may_not_have_been_on_the_disk_is_kept_aside(tmp_path: Path, n_whole: int) -> None:
    """From a hole on that a power cut may have made, the journal is cut off and kept, and readers say so."""
    ends = filled(tmp_path, 4, SETTINGS.model_copy(update={"fsync": "never"}))
    flip(segment_of(tmp_path), ends[n_whole] - 20)
    n_received = sum(batch.events.n_received for batch in STREAM[:n_whole])
    store, found = read_recovered(tmp_path)
    assert (store.counts.received, found.n_bytes_doubtful) == (n_received, ends[3] - ends[n_whole - 1])
    assert "the journal is damaged after its last whole record" in found.warnings[0]
    damaged = segment_of(tmp_path).read_bytes()[ends[n_whole - 1] :]
    with open_store(tmp_path) as again:
        assert (again.counts.received, again.recovery) == (n_received, found)
        assert again.offsets["stream"] == {"batches": n_whole}
    (kept,) = (tmp_path / "damaged").iterdir()
    assert kept.read_bytes() == damaged
    assert len(records_in(damaged)) == 3 - n_whole
    assert read_recovered(tmp_path)[1] == Recovery(n_kept_aside=1)


def test_a_damaged_last_record_is_kept_aside_too(tmp_path: Path) -> None:
    """No later record says that the last one was on the disk; what was acknowledged is not deleted all the same."""
    ends = filled(tmp_path, 2)
    flip(segment_of(tmp_path), ends[1] - 100)
    open_store(tmp_path).close()
    assert [path.stat().st_size for path in (tmp_path / "damaged").iterdir()] == [ends[1] - ends[0]]


def test_without_its_lock_file_a_store_has_one_writer_still(tmp_path: Path) -> None:
    """Who deletes the file `lock` lets nobody in."""
    store = open_store(tmp_path)
    store.append_flattened(STREAM[0].events)
    (tmp_path / "lock").unlink()
    with pytest.raises(StoreLockedError, match=f"process {os.getpid()} writes to this store"):
        open_store(tmp_path)
    store.close()
    open_store(tmp_path).close()


def test_a_writer_that_was_passed_by_writes_nothing_more(tmp_path: Path) -> None:
    """Where another writer came in nevertheless, the first one says so, and overwrites nothing."""
    folder = tmp_path / "store"
    store = open_store(folder)
    store.append_flattened(STREAM[0].events)
    shutil.copytree(folder, tmp_path / "other")
    with open_store(tmp_path / "other") as other:
        other.append_flattened(STREAM[1].events)
    put_file(folder / "checkpoint.json", (tmp_path / "other" / "checkpoint.json").read_bytes())
    with pytest.raises(StoreError, match="another process has written to this store"):
        store.close()
    assert read_checkpoint(folder) == read_checkpoint(tmp_path / "other")
    store = open_store(tmp_path / "other")
    store.append_flattened(STREAM[2].events)
    shutil.move(tmp_path / "other", tmp_path / "moved")
    with pytest.raises(StoreError, match="was removed or replaced while this store was open"):
        store.close()


def test_a_reader_never_steps_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint between a reader's look at the last one and at the journal does not hide what was acknowledged."""
    store = open_store(tmp_path)
    store.append_flattened(STREAM[0].events)
    store.checkpoint()
    store.append_flattened(STREAM[1].events)
    seen, read = read_store(tmp_path).counts.received, recovery.segments

    def late(folder: Path) -> list[Path]:
        monkeypatch.undo()
        store.checkpoint()
        return read(folder)

    monkeypatch.setattr(recovery, "segments", late)
    assert read_store(tmp_path).counts.received == seen == store.counts.received
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="links and permissions are those of POSIX")
def test_links_are_not_followed_and_files_are_private(tmp_path: Path) -> None:
    """A link that somebody put in place of a file is refused or replaced; only their owner reads a store's files."""
    for name in ("lock", "writer", "dead_letters.ndjson", "late.ndjson", ".checkpoint.json.new"):
        victim, folder = tmp_path / "victim", tmp_path / name
        victim.write_text("precious")
        filled(folder, 1)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(victim)
        with suppress(StoreWriteError):
            open_store(folder).close()
        assert victim.read_text() == "precious"
    filled(tmp_path / "store", 12, SETTINGS.model_copy(update={"checkpoint_events": 10}))
    paths = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}


def test_a_store_of_format_1_is_read_and_goes_on(tmp_path: Path) -> None:
    """What an earlier version has written opens with the same state, and the next checkpoint is of this format."""
    with tarfile.open(DATA / "store_of_format_1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder, expected = tmp_path / "format_1", EventStore(window_hours=3, max_dead_letters=3)
    for batch in STREAM:
        expected.append_flattened(batch.events, batch.position)
    assert state_of(read_store(folder)) == state_of(expected)
    assert read_segment(segment_of(folder)).version == 1
    with open_store(folder, SETTINGS) as store:
        assert state_of(store) == state_of(expected)
        assert store.recovery.n_records == 5
        assert read_segment(segment_of(folder)).version == 2
    assert state_of(read_store(folder)) == state_of(expected)
    assert len(dead_letters_in(folder)) == expected.counts.invalid
