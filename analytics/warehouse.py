"""What the tracking plan does not know of events, laid out in columns as Segment's warehouses do.

The event table keeps such fields as JSON, in ``extra``, as they came. Here each gets a column: names in snake case,
objects flattened with ``_`` between their keys, arrays as JSON text. Fields of ``properties`` and ``traits`` stand
under their own name, all others under their whole path (``context_library_version``). Source: Segment, `Warehouse
Schemas <https://segment.com/docs/connections/storage/warehouses/schema/>`_.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from analytics.events.enrichment import DERIVED_SCHEMA, conform
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.strict_json import canonical

__all__ = ["unfold", "warehouse_name"]

_BARE: Final = ("properties", "traits")
_TAKEN: Final = frozenset((*EVENT_SCHEMA, *DERIVED_SCHEMA))
# Where a word begins within a name: a capital after a small letter or digit, or the last capital before small ones.
_WORD_BEGINS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")

_Path = tuple[str, ...]


def warehouse_name(key: str) -> str:
    """Name a field as a warehouse does: ``productID`` and ``Product Id`` become ``product_id``, ``1st`` ``_1st``."""
    name = _NOT_IN_NAMES.sub("_", _WORD_BEGINS.sub("_", key).lower()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def unfold(events: pl.DataFrame) -> pl.DataFrame:
    """Lay the fields of ``extra`` out in columns of their own, as texts.

    A field whose name is that of a column already keeps its path (``properties_email`` beside ``email``); of two fields
    of one row that would have one name the last stays, as their order in ``extra`` is.

    Args:
        events: Table of events; see :func:`analytics.enrichment.conform`.

    Returns:
        The columns of the tracking plan but ``extra``, then one for each field that occurs, by name.

    Raises:
        EventFrameError: A column has a type that cannot hold what the tracking plan says.
    """
    flat = conform(events)
    written = flat["extra"].unique().drop_nulls()
    rows = [{"extra": text, **dict(_fields(text))} for text in written]
    names = sorted({name for row in rows for name in row} - {"extra"})
    table = pl.DataFrame(rows, schema={"extra": pl.String(), **dict.fromkeys(names, pl.String())})
    return flat.join(table, on="extra", how="left", maintain_order="left").drop("extra")


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Name and value of each field of a JSON object; what is no object is one field, ``extra_text``."""
    try:
        rest = json.loads(text)
    except (ValueError, RecursionError):
        rest = None
    if not isinstance(rest, dict):
        yield "extra_text", text
        return
    for path, value in _leaves((), rest):
        yield _column(path), value if isinstance(value, str) else canonical(value)


def _leaves(path: _Path, node: dict[str, Any]) -> Iterator[tuple[_Path, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves((*path, key), value)
        elif value is not None:
            yield (*path, key), value


def _column(path: _Path) -> str:
    names = [name for name in map(warehouse_name, path) if name]
    bare = "_".join(names[1:] if path[0] in _BARE and len(names) > 1 else names)
    whole = "_".join(names)
    name = whole if bare in _TAKEN else bare
    return f"extra_{name}" if name in _TAKEN or not name else name
