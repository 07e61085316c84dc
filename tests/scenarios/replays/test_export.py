"""Claims about exports: the tables of a Segment warehouse, as dbt's package for it expects them."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import polars as pl
import pytest
from ruamel.yaml import YAML

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.warehouse import warehouse_tables
from scenarios.errors import InputError, OutputError
from scenarios.replays.export import ExportForm, export
from scenarios.run.events_analysis import analyze

DBT_SEGMENT_PAGES = (
    "id, anonymous_id, user_id, received_at, sent_at, timestamp, url, path, title, search, referrer, "
    "context_campaign_source, context_campaign_medium, context_campaign_name, context_campaign_term, "
    "context_campaign_content, context_ip, context_user_agent"
)
"""Columns that dbt-labs/segment reads from the table of page views (its models/base/segment_web_page_views.sql)."""


def test_every_event_is_in_its_table(recorded: Path, tmp_path: Path) -> None:
    """Pages, tracks and identifies have all calls of the kind, and each tracked event has a table of its own."""
    events = pl.read_parquet(recorded / "events.parquet")
    n_rows = export(recorded, to=tmp_path / "o")
    of_type = dict(events["type"].cast(pl.String).value_counts().iter_rows())
    assert (n_rows["pages"], n_rows["tracks"], n_rows["identifies"], n_rows["groups"]) == (
        *(of_type[call] for call in ("page", "track", "identify")),
        0,
    )
    of_event = dict(events["event"].cast(pl.String).drop_nulls().value_counts().iter_rows())
    assert len(of_event) > 3
    assert {name.lower().replace(" ", "_"): n for name, n in of_event.items()}.items() <= n_rows.items()
    assert sum(of_event.values()) == n_rows["tracks"]
    assert n_rows["users"] == events.filter(pl.col("type") == "identify")["user_id"].n_unique()


@pytest.mark.parametrize("form", ["csv", "segment-warehouse", "parquet"])
def test_a_database_reads_them_back(recorded: Path, tmp_path: Path, form: str) -> None:
    """What dbt's package asks the page table for is there, with times as timestamps, and agrees with the events."""
    export(recorded, to=tmp_path / "o", form=form)
    suffix = "parquet" if form == "parquet" else "csv"
    pages = duckdb.sql(f"SELECT {DBT_SEGMENT_PAGES} FROM '{tmp_path}/o/pages.{suffix}'")  # noqa: S608 - names of our own
    assert dict(zip(pages.columns, map(str, pages.types), strict=True))["received_at"].lower().startswith("timestamp")
    events = pl.read_parquet(recorded / "events.parquet").filter(pl.col("type") == "page")
    found = duckdb.sql("SELECT count(*), count(DISTINCT id), min(received_at)::TIMESTAMP, sum(length(url)) FROM pages")
    assert found.fetchall()[0] == (
        events.height,
        events["message_id"].n_unique(),
        events["received_at"].min().replace(tzinfo=None),
        events["context_page_url"].str.len_chars().sum(),
    )


def test_addresses_are_split() -> None:
    """The query of a page's address is its own column, with the question mark and without the fragment."""
    urls = ["https://x.example.com/a?b=c&d=e#f", "https://x.example.com/a", "https://x.example.com/#a?b", None]
    rows = pl.DataFrame({"type": ["page"] * 4, "context_page_url": urls})
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in EVENT_SCHEMA.items() if name not in rows.columns]
    pages = dict(warehouse_tables(rows.with_columns(missing)))["pages"]
    assert pages["search"].to_list() == ["?b=c&d=e", None, None, None]


def test_seeds_give_dbt_every_type(recorded: Path, tmp_path: Path) -> None:
    """The properties for `dbt seed` name each table and each of its columns; times are timestamps."""
    n_rows = export(recorded, to=tmp_path / "o")
    seeds = {seed["name"]: seed["config"]["column_types"] for seed in YAML().load(tmp_path / "o/seeds.yml")["seeds"]}
    assert list(seeds) == list(n_rows)
    for name, types in seeds.items():
        assert list(types) == (tmp_path / f"o/{name}.csv").read_text().partition("\n")[0].split(",")
    times = {"received_at", "sent_at", "timestamp", "original_timestamp"}
    assert {column for column, kind in seeds["tracks"].items() if kind == "timestamp"} == times


def test_an_export_replaces_an_export_and_nothing_else(recorded: Path, tmp_path: Path) -> None:
    """Another export may take its place, which leaves no old file; a folder with another file in it stays.

    What is no run is not exported, and nothing is written.
    """
    folder = tmp_path / "o"
    export(recorded, to=folder)
    export(recorded, to=folder, form="parquet")
    assert not list(folder.glob("*.csv"))
    assert sorted(json.loads((folder / "manifest.json").read_text())["files"]) == sorted(
        path.name for path in folder.glob("*.parquet")
    )
    (folder / "mine.sql").touch()
    with pytest.raises(OutputError, match=r"holds 'mine\.sql', which funnelsim did not write"):
        export(recorded, to=folder)
    with pytest.raises(InputError, match="is not a run folder"):
        export(tmp_path, to=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("form", ["segment-warehouse", "parquet"])
def test_what_is_exported_can_be_analysed(recorded: Path, tmp_path: Path, form: ExportForm) -> None:
    """The whole folder, with its table of users, its manifest and empty tables, holds the run's events."""
    export(recorded, to=tmp_path / "o", form=form)
    events = pl.read_parquet(recorded / "events.parquet")
    counts = analyze(tmp_path / "o").store.counts
    assert (counts.accepted, counts.invalid) == (events["message_id"].n_unique(), 0)
