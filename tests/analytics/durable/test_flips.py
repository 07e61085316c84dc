"""One flipped bit in any file of a store: nothing else is shown in silence, and nothing but the damaged is lost."""

from __future__ import annotations

import errno
import io
import shutil
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from stores_on_disk import batches, state_of

from analytics.durable.dead_letter_lines import read_letter
from analytics.durable.durable_store import DurableStore
from analytics.durable.opening import open_store
from analytics.durable.recovery import StorePaths, read_recovered, read_store
from analytics.durable.settings import StoreSettings
from analytics.durable.upkeep import verification
from analytics.durable.upkeep.health import health_of
from analytics.durable.upkeep.salvaging import recover_store
from analytics.durable.upkeep.verification import verify_store
from analytics.errors import Damage, StoreCorruptError, StoreError, StoreFormatError

STREAM = batches(seed=31, n_batches=14, n_rows=8, hours_each=0.7)
SETTINGS = StoreSettings(window_hours=3, checkpoint_events=60, max_dead_letters=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a file of every kind, abandoned by its process."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    store = open_store(folder, SETTINGS)
    for batch in STREAM:
        store.append_flattened(batch.events, batch.position)
    store.release()
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert {".json", ".ndjson", ".arrow", ".journal", ".parquet"} <= kinds
    assert verify_store(folder) == ()
    return folder


def kept_files(folder: Path) -> list[Path]:
    """The files of a store that are kept, by their paths within it."""
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if path.name not in {"lock", "writer"} and "passing" not in path.parts]


def contents(folder: Path) -> dict[str, Any]:
    """All that can be read from a store and from its files."""
    letters = {name: list(map(read_letter, (folder / name).read_bytes().splitlines(keepends=True))) for name in LETTERS}
    archived = [pl.read_parquet(path).to_dicts() for path in sorted((folder / "archive").rglob("*.parquet"))]
    return state_of(read_store(folder)) | letters | {"archive": archived}


LATE = b'{"type": "page", "messageId": "l", "anonymousId": "a", "timestamp": "2020-03-03T10:00:00Z"}'
LETTERS = ("dead_letters.ndjson", "late.ndjson")


def flipped(whole: Path, folder: Path, rng: np.random.Generator) -> Path:
    """A copy with one bit flipped in one of its files; return that file's path within it."""
    shutil.copytree(whole, folder)
    files = kept_files(folder)
    file = files[rng.integers(len(files))]
    data = bytearray((folder / file).read_bytes())
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    (folder / file).write_bytes(data)
    return file


@pytest.mark.parametrize("n_tries", [12, pytest.param(1000, marks=pytest.mark.validation)])
def test_no_flipped_bit_is_silent(whole: Path, tmp_path: Path, n_tries: int) -> None:
    """Either all that can be read is the same, or `verify` names the file; readers raise nothing but named errors.

    After `recover` the store opens; its journal, window and letters are sound again.
    """
    expected, rng, n_same = contents(whole), np.random.default_rng(8), 0
    for number in range(n_tries):
        folder = tmp_path / str(number)
        file = flipped(whole, folder, rng)
        try:
            found = verify_store(folder)
        except StoreFormatError:
            # A flipped version number may look like a newer version's.
            assert file.suffix in {".json", ".journal"}
            continue
        if found:
            assert {damage.path for damage in found} == {folder / file} or file.suffix in {".ndjson", ".parquet"}
        else:
            n_same += 1
            assert contents(folder) == expected
        with suppress(StoreCorruptError) if found else nullcontext():
            read_recovered(folder)
        done = recover_store(folder)
        assert bool(done) == bool(found)
        assert verify_store(folder) == ()
        read_store(folder)
        shutil.rmtree(folder)
    assert n_same < n_tries / 4


def damaged(whole: Path, folder: Path, name: str, place: int) -> tuple[Damage, ...]:
    """A copy with one byte changed in one file; return what `verify` finds."""
    shutil.copytree(whole, folder)
    path = next(folder.glob(name))
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    return verify_store(folder)


def test_a_damaged_batch_in_the_journal_costs_no_other(whole: Path, tmp_path: Path) -> None:
    """Recovered, a store has all batches but the damaged one; what is damaged is kept."""
    folder = tmp_path / "store"
    (found,) = damaged(whole, folder, "journal/*", 200)
    assert "is damaged at byte 8" in found.what
    with pytest.raises(StoreCorruptError, match="`funnelsim recover` keep what is whole"):
        open_store(folder)
    (done,) = recover_store(folder)
    n_batches = read_recovered(whole)[1].n_records
    assert done.startswith(
        f"the journal was damaged (1 places): {n_batches - 1} whole batches were kept, and at least 1 lost; the next"
    )
    lost = STREAM[-n_batches].events.n_received
    assert read_store(folder).counts.received == read_store(whole).counts.received - lost
    assert [path.suffix for path in (folder / "damaged").iterdir()] == [".used"]
    assert recover_store(folder) == ()
    # The source is read again from before what is lost, of which nothing is missing then.
    before = read_store(whole)
    with open_store(folder, SETTINGS) as store:
        (warning,) = store.recovery.warnings
        assert "1 file of it, in the folder damaged" in warning
        assert health_of(read_store(folder), store.recovery).problems == (warning,)
        for batch in STREAM[store.offsets["stream"]["batches"] :]:
            store.append_flattened(batch.events, batch.position)
        assert set(store.events()["message_id"]) >= set(before.events()["message_id"])


def test_without_its_checkpoint_a_store_begins_with_what_is_whole(whole: Path, tmp_path: Path) -> None:
    """The events of window and journal are there, dead letters too, and who ingests anew finds duplicates."""
    folder = tmp_path / "store"
    damaged(whole, folder, "checkpoint.json", 60)
    (done, *_) = recover_store(folder)
    assert done.startswith("the checkpoint is lost: counts and offsets begin anew, with ")
    store, before = read_store(folder), read_store(whole)
    assert set(before.events()["message_id"]) <= set(store.events()["message_id"])
    assert store.offsets["stream"] == before.offsets["stream"]
    assert len((folder / "dead_letters.ndjson").read_bytes().splitlines()) >= before.counts.invalid


def test_a_damaged_file_of_the_window_is_named_with_its_events(whole: Path, tmp_path: Path) -> None:
    """How many events are lost is said, and the store opens without them."""
    folder = tmp_path / "store"
    (found,) = damaged(whole, folder, "window/*[0-9].arrow", 100)
    assert "its checksum differs" in found.what
    (done,) = recover_store(folder)
    assert "events of the window are lost" in done
    assert read_store(folder).counts.received == read_store(whole).counts.received
    assert verify_store(folder) == ()


def test_what_a_power_cut_had_cut_off_is_taken_in(whole: Path, tmp_path: Path) -> None:
    """What an opening store had cut off and kept aside is taken in by `recover`, counted apart, and only once."""
    folder = tmp_path / "store"
    store = open_store(folder, SETTINGS.model_copy(update={"fsync": "never"}))
    ends = list[int]()
    for batch in STREAM[:4]:
        store.append_flattened(batch.events, batch.position)
        ends.append(next((folder / "journal").iterdir()).stat().st_size)
    store.release()
    path = next((folder / "journal").iterdir())
    data = bytearray(path.read_bytes())
    data[ends[0] + 50] ^= 1
    path.write_bytes(data)
    with open_store(folder) as again:
        assert again.counts.received == STREAM[0].events.n_received
    (done,) = recover_store(folder)
    n = sum(batch.events.n_received for batch in STREAM[2:4])
    assert done.startswith(f"{n} events were taken in of what had been cut off the journal")
    assert read_store(folder).counts_again.received == n
    assert recover_store(folder) == ()
    assert verify_store(folder) == ()


class FailingReads:
    """Stands in for :func:`io.open`: one of the reads of a folder's files fails.

    Args:
        folder: The folder.
        fatal: Number of the read that fails, from 1.
    """

    def __init__(self, folder: Path, fatal: int) -> None:
        self._folder = str(folder)
        self._left = fatal
        self._open = io.open

    def __call__(self, file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        """Open a file, or fail."""
        if str(file).startswith(self._folder) and "w" not in mode:
            self._left -= 1
            if not self._left:
                raise OSError(errno.EIO, "Input/output error")
        return self._open(file, mode, *rest, **options)


@pytest.mark.parametrize("opened", [read_store, open_store, verify_store])
def test_a_disk_that_fails_on_reading_is_one_clear_error(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[Path], object]
) -> None:
    """Whichever read fails, the error names its file; afterwards the store is as it was."""
    state = state_of(read_store(whole))
    for fatal in range(1, 100):
        folder = tmp_path / str(fatal)
        shutil.copytree(whole, folder)
        with monkeypatch.context() as patch:
            patch.setattr(io, "open", FailingReads(folder, fatal))
            try:
                found = opened(folder)
            except StoreError as error:
                found = error
        if not isinstance(found, StoreError):
            break
        assert "cannot be read: Input/output error" in str(found)
        assert str(folder) in str(found)
        assert state_of(read_store(folder)) == state
    if isinstance(found, DurableStore):
        found.release()
    assert 4 < fatal < 99


@pytest.mark.parametrize(
    "name", ["journal/*", "late.ndjson", "dead_letters.ndjson", "archive.ndjson", "window/*", "archive/*/*/*"]
)
def test_what_is_missing_is_damage(whole: Path, tmp_path: Path, name: str) -> None:
    """A file that somebody has deleted is named, and after `recover` the store is sound without it."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    for path in folder.glob(name):
        path.unlink()
    found = verify_store(folder)
    assert any("is missing" in damage.what for damage in found)
    assert recover_store(folder)
    assert verify_store(folder) == ()
    open_store(folder).close()


def test_a_store_that_lost_its_checkpoint_goes_on(whole: Path, tmp_path: Path) -> None:
    """After `recover` new files of the window never take the names of those in use."""
    folder = tmp_path / "store"
    with open_store(folder, SETTINGS) as store:
        for batch in STREAM[:6]:
            store.append_flattened(batch.events, batch.position)
    (folder / "checkpoint.json").unlink()
    recover_store(folder)
    n = read_store(folder).n_accepted
    for batch in STREAM[6:12]:
        with open_store(folder) as store:
            store.append_flattened(batch.events)
    assert read_store(folder).n_accepted > n
    assert verify_store(folder) == ()


def test_letters_beyond_their_cap_are_the_oldest(tmp_path: Path) -> None:
    """However small the cap and large the file, what was written last is kept, and what was removed is counted."""
    settings = StoreSettings(side_files_mib=0.0005)
    for n in range(6):
        with open_store(tmp_path / "store", settings) as store:
            store.append_json(b"".join(b"broken %d-%d\n" % (n, k) for k in range(20)))
    files = sorted((tmp_path / "store").glob("dead_letters*.ndjson"))
    text = b"".join(path.read_bytes() for path in files)
    assert b"broken 5-0" in text
    assert b"broken 0-0" not in text
    assert verify_store(tmp_path / "store") == ()


def test_an_entry_of_the_archive_that_is_damaged_costs_no_hour(whole: Path, tmp_path: Path) -> None:
    """Hours whose checksums are lost, and that can be read, stay; a removed one is not missed."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    first, second = sorted(folder.rglob("*.parquet"))[:2]
    archive = StorePaths(folder).archive
    archive.put_again(first, [pl.read_parquet(first).head(1)])
    archive.remove([second])
    n_events = pl.read_parquet(first).height
    assert verify_store(folder) == ()
    lines = (folder / "archive.ndjson").read_bytes().splitlines(keepends=True)
    lines[-2:] = [line.replace(b"n_", b"m_") for line in lines[-2:]]
    (folder / "archive.ndjson").write_bytes(b"".join(lines))
    assert len(verify_store(folder)) == 4
    done = recover_store(folder)
    assert any("the hour is kept as it is" in each for each in done)
    assert (n_events, verify_store(folder)) == (pl.read_parquet(first).height, ())
    assert not second.exists()


@pytest.mark.parametrize("name", ["dead_letters", "late"])
def test_the_end_of_a_line_is_damage_too(whole: Path, tmp_path: Path, name: str) -> None:
    """A flipped last byte is found, and what is added later stands on a line of its own."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    with open_store(folder, SETTINGS) as store:
        store.checkpoint()
    file = folder / f"{name}.ndjson"
    n_lines = file.read_bytes().count(b"\n")
    file.write_bytes(file.read_bytes()[:-1] + b" ")
    assert [damage.path for damage in verify_store(folder)] == [file]
    with open_store(folder, SETTINGS) as store:
        store.append_json(b"broken\n" if name == "dead_letters" else LATE)
    assert file.read_bytes().count(b"\n") == n_lines + 1


def test_an_older_file_of_letters_that_is_gone_is_damage(tmp_path: Path) -> None:
    """What was set aside is missed as the current file is, whether it is short or gone."""
    with open_store(tmp_path, SETTINGS) as store:
        store.append_json(b"broken\n" * 3)
        store.set_aside("dead-letters")
    (older,) = tmp_path.glob("dead_letters.0*.ndjson")
    older.write_bytes(older.read_bytes()[:-20])
    assert [damage.path for damage in verify_store(tmp_path)][:1] == [older]
    older.unlink()
    assert [str(damage) for damage in verify_store(tmp_path)] == [f"{older}: is missing"]


def test_a_damaged_version_is_not_a_newer_one(whole: Path, tmp_path: Path) -> None:
    """The digit of the format has a checksum: a flip of it is damage, and can be salvaged."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    text = (folder / "checkpoint.json").read_text()
    (folder / "checkpoint.json").write_text(text.replace('"format": 2', '"format": 3', 1))
    assert [damage.path.name for damage in verify_store(folder)] == ["checkpoint.json"]
    assert recover_store(folder)
    assert verify_store(folder) == ()


def test_a_check_beside_a_busy_writer_ends(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often checkpoints come, a few looks are made, and only what is damaged at each of them is told."""
    folder = tmp_path / "store"
    file, numbers = flipped(whole, folder, np.random.default_rng(2)), iter(range(10**6))
    monkeypatch.setattr(verification, "number_of", lambda _: next(numbers))
    assert [damage.path for damage in verify_store(folder)] == [folder / file]
