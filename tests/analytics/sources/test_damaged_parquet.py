"""Claims about damaged Parquet files: none is taken for a shorter one, by whatever reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from command_line import Ended

from analytics.errors import EventFileError
from analytics.io.tables import parquet_tables
from analytics.sources.parquet import ParquetFile

DAMAGED = Path(__file__).parents[1] / "data" / "damaged.parquet"
"""261 events of which one bit was flipped: Polars' reader panics in a thread, and its batches just end."""


def test_the_file_is_one_of_those_that_seem_to_be_short():
    """Otherwise these claims would be about nothing: the footer states 261 rows, and no batch arrives."""
    table = pl.scan_parquet(DAMAGED, glob=False)
    assert table.select(pl.len()).collect().item() == 261
    assert list(table.collect_batches(chunk_size=500, maintain_order=True)) == []


def test_neither_reader_takes_it_for_a_short_one():
    """Tables of anybody and sources that can be resumed: one error, which says what is wrong."""
    with pytest.raises(EventFileError, match=r"damaged.parquet: only 0 of 261 rows can be read: the file is damaged"):
        list(parquet_tables(DAMAGED, 500))
    with pytest.raises(EventFileError, match=r"damaged.parquet: only 0 of 261 rows can be read: the file is damaged"):
        list(ParquetFile(DAMAGED, 500).batches({}, follow=False))


@pytest.mark.parametrize("command", [("analyze",), ("ingest", "--store", "s")])
def test_commands_end_with_the_reason(command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing is counted in silence: status 2, and one line."""
    monkeypatch.chdir(tmp_path)
    ended = Ended(command[0], str(DAMAGED), *command[1:])
    assert ended.status == 2
    assert "the file is damaged" in ended.err


def test_a_run_whose_events_are_damaged_is_neither_replayed_nor_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No line is sent as if there were none, and no traceback is shown."""
    monkeypatch.chdir(tmp_path)
    assert Ended("run", "baseline", "--set", "clock.hours=1", "--no-analysis", "--out", "run").status == 0
    shutil.copy(DAMAGED, "run/events.parquet")
    replay = ("replay", "run", "--to", "file:out.ndjson", "--speed", "max")
    for command in (replay, ("export", "run", "--to", "tables")):
        ended = Ended(*command)
        assert ended.status == 2, ended.err
        assert "run/events.parquet: is not what was written: its checksum differs" in ended.err
        assert "Traceback" not in ended.err
