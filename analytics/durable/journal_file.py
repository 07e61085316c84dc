"""The files of a journal: their layout, and how they are read after a crash.

A journal is a folder of segments, each begun after a checkpoint and named by the number of its first record. A segment
is a file of magic bytes and format version, and then records:

======  ===========================================================
bytes   meaning
======  ===========================================================
4       ``FREC``, by which the next record is found after damage
8       number of the record, each one more than that before it
4       length of the payload, in bytes
1       kind of the record
8       how many bytes of the segment were surely on the disk
4       CRC-32 of the payload
4       CRC-32 of the 29 bytes above
n       payload
======  ===========================================================

Records are only ever added. A process that dies while it adds one leaves the beginning of a record at the end of the
file: a *torn tail*, which was never acknowledged. A power cut may moreover lose any page that was not flushed, in any
order, so that whole records may follow a hole. What a later record says was on the disk no crash can have damaged: such
a file is refused. From a hole after that on, the segment is *doubtful*: it is cut off there, and kept aside.

Segments of format 1 have neither the four letters nor what was on the disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from struct import Struct
from typing import Final

from analytics.durable.files import reading
from analytics.errors import StoreCorruptError, StoreFormatError

FORMAT: Final = 2
"""Version of the files of a store, the journal's and the checkpoint's."""

_MAGIC: Final = b"FNLJRN"
_FILE_HEADER: Final = Struct("<6sH")
FILE_HEADER: Final = _FILE_HEADER.pack(_MAGIC, FORMAT)
"""The beginning of each segment."""

_RECORD_MAGIC: Final = b"FREC"
_RECORD_HEADER: Final = Struct("<4sQIBQI")
_RECORD_HEADER_1: Final = Struct("<QIBI")
_CRC: Final = Struct("<I")


@dataclass(frozen=True)
class Record:
    """One entry of the journal.

    Args:
        number: Its place in all that the store has ever taken in, from 1.
        kind: See :class:`analytics.durable.records.RecordKind`.
        payload: Its content; see :mod:`analytics.durable.records`.
        n_synced: Bytes of its segment that were on the disk when it was written.
    """

    number: int
    kind: int
    payload: bytes
    n_synced: int = 0


@dataclass(frozen=True)
class Segment:
    """The content of one file of the journal.

    Args:
        path: The file.
        version: Its format.
        records: The whole records.
        end: Where they end, in bytes.
        n_torn: Bytes after that: the torn tail.
        doubtful: Or these bytes after that: a hole that a power cut may have made, and what follows it.
    """

    path: Path
    version: int
    records: tuple[Record, ...]
    end: int
    n_torn: int = 0
    doubtful: bytes = b""


def packed(record: Record) -> bytes:
    """Bytes of a record, as they are in the file."""
    crc = zlib.crc32(record.payload)
    facts = (record.number, len(record.payload), record.kind, record.n_synced, crc)
    header = _RECORD_HEADER.pack(_RECORD_MAGIC, *facts)
    return b"".join((header, _CRC.pack(zlib.crc32(header)), record.payload))


def segments(folder: Path) -> list[Path]:
    """Files of a journal, oldest first."""
    # Leading zeros make the order of names that of the records.
    return sorted(folder.glob("*.journal"))


def read_segment(path: Path) -> Segment:
    """Read a segment up to its end, its torn tail or its first hole.

    Raises:
        StoreFormatError: A newer version has written it.
        StoreCorruptError: It is damaged where no crash can have damaged it.
    """
    segment = scanned_segment(path)
    later = records_in(segment.doubtful)
    if max((record.n_synced for record in (*segment.records, *later)), default=0) > segment.end:
        raise StoreCorruptError(path, f"is damaged at byte {segment.end:,}: a record there is not what was written")
    return segment


def scanned_segment(path: Path) -> Segment:
    """Read a segment as :func:`read_segment` does, whatever caused its damage."""
    with reading(path):
        data = path.read_bytes()
    version = _checked_version(path, data)
    records, end = list[Record](), _FILE_HEADER.size
    while (found := _record_at(data, end, version)) is not None:
        record, end = found
        records.append(record)
    rest = data[end:]
    if _is_torn(rest, version):
        return Segment(path, version, tuple(records), end, n_torn=len(rest))
    return Segment(path, version, tuple(records), end, doubtful=rest)


def records_in(data: bytes) -> tuple[Record, ...]:
    """The whole records anywhere in some bytes, such as a damaged segment; none of format 1."""
    records, place = list[Record](), data.find(_RECORD_MAGIC)
    while place >= 0:
        found = _record_at(data, place, FORMAT)
        if found is not None:
            records.append(found[0])
        place = data.find(_RECORD_MAGIC, place + 1 if found is None else found[1])
    return tuple(records)


def records_after(found: Sequence[Segment], number: int) -> Iterator[Record]:
    """Yield the records after this number, in order and without a gap.

    Raises:
        StoreCorruptError: Records are missing, or another segment than the last is torn.
    """
    for place, segment in enumerate(found):
        if (segment.n_torn or segment.doubtful) and place < len(found) - 1:
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


def _checked_version(path: Path, data: bytes) -> int:
    # A segment appears under its name with its whole header, so a crash cannot have cut it off.
    if len(data) < _FILE_HEADER.size or not data.startswith(_MAGIC):
        raise StoreCorruptError(path, "does not begin like a journal")
    version = int(_FILE_HEADER.unpack_from(data)[1])
    refuse_newer(path, version)
    return version


def _header_at(data: bytes, begin: int, version: int) -> tuple[Record, int, int, int] | None:
    """The header of a record: the record without its payload, and the payload's begin, end and checksum."""
    layout = _RECORD_HEADER if version == FORMAT else _RECORD_HEADER_1
    body = begin + layout.size + _CRC.size
    if len(data) < body or zlib.crc32(data[begin : body - _CRC.size]) != _CRC.unpack_from(data, body - _CRC.size)[0]:
        return None
    if version == FORMAT:
        _, number, length, kind, n_synced, crc = layout.unpack_from(data, begin)
    else:
        (number, length, kind, crc), n_synced = layout.unpack_from(data, begin), 0
    return Record(number, kind, b"", n_synced), body, body + length, crc


def _record_at(data: bytes, begin: int, version: int) -> tuple[Record, int] | None:
    """Read one record; return it and its end, or None if it is not whole."""
    header = _header_at(data, begin, version)
    if header is None:
        return None
    record, body, end, crc = header
    payload = data[body:end]
    if len(payload) < end - body or zlib.crc32(payload) != crc:
        return None
    return replace(record, payload=payload), end


def _is_torn(rest: bytes, version: int) -> bool:
    """Whether what follows the last whole record is no more than the beginning of another, or zeros."""
    if not any(rest):
        return True  # the file had grown, and the power failed before its bytes were on the disk
    layout = _RECORD_HEADER if version == FORMAT else _RECORD_HEADER_1
    header = _header_at(rest, 0, version)
    return len(rest) < layout.size + _CRC.size if header is None else len(rest) < header[2]
