"""Export: a run's events as the tables of a Segment warehouse.

There is a table for each kind of call and one for each event that is tracked, with the columns of Segment's warehouse
schema: https://segment.com/docs/connections/storage/warehouses/schema/. So dbt's Segment package (dbt-labs/segment), or
any SQL written for such a warehouse, can be tried on events of which the truth is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from analytics.events.tracking_plan import UTC_MS
from analytics.html.frames import quoted
from analytics.io.warehouse import warehouse_tables
from scenarios.files.atomic_folder import MANIFEST, new_folder
from scenarios.files.checksums import CHECKSUMS
from scenarios.files.plain_data import write_json
from scenarios.files.run_folder import RunFolder, read_events
from scenarios.files.versions import versions

ExportForm = Literal["segment-warehouse", "csv", "parquet"]
"""Form of the files: ``segment-warehouse`` is CSV with a ``seeds.yml`` that gives dbt the types of the columns; in
``csv`` what a spreadsheet would take for a formula is marked as text."""


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
    events = read_events(RunFolder(run_folder).events_file)
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
        manifest = {"kind": "export", "versions": versions(), "checksums": CHECKSUMS, "tables": rows, "files": files}
        write_json(working / MANIFEST, manifest)
    return rows


def _write(table: pl.DataFrame, path: Path, form: ExportForm) -> str:
    """Write a table and return the name of its file."""
    file = path.with_suffix(".parquet" if form == "parquet" else ".csv")
    if form == "parquet":
        table.write_parquet(file, compression="zstd")
    else:
        # Databases read times without a zone as UTC, and an empty field as null.
        times = pl.col(UTC_MS).dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S%.3f")
        written = table.with_columns(times)
        # Databases take a seed as it stands; plain CSV is opened in spreadsheets.
        (quoted(written) if form == "csv" else written).write_csv(file)
    return file.name


def _seed(name: str, table: pl.DataFrame) -> str:
    """Give dbt the types of a table's columns, which it would otherwise guess, and wrongly of an empty column."""
    types = (
        f"        {column}: {'timestamp' if dtype == UTC_MS else 'varchar'}" for column, dtype in table.schema.items()
    )
    return "\n".join([f"  - name: {name}", "    config:", "      column_types:", *types])
