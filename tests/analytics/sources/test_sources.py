"""Claims about sources of events: what they yield, and that they resume exactly where they stopped."""

from __future__ import annotations

import gzip
import io
import os
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from stores_on_disk import batches

from analytics.errors import EventFileError
from analytics.io.ndjson import decode, encode
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.sources import opening as sources
from analytics.sources.ndjson import NdjsonFile
from analytics.sources.opening import open_source
from analytics.sources.source import Source
from analytics.sources.stream import NdjsonStream

LINES = b"".join(
    encode(batch.events.frame) + b"\n" * (number % 2) + b"broken\n"
    for number, batch in enumerate(batches(seed=2, n_batches=6, n_rows=7))
)
RAW = b'{"type":"page","anonymousId":"a","messageId":"%d","timestamp":"2124-01-01T00:00:00Z"}\n'


def read(source: Source, offsets: Mapping[str, Offset] | None = None, *, follow: bool = False) -> list[SourceBatch]:
    """All batches of a source from some offsets on."""
    return list(source.batches(offsets or {}, follow=follow))


def together(given: list[SourceBatch]) -> tuple[list[tuple[object, ...]], list[tuple[bytes, int | None]]]:
    """Rows and dead letters of batches."""
    rows = [row for batch in given for row in batch.events.frame.cast({pl.Categorical: pl.String}).rows()]
    return rows, [(letter.raw, letter.position) for batch in given for letter in batch.events.dead_letters]


def offsets_of(batch: SourceBatch) -> dict[str, Offset]:
    """Offsets of a store after a batch."""
    return {batch.position.source: batch.position.offset}


def pipe_of(data: bytes) -> int:
    """The end of a pipe from which some bytes can be read, and then no more."""
    out, into = os.pipe()
    os.write(into, data)
    os.close(into)
    return out


def written(folder: Path, form: str) -> Path:
    """The lines in a file: plain, gzipped, or its usable events as Parquet."""
    path = folder / f"events.{form}"
    if form == "parquet":
        decode(LINES).frame.write_parquet(path)
    else:
        path.write_bytes(gzip.compress(LINES) if form == "gz" else LINES)
    return path


@pytest.mark.parametrize("form", ["ndjson", "gz", "parquet"])
@pytest.mark.parametrize("n_events", [3, 10_000])
def test_a_file_is_resumed_after_any_batch(tmp_path: Path, form: str, n_events: int) -> None:
    """Opened again after any batch, a file yields just the rest, with the numbers of its lines."""
    path = str(written(tmp_path, form))
    whole = read(open_source(path, n_events, lambda: False))
    whole_file = decode(LINES)
    expected = together([SourceBatch(whole_file, whole[0].position)])
    assert together(whole) == (expected if form != "parquet" else (expected[0], []))
    for stop in range(1, len(whole) + 1):
        rest = read(open_source(path, n_events, lambda: False), offsets_of(whole[stop - 1]))
        assert together(whole[:stop] + rest) == together(whole)


def test_bad_rows_of_a_table_are_numbered_in_the_whole_file(tmp_path: Path) -> None:
    """An unusable row is a dead letter with its number in the file, whatever batch it is in."""
    table = decode(LINES).frame.with_row_index()
    bad = table.with_columns(type=pl.when(pl.col("index") % 10 == 4).then(pl.lit("nonsense")).otherwise("type"))
    bad.drop("index").write_parquet(tmp_path / "bad.parquet")
    _, letters = together(read(open_source(str(tmp_path / "bad.parquet"), 3, lambda: False)))
    assert [position for _, position in letters] == list(range(5, table.height + 1, 10))


def test_a_file_that_grows_yields_whole_lines_only(tmp_path: Path) -> None:
    """Followed while it is written, a few bytes at a time, a file yields each line once and whole."""
    path, given, offsets = tmp_path / "events.ndjson", [], dict[str, Offset]()
    path.write_bytes(b"")
    for begin in range(0, len(LINES), 777):
        with path.open("ab") as file:
            file.write(LINES[begin : begin + 777])
        with closing(NdjsonFile(path, 5)) as source:
            new = read(source, offsets, follow=True)
        given += new
        offsets |= offsets_of(new[-1]) if new else {}
    path.write_bytes(LINES)
    assert together(given) == together(read(NdjsonFile(path, 10_000)))


@pytest.mark.parametrize(
    ("last", "n_events"),
    [(RAW[:-1], 1), (RAW[:-1] * 2, 2), (RAW[:50], 0), (b"[", 0), (b"broken", 0), (b"12", 0), (b"  ", 0)],
)
def test_a_last_line_without_newline_counts_if_it_is_complete(tmp_path: Path, last: bytes, n_events: int) -> None:
    """A last line without a newline counts if it is JSON; else, or if the file is followed, it may be incomplete."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(RAW * 2 + last)
    with closing(NdjsonFile(path, 100)) as followed:
        assert [len(each) for each in together(read(followed, follow=True))] == [2, 0]
    source = NdjsonFile(path, 100)
    assert [len(each) for each in together(read(source))] == [2 + n_events, 0]
    assert len(source.notes) == (not n_events and not last.isspace())


def test_one_line_that_is_no_json_is_no_half_line(tmp_path: Path) -> None:
    """A file of one line that begins as no JSON does is a dead letter, with a newline or not."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"nonsense")
    source = NdjsonFile(path, 100)
    assert (together(read(source))[1], source.notes) == ([(b"nonsense", 1)], ())


@pytest.mark.parametrize("begin", [b"", RAW])
def test_the_rest_of_a_line_makes_it_one_line(tmp_path: Path, begin: bytes) -> None:
    """Half a line is left for the next time, which is said; then it is one event, also if it was all of the file."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(begin + RAW[:60])
    source = open_source(str(path), 10, lambda: False)
    given = read(source)
    assert len(together(given)[0]) == begin.count(b"\n")
    begun = "the last line (60 bytes) is not complete yet; it will be read once it ends with a newline"
    assert source.notes == (f"{path}: {begun}",)
    path.write_bytes(begin + RAW + b"broken\n")
    given += read(open_source(str(path), 10, lambda: False), offsets_of(given[-1]) if given else {})
    rows, letters = together(given)
    assert (len(rows), letters) == (1 + begin.count(b"\n"), [(b"broken", 2 + begin.count(b"\n"))])


def test_a_line_that_was_complete_without_its_newline_is_numbered_once(tmp_path: Path) -> None:
    """What follows on the line, or only its newline, is no new line."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(RAW[:-1])
    given = read(NdjsonFile(path, 10))
    path.write_bytes(RAW + b"broken\n")
    given += read(NdjsonFile(path, 10), offsets_of(given[-1]))
    path.write_bytes(RAW + b"broken\n" + RAW[:-1])
    given += read(NdjsonFile(path, 10), offsets_of(given[-1]))
    path.write_bytes(RAW + b"broken\n" + RAW[:-1] + b"more\nlast\n")
    given += read(NdjsonFile(path, 10), offsets_of(given[-1]))
    assert together(given)[1] == [(b"broken", 2), (b"more", 3), (b"last", 4)]
    assert given[-1].position.offset["lines"] == 4


@pytest.mark.parametrize("form", ["ndjson", "gz", "parquet"])
def test_another_file_of_the_same_name_is_refused(tmp_path: Path, form: str) -> None:
    """A file that was replaced or truncated since is not resumed."""
    path = written(tmp_path, form)
    offsets = offsets_of(read(open_source(str(path), 100, lambda: False))[-1])
    if form == "parquet":
        decode(LINES[: len(LINES) // 2].rsplit(b"\n", 1)[0]).frame.write_parquet(path)
    else:
        other = LINES.replace(b"page", b"PAGE")
        path.write_bytes(gzip.compress(other) if form == "gz" else other)
    with pytest.raises(EventFileError, match="is another file than the one that was read so far"):
        read(open_source(str(path), 100, lambda: False), offsets)
    if form == "ndjson":
        path.write_bytes(LINES[:2000])
        with pytest.raises(EventFileError, match="is shorter than what was read of it"):
            read(NdjsonFile(path, 100), offsets)


def test_batches_before_an_error_are_yielded(tmp_path: Path) -> None:
    """The undamaged beginning of a gzipped file is yielded, and then an error that names the file."""
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(LINES * 50)[:-30])
    given = []
    with pytest.raises(EventFileError, match=r"events\.gz: cannot be read"):
        given.extend(NdjsonFile(path, 5).batches({}, follow=False))
    assert sum(batch.events.n_received for batch in given) > 1000


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_an_empty_file_has_no_events(tmp_path: Path, content: bytes) -> None:
    """An empty file, or one of blank lines, yields nothing and raises nothing."""
    path = tmp_path / "empty"
    path.write_bytes(content)
    assert together(read(open_source(str(path), 10, lambda: False))) == ([], [])


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, len(LINES)), max_size=8), n_lines=st.integers(1, 60))
def test_a_stream_yields_the_same_however_it_is_cut(cuts: list[int], n_lines: int) -> None:
    """Standard input, written in any pieces, yields the same events as a whole, and dead letters with line numbers."""
    out, into = os.pipe()
    places = sorted({0, *cuts, len(LINES)})

    def write() -> None:
        for begin, end in pairwise(places):
            os.write(into, LINES[begin:end])
        os.close(into)

    writer = threading.Thread(target=write)
    writer.start()
    given = read(NdjsonStream(out, n_lines, lambda: False))
    writer.join()
    os.close(out)
    assert max(batch.events.n_received for batch in given) <= n_lines
    assert together(given) == together([SourceBatch(decode(LINES), given[-1].position)])
    assert given[-1].position.offset == {"lines": LINES.count(b"\n")}


def test_an_incomplete_batch_of_a_quiet_stream_is_yielded(tmp_path: Path) -> None:
    """Whole lines do not wait until a batch is full; and a stream ends when asked to stop."""
    out, into = os.pipe()
    os.write(into, LINES[:1500])
    stopped = threading.Event()
    stream = NdjsonStream(out, 1000, stopped.is_set).batches({}, follow=False)
    assert next(stream).events.n_received == LINES[:1500].count(b"\n")
    stopped.set()
    assert list(stream) == []
    os.close(into)
    os.close(out)


def test_lines_are_numbered_across_streams() -> None:
    """A second standard input continues the line numbers of the first, so that dead letters have distinct numbers."""
    out = pipe_of(b"broken\n")
    letters = together(read(NdjsonStream(out, 10, lambda: False), {"standard input": {"lines": 41}}))[1]
    os.close(out)
    assert letters == [(b"broken", 42)]


def test_a_source_that_cannot_be_opened_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a folder, a table with other columns and a closed standard input each have their message."""
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "other.parquet")
    for name, why in (("none", "No such file"), ("", "Is a directory"), ("other.parquet", "none of the columns")):
        with pytest.raises(EventFileError, match=why):
            read(open_source(str(tmp_path / name), 10, lambda: False))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(EventFileError, match="standard input is closed"):
        open_source("-", 10, lambda: False)
    monkeypatch.setitem(__import__("sys").modules, "analytics.sources.kafka", None)
    with pytest.raises(EventFileError, match=r"pip install 'funnelsim\[kafka\]'"):
        sources.open_source("kafka://host/topic", 10, lambda: False)


def test_no_file_stays_open(tmp_path: Path) -> None:
    """A source that is read in part and closed leaves no file open."""
    path = written(tmp_path, "ndjson")
    before = len(list(Path("/proc/self/fd").iterdir()))
    batches_of_it = NdjsonFile(path, 3).batches({}, follow=False)
    next(batches_of_it)
    batches_of_it.close()  # type: ignore[attr-defined]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


NOW = datetime(2026, 3, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize("form", ["ndjson", "gz", "stdin"])
def test_events_of_a_live_source_arrive_when_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Those without `receivedAt` get the arrival of their batch, which the batch carries to the store.

    The name `-` is standard input.
    """
    moments = iter([NOW, *(NOW + timedelta(seconds=1) for _ in range(9))])
    lines = b"".join(RAW % number for number in range(3))
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(lines) if form == "gz" else lines)
    with io.TextIOWrapper(io.FileIO(pipe_of(lines))) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        source = open_source("-" if form == "stdin" else str(path), 10, lambda: False, lambda: next(moments))
        (batch,) = read(source)
    assert batch.arrived_at == NOW
    assert batch.events.frame["received_at"].to_list() == [NOW] * 3
    with pytest.raises(EventFileError, match="is a Parquet file, so its events do not arrive now"):
        open_source(str(written(tmp_path, "parquet")), 10, lambda: False, lambda: NOW)


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_pipe_with_a_path_is_a_stream(tmp_path: Path, *, gzipped: bool) -> None:
    """No bytes of a named pipe are lost by recognising it, with gzipped bytes or plain ones."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = gzip.compress(LINES) if gzipped else LINES
    writer = threading.Thread(target=path.write_bytes, args=(data,), daemon=True)
    writer.start()
    with closing(open_source(str(path), 7, lambda: False)) as source:
        assert together(read(source)) == together([SourceBatch(decode(LINES), SourcePosition("", {}))])
    writer.join()
