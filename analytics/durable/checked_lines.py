"""Lines of JSON, each with a checksum of its own, that are only ever added to a file."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from analytics.durable.files import NO_FOLLOW, PRIVATE, reading, write_all

_CHECKSUM: Final = re.compile(rb', "crc32": (\d+)\}\s*\Z')


def checked_line(entry: Mapping[str, object]) -> bytes:
    r"""A line with an entry, which has at least one key, and a checksum of all before it.

    >>> checked_line({"n": 3})
    b'{"n": 3, "crc32": 952196800}\n'
    """
    text = json.dumps(entry, ensure_ascii=False).encode()
    return b'%s, "crc32": %d}\n' % (text[:-1], zlib.crc32(text))


def read_checked(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, or None if it is not what was written; lines of earlier versions have no checksum.

    >>> read_checked(b'{"n": 3, "crc32": 952196800}'), read_checked(b'{"n": 4, "crc32": 952196800}')
    ({'n': 3}, None)
    """
    found = _CHECKSUM.search(line)
    text = line if found is None else line[: found.start()] + b"}"
    if found is not None and zlib.crc32(text) != int(found[1]):
        return None
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def add_line(path: Path, entry: Mapping[str, object]) -> None:
    """Add a line to a file, which is created if it is missing; it is on the disk when this returns.

    Raises:
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_FOLLOW, PRIVATE)
    try:
        end = os.fstat(descriptor).st_size
        # A process that died amid a line must not spoil the next one too.
        is_torn = end and os.pread(descriptor, 1, end - 1) != b"\n"
        write_all(descriptor, b"\n" * bool(is_torn) + checked_line(entry))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The entries of a file that may not exist, with the numbers of their lines; None for one that was damaged."""
    if path.exists():
        with reading(path), path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.isspace():
                    yield number, read_checked(line)
