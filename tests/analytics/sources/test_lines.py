"""Claims about lines of any length: bounded memory, and the same events and offsets as a plain reader has."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import threading
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from analytics.errors import EventFileError
from analytics.io import lines as lines_module
from analytics.io.lines import MAX_LINE_BYTES, LineCutter, LongLine
from analytics.io.reading import read_events
from analytics.sources.ndjson import NdjsonFile
from analytics.sources.stream import NdjsonStream

EVENT = b'{"type":"page","anonymousId":"a","messageId":"%d","timestamp":"2026-03-03T09:00:00Z"}'
LIMIT = 200
KEPT = 150

Outcome = tuple[list[str], list[tuple[str, int | None, bytes]]]


def reference(data: bytes) -> tuple[Outcome, dict[str, int]]:
    """What a plain reader makes of the lines of a file that is complete, one at a time."""
    ids, letters = [], []
    for number, line in enumerate(io.BytesIO(data), 1):
        text = line.removesuffix(b"\n")
        if len(text) > LIMIT:
            letters.append(("too_large", number, text[:KEPT]))
        elif b"messageId" in text and text.rstrip(b"\r").endswith(b"}"):
            ids.append(text.partition(b'messageId":"')[2].partition(b'"')[0].decode())
        elif text.strip():
            letters.append(("broken", number, text.rstrip(b"\r")))
    return (ids, letters), {"bytes": len(data), "lines": data.count(b"\n") + (data[-1:] not in (b"", b"\n"))}


LINES = st.one_of(
    st.integers(0, 99).map(lambda n: EVENT % n),
    st.integers(LIMIT - 2, LIMIT + 2).map(lambda n: b"x" * n),
    st.sampled_from([b"", b" ", b"\r", b"\0", b"\0" * 900, b"a\rb", b"\x1f\x8bx", b"broken", EVENT % 7 + b"\r"]),
)


@pytest.fixture(autouse=True, scope="module")
def _short_lines() -> Iterator[None]:
    """A limit that small examples reach; the pieces in which a file is read are shorter than a line, or longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "MAX_LINE_BYTES", LIMIT)
        patch.setattr(lines_module, "KEPT", KEPT)
        patch.setattr("analytics.sources.ndjson.KNOWN", KEPT)
        patch.setattr("analytics.sources.ndjson.CHUNK", 333)
        yield


def outcome(batches: list[Any]) -> Outcome:
    """Identifiers and dead letters of batches."""
    ids = [each for batch in batches for each in batch.events.frame["message_id"]]
    letters = [each for batch in batches for each in batch.events.dead_letters]
    reasons = ["too_large" if each.reason == "too_large" else "broken" for each in letters]
    return ids, [(reason, each.position, each.raw) for reason, each in zip(reasons, letters, strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(LINES, max_size=30),
    n_lines=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 8000), max_size=5),
    is_packed=st.booleans(),
    is_stream=st.booleans(),
)
def test_lines_are_read_as_by_a_plain_reader(  # noqa: PLR0917 - each varies by itself
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    n_lines: int,
    cuts: list[int],
    is_packed: bool,  # noqa: FBT001
    is_stream: bool,  # noqa: FBT001
) -> None:
    """Whatever the lines, the batches, and the pieces in which they come: the same events, letters and offset."""
    first = EVENT % 0 + b"\n"  # so that it is NDJSON
    data = first + b"".join(line + b"\n" for line in lines)
    expected, offset = reference(data)
    path = tmp_path_factory.mktemp("lines") / "events"
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    if is_stream:
        out, into = os.pipe()

        def write() -> None:
            for begin, end in pairwise(places):
                os.write(into, data[begin:end])
            os.close(into)

        writer = threading.Thread(target=write)
        writer.start()
        batches = list(NdjsonStream(out, n_lines, lambda: False).batches({}, follow=False))
        writer.join()
        os.close(out)
        assert outcome(batches) == expected
        assert batches[-1].position.offset == {"lines": offset["lines"]}
        return
    batches = []
    for end in places[-1:] if is_packed else places[1:]:
        path.write_bytes(gzip.compress(data) if is_packed else data[:end])
        offsets = {batches[-1].position.source: batches[-1].position.offset} if batches else {}
        batches += NdjsonFile(path, n_lines).batches(offsets, follow=False)
    assert outcome(batches) == expected
    reached = batches[-1].position.offset
    assert {name: reached[name] for name in offset} == offset
    assert all(batch.events.n_received <= n_lines for batch in batches)


@given(cuts=st.lists(st.integers(0, 500), max_size=6), n=st.integers(0, 500))
def test_pieces_make_no_difference(cuts: list[int], n: int) -> None:
    """A long line has the same beginning, length and checksum however it is cut."""
    data = bytes(range(11, 256)) * 3
    line = data[:n]
    cutter = LineCutter("x")
    places = sorted({0, *(min(cut, n) for cut in cuts), n})
    found = [each for begin, end in pairwise(places) for each in cutter.feed(line[begin:end])]
    found += cutter.feed(b"\n")
    long = LongLine(line[:KEPT], n, hashlib.sha256(line).hexdigest())
    assert found == [long if n > LIMIT else line]


def test_the_dead_letter_of_a_long_line_says_which_line_it_was(tmp_path: Path) -> None:
    """It keeps the first kilobyte, and in its detail the length and the checksum of the whole line."""
    line = b"x" * 5000
    (tmp_path / "events").write_bytes(EVENT % 1 + b"\n" + line + b"\n")
    (letter,) = [each for batch in read_events(tmp_path / "events") for each in batch.dead_letters]
    assert (letter.raw, letter.position, letter.reason) == (line[:KEPT], 2, "too_large")
    assert letter.detail.startswith("5000 bytes; at most 32768 are accepted; only the first 150 are kept")
    assert letter.detail.endswith(hashlib.sha256(line).hexdigest())


@pytest.mark.parametrize("form", ["ndjson", "gz", "stream", "analyze"])
def test_a_giant_line_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Of a line of 64 MB, a bomb of 64 KB if it is gzipped, only a little is in memory at any time."""
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", MAX_LINE_BYTES)
    monkeypatch.setattr("analytics.sources.ndjson.CHUNK", lines_module.CHUNK)
    path = tmp_path / "events"
    with gzip.open(path, "wb") if form == "gz" else path.open("wb") as file:
        file.write(EVENT % 1 + b"\n")
        for _ in range(64):
            file.write(bytes(1 << 20))
        file.write(b"\n" + EVENT % 2 + b"\n")
    tracemalloc.start()
    if form == "stream":
        with path.open("rb") as file:
            batches = [
                each.events for each in NdjsonStream(file.fileno(), 50_000, lambda: False).batches({}, follow=False)
            ]
    elif form == "analyze":
        batches = list(read_events(path))
    else:
        batches = [each.events for each in NdjsonFile(path, 50_000).batches({}, follow=False)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
    assert [each for batch in batches for each in batch.frame["message_id"]] == ["1", "2"]
    assert [len(each.raw) for batch in batches for each in batch.dead_letters] == [KEPT]


def test_an_unfinished_long_line_is_read_once(tmp_path: Path) -> None:
    """While it is followed, what was read of a line is not read again."""
    path = tmp_path / "events"
    path.write_bytes(EVENT % 1 + b"\n" + b"x" * 10_000)
    source = NdjsonFile(path, 10)
    (batch,) = source.batches({}, follow=True)
    offsets = {batch.position.source: batch.position.offset}
    for _ in range(3):
        before = read_bytes()
        assert list(source.batches(offsets, follow=True)) == []
        assert read_bytes() - before < 1000
        with path.open("ab") as file:
            file.write(b"y" * 10)
    with path.open("ab") as file:
        file.write(b"\n")
    (batch,) = source.batches(offsets, follow=True)
    source.close()
    assert batch.events.dead_letters[0].detail.startswith("10030 bytes")


def read_bytes() -> int:
    """Bytes that this process has read."""
    return int(Path("/proc/self/io").read_text().split()[1])


def test_what_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device of zeros ends with a message, for every reader."""
    monkeypatch.setattr(lines_module, "_ENDLESS", 3 << 20)
    with pytest.raises(EventFileError, match="/dev/zero: a line has no end within 3,145,728 bytes"):
        list(read_events("/dev/zero"))
    with Path("/dev/zero").open("rb") as file, pytest.raises(EventFileError, match="a line has no end within"):
        list(NdjsonStream(file.fileno(), 10, lambda: False).batches({}, follow=False))


def test_long_rows_of_tables_are_bounded(tmp_path: Path) -> None:
    """A row in JSON that is too long is a dead letter; a line of a CSV that is longer than any cell may be an error."""
    rows = tmp_path / "pages.ndjson"
    row = b'{"id": "1", "anonymous_id": "a", "received_at": "2026-03-03T10:00:00Z"}\n'
    rows.write_bytes(row + b"y" * 1000 + b"\n")
    (batch,) = read_events(rows)
    assert (batch.frame.height, [len(each.raw) for each in batch.dead_letters]) == (1, [KEPT])
    table = tmp_path / "pages.csv"
    table.write_bytes(b"id,anonymous_id,received_at\n" + b"z" * (5 << 20))
    with pytest.raises(EventFileError, match="a line is longer than"):
        list(read_events(table))
