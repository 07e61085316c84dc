"""Containers: files of events inside gzip, bzip2, Zstandard, zip and tar, and texts in UTF-16 or UTF-32, as UTF-8.

What a file is, its first bytes say, not its name: exports are renamed on their way more often than not.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from analytics.errors import EventFileError
from analytics.io.ndjson import GZIP_MAGIC, READ_ERRORS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD: Final = 1 << 20
"""Bytes of a file that can be looked at before it is read."""

UNPACK_ERRORS: Final = (
    *READ_ERRORS,
    zstd.ZstdError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    RuntimeError,
)
"""What reading from a container can raise; the last two are of zip files that are encrypted or packed unusually."""

_BZIP2_MAGIC: Final = b"BZh"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZIP_MAGIC: Final = b"PK\x03\x04"
_TAR_MAGIC: Final = b"ustar"
_TAR_MAGIC_AT: Final = 257

# In this order: the mark of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_DEEPEST: Final = 4
"""Containers within each other; more is a mistake or an attack."""


def opened(path: Path) -> io.BufferedReader:
    """Open a file, to be looked at :data:`HEAD` bytes ahead and to be closed by the caller."""
    return cast("io.BufferedReader", path.open("rb", HEAD))


def buffered(source: BinaryIO) -> io.BufferedReader:
    """A reader of an open file that can look :data:`HEAD` bytes ahead."""
    return io.BufferedReader(cast("io.RawIOBase", source), HEAD)


def unpacked(file: io.BufferedReader, name: str, depth: int = 0) -> Iterator[tuple[str, io.BufferedReader]]:
    """Yield what is inside a file, after all unpacking and decoding.

    Args:
        file: The open file, not read yet.
        name: Its name; that of a member of a zip or tar is ``name/member``.
        depth: How many containers it is in.

    Yields:
        Name and reader of each text or table, to be read before the next; the file itself if it is no container.

    Raises:
        EventFileError: Containers are nested too deeply, or a zip or tar is damaged, encrypted or empty.

    >>> packed = buffered(io.BytesIO(bz2.compress(gzip.compress(b"{}"))))
    >>> [(name, inner.read()) for name, inner in unpacked(packed, "events.bz2")]
    [('events.bz2', b'{}')]
    """
    if depth > _DEEPEST:
        raise EventFileError(f"{name}: is packed more than {_DEEPEST} times; unpack it")
    head = file.peek(HEAD)
    inner: BinaryIO | None = None
    if head.startswith(GZIP_MAGIC):
        inner = cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
    elif head.startswith(_BZIP2_MAGIC):
        inner = cast("BinaryIO", bz2.BZ2File(file))
    elif head.startswith(_ZSTD_MAGIC):
        inner = cast("BinaryIO", zstd.ZstdFile(file))
    elif head.startswith(_ZIP_MAGIC):
        yield from _members(file, name, depth)
        return
    elif _is_tar(head):
        yield from _members_of_tar(file, name, depth)
        return
    elif encoding := _encoding(head):
        reader = codecs.getreader(encoding)(file)
        inner = cast("BinaryIO", _Utf8(reader, name))
    if inner is None:
        yield name, file
    else:
        yield from unpacked(buffered(inner), name, depth + 1)


def is_container(head: bytes) -> bool:
    """Whether what begins with these bytes must be unpacked or decoded before it can be read."""
    magics = (GZIP_MAGIC, _BZIP2_MAGIC, _ZSTD_MAGIC, _ZIP_MAGIC)
    return head.startswith(magics) or _is_tar(head) or _encoding(head) is not None


def _is_tar(head: bytes) -> bool:
    return head.startswith(_TAR_MAGIC, _TAR_MAGIC_AT)


def _encoding(head: bytes) -> str | None:
    """The encoding of a text whose characters have more than one byte; without a mark it shows in the zeros."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # ASCII, which all JSON and all names of columns begin with, has a zero in every character.
    first = head[:2]
    if len(first) == len("{}") and first.count(0) == 1:
        return "utf-16-be" if first[0] == 0 else "utf-16-le"
    return None


class _Utf8(io.RawIOBase):
    """The characters of a reader as UTF-8."""

    def __init__(self, reader: codecs.StreamReader, name: str) -> None:
        self._reader = reader
        self._name = name
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            try:
                # Half a pair of surrogates cannot be encoded; it is replaced, as in JSON.
                self._rest = self._reader.read(HEAD // 2).encode("utf-8", "replace")
            except UnicodeDecodeError as error:
                raise EventFileError(f"{self._name}: is not {error.encoding} throughout: {error.reason}") from error
        part, self._rest = self._rest[: len(into)], self._rest[len(into) :]
        into[: len(part)] = part
        return len(part)


def _members(file: io.BufferedReader, name: str, depth: int) -> Iterator[tuple[str, io.BufferedReader]]:
    """The files in a zip, by their names; the copies of their attributes that a Mac adds are none."""
    with tempfile.TemporaryFile() as copy:
        if not _can_seek(file):
            # A zip's table of contents is at its end, so a stream must be read to there first.
            shutil.copyfileobj(file, copy)
        with zipfile.ZipFile(file if _can_seek(file) else copy) as archive:
            names = sorted(each for each in archive.namelist() if is_data_file(each))
            if not names:
                raise EventFileError(f"{name}: is a zip without files")
            for member in names:
                with archive.open(member) as opened:
                    yield from unpacked(buffered(cast("BinaryIO", opened)), f"{name}/{member}", depth + 1)


def _members_of_tar(file: io.BufferedReader, name: str, depth: int) -> Iterator[tuple[str, io.BufferedReader]]:
    """The files in a tar, in its order, as a stream."""
    is_empty = True
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for member in archive:
            opened = archive.extractfile(member) if is_data_file(member.name.removeprefix("./")) else None
            if opened is not None and member.size:
                is_empty = False
                yield from unpacked(buffered(cast("BinaryIO", opened)), f"{name}/{member.name}", depth + 1)
    if is_empty:
        raise EventFileError(f"{name}: is a tar without files")


def _can_seek(file: io.BufferedReader) -> bool:
    return file.seekable()


def is_data_file(name: str) -> bool:
    """Whether a file of a folder, a zip or a tar can be one of events, by its path: not if it is hidden or a marker.

    >>> [is_data_file(name) for name in ("day/1.json", "_SUCCESS", "__MACOSX/._1.json", "day/")]
    [True, False, False, False]
    """
    return bool(name) and not name.endswith("/") and not any(part[:1] in {".", "_"} for part in name.split("/"))
