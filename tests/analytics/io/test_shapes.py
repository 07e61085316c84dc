"""Claims about the shapes of files: all that hold the same events are read to the same rows."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from event_files import LINES, PAGES, ids, page, read_all

from analytics.errors import EventFileError, EventFileWarning
from analytics.io.ndjson import decode
from analytics.io.reading import event_files, read_events

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def text(value: object, **how: object) -> bytes:
    """A value as JSON."""
    return json.dumps(value, **how).encode()  # type: ignore[arg-type]


def zipped(**members: bytes) -> bytes:
    """A zip of some files."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return into.getvalue()


def tarred(**members: bytes) -> bytes:
    """A tar of some files."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return into.getvalue()


MEMBERS = {"./day/1.ndjson": LINES, "./day/._1.ndjson": b"attributes of a Mac"}

SHAPES = {
    "lines": LINES,
    "array": text(PAGES),
    "indented array": text(PAGES, indent=2),
    "pretty-printed": b"\n".join(text(each, indent=4) for each in PAGES),
    "concatenated": b"".join(map(text, PAGES)),
    "text sequence (RFC 7464)": b"".join(b"\x1e" + text(each) + b"\n" for each in PAGES),
    "an array on each line": b"\n".join(text(PAGES[at : at + 2]) for at in range(0, 5, 2)),
    "a comma after each": b",\n".join(map(text, PAGES)),
    "batch": text({"batch": PAGES, "sentAt": "2026-03-03T11:00:00Z", "writeKey": "k"}),
    "batches on lines": b"".join(text({"batch": PAGES[at : at + 2]}) + b"\n" for at in range(0, 5, 2)),
    "a page of an API": text({"next": None, "results": PAGES}, indent=1),
    "mark of UTF-8": codecs.BOM_UTF8 + LINES,
    "array with mark of UTF-8": codecs.BOM_UTF8 + text(PAGES),
    "UTF-16": LINES.decode().encode("utf-16"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + LINES.decode().encode("utf-16-be"),
    "UTF-16 without a mark": LINES.decode().encode("utf-16-le"),
    "UTF-32": LINES.decode().encode("utf-32"),
    "gzip": gzip.compress(LINES),
    "gzip of an array": gzip.compress(text(PAGES)),
    "two gzips in a row": gzip.compress(LINES[: len(LINES) // 2]) + gzip.compress(LINES[len(LINES) // 2 :]),
    "bzip2": bz2.compress(LINES),
    "zstd": zstd.compress(LINES),
    "zip": zipped(**{"a.ndjson": LINES}),
    "zip of gzips": zipped(**{"1.gz": gzip.compress(text(PAGES[:3])), "2.gz": gzip.compress(text(PAGES[3:]))}),
    "gzip within gzip": gzip.compress(gzip.compress(LINES)),
    "tar": tarred(**MEMBERS),
    "tar.gz": gzip.compress(tarred(**MEMBERS)),
    "tar of gzips": tarred(**{"1.gz": gzip.compress(text(PAGES[:3])), "2.gz": gzip.compress(text(PAGES[3:]))}),
    "gzipped UTF-16": gzip.compress(LINES.decode().encode("utf-16")),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read(tmp_path: Path, shape: str) -> None:
    """From a path, a stream and a pipe the same five events are read, and none is a dead letter."""
    path = tmp_path / "events"
    path.write_bytes(SHAPES[shape])
    expected = [each["messageId"] for each in PAGES]
    assert ids(path) == ids(io.BytesIO(SHAPES[shape])) == expected
    frame, _ = read_all(path)
    if "batch" not in shape:
        assert frame.equals(decode(LINES).frame)


def test_a_batch_gives_its_events_what_they_lack() -> None:
    """``sentAt`` and the context of the body are those of events without them; their own come first."""
    own = {"sentAt": "2026-03-03T10:30:00Z", "context": {"ip": "198.51.100.1"}}
    body = {"batch": [page(1), page(2, **own)], "sentAt": "2026-03-03T11:00:00Z"}
    frame, _ = read_all(io.BytesIO(text(body | {"context": {"ip": "203.0.113.9", "userAgent": "curl"}})))
    assert frame["sent_at"].dt.strftime("%H:%M").to_list() == ["11:00", "10:30"]
    assert frame["context_ip"].to_list() == ["203.0.113.9", "198.51.100.1"]
    assert frame["context_user_agent"].to_list() == ["curl", "curl"]


@pytest.mark.parametrize("n_before", [12, 300])
def test_lines_may_hold_several_events(n_before: int) -> None:
    """A later line may be a batch, an array or two objects; what is broken is one dead letter, and keeps its line."""
    before = [page(0) | {"messageId": f"b{number}"} for number in range(n_before)]
    lines = [*map(text, before), text({"batch": PAGES[:2]}), text(PAGES[2]) + text(PAGES[3]), text(PAGES[4:]), b"{}{"]
    frame, letters = read_all(io.BytesIO(b"\n".join([*lines, text(page(5))])))
    assert frame["message_id"].to_list()[n_before:] == [f"m{number}" for number in range(6)]
    assert [letter.position for letter in letters] == [n_before + 4]
    frame, letters = read_all(io.BytesIO(LINES + text(page(5)) + text({"type": "nonsense"})))
    assert (frame.height, [letter.position for letter in letters]) == (6, [6])


def test_records_are_numbered() -> None:
    """A dead letter of an array has the number of its record, and in a zip the name of its file."""
    broken = text([page(1), {"type": "nonsense"}, 7, page(2)])
    _, letters = read_all(io.BytesIO(broken))
    assert [(each.position, each.reason.value) for each in letters] == [(2, "unknown_type"), (3, "not_an_object")]
    stream = io.BytesIO(zipped(**{"b.json": broken, "a.ndjson": LINES + b"broken\n"}))
    stream.name = "export.zip"  # type: ignore[attr-defined]
    _, letters = read_all(stream)
    where = ["export.zip/a.ndjson, record 6", "export.zip/b.json, record 2", "export.zip/b.json, record 3"]
    assert [each.detail.partition(":")[0] for each in letters] == where


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (text(PAGES)[:-20], "record 5 is not JSON: .* is the file cut off"),
        (text(PAGES)[:-1], "the array is not closed after record 5"),
        (b'[{"type": "page"}, {"type": page}]', "record 2 is not JSON"),
        (b'[{"type": "\xff"}]', "is not UTF-8"),
        (gzip.compress(LINES)[:-9], "cannot be read"),
        (bz2.compress(LINES)[:-9], "cannot be read"),
        (zstd.compress(LINES)[:-2], "cannot be read"),
        (zipped(**{"a.ndjson": LINES})[:-9], "cannot be read: File is not a zip file"),
        (zipped(_SUCCESS=b""), "is a zip without files"),
        (tarred(_SUCCESS=b""), "is a tar without files"),
        (tarred(**{"a.ndjson": LINES})[:700], "cannot be read: unexpected end of data"),
        (codecs.BOM_UTF16_LE + b"{\0\x00\xd8a\0", "is not utf-16"),
        (b"anonymous_id,timestamp\na,b,c\n", "row 1 has 3 cells, the header has 2"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, data: bytes, why: str) -> None:
    """Nothing is read in part in silence: the error has the file, the record and the reason."""
    (tmp_path / "events").write_bytes(data)
    with pytest.raises(EventFileError, match=f"events.*: {why}"):
        read_all(tmp_path / "events")


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    """All files within are read, sorted, whatever their shapes; markers and hidden files are none of them."""
    (tmp_path / "day=2").mkdir()
    (tmp_path / "day=2" / "1.gz").write_bytes(gzip.compress(text(page(2))))
    (tmp_path / "1.json").write_bytes(text([page(1)]))
    (tmp_path / "day=2" / "2.csv").write_text("type,messageId,anonymousId,timestamp\npage,m3,a,2026-03-03T10:03:00Z\n")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    assert ids(tmp_path) == ["m1", "m2", "m3"]
    (tmp_path / "README").write_text("What this is.\n")
    with pytest.warns(EventFileWarning, match="left out, as they do not look like events: README"):
        assert ids(tmp_path) == ["m1", "m2", "m3"]
    _, letters = read_all(tmp_path, note=lambda _: None)
    assert letters == []


@pytest.mark.parametrize("files", [{}, {"README": b"What this is.\n"}, {"_SUCCESS": b"", "empty.json": b""}])
def test_a_folder_without_events_is_an_error(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Nothing readable is never no events."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(EventFileError, match="holds no file of events"):
        event_files(tmp_path)


@pytest.mark.parametrize("write", [lambda row, n: b"[" + b",".join([row] * n) + b"]", lambda row, n: row * n])
def test_streams_stay_bounded_in_memory(write: Callable[[bytes, int], bytes]) -> None:
    """An array or pretty-printed text of 16 MB takes no more memory than one of 4 MB."""
    row, peaks = text(page(1, padding="x" * 1000), indent=1), []
    for n_events in (4_000, 16_000):
        data = io.BytesIO(write(row, n_events))
        tracemalloc.start()
        assert sum(batch.n_received for batch in read_events(data, n_events=1_000)) == n_events
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_broken_first_line_does_not_hide_the_others() -> None:
    """A line cut off at the start of an export is a dead letter; the file is still one of lines."""
    for first in (b'age"}\n', b'{"type": "pa\n', b'{"type"}\n'):
        frame, letters = read_all(io.BytesIO(first + LINES))
        assert (frame.height, [each.position for each in letters]) == (5, [1])


def test_what_is_not_known_is_described() -> None:
    """JSON of nobody known has no events, and a note of its keys and of what to do."""
    notes: list[str] = []
    frame, letters = read_all(io.BytesIO(b'{"who": 1, "what": 2}\n' * 3), note=notes.append)
    assert (frame.height, len(letters)) == (0, 3)
    assert "looks like JSON with the keys who, what, of no known format" in notes[0]
    assert "--format" in notes[0]
