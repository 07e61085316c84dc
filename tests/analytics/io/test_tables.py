"""Claims about tables: CSV and Parquet of the event table and of Segment warehouses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from event_files import LINES, read_all

from analytics.errors import EventFileError, EventFileWarning
from analytics.events.enrichment import enrich
from analytics.events.server_side import by_server
from analytics.io.ndjson import decode
from analytics.io.reading import EventFormat
from analytics.io.tables import TableReading, table_name
from analytics.io.warehouse import warehouse_tables

TIME = "2026-03-03 10:00:00"
PAGE = {"id": "p1", "anonymous_id": "a", "url": "https://x.org/docs", "path": "/docs", "referrer": "https://g.org/"}
TRACK = {"id": "t1", "anonymous_id": "a", "event": "demo_requested", "event_text": "Demo Requested"}
TABLES = {
    "pages": (PAGE, {"type": "page", "context_page_url": "https://x.org/docs", "context_page_path": "/docs"}),
    "tracks": (TRACK, {"type": "track", "event": "Demo Requested", "message_id": "t1"}),
    "identifies": ({"id": "i1", "user_id": "u", "email": "u@x.org"}, {"type": "identify", "email": "u@x.org"}),
    "screens": ({"id": "s1", "user_id": "u", "name": "Home"}, {"type": "screen", "message_id": "s1"}),
    "groups": ({"id": "g1", "user_id": "u", "group_id": "acme"}, {"type": "group", "context_group_id": "acme"}),
    "aliases": (
        {"id": "l1", "user_id": "u", "previous_id": "a"},
        {"type": "alias", "user_id": "u", "previous_id": "a"},
    ),
    "demo_requested": ({**TRACK, "asset": "demo"}, {"type": "track", "event": "Demo Requested", "asset": "demo"}),
    "price_asked": (
        {"id": "t2", "user_id": "u", "event": "price_asked", "event_text": "Price asked"},
        {"type": "track", "event": "Price asked"},
    ),
}


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.gz", "upper"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_a_warehouse_is_read_by_its_name(tmp_path: Path, name: str, form: str) -> None:
    """Without a column ``type`` the name of the file is the call; capitals, as Snowflake has them, are the same."""
    row, expected = TABLES[name]
    table = pl.DataFrame([row | {"received_at": TIME, "colour": "red"}])
    if form == "upper":
        name, table = name.upper(), table.rename(str.upper)
    path = tmp_path / f"{name}.{'csv' if form == 'upper' else form}"
    if form == "parquet":
        table.with_columns(pl.col("received_at").str.to_datetime()).write_parquet(path)
    else:
        path.write_bytes(gzip.compress(table.write_csv().encode()) if form == "csv.gz" else table.write_csv().encode())
    with pytest.warns(EventFileWarning, match=rf"{path.name}: columns that are not read: .*(?i:colour)"):
        frame, letters = read_all(path)
    assert letters == []
    found = frame.row(0, named=True)
    assert found | expected == found
    assert found["received_at"].strftime("%Y-%m-%d %H:%M:%S") == TIME


@pytest.mark.parametrize("form", [".parquet", ".csv"])
def test_tables_written_are_read_back(tmp_path: Path, form: str) -> None:
    """What is exported as a warehouse is read as the same events; each tracked event is in two tables, once by id."""
    lines = [{"type": "page", "anonymousId": "a", "messageId": "1", "properties": {"category": "docs"}}]
    lines += [{"type": "track", "event": "Demo Requested", "anonymousId": "a", "messageId": "2"}]
    lines += [{"type": "identify", "userId": "u", "messageId": "3", "traits": {"email": "u@x.org"}}]
    text = "\n".join(json.dumps(each | {"receivedAt": "2026-03-03T10:00:00Z"}) for each in lines)
    events = decode(text.encode()).frame
    for name, table in warehouse_tables(events):
        if table.height and name != "users":
            table.write_parquet(tmp_path / f"{name}.parquet") if form == ".parquet" else table.write_csv(
                tmp_path / f"{name}.csv"
            )
    frame, letters = read_all(tmp_path, note=lambda _: None)
    assert letters == []
    read = frame.unique("message_id").sort("message_id")
    columns = ["type", "message_id", "anonymous_id", "user_id", "event", "category", "email", "received_at"]
    assert read.select(columns).equals(events.select(columns))


def test_a_type_can_be_given(tmp_path: Path) -> None:
    """A table of no known name needs ``--type``; the error says so, and which types there are."""
    path = tmp_path / "views.csv"
    path.write_text(f"id,anonymous_id,url,received_at\np1,a,https://x.org/,{TIME}\n")
    with pytest.raises(
        EventFileError, match=r"has no column type, and 'views' is no table of a Segment warehouse \(aliases, g.*--type"
    ):
        read_all(path)
    frame, _ = read_all(path, EventFormat(call="page"))
    assert frame.row(0, named=True)["context_page_url"] == "https://x.org/"
    with pytest.raises(EventFileError, match="there is no type 'view'; there are page, track"):
        read_all(path, EventFormat(call="view"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_of_the_event_table_is_read(tmp_path: Path, delimiter: str) -> None:
    """With any delimiter, quoted line ends, and names as the Segment Spec or the event table has them."""
    expected = decode(LINES).frame
    path = tmp_path / "events.csv"
    expected.with_columns(name=pl.lit('a "b"\nc')).write_csv(path, separator=delimiter)
    frame, letters = read_all(path)
    assert letters == []
    assert frame.drop("name").equals(expected.drop("name"))
    assert set(frame["name"]) == {'a "b"\nc'}
    spec = expected.select(type="type", messageId="message_id", anonymousId="anonymous_id", timestamp="timestamp")
    spec.write_csv(path, separator=delimiter)
    assert read_all(path)[0]["message_id"].equals(expected["message_id"])


def test_bad_rows_are_numbered_over_batches(tmp_path: Path) -> None:
    """An unusable row of a CSV is a dead letter with its number; short rows lack their last cells."""
    rows = [f"page,m{number},a,2026-03-03T10:00:00Z" for number in range(10)]
    rows[3], rows[8] = "page,m3,a,yesterday", "page,m8"
    (tmp_path / "e.csv").write_text("\n".join(["type,message_id,anonymous_id,timestamp", *rows]))
    frame, letters = read_all(tmp_path / "e.csv", n_events=2)
    assert (frame.height, [each.position for each in letters]) == (8, [4, 9])


def test_a_table_of_something_else_is_named(tmp_path: Path) -> None:
    """Its columns are in the message."""
    (tmp_path / "prices.csv").write_text("product,price\na,1\n")
    with pytest.raises(EventFileError, match=r"none of the columns of the event table.*its columns are product, price"):
        read_all(tmp_path / "prices.csv")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("PAGES.csv", "pages"),
        ("out/pages_000000000001.csv.gz", "pages"),
        ("pages-2026-03-03.parquet", "pages"),
        ("prod.pages.parquet", "pages"),
        ("demo_requested/part-0001.parquet", "demo_requested"),
        ("export.zip/TRACKS/data_0_1_0.csv", "tracks"),
    ],
)
def test_tables_are_named_by_files_and_folders(path: str, name: str) -> None:
    """Numbers, dates, schemas and parts are no part of a table's name."""
    assert table_name(path) == name


def test_a_column_is_read_under_its_best_name() -> None:
    """Of ``url`` and ``context_page_url`` the first that a row has counts."""
    table = pl.DataFrame({"id": ["1", "2"], "user_id": "u", "url": ["a", "b"], "context_page_url": [None, "c"]})
    reading = TableReading(table.columns, "pages.csv")
    assert reading.rows(table)["context_page_url"].to_list() == ["a", "c"]


def test_the_index_that_pandas_writes_is_a_column_like_any_other(tmp_path: Path) -> None:
    """It has no name, is the first one, and is not read."""
    row = "0,page,m1,a,2026-03-03T10:00:00Z"
    (tmp_path / "events.csv").write_text(f",type,message_id,anonymous_id,timestamp\n{row}\n")
    frame, _ = read_all(tmp_path / "events.csv", note=lambda _: None)
    assert frame["message_id"].to_list() == ["m1"]


@pytest.mark.parametrize(
    ("row", "url"),
    [
        ({"url": "https://x.org/#top", "search": "?gclid=1"}, "https://x.org/?gclid=1#top"),
        ({"url": "https://x.org/", "context_page_search": "gclid=1"}, "https://x.org/?gclid=1"),
        ({"context_page_url": "https://x.org/", "url": "https://x.org/?gclid=1#a"}, "https://x.org/?gclid=1"),
        ({"url": "https://x.org/?a=1", "search": "?b=2"}, "https://x.org/?a=1"),
        ({"path": "/p", "search": "?gclid=1"}, "/p?gclid=1"),
        ({"url": "https://x.org/", "search": "?"}, "https://x.org/"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson"])
@pytest.mark.parametrize("has_type", [False, True])
def test_the_search_completes_the_address(
    tmp_path: Path, row: dict[str, str], url: str, form: str, *, has_type: bool
) -> None:
    """In tables of every form, of a warehouse and with a column ``type``, a click on an advert is found."""
    path = tmp_path / f"pages.{form}"
    given = {"id": "1", "anonymous_id": "a", "received_at": TIME} | row | ({"type": "page"} if has_type else {})
    getattr(pl.DataFrame([given]), f"write_{form}")(path)
    found = read_all(path)[0]
    assert found["context_page_url"].to_list() == [url]
    assert enrich(found)["channel"].to_list() == ["paid_search" if "gclid" in url else "direct"]


@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson"])
def test_pages_of_a_table_of_several_calls_have_their_address(tmp_path: Path, form: str) -> None:
    """``url`` is the page's address in rows of pages only, and what is not read is named in every form."""
    common = {"message_id": "1", "anonymous_id": "a", "received_at": TIME, "url": "https://x.org/?a=1", "hue": "red"}
    table = pl.DataFrame([{"type": "page"} | common, {"type": "track", "event": "Link Clicked"} | common])
    path = tmp_path / f"events.{form}"
    getattr(table, f"write_{form}")(path)
    with pytest.warns(EventFileWarning, match=r"columns that are not read: hue$"):
        frame, _ = read_all(path)
    assert frame["context_page_url"].to_list() == ["https://x.org/?a=1", None]


@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson"])
def test_the_channel_of_servers_is_kept(tmp_path: Path, form: str) -> None:
    """As a line of JSON keeps it, so that an invoice between two visits does not join them."""
    common = {"anonymous_id": "a", "received_at": TIME}
    rows = [{"message_id": "1", "channel": "web"}, {"message_id": "2", "channel": "server"}]
    path = tmp_path / f"events.{form}"
    getattr(pl.DataFrame([{"type": "track", "event": "Paid"} | common | row for row in rows]), f"write_{form}")(path)
    assert read_all(path)[0].select(by_server()).to_series().to_list() == [False, True]
