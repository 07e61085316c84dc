"""Claims about a process that is killed while it takes events in: `kill -9`, over and over, at random moments."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from stores_on_disk import archived, batches, dead_letters_in, said_by

from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.ingestion import ingest
from analytics.io.ndjson import encode

HELPER = Path(__file__).parents[2] / "helpers" / "ingesting.py"


def write_lines(path: Path, n_batches: int) -> int:
    """Write a file with events of every fate, and broken lines; return the number of lines."""
    lines: list[bytes] = []
    for number, batch in enumerate(batches(seed=3, n_batches=n_batches, n_rows=40, hours_each=0.25)):
        lines += encode(batch.events.frame).splitlines()
        if number % 3 == 0:
            lines += [b'{"broken": \xff', b'{"type": "page", "n": %d}' % number]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return len(lines)


def all_said(folder: Path) -> dict[str, Any]:
    """All that the store says and keeps, in a form that does not depend on how it was cut into batches."""
    archive = archived(folder).sort("event_time", "message_id")
    return said_by(read_store(folder)) | {"archive": archive.to_dicts(), "letters": dead_letters_in(folder)}


def killed(path: Path, folder: Path, chance: np.random.Generator, fsync: str) -> bool:
    """Let a process take the file in, and kill it at some moment; say whether that came before its end."""
    process = subprocess.Popen([sys.executable, HELPER, path, folder, fsync], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [int(process.stdout.readline() or 0) for _ in range(int(chance.integers(1, 8)))]
    time.sleep(chance.uniform(0, 0.02))
    process.kill()
    said += map(int, process.stdout.read().split(b"\n")[:-1])
    process.stdout.close()
    was_killed = process.wait() < 0
    if (folder / "checkpoint.json").exists():
        store = read_store(folder)
        lines = store.offsets.get(str(path.resolve()), {"lines": 0})["lines"]  # type: ignore[attr-defined]
        assert lines >= max(said), "something acknowledged was lost"
        assert store.counts.received == lines, "something was counted twice, or not at all"
    return was_killed


@pytest.mark.parametrize(
    ("n_kills", "fsync"),
    [
        (6, "always"),
        pytest.param(100, "always", marks=pytest.mark.validation),
        pytest.param(20, "never", marks=pytest.mark.validation),
    ],
)
def test_nothing_acknowledged_is_lost_and_nothing_counted_twice(tmp_path: Path, n_kills: int, fsync: str) -> None:
    """However often the process is killed, what it acknowledged is there, and the end is that of one never killed."""
    path = tmp_path / "events.ndjson"
    n_lines = write_lines(path, n_batches=12 * n_kills)
    chance = np.random.default_rng(20260303)
    times = sum(killed(path, tmp_path / "store", chance, fsync) for _ in range(n_kills))
    assert times == n_kills
    settings = StoreSettings(window_hours=6, checkpoint_events=300, fsync=fsync)  # type: ignore[arg-type]
    ingest([str(path)], tmp_path / "store", settings, n_events=40)
    ingest([str(path)], tmp_path / "undisturbed", StoreSettings(window_hours=6, fsync="never"))
    assert all_said(tmp_path / "store") == all_said(tmp_path / "undisturbed")
    store = read_store(tmp_path / "store")
    assert store.counts.received == n_lines
    assert all(vars(store.counts).values())
    ids = pl.concat([archived(tmp_path / "store")["message_id"], store.events()["message_id"]])
    assert len(ids) == store.counts.accepted
