"""Claims about rows of tables in JSON, which are read as CSV and Parquet of the same table."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from event_files import LINES, read_all

from analytics.errors import EventFileError, EventFileWarning
from analytics.io.ndjson import decode
from analytics.io.reading import EventFormat

TIME = "2026-03-03 10:00:00 UTC"
FIRST: dict[str, Any] = {
    "id": "1",
    "anonymous_id": "a",
    "received_at": TIME,
    "path": "/pricing",
    "url": "https://x.org/pricing",
}
SECOND: dict[str, Any] = {
    "id": "2",
    "anonymous_id": "b",
    "received_at": TIME,
    "path": "/",
    "user_id": 12,
    "hue": {"red": 1},
}
ROWS = [FIRST, SECOND]


def lines_of(rows: list[dict[str, Any]]) -> bytes:
    """The rows as NDJSON."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("shape", ["lines", "gzip", "array", "pretty", "capitals"])
def test_rows_of_pages_are_page_views(tmp_path: Path, shape: str) -> None:
    """Whatever way JSON is written; columns that only some rows have count, and those not read are named."""
    rows = [{key.upper(): value for key, value in row.items()} for row in ROWS] if shape == "capitals" else ROWS
    bodies = {
        "gzip": gzip.compress(lines_of(rows)),
        "array": json.dumps(rows).encode(),
        "pretty": json.dumps(rows, indent=2).encode(),
    }
    path = tmp_path / "pages.ndjson"
    path.write_bytes(bodies.get(shape, lines_of(rows)))
    with pytest.warns(EventFileWarning, match=r"pages.ndjson: columns that are not read: (hue|HUE)$"):
        frame, letters = read_all(path)
    assert letters == []
    assert frame.select("type", "message_id", "user_id", "context_page_path").rows() == [
        ("page", "1", None, "/pricing"),
        ("page", "2", "12", "/"),
    ]
    assert set(frame["received_at"].dt.strftime("%Y-%m-%d %H:%M:%S UTC")) == {TIME}


def test_rows_are_what_their_table_or_the_option_says(tmp_path: Path) -> None:
    """A table of no known name needs ``--type``, as a CSV does; a column ``event`` makes a table of tracks."""
    path = tmp_path / "views.ndjson"
    path.write_bytes(lines_of(ROWS))
    with pytest.raises(EventFileError, match=r"has no column type, and 'views' is no table .*--type page"):
        read_all(path)
    assert read_all(path, EventFormat(call="page"), note=lambda _: None)[0]["type"].to_list() == ["page"] * 2
    tracks = {"ID": "3", "ANONYMOUS_ID": "a", "RECEIVED_AT": 1_772_532_000_000, "EVENT": "demo_requested"}
    path.write_bytes(lines_of([tracks]))
    found = read_all(path)[0].row(0, named=True)
    assert (found["type"], found["event"], found["received_at"].hour) == ("track", "Demo Requested", 10)


def test_the_flat_table_in_lines_is_read_as_in_parquet(tmp_path: Path) -> None:
    """What Polars writes as NDJSON of the event table gives the events that its Parquet gives."""
    expected = decode(LINES).frame
    expected.write_ndjson(tmp_path / "flat.ndjson")
    expected.write_parquet(tmp_path / "flat.parquet")
    assert read_all(tmp_path / "flat.ndjson")[0].equals(expected)
    assert read_all(tmp_path / "flat.parquet")[0].equals(expected)


def test_a_line_that_is_no_row_is_a_dead_letter_with_its_number_and_bytes(tmp_path: Path) -> None:
    """Blank lines are numbered, and batches do not matter."""
    broken, early = b"{broken", b'{"id":"4","user_id":"u"}'
    nobody = json.dumps({"id": "3", "received_at": TIME}).encode()
    path = tmp_path / "pages.ndjson"
    path.write_bytes(b"\n".join([lines_of([FIRST]), broken, nobody, early, b"[1]", lines_of([SECOND])]))
    for n_events in (1, 3, 100):
        frame, letters = read_all(path, n_events=n_events, note=lambda _: None)
        assert frame["message_id"].to_list() == ["1", "2"]
        assert [(each.position, each.reason.value, each.raw) for each in letters] == [
            (3, "not_json", broken),
            (4, "no_identity", nobody),
            (5, "no_time", early),
            (6, "not_an_object", b"[1]"),
        ]
