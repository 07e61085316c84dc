"""Entries of JSON with checksums of their own, and lines of them that are only ever added to a file."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from analytics.durable.files import NO_FOLLOW, PRIVATE, reading, write_all

_CRC: Final = "crc32"


def with_crc(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Add its CRC-32 to an entry of plain data, as its last key.

    Args:
        entry: What can be written as JSON, and read back as it was.

    >>> with_crc({"n": 1})
    {'n': 1, 'crc32': '0af73c42'}
    """
    return {**entry, _CRC: _crc(entry)}


def without_crc(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a file holds
    """Check the CRC-32 of an entry, and take it off; an entry of an earlier version has none.

    Args:
        entry: An entry as it was read.

    Raises:
        ValueError: It is not what was written.

    >>> without_crc({"n": 2, "crc32": "0af73c42"})
    Traceback (most recent call last):
    ValueError: its checksum differs
    """
    if not isinstance(entry, dict):
        raise ValueError("it is no entry")  # noqa: TRY004 - as every other fault of an entry
    rest = {key: value for key, value in entry.items() if key != _CRC}
    if _CRC in entry and entry[_CRC] != _crc(rest):
        raise ValueError("its checksum differs")
    return rest


def _crc(entry: Mapping[str, Any]) -> str:
    # Of the values and not of the text, whose blanks and line breaks do not matter.
    return f"{zlib.crc32(json.dumps(entry).encode()):08x}"


def checked_line(entry: Mapping[str, object]) -> bytes:
    r"""A line with an entry and its checksum.

    >>> checked_line({"n": 1})
    b'{"n": 1, "crc32": "0af73c42"}\n'
    """
    return json.dumps(with_crc(entry), ensure_ascii=False).encode() + b"\n"


def read_checked(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, or None if it is not what was written; lines of earlier versions have no checksum.

    >>> read_checked(b'{"n": 1, "crc32": "0af73c42"}'), read_checked(b'{"n": 4, "crc32": "0af73c42"}')
    ({'n': 1}, None)
    """
    try:
        return without_crc(json.loads(line))
    except (ValueError, RecursionError):
        return None


def add_line(path: Path, entry: Mapping[str, object]) -> None:
    """Add a line to a file, which is created if it is missing; it is on the disk when this returns.

    Raises:
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_FOLLOW, PRIVATE)
    try:
        end = os.fstat(descriptor).st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            # A process died amid a line, which is written again if it is needed.
            os.ftruncate(descriptor, os.pread(descriptor, end, 0).rfind(b"\n") + 1)
        write_all(descriptor, checked_line(entry))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The entries of a file that may not exist, with the numbers of their lines; None for one that was damaged.

    A last line without its newline was never finished, and is none.
    """
    if path.exists():
        with reading(path), path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n") and not line.isspace():
                    yield number, read_checked(line)
