"""Export: a run's events as the tables of a Segment warehouse.

There is a table for each kind of call and one for each event that is tracked, with the columns of Segment's warehouse
schema: https://segment.com/docs/connections/storage/warehouses/schema/. So dbt's Segment package (dbt-labs/segment), or
any SQL written for such a warehouse, can be tried on events of which the truth is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import polars as pl

from analytics.events.tracking_plan import COLUMNS, UTC_MS, CallType
from analytics.ndjson import decode
from scenarios.atomic_folder import MANIFEST, new_folder
from scenarios.replay_lines import RecordedRun
from scenarios.results import write_json
from scenarios.versions import versions

__all__ = ["ExportForm", "export", "warehouse_tables"]

ExportForm = Literal["segment-warehouse", "csv", "parquet"]
"""Form of the files: ``segment-warehouse`` is CSV with a ``seeds.yml`` that tells dbt the types of the columns."""

_TABLES: Final = {
    CallType.PAGE: "pages",
    CallType.TRACK: "tracks",
    CallType.IDENTIFY: "identifies",
    CallType.GROUP: "groups",
}
_COMMON: Final = {
    "id": "message_id",
    **{name: name for name in ("anonymous_id", "user_id", "received_at", "sent_at", "timestamp", "original_timestamp")},
    **{column.name: column.name for column in COLUMNS if column.name.startswith("context_")},
}
"""Columns of every table, and whence they come."""

_OF_PAGE: Final = {
    "name": "name",
    "category": "category",
    "funnel_stage": "funnel_stage",
    **{name: f"context_page_{name}" for name in ("url", "path", "title", "referrer")},
}
_OF_CALL: Final[dict[CallType, dict[str, str]]] = {
    CallType.PAGE: _OF_PAGE,
    CallType.TRACK: {},
    CallType.IDENTIFY: {"email": "email"},
    CallType.GROUP: {"group_id": "context_group_id"},
}


def export(run_folder: str | Path, *, to: str | Path, form: ExportForm = "segment-warehouse") -> dict[str, int]:
    """Write a run's events as the tables of a Segment warehouse, one file each.

    Args:
        run_folder: Folder of a run with events.
        to: Folder for the tables, which appears whole or not at all; an earlier export there is replaced.
        form: Form of the files.

    Returns:
        The number of rows of each table.

    Raises:
        InputError: The folder holds no events.
        OutputError: The tables cannot be written there.
    """
    events = _events(Path(run_folder))
    rows = {}
    with new_folder(Path(to).absolute()) as working:
        files, seeds = [], []
        for name, table in warehouse_tables(events):
            files.append(_write(table, working / name, form))
            seeds.append(_seed(name, table))
            rows[name] = table.height
        if form == "segment-warehouse":
            files.append("seeds.yml")
            (working / files[-1]).write_text("\n".join(["version: 2", "seeds:", *seeds, ""]), encoding="utf-8")
        manifest = {"kind": "export", "versions": versions(), "tables": rows, "files": files}
        write_json(working / MANIFEST, manifest)
    return rows


def warehouse_tables(events: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Sort flat events into the tables of a Segment warehouse: those of the calls, and one for each tracked event.

    An event that was delivered twice is there twice, as it was received; dbt's package takes the first of an ``id``.

    Args:
        events: Rows of the flat event table.
    """
    calls = events["type"].cast(pl.String)
    for call, name in _TABLES.items():
        rows = events.filter(calls == call)
        yield name, _table(rows, call) if call != CallType.TRACK else _tracks(rows)
    yield "users", _users(events.filter(calls == CallType.IDENTIFY))
    tracked = events.filter((calls == CallType.TRACK) & events["event"].is_not_null())
    for event in sorted(tracked["event"].cast(pl.String).unique()):
        yield _snake_case(event), _tracks(tracked.filter(pl.col("event") == event), asset=True)


def _table(rows: pl.DataFrame, call: CallType) -> pl.DataFrame:
    columns = {**_COMMON, **_OF_CALL[call]}
    table = rows.select(**{name: pl.col(source) for name, source in columns.items()})
    if call == CallType.PAGE:
        # The query of the page's address with its question mark, as browsers give it.
        search = pl.col("url").str.extract(r"^[^?#]*(\?[^#]*)")
        table = table.with_columns(search=search, context_page_search=search)
    return table


def _tracks(rows: pl.DataFrame, *, asset: bool = False) -> pl.DataFrame:
    words = pl.col("event").cast(pl.String)
    names = {word: _snake_case(word) for word in rows["event"].cast(pl.String).unique().drop_nulls()}
    event = words.replace_strict(names, default=None, return_dtype=pl.String)
    extra = {"asset": pl.col("asset")} if asset else {}
    common = {name: pl.col(source) for name, source in _COMMON.items()}
    return rows.select(**common, event=event, event_text=words, **extra)


def _users(identifies: pl.DataFrame) -> pl.DataFrame:
    """Each person once, with what was last said of them."""
    columns = {**_COMMON, **_OF_CALL[CallType.IDENTIFY]} | {"id": "user_id"}
    known = identifies.filter(pl.col("user_id").is_not_null()).sort("received_at", maintain_order=True)
    latest = known.unique("user_id", keep="last", maintain_order=True)
    of_call = ["anonymous_id", "user_id", "sent_at", "timestamp", "original_timestamp"]
    return latest.select(**{name: pl.col(source) for name, source in columns.items() if name not in of_call})


def _snake_case(event: str) -> str:
    """Name of an event's table: ``Demo Requested`` is ``demo_requested``."""
    return re.sub(r"[^a-z0-9]+", "_", event.lower()).strip("_") or "unnamed"


def _write(table: pl.DataFrame, path: Path, form: ExportForm) -> str:
    """Write a table and return the name of its file."""
    file = path.with_suffix(".parquet" if form == "parquet" else ".csv")
    if form == "parquet":
        table.write_parquet(file, compression="zstd")
    else:
        # As databases read them: without a zone, which is UTC, and a null is nothing between two commas.
        times = pl.col(UTC_MS).dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S%.3f")
        table.with_columns(times).write_csv(file)
    return file.name


def _seed(name: str, table: pl.DataFrame) -> str:
    """Tell dbt the types of a table's columns, which it would otherwise guess: of an empty column wrongly."""
    types = (
        f"        {column}: {'timestamp' if dtype == UTC_MS else 'varchar'}" for column, dtype in table.schema.items()
    )
    return "\n".join([f"  - name: {name}", "    config:", "      column_types:", *types])


def _events(folder: Path) -> pl.DataFrame:
    file = RecordedRun(folder).file
    return pl.read_parquet(file) if file.suffix == ".parquet" else decode(file).frame
