"""Claims about a store whose process dies between any two things that it does to its files.

The death is simulated in one process: a call of the operating system raises what nothing catches, after it has done
half of its work or none of it. What a dying process leaves behind is what such a call leaves behind. The real thing,
``kill -9``, is in `test_kill.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stores_on_disk import archived, batches, dead_letters_in, kept_in, said_by

from analytics.durable import dead_letter_file, files as safe_files, files as store_lock, journal
from analytics.durable.files import StoreLock
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings

STREAM = batches(seed=11, n_batches=14, n_rows=6, hours_each=0.7)
SETTINGS = StoreSettings(window_hours=3, checkpoint_events=20, max_dead_letters=3)
WRITERS = (dead_letter_file, journal, safe_files, store_lock)
CALLS = ("write", "fsync", "replace", "ftruncate", "unlink", "open", "mkdir")
STEP = 24
LATER = [pytest.param(first, marks=pytest.mark.validation) for first in range(2, STEP + 1)]
"""The quick tests look at every 24th call, `make validate` at the others too."""


class Death(BaseException):
    """The end of the process."""


class Fate:
    """Stands in for the system: counts the calls to it, and ends the process at one of them."""

    def __init__(self, fatal: int | None, *, half_done: bool) -> None:
        self.n_calls = 0
        self._fatal = fatal
        self._half_done = half_done

    def __getattr__(self, name: str) -> Any:
        return self._fated(name) if name in CALLS else getattr(os, name)

    def _fated(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.n_calls += 1
            if self.n_calls != self._fatal:
                return getattr(os, name)(*arguments)
            if self._half_done:
                half = (arguments[0], arguments[1][: len(arguments[1]) // 2]) if name == "write" else arguments
                getattr(os, name)(*half)
            raise Death

        return call


@contextmanager
def fated(fate: Fate) -> Iterator[None]:
    """Let the modules that write files meet their fate."""
    with pytest.MonkeyPatch.context() as patch:
        for module in WRITERS:
            patch.setattr(module, "os", fate)
        yield


def ingest(folder: Path, acknowledged: list[int]) -> None:
    """Open the store and go on with the stream from where the store says that it stands."""
    locks: list[StoreLock] = []
    with pytest.MonkeyPatch.context() as patch:
        initialise = StoreLock.__init__

        def remembered(lock: StoreLock, folder: Path) -> None:
            locks.append(lock)
            initialise(lock, folder)

        patch.setattr(StoreLock, "__init__", remembered)
        try:
            with open_store(folder, SETTINGS) as store:
                done = store.offsets.get("stream", {"batches": 0})["batches"]
                assert done >= len(acknowledged)
                for batch in STREAM[done:]:
                    store.append_flattened(batch.events, batch.position)
                    acknowledged[:] = range(batch.position.offset["batches"])
        finally:
            # The system would let go of the locks of a dead process, whatever it was doing.
            for lock in (lock for lock in locks if hasattr(lock, "_descriptor")):
                lock.release()


def outcome(folder: Path) -> dict[str, Any]:
    """All that there is in the end."""
    store = read_store(folder)
    return said_by(store) | kept_in(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """What an undisturbed run leaves, and how many calls to the system it takes."""
    folder, fate = tmp_path_factory.mktemp("undisturbed") / "store", Fate(None, half_done=False)
    with fated(fate):
        ingest(folder, [])
    return outcome(folder), fate.n_calls


def test_the_stream_has_all_that_can_happen(undisturbed: tuple[dict[str, Any], int]) -> None:
    """The stream of these tests holds events of every fate, and lets hours leave the window."""
    said, n_calls = undisturbed
    assert all(said["counts"].values())
    assert sum(name.startswith("archive") for name in said) > 3
    assert n_calls > 100


def dies_and_goes_on(expected: dict[str, Any], folder: Path, *fates: Fate) -> None:
    """Let the process die as often as said, and then come to its end."""
    acknowledged = list[int]()
    for fate in fates:
        with fated(fate), pytest.raises(Death):
            ingest(folder, acknowledged)
    ingest(folder, acknowledged)
    assert outcome(folder) == expected


@pytest.mark.parametrize("half_done", [False, True])
@pytest.mark.parametrize("first", [1, *LATER])
def test_no_moment_of_death_changes_what_is_counted(
    undisturbed: tuple[dict[str, Any], int], tmp_path: Path, first: int, *, half_done: bool
) -> None:
    """Dead before or in the midst of any call to the system and opened again, the store ends up the same."""
    expected, n_calls = undisturbed
    for fatal in range(first, n_calls + 1, STEP):
        dies_and_goes_on(expected, tmp_path / str(fatal), Fate(fatal, half_done=half_done))


def test_death_in_recovery_changes_nothing_either(undisturbed: tuple[dict[str, Any], int], tmp_path: Path) -> None:
    """Nor does it if the process dies again and again while it recovers."""
    expected, n_calls = undisturbed
    for fatal in range(5, n_calls, 4 * STEP):
        again = (Fate(n, half_done=n % 2 == 0) for n in range(1, 8))
        dies_and_goes_on(expected, tmp_path / str(fatal), Fate(fatal, half_done=True), *again)


def test_everything_received_is_in_one_place(undisturbed: tuple[dict[str, Any], int], tmp_path: Path) -> None:
    """Accepted events are in the window or in the archive, dead letters in their file, each once."""
    folder = tmp_path / "store"
    ingest(folder, [])
    store = read_store(folder)
    ids = [*archived(folder)["message_id"], *store.events()["message_id"]]
    assert store.counts.accepted == len(ids)
    assert store.counts.invalid == len(dead_letters_in(folder))
    sent = [row for batch in STREAM for row in batch.events.frame["message_id"]]
    assert store.counts.received == len(sent) + store.counts.invalid
    assert set(ids) <= set(sent)
