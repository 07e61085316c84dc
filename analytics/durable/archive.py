"""The archive of a store: one Parquet file for each hour that has left the window, in Hive's layout.

``archive/date=2026-03-03/hour=07/events.parquet`` holds the accepted events of the hour from 7 to 8 UTC, enriched, in
order of event time and identifier. Polars, DuckDB and Spark read ``date`` and ``hour`` from the path. An hour that has
left the window gets no more events, so its file is written once; a replay of the journal replaces it by the same file.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from analytics.durable.files import make_folder, put_file, writing
from analytics.store.buckets import HourBucket

_FILE: Final = "events.parquet"


def archive_path(folder: Path, hour: datetime) -> Path:
    """Path of the events of an hour.

    Args:
        folder: The archive.
        hour: Beginning of the hour, with a time zone.

    >>> archive_path(Path("archive"), datetime(2026, 3, 3, 7, tzinfo=UTC)).as_posix()
    'archive/date=2026-03-03/hour=07/events.parquet'
    """
    utc = hour.astimezone(UTC)
    return folder / f"date={utc.date().isoformat()}" / f"hour={utc:%H}" / _FILE


def archive_hour(folder: Path, bucket: HourBucket) -> None:
    """Write an hour into the archive; it is on the disk when this returns.

    Args:
        folder: Folder of the archive; it is created with its first hour.
        bucket: The hour, which gets no more events.

    Raises:
        StoreWriteError: It cannot be written.
    """
    path = archive_path(folder, bucket.start)
    file = io.BytesIO()
    # Other readers expect texts instead of categories; Parquet's dictionaries store each value once all the same.
    bucket.events.cast({pl.Categorical: pl.String}).write_parquet(file)
    with writing(path):
        make_folder(path.parent)
        put_file(path, file.getvalue())
