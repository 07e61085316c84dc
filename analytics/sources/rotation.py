"""Rotation of logs: which files beside a log hold what was in it before.

A log is rotated by renaming (a new file takes its name), by copying and truncating, or by removing it; the old one is
often compressed. What a log begins with, and what stands before the offset that was reached, tell whether a file is
the one that was read so far, whatever its name.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final, cast

from analytics.io.lines import KEPT
from analytics.io.ndjson import GZIP_MAGIC, READ_ERRORS
from analytics.io.position import Offset

KNOWN: Final = KEPT
"""Bytes at the beginning of a file, and before an offset in it, by which it is recognised."""

# What rotation adds to a name: a number or a date, then perhaps the end of a compressed file's name.
_ADDED: Final = r"[.\-_](?:\d[\d.\-_T:]*|old)"
_PACKED: Final = ".gz"


def open_log(path: Path) -> BinaryIO:
    """Open a file, decompressed if it is gzipped.

    Args:
        path: The file.
    """
    file = path.open("rb")
    try:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
    except BaseException:
        file.close()
        raise
    if not is_packed:
        return file
    file.close()
    return cast("BinaryIO", gzip.open(path))


def is_same(file: BinaryIO, offset: Offset) -> bool:
    """Whether a file begins as it did when it was read so far, and has the same bytes before the offset.

    Args:
        file: The open file.
        offset: How far it was read.
    """
    file.seek(0)
    head = file.read(offset["head"])
    # Offsets of earlier versions have no checksum of the bytes before them.
    n_tail = offset.get("tail", min(1, offset["bytes"]))
    file.seek(offset["bytes"] - n_tail)
    tail = file.read(n_tail)
    is_long_enough = len(head) == offset["head"] and len(tail) == n_tail
    is_unchanged = zlib.crc32(head) == offset["crc32"] and zlib.crc32(tail) == offset.get(
        "tail_crc32", zlib.crc32(tail)
    )
    return is_long_enough and is_unchanged


def rotated(path: Path, offset: Offset) -> Path | None:
    """The file beside a log that is the one that was read so far; None if there is none.

    Args:
        path: The log, or the name that it had.
        offset: How far it was read.
    """
    inode = offset.get("inode")
    beside = _files_beside(path, _names(path), inode)
    # One that was renamed before any copies of it.
    likely = sorted(beside, key=lambda each: (each[1].st_ino != inode, -each[1].st_mtime_ns))
    # Of a file of which nothing was read only the inode is known.
    known = (each for each, stat in likely if offset["bytes"] or stat.st_ino == inode)
    return next((each for each in known if _holds(each, offset)), None)


def later(path: Path, than: Path | int) -> Mapping[Path, int]:
    """The rotated files of a log that were written after another of them, oldest first, and when they were written.

    Args:
        path: The log.
        than: The other one, or when it was written, in nanoseconds.
    """
    # A file such as events-2.ndjson may have nothing to do with events.ndjson, unless another one is named so.
    usual, dated = _names(path)
    is_dated = isinstance(than, Path) and dated.fullmatch(than.name) and not usual.fullmatch(than.name)
    names = dated if is_dated else usual
    of_log = {each: stat.st_mtime_ns for each, stat in _files_beside(path, [names])}
    # While a file is compressed, both are there.
    once = {each: ns for each, ns in of_log.items() if each.suffix != _PACKED or each.with_suffix("") not in of_log}
    begin = than if isinstance(than, int) else than.stat().st_mtime_ns
    return dict(sorted(((each, ns) for each, ns in once.items() if ns > begin), key=lambda each: each[1]))


def log_of(path: Path, known: Iterable[str]) -> str | None:
    """The known file of which a file has the name of a rotated one; None if there is none.

    Args:
        path: The file.
        known: Paths of files.

    >>> log_of(Path("logs/a.ndjson.1"), ["logs/a.ndjson"]), log_of(Path("logs/b.ndjson"), ["logs/a.ndjson"])
    ('logs/a.ndjson', None)
    """
    beside = (Path(each) for each in known if str(path).startswith(each) and Path(each).name)
    return next((str(each) for each in beside if _names(each)[0].fullmatch(path.name)), None)


def _names(path: Path) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The names of rotated files of a log: ``a.ndjson.1``, ``a.ndjson-20260303.gz``; and ``a-20260303.ndjson``."""
    name, stem, end = map(re.escape, (path.name, path.stem, path.suffix))
    packed = re.escape(_PACKED)
    return re.compile(f"{name}(?:{_ADDED}(?:{packed})?|{packed})"), re.compile(f"{stem}{_ADDED}{end}(?:{packed})?")


def _files_beside(
    path: Path, names: Iterable[re.Pattern[str]], inode: int | None = None
) -> Iterator[tuple[Path, os.stat_result]]:
    """The other files of a folder that have such a name, or this inode."""
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name == path.name or not (
                entry.inode() == inode or any(pattern.fullmatch(entry.name) for pattern in names)
            ):
                continue
            with suppress(OSError):  # it was removed just now
                stat = entry.stat()
                if S_ISREG(stat.st_mode):
                    yield path.parent / entry.name, stat


def _holds(path: Path, offset: Offset) -> bool:
    try:
        with open_log(path) as file:
            return is_same(file, offset)
    except READ_ERRORS:
        return False  # such as half a gzipped file, whose original is still there
