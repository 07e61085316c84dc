"""Claims about sources that cannot be read, or that nobody writes to: one message with their names, and an end."""

from __future__ import annotations

import errno
import gzip
import io
import os
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from analytics.errors import AnalyticsError, EventFileError, StoreError
from analytics.ingestion import ingest
from analytics.io.flatten import Flattened
from analytics.io.reading import event_files, read_events
from analytics.sources.opening import open_source
from analytics.sources.stream import NdjsonStream

EVENT = b'{"type":"page","anonymousId":"a","messageId":"%d","timestamp":"2026-03-03T09:00:00Z"}\n'
EVENTS = b"".join(EVENT % n for n in range(100))
NO_READ = "/proc/self/mem"
"""A file whose first byte cannot be read: the system reports an input/output error."""


@pytest.mark.parametrize("options", [{}, {"backfill": True}, {"live": True}])
def test_an_error_while_reading_names_the_source(tmp_path: Path, options: dict[str, bool]) -> None:
    """The system's error becomes one that says which source cannot be read, and nothing about writing."""
    path = tmp_path / "events.ndjson"
    path.symlink_to(NO_READ)
    with pytest.raises(EventFileError, match=r"events\.ndjson: cannot be read: Input/output error$") as raised:
        ingest([str(path)], tmp_path / "store", **options)  # type: ignore[arg-type]
    assert not isinstance(raised.value, StoreError)
    with pytest.raises(EventFileError, match=r"events\.ndjson: cannot be read: Input/output error$"):
        list(read_events(path))


class Failing:
    """Stands in for reads of the system: the n-th fails, and all after it.

    Args:
        n: Number of the first read that fails.
    """

    def __init__(self, n: int) -> None:
        self._left = n

    def failed(self) -> bool:
        """Whether this read fails."""
        self._left -= 1
        return self._left <= 0


class FailingFile(io.FileIO):
    """A file of which one read fails."""

    plan: Failing

    def readinto(self, into: Any) -> int | None:  # type: ignore[override]
        """Read some bytes, or fail."""
        if self.plan.failed():
            raise OSError(errno.EIO, "Input/output error")
        return super().readinto(into)

    def readall(self) -> bytes:
        """Read the rest, or fail."""
        if self.plan.failed():
            raise OSError(errno.EIO, "Input/output error")
        return super().readall()


def written(folder: Path, form: str) -> Path:
    """Events in a file."""
    path = folder / f"events.{form}"
    table = b"type,anonymous_id,received_at\n" + b"page,a,2026-03-03T09:00:00Z\n" * 9
    body = {"json": b"[" + EVENTS.rstrip().replace(b"\n", b",") + b"]", "csv": table}
    data = body.get(form, EVENTS)
    path.write_bytes(gzip.compress(data) if form == "gz" else data)
    return path


@pytest.mark.parametrize("form", ["ndjson", "gz", "json", "csv"])
def test_any_read_of_a_file_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Whichever read fails, the message is the same, and the events before it are in the store or read again."""
    path = written(tmp_path, form)
    real = Path.open

    def opened(self: Path, mode: str = "r", buffering: int = -1, *more: Any, **others: Any) -> Any:
        if self != path:
            return real(self, mode, buffering, *more, **others)
        return io.BufferedReader(FailingFile(self), max(buffering, 8192))

    messages = []
    for n in range(1, 30):
        with monkeypatch.context() as patch:
            FailingFile.plan = Failing(n)
            patch.setattr(Path, "open", opened)
            try:
                ingest([str(path)], tmp_path / f"store{n}")
            except EventFileError as error:
                messages.append(str(error))
            else:
                break
    assert len(messages) > 1
    assert set(messages) == {f"{path}: cannot be read: Input/output error"}


def test_a_stream_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of standard input or a pipe names it, in its first line and later."""

    def broken(descriptor: int, n_bytes: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    out, into = os.pipe()
    os.write(into, EVENTS)
    batches = NdjsonStream(out, 10, lambda: False).batches({}, follow=False)
    next(batches)
    monkeypatch.setattr("analytics.sources.stream.os", SimpleNamespace(read=broken))
    os.write(into, EVENTS)
    with pytest.raises(EventFileError, match=r"^standard input: cannot be read: Input/output error$"):
        list(batches)
    with pytest.raises(EventFileError, match=r"^standard input: cannot be read: Input/output error$"):
        list(NdjsonStream(out, 10, lambda: False).batches({}, follow=False))
    os.close(into)
    os.close(out)


@pytest.mark.parametrize("name", ["x" * 300, "none/none.ndjson", "a\0b"])
def test_names_that_no_file_can_have_are_one_error(tmp_path: Path, name: str) -> None:
    """A name that is too long, or with a NUL, is one clear error of every reader."""
    with pytest.raises(EventFileError, match="cannot be read"):
        ingest([f"{tmp_path}/{name}"], tmp_path / "store")
    with pytest.raises(EventFileError, match="cannot be read"):
        event_files(f"{tmp_path}/{name}")


@pytest.mark.parametrize("n", [0, -1, 10**20])
def test_batches_of_no_possible_size_are_one_error(tmp_path: Path, n: int) -> None:
    """More events in a batch than a million, or none, are refused before anything is opened."""
    with pytest.raises(AnalyticsError, match="a batch can have 1 to 1,000,000 events"):
        ingest(["-"], tmp_path / "store", n_events=n)
    assert not (tmp_path / "store").exists()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_pipe_without_a_writer_can_be_left(pipe: Path, tmp_path: Path) -> None:
    """Nobody writes, and the end is requested: ingestion ends."""
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    begin = time.monotonic()
    assert ingest([str(pipe)], tmp_path / "store", stop=stop).was_stopped
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("first", [b'[{"type":"page",', b"type,anonymous_id\n", b"\x1f\x8b\x08\0"])
def test_a_pipe_whose_writer_pauses_can_be_left(pipe: Path, tmp_path: Path, first: bytes) -> None:
    """In the midst of an array, a table or an archive the end can be requested too."""
    stop = threading.Event()

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(first)
            stop.wait(0.7)
            stop.set()
            time.sleep(2)

    threading.Thread(target=write, daemon=True).start()
    assert ingest([str(pipe)], tmp_path / "store", stop=stop).was_stopped


def test_the_first_writer_is_waited_for(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe without a writer is not at its end; after its last writer it is. One that pauses is waited for."""
    monkeypatch.setattr("analytics.sources.stream._PATIENCE_S", 0.02)
    with closing(open_source(str(pipe), 10, lambda: False)) as source:
        batches = source.batches({}, follow=False)

        def write() -> None:
            time.sleep(0.3)
            with pipe.open("wb", buffering=0) as file:
                file.write(EVENT % 1)
                time.sleep(0.3)
                file.write(EVENT % 2)

        writer = threading.Thread(target=write)
        writer.start()
        assert sum(batch.events.n_received for batch in batches) == 2
        writer.join()


def streamed(*pieces: bytes) -> Flattened:
    """What a stream has whose writer pauses between pieces."""
    out, into = os.pipe()

    def write() -> None:
        for piece in pieces:
            os.write(into, piece)
            time.sleep(0.3)
        os.close(into)

    writer = threading.Thread(target=write)
    writer.start()
    batches = [batch.events for batch in NdjsonStream(out, 10, lambda: False).batches({}, follow=False)]
    writer.join()
    os.close(out)
    letters = tuple(letter for events in batches for letter in events.dead_letters)
    return Flattened(pl.concat(events.frame for events in batches), letters)


def test_only_the_first_bytes_say_what_a_stream_is() -> None:
    """The first bytes of an archive in the midst of a stream are a dead letter, wherever a read begins."""
    found = streamed(EVENT % 1, b"\x1f\x8bx\n", b"PK\x03\x04\n", EVENT % 2)
    assert found.frame.height == 2
    assert [letter.raw for letter in found.dead_letters] == [b"\x1f\x8bx", b"PK\x03\x04"]


def test_a_broken_first_line_is_a_dead_letter_however_late_the_rest_comes() -> None:
    """What a stream is does not depend on how long its writer pauses after a first line that is cut off."""
    found = streamed(b'{"type":"pa\n', EVENT % 1 + EVENT % 2)
    assert found.frame.height == 2
    assert [letter.raw for letter in found.dead_letters] == [b'{"type":"pa']
