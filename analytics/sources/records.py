"""Files of any other shape as a source: arrays, CSV, archives, tables of a warehouse, exports of other tools."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import EventFormat, read_events, unreadable
from analytics.sources.source import Source, read_otherwise, replaced

# Bytes at the beginning of a file by which it is recognised.
_HEAD: Final = 4096
# Always the same, so that batches are cut alike when the file is read again, and a resumed one begins with a whole one.
_AT_ONCE: Final = 10_000


class RecordsFile(Source):
    """A file that is read as :func:`analytics.io.reading.read_events` reads it.

    Its offset is the number of ``records`` (events), and a checksum of its ``head``. To resume, it is
    read from its beginning; it cannot be followed.

    Args:
        path: The file.
        form: What is known of it.
    """

    def __init__(self, path: Path, form: EventFormat) -> None:
        self._path = path
        self._name = str(path.resolve())
        self._form = form

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:  # noqa: ARG002
        """Yield batches up to the end of the file.

        Args:
            offsets: How far sources have been read, by their names; a file is named by its resolved path.
            follow: Of no effect: such a file is complete once it can be read.

        Raises:
            EventFileError: It cannot be read, or begins otherwise than when it was read before.
        """
        try:
            with self._path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise unreadable(self._path, error) from error
        checksum = {"head": len(head), "crc32": zlib.crc32(head)}
        offset = offsets.get(self._name, {"records": 0, **checksum})
        if {name: offset.get(name) for name in checksum} != checksum:
            raise replaced(self._path)
        if "records" not in offset:
            raise read_otherwise(self._path)
        n_done, n_records = offset["records"], 0
        for batch in read_events(self._path, self._form, n_events=_AT_ONCE):
            n_records += batch.n_received
            if n_records > n_done:
                yield SourceBatch(batch, SourcePosition(self._name, {"records": n_records, **checksum}))
