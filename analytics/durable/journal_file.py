"""The files of a journal: their layout, and how they are read after a crash.

A journal is a folder of segments, each begun after a checkpoint and named by the number of its first record. A segment
is a file of magic bytes and format version, and then records:

======  ===========================================================
bytes   meaning
======  ===========================================================
8       number of the record, each one more than that before it
4       length of the payload, in bytes
1       kind of the record
4       CRC-32 of the payload
4       CRC-32 of the 17 bytes above
n       payload
======  ===========================================================

Records are only ever added. A process that dies while it adds one leaves the beginning of a record at the end of the
file, a power cut may leave zeros. That is a *torn tail*; its record was never acknowledged. A crash cannot cause damage
anywhere else. The header has a checksum of its own, so that a damaged length is not mistaken for a torn tail.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from analytics.errors import StoreCorruptError, StoreFormatError

FORMAT: Final = 1
"""Version of the files of a store, the journal's and the checkpoint's."""

_MAGIC: Final = b"FNLJRN"
_FILE_HEADER: Final = Struct("<6sH")
FILE_HEADER: Final = _FILE_HEADER.pack(_MAGIC, FORMAT)
"""The beginning of each segment."""

_RECORD_HEADER: Final = Struct("<QIBI")
_CRC: Final = Struct("<I")
_HEADER_BYTES: Final = _RECORD_HEADER.size + _CRC.size


@dataclass(frozen=True)
class Record:
    """One entry of the journal.

    Args:
        number: Its place in all that the store has ever taken in, from 1.
        kind: See :class:`analytics.durable.records.RecordKind`.
        payload: Its content; see :mod:`analytics.durable.records`.
    """

    number: int
    kind: int
    payload: bytes


@dataclass(frozen=True)
class Segment:
    """The content of one file of the journal.

    Args:
        path: The file.
        records: The whole records.
        end: Where they end, in bytes.
        n_torn: Bytes after that: the torn tail.
    """

    path: Path
    records: tuple[Record, ...]
    end: int
    n_torn: int


def packed(record: Record) -> bytes:
    """Bytes of a record, as they are in the file."""
    header = _RECORD_HEADER.pack(record.number, len(record.payload), record.kind, zlib.crc32(record.payload))
    return b"".join((header, _CRC.pack(zlib.crc32(header)), record.payload))


def segments(folder: Path) -> list[Path]:
    """Files of a journal, oldest first."""
    # Leading zeros make the order of names that of the records.
    return sorted(folder.glob("*.journal"))


def read_segment(path: Path) -> Segment:
    """Read a segment up to its end or torn tail.

    Raises:
        StoreFormatError: A newer version has written it.
        StoreCorruptError: It is damaged elsewhere than in its tail.
    """
    data = path.read_bytes()
    _check_file_header(path, data)
    records, end = [], _FILE_HEADER.size
    while end < len(data):
        record = _record_at(path, data, end)
        if record is None:
            break
        records.append(record)
        end += _HEADER_BYTES + len(record.payload)
    return Segment(path, tuple(records), end, len(data) - end)


def records_after(found: Sequence[Segment], number: int) -> Iterator[Record]:
    """Yield the records after this number, in order and without a gap.

    Raises:
        StoreCorruptError: Records are missing, or another segment than the last is torn.
    """
    for place, segment in enumerate(found):
        if segment.n_torn and place < len(found) - 1:
            raise StoreCorruptError(segment.path, f"is damaged at byte {segment.end:,}, and others come after it")
        for record in segment.records:
            # In the checkpoint already: the process died before it removed this segment.
            if record.number <= number:
                continue
            if record.number != number + 1:
                raise StoreCorruptError(segment.path, f"has record {record.number:,} where {number + 1:,} should be")
            number += 1
            yield record


def refuse_newer(path: Path, version: int) -> None:
    """Refuse a file whose format is newer than this version of funnelsim.

    Raises:
        StoreFormatError: It is a newer one.
    """
    if version > FORMAT:
        raise StoreFormatError(
            f"{path}: is of format {version}, and this funnelsim reads format {FORMAT}: a newer one has written it. "
            "Update funnelsim to open the store; nothing has been changed"
        )


def _check_file_header(path: Path, data: bytes) -> None:
    # A segment appears under its name with its whole header, so a crash cannot have cut it off.
    if len(data) < _FILE_HEADER.size or not data.startswith(_MAGIC):
        raise StoreCorruptError(path, "does not begin like a journal")
    refuse_newer(path, _FILE_HEADER.unpack_from(data)[1])


def _record_at(path: Path, data: bytes, begin: int) -> Record | None:
    """Read one record; None for a torn tail."""
    header = data[begin : begin + _RECORD_HEADER.size]
    body = begin + _HEADER_BYTES
    if len(data) < body:
        return None
    if zlib.crc32(header) != _CRC.unpack_from(data, begin + _RECORD_HEADER.size)[0]:
        if not any(data[begin:]):
            return None  # the file had grown, and the power failed before its bytes were on the disk
        raise StoreCorruptError(path, f"is damaged at byte {begin:,}: the header of a record is not what was written")
    number, length, kind, crc = _RECORD_HEADER.unpack(header)
    payload = data[body : body + length]
    if len(payload) < length:
        return None
    if zlib.crc32(payload) != crc:
        # The last record: its bytes may not have reached the disk before a power cut.
        if body + length == len(data):
            return None
        raise StoreCorruptError(path, f"is damaged at byte {body:,}: record {number:,} is not what was written")
    return Record(number, kind, payload)
