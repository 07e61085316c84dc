"""A power cut loses any page that was not flushed, in any order: a store then lacks only what was not flushed.

The model is that of the crash tests of SQLite and of ALICE (Pillai et al., OSDI 2014): a page of a file that was
written since its last flush is on the disk or reads as zeros, whatever became of those before it, and the file may be
shorter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stores_on_disk import batches, permanent_files, state_of

from analytics.durable import checked_lines, files, journal, side_file
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_recovered, read_store
from analytics.durable.settings import Fsync, StoreSettings
from analytics.durable.upkeep.verification import verify_store

STREAM = batches(seed=23, n_batches=14, n_rows=8, hours_each=0.7)
PAGE = 4096
SETTINGS = StoreSettings(window_hours=3, checkpoint_events=45, max_dead_letters=3)


class Disk:
    """Stands in for :mod:`os`, and knows how much of each file is on the disk.

    Attributes:
        flushed: Length of each file when it was last flushed, by its number in the file system.
    """

    def __init__(self) -> None:
        self.flushed: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, descriptor: int) -> None:
        """Note what is on the disk now."""
        found = os.fstat(descriptor)
        self.flushed[found.st_ino] = found.st_size

    def ftruncate(self, descriptor: int, length: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, length)
        number = os.fstat(descriptor).st_ino
        self.flushed[number] = min(length, self.flushed.get(number, 0))


@contextmanager
def watched() -> Iterator[Disk]:
    """Let the modules that write files use the disk."""
    disk = Disk()
    with pytest.MonkeyPatch.context() as patch:
        for module in (checked_lines, files, journal, side_file):
            patch.setattr(module, "os", disk)
        yield disk


def cut_power(folder: Path, disk: Disk, rng: np.random.Generator) -> int:
    """Lose some of the pages that were not flushed, and perhaps the end; return how many bytes were at risk."""
    n_at_risk = 0
    written = (path for path in folder.rglob("*") if path.is_file() and "passing" not in path.parts)
    for path in sorted(path for path in written if path.name not in {"lock", "writer"}):
        whole, safe = bytearray(path.read_bytes()), disk.flushed.get(path.stat().st_ino, 0)
        if safe == len(whole):
            continue
        n_at_risk += len(whole) - safe
        for begin in range(safe - safe % PAGE, len(whole), PAGE):
            if rng.random() < 0.4:
                lost = range(max(begin, safe), min(begin + PAGE, len(whole)))
                whole[lost.start : lost.stop] = bytes(len(lost))
        keep = int(rng.integers(safe, len(whole) + 1)) if rng.random() < 0.3 else len(whole)
        path.write_bytes(whole[:keep])
    return n_at_risk


def resume(folder: Path, settings: StoreSettings, end: int) -> int:
    """Ingest the stream up to a batch from where the store is; return how many batches it had."""
    with open_store(folder, settings) as store:
        n_done = store.offsets.get("stream", {"batches": 0})["batches"]
        for batch in STREAM[n_done:end]:
            store.append_flattened(batch.events, batch.position)
        store.release()
    return n_done


@pytest.mark.parametrize("fsync", ["always", "never"])
@pytest.mark.parametrize("n_tries", [3, pytest.param(300, marks=pytest.mark.validation)])
def test_a_power_cut_takes_only_what_was_not_flushed(tmp_path: Path, fsync: Fsync, n_tries: int) -> None:
    """Whichever pages are missing, the store opens; with `always` all that was acknowledged is there.

    Resumed from its offsets, it comes to the state of one that was never disturbed.
    """
    settings, rng, n_at_risk, n_doubtful = SETTINGS.model_copy(update={"fsync": fsync}), np.random.default_rng(4), 0, 0
    resume(tmp_path / "undisturbed", settings, len(STREAM))
    expected = state_of(read_store(tmp_path / "undisturbed"))
    for number in range(n_tries):
        folder, n_acknowledged = tmp_path / str(number), int(rng.integers(1, len(STREAM) - 1))
        with watched() as disk:
            resume(folder, settings, n_acknowledged)
            if fsync == "always":
                # In the midst of the next batch, which is not acknowledged.
                _begin_record(folder, disk, settings, n_acknowledged)
            n_at_risk += cut_power(folder, disk, rng)
        n_doubtful += read_recovered(folder)[1].n_bytes_doubtful > 0
        n_there = resume(folder, settings, len(STREAM))
        assert n_acknowledged <= n_there <= n_acknowledged + 1 if fsync == "always" else n_there <= n_acknowledged
        assert state_of(read_store(folder)) == expected
        assert permanent_files(folder) == permanent_files(tmp_path / "undisturbed")
        assert {damage.path.parent.name for damage in verify_store(folder)} <= {"damaged"}
    assert n_at_risk > 1000 * n_tries
    assert n_doubtful or (fsync == "always" and n_tries < 100)


def _begin_record(folder: Path, disk: Disk, settings: StoreSettings, n_done: int) -> None:
    """Write the next record without flushing it, unless a checkpoint comes first."""
    flushed = {path.stat().st_ino: path.stat().st_size for path in folder.glob("journal/*")}
    resume(folder, settings, n_done + 1)
    disk.flushed |= flushed
