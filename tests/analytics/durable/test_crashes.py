"""Claims about a store whose process dies, or whose disk fails, between any two things that it does to its files.

The death is simulated in one process: a call of the operating system raises what nothing catches, after it has done
half of its work or none of it. What a dying process leaves behind is what such a call leaves behind. The real thing,
``kill -9``, comes after that, and then disks that are full or fail.
"""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dying import Death, FaultyOS, instead_of_os, with_released_locks
from stores_on_disk import archived, batches, dead_letters_in, permanent_files, state_of

from analytics.durable import journal
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.errors import StoreError, StoreWriteError
from analytics.ingestion import ingest
from analytics.io.ndjson import encode
from analytics.store.event_store import EventStore

STREAM = batches(seed=11, n_batches=14, n_rows=6, hours_each=0.7)
SETTINGS = StoreSettings(window_hours=3, checkpoint_events=20, max_dead_letters=3)
STEP = 60
LATER = [pytest.param(first, marks=pytest.mark.validation) for first in range(2, STEP + 1)]
"""The quick tests look at every 60th call, `make validate` at the others too."""

HELPERS = Path(__file__).parents[2] / "helpers"


def resume(folder: Path, acknowledged: list[int]) -> None:
    """Open the store and ingest the rest of the stream, from the offset that the store reports."""
    with with_released_locks(), open_store(folder, SETTINGS) as store:
        done = store.offsets.get("stream", {"batches": 0})["batches"]
        assert done >= len(acknowledged)
        for batch in STREAM[done:]:
            store.append_flattened(batch.events, batch.position)
            acknowledged[:] = range(batch.position.offset["batches"])


def outcome(folder: Path) -> dict[str, Any]:
    """All that there is in the end."""
    return state_of(read_store(folder)) | permanent_files(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """What an undisturbed run leaves, and how many calls to the system it takes."""
    folder, counting = tmp_path_factory.mktemp("undisturbed") / "store", FaultyOS()
    with instead_of_os(counting):
        resume(folder, [])
    return outcome(folder), counting.n_calls


def test_the_stream_has_all_that_can_happen(undisturbed: tuple[dict[str, Any], int]) -> None:
    """The stream of these tests has events of every verdict, and lets hours leave the window."""
    found, n_calls = undisturbed
    assert all(found["counts"].values())
    assert sum(name.startswith("archive") for name in found) > 3
    assert n_calls > 100


def fails_and_resumes(expected: dict[str, Any], folder: Path, *faults: FaultyOS) -> None:
    """Let the process fail at each of these, and then come to its end."""
    acknowledged = list[int]()
    for faulty in faults:
        with instead_of_os(faulty), pytest.raises((Death, StoreWriteError)):
            resume(folder, acknowledged)
    resume(folder, acknowledged)
    assert outcome(folder) == expected


@pytest.mark.parametrize("way", ["half", *(pytest.param(way, marks=pytest.mark.slow) for way in ("before", "full"))])
@pytest.mark.parametrize("first", [1, *LATER])
def test_no_moment_of_failure_changes_what_is_counted(
    undisturbed: tuple[dict[str, Any], int], tmp_path: Path, first: int, way: str
) -> None:
    """Dead before or in the midst of any call to the system, or refused it, and opened again: the result is the same.

    What was acknowledged is there, and nothing is counted twice.
    """
    expected, n_calls = undisturbed
    for fatal in range(first, n_calls + 1, STEP):
        fails_and_resumes(expected, tmp_path / str(fatal), FaultyOS(fatal, way))


def test_death_in_recovery_changes_nothing_either(undisturbed: tuple[dict[str, Any], int], tmp_path: Path) -> None:
    """Nor does it if the process dies again and again while it recovers."""
    expected, n_calls = undisturbed
    for fatal in range(5, n_calls, 4 * STEP):
        again = (FaultyOS(n, "half" if n % 2 == 0 else "before") for n in range(1, 8))
        fails_and_resumes(expected, tmp_path / str(fatal), FaultyOS(fatal, "half"), *again)


def write_lines(path: Path, n_batches: int) -> int:
    """Write a file with events of every verdict, and broken lines; return the number of lines."""
    lines: list[bytes] = []
    for number, batch in enumerate(batches(seed=3, n_batches=n_batches, n_rows=40, hours_each=0.25)):
        lines += encode(batch.events.frame).splitlines()
        if number % 3 == 0:
            lines += [b'{"broken": \xff', b'{"type": "page", "n": %d}' % number]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return len(lines)


def killed(path: Path, folder: Path, rng: np.random.Generator, fsync: str) -> bool:
    """Let a process ingest the file, and kill it at some moment; return whether that came before its end."""
    command = [sys.executable, HELPERS / "ingesting.py", path, folder, fsync]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline() or 0) for _ in range(int(rng.integers(1, 8)))]
    time.sleep(rng.uniform(0, 0.02))
    process.kill()
    acknowledged += map(int, process.stdout.read().split(b"\n")[:-1])
    process.stdout.close()
    was_killed = process.wait() < 0
    if (folder / "checkpoint.json").exists():
        store = read_store(folder)
        lines = store.offsets.get(str(path.resolve()), {"lines": 0})["lines"]
        assert lines >= max(acknowledged), "something acknowledged was lost"
        assert store.counts.received == lines, "something was counted twice, or not at all"
    return was_killed


@pytest.mark.parametrize(
    ("n_kills", "fsync"),
    [
        (2, "never"),
        pytest.param(6, "always", marks=pytest.mark.slow),
        pytest.param(600, "always", marks=pytest.mark.validation),
        pytest.param(150, "never", marks=pytest.mark.validation),
    ],
)
def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path, n_kills: int, fsync: str) -> None:
    """However often a process is killed (``kill -9``), what it acknowledged is there, and the lock is released.

    The end is that of a process never killed, whose batches were cut otherwise.
    """
    path, folder, other = tmp_path / "events.ndjson", tmp_path / "store", tmp_path / "undisturbed"
    n_lines = write_lines(path, n_batches=12 * n_kills)
    rng = np.random.default_rng(20260303)
    assert sum(killed(path, folder, rng, fsync) for _ in range(n_kills)) == n_kills
    settings = StoreSettings(window_hours=6, checkpoint_events=300, fsync="never")
    ingest([str(path)], folder, settings, n_events=40)
    ingest([str(path)], other, StoreSettings(window_hours=6, fsync="never"))
    assert state_of(read_store(folder)) == state_of(read_store(other))
    assert archived(folder).sort("event_time", "message_id").equals(archived(other).sort("event_time", "message_id"))
    assert dead_letters_in(folder) == dead_letters_in(other)
    assert read_store(folder).counts.received == n_lines
    assert all(vars(read_store(folder).counts).values())


def test_a_full_disk_is_one_clear_error_and_harms_nothing(tmp_path: Path) -> None:
    """Where the system takes part of a record only, the store is as before, and takes the batch once there is room."""
    store, expected = open_store(tmp_path, SETTINGS), EventStore(window_hours=3, max_dead_letters=3)
    for batch in STREAM[:3]:
        with (
            instead_of_os(FaultyOS(1, "full")),
            pytest.raises(StoreWriteError, match=r"No space left on device\. All that was acknowledged is safe"),
        ):
            store.append_flattened(batch.events, batch.position)
        assert store.counts == expected.counts
        store.append_flattened(batch.events, batch.position)
        expected.append_flattened(batch.events)
    store.release()
    assert state_of(read_store(tmp_path)) == state_of(expected)


def test_after_a_failed_flush_the_store_must_be_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed once is not believed when it then reports success; what is in the journal decides."""
    store = open_store(tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", fail)
        with pytest.raises(StoreWriteError, match="Input/output error"):
            store.append_flattened(STREAM[0].events, STREAM[0].position)
    for forbidden in (lambda: store.append_flattened(STREAM[1].events), store.checkpoint):
        with pytest.raises(StoreError, match="open it again to continue"):
            forbidden()
    store.close()
    with open_store(tmp_path) as again:
        assert again.counts.received == STREAM[0].events.n_received
