"""Hours with more events than fit into memory: they are spilled, archived in parts, and read as any other."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from flat_events import START
from stores_on_disk import archived, batches, state_of

from analytics.durable import archive
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.store import window

STREAM = batches(seed=9, n_batches=24, n_rows=40, hours_each=0.05)
SETTINGS = StoreSettings(window_hours=2, checkpoint_events=100, fsync="never")


def filled(folder: Path) -> None:
    """A store that has taken the stream and then let its hours leave the window."""
    with open_store(folder, SETTINGS) as store:
        for batch in STREAM:
            store.append_flattened(batch.events, batch.position)
    with open_store(folder, SETTINGS) as store:
        store.advance_to(START + timedelta(hours=9))


def test_a_running_hour_is_spilled_and_archived_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive of an hour that never was in memory as a whole is that of one that was, and so are all counts."""
    filled(tmp_path / "whole")
    held = list[int]()
    monkeypatch.setattr(window, "_TOO_MANY", 60)
    monkeypatch.setattr(window, "_WORTH_A_FILE", 1)
    monkeypatch.setattr(archive, "_AT_ONCE", 50)
    write = pl.DataFrame.write_parquet
    monkeypatch.setattr(
        pl.DataFrame,
        "write_parquet",
        lambda table, *rest, **options: held.append(table.height) or write(table, *rest, **options),
    )
    filled(tmp_path / "parts")
    assert 0 < max(held) <= 150
    assert archived(tmp_path / "parts").equals(archived(tmp_path / "whole"))
    assert archived(tmp_path / "whole").height > 500
    assert state_of(read_store(tmp_path / "parts")) == state_of(read_store(tmp_path / "whole"))
    assert (
        list(archive.Archive(tmp_path / "parts/archive", tmp_path / "parts/archive.ndjson", tmp_path).damages()) == []
    )


INGESTING = """
import resource, sys
from datetime import UTC, datetime

import polars as pl

from analytics.durable.opening import open_store
from analytics.durable.settings import StoreSettings
from analytics.events.enrichment import conform

n, per = int(sys.argv[2]), 50_000
begin = pl.Series([datetime(2026, 3, 3, 10, tzinfo=UTC)]).dt.cast_time_unit("ms")
with open_store(sys.argv[1], StoreSettings(fsync="never")) as store:
    for first in range(0, n, per):
        k = pl.int_range(first, first + per, eager=True)
        time = begin.new_from_index(0, per) + (k * 3_500_000 // n).cast(pl.Duration("ms"))
        visitor, page = "a" + (k % 99_991).cast(pl.String), "/p/" + (k % 50).cast(pl.String)
        who = {"message_id": "m" + k.cast(pl.String), "anonymous_id": visitor, "context_page_path": page}
        rows = pl.DataFrame(who | {"timestamp": time, "received_at": time}).with_columns(type=pl.lit("page"))
        assert store.append(conform(rows)).accepted == per
    store.advance_to(datetime(2026, 3, 5, tzinfo=UTC))
    print(store.counts.accepted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.validation
def test_ten_million_events_in_one_hour_fit_into_a_gibibyte(tmp_path: Path) -> None:
    """An hour of 10⁷ events is taken in, and archived when it leaves the window, within 1 GiB of memory."""
    command = [sys.executable, "-c", INGESTING, str(tmp_path / "store"), "10000000"]
    environment = os.environ | {"POLARS_MAX_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    accepted, peak_mib = map(int, done.stdout.split())
    sys.stdout.write(f"{accepted:,} events in one hour: at most {peak_mib:,} MiB\n")
    assert (accepted, peak_mib < 1024) == (10_000_000, True)
