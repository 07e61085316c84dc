"""Flat tables from files: Parquet, CSV or NDJSON, recognised by their first bytes."""

from __future__ import annotations

import codecs
import gzip
import sys
import zlib
from pathlib import Path
from typing import Final

import polars as pl

from analytics.html.frames import unquoted
from scenarios.errors import InputError

_PARQUET_MAGIC: Final = b"PAR1"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_SEPARATORS: Final = (",", ";", "\t", "|")


def read_flat_table(path: str) -> pl.DataFrame:
    r"""Read a table of any columns.

    The separator of a CSV file is the most frequent in its first line of comma, semicolon, tab and bar.

    Args:
        path: A file, gzipped or not; ``-`` is standard input.

    Raises:
        InputError: It cannot be read as a table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "t.csv").write_text("a;b\n1;x\n2;\n")
    ...     read_flat_table(f"{folder}/t.csv").to_dict(as_series=False)
    {'a': [1, 2], 'b': ['x', None]}
    """
    name = "standard input" if path == "-" else path
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not data.strip():
        raise InputError(f"{name}: is empty")
    try:
        return _frame(data)
    except (pl.exceptions.PolarsError, ValueError, OSError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{name}: is no table in Parquet, CSV or NDJSON: {reason}") from None


def _frame(data: bytes) -> pl.DataFrame:
    if data.startswith(_GZIP_MAGIC):
        return _frame(gzip.decompress(data))
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # As Excel saves "Unicode text".
        return _frame(data.decode("utf-16").encode())
    if data.startswith(_PARQUET_MAGIC):
        return pl.read_parquet(data)
    # All rows decide on the types: a fraction may come late.
    if data.lstrip().startswith(b"{"):
        return pl.read_ndjson(data, infer_schema_length=None)
    if data.lstrip().startswith(b"["):
        return pl.read_json(data, infer_schema_length=None)
    head = data.partition(b"\n")[0].decode("utf-8-sig")
    return unquoted(pl.read_csv(data, separator=max(_SEPARATORS, key=head.count), infer_schema_length=None))
